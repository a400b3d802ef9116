# The agent's and its helper's configuration files, checked by the program that will read them.
{ lib, pkgs }:
let
  toml = pkgs.formats.toml { };
  # What root executes: the helper's to say where there is one.
  executed = [
    "allowed_commands"
    "commands"
    "limits"
    "rebuild"
    "repo"
    "stop"
    "tests"
  ];
in
rec {
  # The agent's own file when a helper starts its runs.
  agent =
    cfg:
    checked {
      name = "nixfleet-agent.toml";
      inherit (cfg) package;
      settings = removeAttrs cfg.settings executed;
    };

  # The helper's file. Its own keys name an account, which a build machine does not know: what is executed is checked as the
  # file of an agent that does without a helper.
  helper =
    cfg: account:
    let
      execution = lib.filterAttrs (key: _: lib.elem key executed) cfg.settings;
    in
    checked {
      name = "nixfleet-helper.toml";
      inherit (cfg) package;
      settings = execution // {
        client_user = account;
        client_group = account;
        state_dir = "/var/lib/nixfleet";
        log_level = cfg.settings.log_level or "info";
      };
      probe = execution // {
        url = "ws://localhost";
        token_file = "/none";
      };
    };

  # A file that `package` has found valid. `check-config` needs no secret, no network and none of the files that are named.
  # A build machine that cannot execute the program leaves the check to the host.
  checked =
    {
      name,
      package,
      settings,
      # What to check, where that is not the file itself.
      probe ? settings,
      program ? "nixfleet-agent",
    }:
    let
      file = toml.generate name settings;
      checkedFile = if probe == settings then file else toml.generate "probe-${name}" probe;
      canCheck = pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform;
      checkedBuild = pkgs.runCommand name { preferLocalBuild = true; } ''
        ${package}/bin/${program} check-config --config ${checkedFile}
        cp ${file} $out
      '';
    in
    (if canCheck then checkedBuild else file) // { inherit settings; };
}
