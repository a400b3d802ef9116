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

  # The helper's file. The account that it names is the host's, and no business of the machine that builds it.
  helper =
    cfg: account:
    checked {
      name = "nixfleet-helper.toml";
      inherit (cfg) package;
      settings = lib.filterAttrs (key: _: lib.elem key executed) cfg.settings // {
        client_user = account;
        client_group = account;
        state_dir = "/var/lib/nixfleet";
        log_level = cfg.settings.log_level or "info";
      };
      flags = "--helper";
    };

  # A file that `package` has found valid. `check-config` needs no secret, no network and none of the files that are named.
  # A build machine that cannot execute the program leaves the check to the host.
  checked =
    {
      name,
      package,
      settings,
      program ? "nixfleet-agent",
      # To check-config, beside the file.
      flags ? "",
    }:
    let
      file = toml.generate name settings;
      canCheck = pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform;
      checkedBuild = pkgs.runCommand name { preferLocalBuild = true; } ''
        ${package}/bin/${program} check-config ${flags} --config ${file}
        cp ${file} $out
      '';
    in
    (if canCheck then checkedBuild else file) // { inherit settings; };
}
