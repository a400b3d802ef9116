# What is wrong or unwise in the agent's options, wherever it runs. Each message names the option and what to write instead.
{ lib }:
let
  inherit (lib) optional;
  option = "`services.nixfleet.agent";
  needRepo = [
    "pull"
    "pull-switch"
    "update"
  ];
  scheme = url: builtins.match "(wss|https|ws|http)://[^ /?#@]+(/[^ ?#@]*)?" url != null;
  plain = url: builtins.match "(ws|http)://.*" url != null;
  loopback =
    url: builtins.match "[a-z]+://(localhost|127[.][0-9.]+|\\[::1])(:[0-9]+)?(/.*)?" url != null;
  # nixos-rebuild runs in `/`: a path must be absolute, or have a scheme such as `github:`.
  absolute = flake: builtins.match "(/|[a-z][a-z0-9+.-]*:).*" flake != null;
  # The files of agent and helper are in the store. An address is not repeated in what is said of it.
  secretive = url: builtins.match "([a-z]+[+])?[Hh][Tt][Tt][Pp][Ss]?://[^/?#]*@.*" url != null;
  noCredentials = name: url: {
    assertion = !secretive url;
    message = ''
      ${option}.${name}` has a user or a token before the host's name, and it would be in the Nix store, which everybody can read.
      Write the address without what ends with "@". Use ssh and ${option}.repo.sshKeyFile`, or a git credential helper of whoever
      runs the rebuilds (root on NixOS and nix-darwin).
    '';
  };
in
{
  assertions = cfg: [
    (noCredentials "repo.url" (cfg.settings.repo.url or ""))
    (noCredentials "rebuild.flake" (cfg.settings.rebuild.flake or ""))
    {
      assertion = cfg.url == null || scheme cfg.url;
      message = ''
        ${option}.url` = "${toString cfg.url}" is no address of a dashboard.
        Write it with its scheme and without user or query: "wss://fleet.example.org", or "ws://10.0.0.2:8000" inside a network that you trust.
      '';
    }
    {
      assertion = cfg.rebuild.flake == null || absolute cfg.rebuild.flake;
      message = ''
        ${option}.rebuild.flake` = "${toString cfg.rebuild.flake}" is relative, and rebuilds run in `/`.
        Write an absolute path or a reference with a scheme: "/etc/nixos#web1" or "github:example/fleet#web1".
      '';
    }
    {
      assertion =
        cfg.allowedCommands == null
        || cfg.settings ? repo
        || !lib.any (name: lib.elem name needRepo) cfg.allowedCommands;
      message = ''
        ${option}.allowedCommands` has a command that works on a repository (${lib.concatStringsSep ", " needRepo}), and there is none.
        Set ${option}.repo.dir` to the configuration's working copy, or ${option}.repo.url` to where it is cloned from.
      '';
    }
    {
      assertion = lib.all (command: command.args == [ ] || !command.allowArgs) (
        lib.attrValues cfg.commands
      );
      message = ''
        ${option}.commands` has a command with both `args` and `allowArgs`.
        Keep `args` for arguments of known kinds, or `allowArgs` for any text.
      '';
    }
  ];

  warnings =
    cfg:
    optional (cfg.url != null && plain cfg.url && !loopback cfg.url) ''
      ${option}.url` = "${cfg.url}" is not encrypted: whoever sees the traffic reads the token and can take the host's place.
      Use "wss://…", with a proxy that has a certificate or with `services.nixfleet.dashboard.tls`.
    '';
}
