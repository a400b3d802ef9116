# The agent on macOS with nix-darwin: two launchd daemons, an account that can do nothing and a root helper that starts runs for
# it, each in a session of its own.
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
  files = import ./files.nix { inherit lib pkgs; };
  checks = import ./assertions.nix { inherit lib; };
  # macOS wants names of system accounts to begin so.
  name = "_nixfleet-agent";
  state = "/var/lib/nixfleet-agent";
  runs = "/var/lib/nixfleet";
  socket = "${runs}/helper.sock";

  daemon = {
    RunAtLoad = true;
    KeepAlive = true;
    ThrottleInterval = 5;
    # Runs are in sessions of their own; launchd shall not look for what is left of a daemon that it restarts.
    AbandonProcessGroup = true;
    ProcessType = "Interactive";
  };
in
{
  imports = [ ./options.nix ];

  options.services.nixfleet.agent = {
    enable = mkOption {
      type = types.bool;
      default = fleet.enable;
      defaultText = lib.literalExpression "config.services.nixfleet.enable";
      description = "Whether this Mac has an agent.";
    };
    uid = mkOption {
      type = types.ints.between 200 499;
      default = 487;
      description = "User and group id of the agent's account `_nixfleet-agent`. macOS does not choose one.";
    };
    logFile = mkOption {
      type = types.externalPath;
      default = "/var/log/nixfleet/agent.log";
      description = "Where the agent's messages go; the helper's go to `helper.log` beside it.";
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
        assertion = cfg.url != null;
        message = ''
          `services.nixfleet.agent.url` is not set. Write the dashboard's address, for example "wss://fleet.example.org".
        '';
      }
      {
        assertion = cfg.tokenFile != null;
        message = ''
          `services.nixfleet.agent.tokenFile` is not set.
          Write the path of a file outside the store that the account ${name} can read and whose first line is the dashboard's agent token.
        '';
      }
    ];
    warnings = checks.warnings cfg;

    services.nixfleet.agent.settings = {
      token_file = mkIf (cfg.tokenFile != null) cfg.tokenFile;
      state_dir = state;
      helper = socket;
      helper_state_dir = runs;
      # KeepAlive
      service_manager = true;
      rebuild.tool = mkDefault "darwin-rebuild";
    };

    environment.systemPackages = [ cfg.package ];
    environment.etc."nixfleet/agent.toml".source = cfg.configFile;

    users.knownUsers = [ name ];
    users.knownGroups = [ name ];
    users.users.${name} = {
      inherit (cfg) uid;
      gid = cfg.uid;
      home = state;
      shell = "/usr/bin/false";
      description = "NixFleet agent";
      isHidden = true;
    };
    users.groups.${name} = {
      gid = cfg.uid;
      description = "NixFleet agent";
    };

    # The same for every configuration, so that no activation unloads the agent in the middle of its own run: it leads through
    # the running system. The agent sees by itself that another program is there, and exits once nothing runs.
    launchd.daemons.nixfleet-agent = {
      command = "/run/current-system/sw/bin/nixfleet-agent --config /etc/nixfleet/agent.toml";
      serviceConfig = daemon // {
        UserName = name;
        GroupName = name;
        StandardOutPath = cfg.logFile;
        StandardErrorPath = cfg.logFile;
      };
    };

    # It owns nothing that lasts: a new configuration may replace it at any time.
    launchd.daemons.nixfleet-agent-helper = {
      command = "${cfg.package}/bin/nixfleet-agent helper --config ${cfg.helperFile} --socket ${socket}";
      # A Mac whose Nix is not nix-darwin's to manage has it in its default profile.
      path = lib.optional config.nix.enable config.nix.package ++ [
        pkgs.git
        "/run/current-system/sw/bin"
        "/nix/var/nix/profiles/default/bin"
        "/usr/bin"
        "/bin"
        "/usr/sbin"
        "/sbin"
      ];
      environment = {
        HOME = "/var/root";
        USER = "root";
        NIX_SSL_CERT_FILE = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";
      };
      serviceConfig = daemon // {
        StandardOutPath = "${dirOf cfg.logFile}/helper.log";
        StandardErrorPath = "${dirOf cfg.logFile}/helper.log";
      };
    };

    system.activationScripts.launchd.text = lib.mkBefore ''
      # Directories of the NixFleet agent.
      /usr/bin/install -d -m 0700 -o ${name} -g ${name} ${state}
      /usr/bin/install -d -m 0750 -o root -g ${name} ${runs}
      /usr/bin/install -d -m 0755 ${dirOf cfg.logFile}
      [ -e ${cfg.logFile} ] || /usr/bin/install -m 0644 -o ${name} -g ${name} /dev/null ${cfg.logFile}
    '';

    # The agent's settings are no part of its property list: where they have changed it is asked to end, and launchd starts it
    # again. A run that goes on is not touched.
    system.activationScripts.postActivation.text = ''
      if [ "$(readlink ${runs}/.agent-settings 2> /dev/null)" != ${cfg.configFile} ]; then
        ln -sfn ${cfg.configFile} ${runs}/.agent-settings
        /bin/launchctl kill SIGTERM system/${config.launchd.daemons.nixfleet-agent.serviceConfig.Label} 2> /dev/null || true
      fi
    '';
  };
}
