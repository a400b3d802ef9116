# The agent on NixOS: a unit that talks to the network and may do nothing else, and a root helper that starts runs for it. Each
# run is a transient unit of systemd's own. Units as in systemd/; what they survive is tried by tests/steps/80-systemd.
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
    optional
    types
    ;
  fleet = config.services.nixfleet;
  cfg = fleet.agent;
  files = import ./files.nix { inherit lib pkgs; };
  checks = import ./assertions.nix { inherit lib; };
  hardening = import ../hardening.nix { inherit lib; };
  name = "nixfleet-agent";
  credentials = [ "agent-token:${cfg.effectiveTokenFile}" ];
  changed = import ../credentials-changed.nix {
    inherit lib credentials;
    unit = name;
  };
  socket = "/run/nixfleet/helper.sock";

  # Outside /usr and /etc a sandboxed unit sees next to nothing of these.
  hidden =
    path:
    lib.any (dir: lib.hasPrefix dir path) [
      "/home/"
      "/root/"
      "/run/user/"
      "/tmp/"
      "/var/tmp/"
    ];
  stasysmo = lib.filter hidden (cfg.settings.metrics.stasysmo_paths or [ ]);
in
{
  imports = [ ./options.nix ];

  options.services.nixfleet.agent = {
    enable = mkOption {
      type = types.bool;
      default = fleet.enable;
      defaultText = lib.literalExpression "config.services.nixfleet.enable";
      description = "Whether this host has an agent.";
    };
    effectiveTokenFile = mkOption {
      type = types.str;
      internal = true;
      readOnly = true;
      default =
        if cfg.tokenFile != null then
          cfg.tokenFile
        else if fleet.dashboard.enable then
          fleet.dashboard.effectiveTokenFile
        else
          "/none";
      description = "Where the token is.";
    };
    configFile = mkOption {
      type = types.package;
      internal = true;
      readOnly = true;
      default = files.agent cfg;
      description = "The agent's file.";
    };
    helperFile = mkOption {
      type = types.package;
      internal = true;
      readOnly = true;
      default = files.helper cfg name;
      description = "The helper's file.";
    };
  };

  config = mkIf cfg.enable {
    assertions = checks.assertions cfg ++ [
      {
        assertion = cfg.url != null || fleet.dashboard.enable;
        message = ''
          `services.nixfleet.agent.url` is not set, and this host has no dashboard of its own.
          Write the dashboard's address, for example "wss://fleet.example.org", or set `services.nixfleet.dashboard.enable = true`.
        '';
      }
      {
        assertion = cfg.tokenFile != null || fleet.dashboard.enable;
        message = ''
          `services.nixfleet.agent.tokenFile` is not set.
          Write the path of a file outside the store whose first line is the dashboard's agent token, for example
          config.age.secrets.nixfleet-token.path. A dashboard that made its token itself keeps it in /var/lib/nixfleet-credentials/agent-token.
        '';
      }
      {
        assertion = !(cfg.url == null && fleet.dashboard.enable && fleet.dashboard.tls.certFile != null);
        message = ''
          `services.nixfleet.agent.url` is not set, and this host's dashboard speaks TLS.
          Write the name in its certificate, for example "wss://fleet.example.org:${toString fleet.dashboard.port}".
        '';
      }
    ];
    warnings =
      checks.warnings cfg
      ++
        optional (!(cfg.settings ? rebuild.flake) && !(cfg.settings ? repo) && !config.nix.channel.enable)
          ''
            `services.nixfleet.agent.rebuild.flake` is not set, and this host has no channels: rebuilds work only if there is an /etc/nixos/flake.nix.
            Write what to build, for example "/etc/nixos#${config.networking.hostName}", or set `services.nixfleet.agent.repo.url`.
          '';

    services.nixfleet.agent.settings = {
      url = mkIf (cfg.url == null && fleet.dashboard.enable) fleet.dashboard.localUrl;
      token_file = "/run/credentials/${name}.service/agent-token";
      state_dir = "/var/lib/nixfleet-agent";
      helper = socket;
      helper_state_dir = "/var/lib/nixfleet";
      # Restart=always
      service_manager = true;
      rebuild.tool = mkDefault "nixos-rebuild";
    };

    users.users.${name} = {
      isSystemUser = true;
      group = name;
      home = "/var/lib/nixfleet-agent";
      description = "NixFleet agent";
    };
    users.groups.${name} = { };

    # Runs: written by root, read by the agent; what is new in there has its group.
    systemd.tmpfiles.rules = [
      "d /var/lib/nixfleet 0750 root ${name} - -"
      "d /var/lib/nixfleet/runs 2750 root ${name} - -"
    ];

    systemd.paths = changed.paths;
    systemd.services.nixfleet-agent-credentials = changed.services.nixfleet-agent-credentials;

    systemd.services.nixfleet-agent = {
      description = "NixFleet agent";
      # Nothing is required: what this unit requires could stop it in the middle of a switch.
      wants = [
        "network-online.target"
        "nixfleet-agent-helper.socket"
      ]
      ++ optional fleet.generatesToken "nixfleet-credentials.service";
      after = [
        "network-online.target"
        "nixfleet-agent-helper.socket"
      ]
      ++ optional fleet.generatesToken "nixfleet-credentials.service";
      wantedBy = [ "multi-user.target" ];
      # A switch does not touch the agent. It notices by itself that its unit names another program or file and exits once
      # nothing runs; then Restart= starts that one. A configuration without it leaves it running until it has reported.
      restartIfChanged = false;
      stopIfChanged = false;
      unitConfig.X-StopOnRemoval = false;
      # A long outage does not leave it dead.
      startLimitIntervalSec = 0;
      serviceConfig =
        hardening.agent
        // {
          # It says when it is up, and that its heartbeats go on: one that hangs is started again.
          Type = "notify";
          WatchdogSec = mkDefault 180;
          ExecStart = "${cfg.package}/bin/nixfleet-agent --config ${cfg.configFile}";
          User = name;
          Group = name;
          LoadCredential = credentials;
          StateDirectory = "nixfleet-agent";
          StateDirectoryMode = "0700";
          # For a socket of the local API, where one is configured.
          RuntimeDirectory = "nixfleet-agent";
          RuntimeDirectoryMode = "0750";
          Restart = "always";
          RestartSec = 1;
          TimeoutStopSec = 20;
          OOMScoreAdjust = -500;
          MemoryMax = mkDefault "256M";
          TasksMax = mkDefault 64;
        }
        // lib.optionalAttrs (stasysmo != [ ]) {
          # Below what ProtectHome=true makes inaccessible systemd drops every mount (drop_inaccessible); an empty tmpfs has room
          # for one. A directory that is missing when the agent starts stays absent until it starts again.
          ProtectHome = mkDefault "tmpfs";
          BindReadOnlyPaths = map (path: "-${path}") stasysmo;
        };
    };

    # Only the agent's group may connect, and the helper looks at who did.
    systemd.sockets.nixfleet-agent-helper = {
      description = "NixFleet agent's helper";
      wantedBy = [ "sockets.target" ];
      unitConfig.X-StopOnRemoval = false;
      socketConfig = {
        ListenStream = socket;
        SocketUser = "root";
        SocketGroup = name;
        SocketMode = "0660";
        DirectoryMode = "0755";
        Backlog = 16;
      };
    };

    systemd.services.nixfleet-agent-helper = {
      description = "NixFleet agent's helper";
      requires = [ "nixfleet-agent-helper.socket" ];
      after = [ "nixfleet-agent-helper.socket" ];
      # A switch must not stop what it is started by. The helper goes by itself when it has nothing to do, and the next one is
      # the one of the configuration that is active then.
      restartIfChanged = false;
      stopIfChanged = false;
      unitConfig.X-StopOnRemoval = false;
      startLimitIntervalSec = 0;
      # What runs find; what else a host has is found in /run/current-system/sw/bin.
      path = [
        config.nix.package
        config.systemd.package
        pkgs.gitMinimal
        pkgs.openssh
      ]
      ++ optional (config.system.build ? nixos-rebuild) config.system.build.nixos-rebuild;
      environment =
        config.nix.envVars
        // config.networking.proxy.envVars
        // {
          HOME = "/root";
        }
        // lib.optionalAttrs (config.environment.sessionVariables ? NIX_PATH) {
          inherit (config.environment.sessionVariables) NIX_PATH;
        };
      serviceConfig = hardening.helper // {
        Type = "exec";
        ExecStart = "${cfg.package}/bin/nixfleet-agent helper --config ${cfg.helperFile}";
        User = "root";
        # Runs' directories belong to this group, so that the agent can read journals.
        Group = name;
        StateDirectory = "nixfleet";
        StateDirectoryMode = "0750";
        Restart = "on-failure";
        RestartSec = 1;
        TimeoutStopSec = 20;
        OOMScoreAdjust = -500;
        MemoryMax = mkDefault "256M";
        TasksMax = mkDefault 64;
      };
    };
  };
}
