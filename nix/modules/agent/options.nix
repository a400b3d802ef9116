# Options of the agent, the same on NixOS, nix-darwin and home-manager.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.nixfleet.agent;
  toml = pkgs.formats.toml { };
  secretFile = import ../secret-file.nix { inherit lib; };
  ours = import ../../packages.nix pkgs;

  command = types.submodule {
    options = {
      argv = mkOption {
        type = types.nonEmptyListOf types.str;
        example = lib.literalExpression ''[ "''${pkgs.btrfs-progs}/bin/btrfs" "scrub" "start" "-B" "/" ]'';
        description = "Program and arguments. No shell reads them. The program must be root's own, as everything in the store is.";
      };
      description = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "Check the root file system";
        description = "What it does, in a sentence. Operators read it.";
      };
      timeout = mkOption {
        type = types.nullOr types.ints.positive;
        default = null;
        example = 3600;
        description = "Seconds after which it is stopped.";
      };
      args = mkOption {
        type = types.listOf (
          types.enum [
            "flake"
            "host"
            "generation"
            "system"
            "text"
          ]
        );
        default = [ ];
        example = [ "host" ];
        description = "What the operator must add: one argument of each kind, in this order.";
      };
      allowArgs = mkOption {
        type = types.bool;
        default = false;
        description = "Whether the operator may add any text that is no option. Not beside `args`.";
      };
    };
  };
in
{
  options.services.nixfleet.agent = {
    package = mkOption {
      type = types.package;
      default = pkgs.nixfleet-agent or ours.nixfleet-agent;
      defaultText = lib.literalMD "`pkgs.nixfleet-agent` where an overlay has it, else this flake's";
      description = "The package with `bin/nixfleet-agent`.";
    };

    url = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "wss://fleet.example.org";
      description = ''
        The dashboard's address: `wss://…`, `https://…`, or `ws://…` inside a network that you trust. With or without `/ws`.
      '';
    };

    tokenFile = mkOption {
      type = types.nullOr secretFile;
      default = null;
      example = "/run/agenix/nixfleet-token";
      description = ''
        File outside the store whose first line is the token that agents and dashboard share. On NixOS it is loaded as a
        credential and may be root's and 0600. On macOS the account `_nixfleet-agent` must be able to read it, with home-manager
        you must.
      '';
    };

    caFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = lib.literalExpression "./fleet-ca.pem";
      description = "PEM file with certificates that are trusted beside the public ones. A certificate is no secret: it may be in the store.";
    };

    rebuild.flake = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/etc/nixos#web1";
      description = ''
        What rebuilds build: the rebuild tool's `--flake`. Without it, the working copy of {option}`services.nixfleet.agent.repo`
        if there is one, else what the tool finds by itself.
      '';
    };

    repo = {
      url = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "git@git.example.org:fleet.git";
        description = "Where to clone the configuration from. Then the working copy is the agent's own, and `pull` makes it equal to the branch. Without credentials: it ends up in the store.";
      };
      dir = mkOption {
        type = types.nullOr types.externalPath;
        default = null;
        example = "/etc/nixos";
        description = "The working copy. Without {option}`services.nixfleet.agent.repo.url` it is yours, and `pull` only fast-forwards it.";
      };
      branch = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "production";
        description = "The branch; `main` without it.";
      };
      sshKeyFile = mkOption {
        type = types.nullOr secretFile;
        default = null;
        example = "/run/agenix/fleet-deploy-key";
        description = "Private key for a repository that is reached by ssh; outside the store, readable by whoever runs the rebuild.";
      };
    };

    commands = mkOption {
      type = types.attrsOf command;
      default = { };
      example = lib.literalExpression ''
        { scrub = { argv = [ "''${pkgs.btrfs-progs}/bin/btrfs" "scrub" "start" "-B" "/" ]; description = "Check the root file system"; }; }
      '';
      description = "Commands that operators can start beside the built-in ones. A dashboard names one; what is executed is written here.";
    };

    allowedCommands = mkOption {
      type = types.nullOr (types.listOf types.str);
      default = null;
      example = [
        "switch"
        "rollback"
        "reboot"
      ];
      description = "The only commands that are offered: built-in ones and names of {option}`services.nixfleet.agent.commands`. `null`: all that can work here.";
    };

    settings = mkOption {
      type = types.submodule { freeformType = toml.type; };
      default = { };
      example = {
        interval = 10;
        location = "rack 2";
        limits.memory_max = "4G";
      };
      description = ''
        Further keys, spelled as in `docs/configuration.md`. Those of `[rebuild]`, `[repo]`, `[commands]`, `[tests]`, `[stop]`,
        `[limits]` and `allowed_commands` go into the root helper's file where there is one. All are checked when the system
        is built. They end up in the store: no secrets here.
      '';
    };
  };

  # What the other options say, in the program's own words.
  config.services.nixfleet.agent.settings = {
    url = lib.mkIf (cfg.url != null) cfg.url;
    ca_file = lib.mkIf (cfg.caFile != null) "${cfg.caFile}";
    allowed_commands = lib.mkIf (cfg.allowedCommands != null) cfg.allowedCommands;
    rebuild = lib.mkIf (cfg.rebuild.flake != null) { inherit (cfg.rebuild) flake; };
    repo = lib.mkIf (lib.any (value: value != null) (lib.attrValues cfg.repo)) {
      url = lib.mkIf (cfg.repo.url != null) cfg.repo.url;
      dir = lib.mkIf (cfg.repo.dir != null) cfg.repo.dir;
      branch = lib.mkIf (cfg.repo.branch != null) cfg.repo.branch;
      ssh_key_file = lib.mkIf (cfg.repo.sshKeyFile != null) cfg.repo.sshKeyFile;
    };
    commands = lib.mkIf (cfg.commands != { }) (
      lib.mapAttrs (
        _: command:
        {
          inherit (command) argv;
        }
        // lib.optionalAttrs (command.description != null) { inherit (command) description; }
        // lib.optionalAttrs (command.timeout != null) { inherit (command) timeout; }
        // lib.optionalAttrs (command.args != [ ]) { inherit (command) args; }
        // lib.optionalAttrs command.allowArgs { allow_args = true; }
      ) cfg.commands
    );
  };
}
