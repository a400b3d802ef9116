# NixFleet with home-manager, for a home without a system of one's own: an agent of the user's, which rebuilds that home. It needs
# no root and has no helper: runs are transient units of the user's systemd, or on macOS processes in sessions of their own.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    mkDefault
    mkIf
    mkOption
    types
    ;
  fleet = config.services.nixfleet;
  cfg = fleet.agent;
  ours = import ../packages.nix pkgs;
  files = import ./agent/files.nix { inherit lib pkgs; };
  checks = import ./agent/assertions.nix { inherit lib; };
  inherit (pkgs.stdenv.hostPlatform) isDarwin isLinux;

  program = "${cfg.package}/bin/nixfleet-agent";
  # The rebuild tool, Nix and git, wherever this home has them from.
  path = lib.concatStringsSep ":" [
    "${config.home.profileDirectory}/bin"
    "/run/current-system/sw/bin"
    "/nix/var/nix/profiles/default/bin"
    "/usr/bin"
    "/bin"
    "/usr/sbin"
    "/sbin"
  ];
  log = "${config.home.homeDirectory}/Library/Logs/nixfleet-agent.log";
in
{
  imports = [
    ./agent/options.nix
    ./earlier.nix
  ];

  options.services.nixfleet = {
    enable = lib.mkEnableOption "NixFleet's agent for this home, which reports to {option}`services.nixfleet.agent.url`. On Linux it ends with your last session, and runs with it, unless `loginctl enable-linger` keeps your systemd";

    package = mkOption {
      type = types.package;
      default = pkgs.nixfleet or ours.nixfleet;
      defaultText = lib.literalMD "`pkgs.nixfleet` where an overlay has it, else this flake's";
      description = "The package with the command line `nixfleet`, which is put on the PATH.";
    };

    agent.enable = mkOption {
      type = types.bool;
      default = fleet.enable;
      defaultText = lib.literalExpression "config.services.nixfleet.enable";
      description = "Whether this home has an agent.";
    };

    agent.configFile = mkOption {
      type = types.package;
      internal = true;
      readOnly = true;
      default = files.checked {
        name = "nixfleet-agent.toml";
        inherit (cfg) package settings;
      };
      description = "The agent's file.";
    };
  };

  config = mkIf cfg.enable {
    assertions = checks.assertions cfg ++ [
      {
        assertion = cfg.url != null;
        message = ''
          `services.nixfleet.agent.url` is not set. Write the dashboard's address, for example "wss://fleet.example.org".
        '';
      }
      {
        assertion = cfg.tokenFile != null;
        message = ''
          `services.nixfleet.agent.tokenFile` is not set.
          Write the path of a file outside the store, readable by you alone, whose first line is the dashboard's agent token.
        '';
      }
      {
        assertion = cfg.settings ? rebuild.flake || cfg.settings ? repo;
        message = ''
          `services.nixfleet.agent.rebuild.flake` is not set, and home-manager does not know which home of which flake is meant.
          Write it with the home's name: "${config.home.homeDirectory}/fleet#${config.home.username}".
        '';
      }
    ];
    warnings = checks.warnings cfg;

    services.nixfleet.agent.settings = {
      token_file = mkIf (cfg.tokenFile != null) cfg.tokenFile;
      # Restart=always, KeepAlive
      service_manager = true;
      rebuild.tool = mkDefault "home-manager";
    };

    home.packages = [
      cfg.package
      fleet.package
    ];

    # An activation may restart it, here and on macOS: runs are not its children.
    systemd.user.services.nixfleet-agent = mkIf isLinux {
      Unit = {
        Description = "NixFleet agent of this home";
        StartLimitIntervalSec = 0;
      };
      Service = {
        # It says when it is up, and that its heartbeats go on: one that hangs is started again.
        Type = "notify";
        WatchdogSec = 180;
        ExecStart = "${program} --config ${cfg.configFile}";
        Environment = [ "PATH=${path}" ];
        Restart = "always";
        RestartSec = 1;
        TimeoutStopSec = 20;
        # More would hinder the rebuilds that it starts.
        LockPersonality = true;
        RestrictRealtime = true;
        SystemCallArchitectures = "native";
      };
      Install.WantedBy = [ "default.target" ];
    };

    launchd.agents.nixfleet-agent = mkIf isDarwin {
      enable = true;
      config = {
        ProgramArguments = [
          "/bin/sh"
          "-c"
          "/bin/wait4path /nix/store && exec ${program} --config ${cfg.configFile}"
        ];
        EnvironmentVariables.PATH = path;
        RunAtLoad = true;
        KeepAlive = true;
        ThrottleInterval = 5;
        # Runs are in sessions of their own.
        AbandonProcessGroup = true;
        ProcessType = "Interactive";
        StandardOutPath = log;
        StandardErrorPath = log;
      };
    };
  };
}
