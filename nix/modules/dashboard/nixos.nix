# The dashboard on NixOS: one unit of an account without privileges, with its database in /var/lib/nixfleet-dashboard.
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
  cfg = fleet.dashboard;
  files = import ../agent/files.nix { inherit lib pkgs; };
  hardening = import ../hardening.nix { inherit lib; };
  toml = pkgs.formats.toml { };
  secretFile = import ../secret-file.nix { inherit lib; };
  ours = import ../../packages.nix pkgs;
  name = "nixfleet-dashboard";
  credentials = "/run/credentials/${name}.service";
  loaded = [
    "agent-token:${cfg.effectiveTokenFile}"
  ]
  ++ optional tls "tls-cert:${cfg.tls.certFile}"
  ++ optional (cfg.tls.keyFile != null) "tls-key:${cfg.tls.keyFile}";
  changed = import ../credentials-changed.nix {
    inherit lib;
    unit = name;
    credentials = loaded;
  };

  tls = cfg.tls.certFile != null;
  bare = lib.removePrefix "[" (lib.removeSuffix "]" cfg.address);
  shown = if lib.hasInfix ":" bare then "[${bare}]" else bare;
  loopback = builtins.match "127[.][0-9.]+|::1|localhost" bare != null;
  # Where it is reached from this host.
  near =
    if bare == "0.0.0.0" then
      "127.0.0.1"
    else if bare == "::" then
      "[::1]"
    else
      shown;

  # With the service's configuration, as the service's account: what it makes in the data directory stays the service's.
  onPath = pkgs.writeShellScriptBin name ''
    export NIXFLEET_DASHBOARD_CONFIG=''${NIXFLEET_DASHBOARD_CONFIG-${cfg.configFile}}
    if [ "$(${pkgs.coreutils}/bin/id -u)" = 0 ]; then
      exec ${pkgs.util-linux}/bin/runuser --user ${name} -- ${cfg.package}/bin/${name} "$@"
    fi
    exec ${cfg.package}/bin/${name} "$@"
  '';
in
{
  options.services.nixfleet.dashboard = {
    enable = mkOption {
      type = types.bool;
      default = fleet.enable && fleet.agent.url == null;
      defaultText = lib.literalExpression "config.services.nixfleet.enable && config.services.nixfleet.agent.url == null";
      description = "Whether this host has a dashboard. By default it has one unless its agent reports to another.";
    };

    package = mkOption {
      type = types.package;
      default = pkgs.nixfleet-dashboard or ours.nixfleet-dashboard;
      defaultText = lib.literalMD "`pkgs.nixfleet-dashboard` where an overlay has it, else this flake's";
      description = "The package with `bin/nixfleet-dashboard`.";
    };

    address = mkOption {
      type = types.str;
      default = "127.0.0.1";
      example = "0.0.0.0";
      description = "The address to listen on. `0.0.0.0` or `::` is all of them.";
    };

    port = mkOption {
      type = types.port;
      default = 8000;
      description = "The port to listen on; 1024 or above, since the service has no privileges.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open the port in the firewall.";
    };

    baseUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://fleet.example.org";
      description = "How people reach the dashboard, for links and secure cookies. To be set behind a proxy.";
    };

    agentTokenFile = mkOption {
      type = types.nullOr secretFile;
      default = null;
      example = "/run/agenix/nixfleet-token";
      description = ''
        File outside the store whose first line is the token that agents show; loaded as a credential, so it may be root's and 0600.
        Without it, {option}`services.nixfleet.agent.tokenFile` if this host's agent has one, else a token that is made at the first start
        in `/var/lib/nixfleet-credentials/agent-token`.
      '';
    };

    tls = {
      certFile = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = "/var/lib/acme/fleet.example.org/fullchain.pem";
        description = "Certificate chain (PEM) for a dashboard that speaks TLS itself.";
      };
      keyFile = mkOption {
        type = types.nullOr secretFile;
        default = null;
        example = "/var/lib/acme/fleet.example.org/key.pem";
        description = "Its private key, outside the store; loaded as a credential. A renewed one is taken within seconds, by a restart.";
      };
    };

    settings = mkOption {
      type = types.submodule { freeformType = toml.type; };
      default = { };
      example = {
        retention_days = 180;
        max_store_gb = 20;
      };
      description = "Further keys, spelled as in `docs/configuration.md`; checked when the system is built. They end up in the store: no secrets here.";
    };

    effectiveTokenFile = mkOption {
      type = types.str;
      internal = true;
      readOnly = true;
      default =
        if cfg.agentTokenFile != null then
          cfg.agentTokenFile
        else if fleet.agent.enable && fleet.agent.tokenFile != null then
          fleet.agent.tokenFile
        else
          "/var/lib/nixfleet-credentials/agent-token";
      description = "Where the token is.";
    };

    localUrl = mkOption {
      type = types.str;
      internal = true;
      readOnly = true;
      default = "${if tls then "wss" else "ws"}://${near}:${toString cfg.port}";
      description = "Where this host's own agent finds it.";
    };

    configFile = mkOption {
      type = types.package;
      internal = true;
      readOnly = true;
      default = files.checked {
        name = "nixfleet-dashboard.toml";
        inherit (cfg) package settings;
        program = name;
      };
      description = "The dashboard's file.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.port >= 1024;
        message = ''
          `services.nixfleet.dashboard.port` = ${toString cfg.port} needs a privilege that the service does not have.
          Use 1024 or above, and a proxy in front of it for port 443 (docs/guide.md has one).
        '';
      }
      {
        assertion = (cfg.tls.certFile == null) == (cfg.tls.keyFile == null);
        message = ''
          `services.nixfleet.dashboard.tls.${
            if tls then "keyFile" else "certFile"
          }` is not set, but `services.nixfleet.dashboard.tls.${if tls then "certFile" else "keyFile"}` is.
          Set both, or none and a proxy in front of the dashboard.
        '';
      }
      {
        assertion = cfg.baseUrl == null || builtins.match "https?://[^/?#@ ]+/?" cfg.baseUrl != null;
        message = ''
          `services.nixfleet.dashboard.baseUrl` = "${toString cfg.baseUrl}" is no address of a site.
          Write it with its scheme and without a path: "https://fleet.example.org".
        '';
      }
    ];
    warnings = optional (!loopback && !tls && (cfg.settings.trusted_proxies or [ ]) == [ ]) ''
      `services.nixfleet.dashboard.address` = "${cfg.address}" without TLS: passwords and tokens cross the network in the clear.
      Set `services.nixfleet.dashboard.tls.certFile` and `keyFile`, or listen on 127.0.0.1 behind a proxy that has a certificate. Where a proxy on
      another machine has it, name that one in `services.nixfleet.dashboard.settings.trusted_proxies`.
    '';

    services.nixfleet.dashboard.settings = {
      listen = "${shown}:${toString cfg.port}";
      data_dir = "/var/lib/nixfleet-dashboard";
      agent_token_file = "${credentials}/agent-token";
      base_url = mkIf (cfg.baseUrl != null) cfg.baseUrl;
      tls_cert_file = mkIf tls "${credentials}/tls-cert";
      tls_key_file = mkIf (cfg.tls.keyFile != null) "${credentials}/tls-key";
    };

    users.users.${name} = {
      isSystemUser = true;
      group = name;
      home = "/var/lib/nixfleet-dashboard";
      description = "NixFleet dashboard";
    };
    users.groups.${name} = { };

    environment.systemPackages = [ (lib.hiPrio onPath) ];
    networking.firewall.allowedTCPPorts = mkIf cfg.openFirewall [ cfg.port ];

    systemd.paths = changed.paths;
    systemd.services.nixfleet-dashboard-credentials = changed.services.nixfleet-dashboard-credentials;

    systemd.services.nixfleet-dashboard = {
      description = "NixFleet dashboard";
      wants = [ "network-online.target" ] ++ optional fleet.generatesToken "nixfleet-credentials.service";
      after = [ "network-online.target" ] ++ optional fleet.generatesToken "nixfleet-credentials.service";
      wantedBy = [ "multi-user.target" ];
      # Down for the moment between two processes, not for the length of a switch.
      stopIfChanged = false;
      startLimitIntervalSec = 0;
      serviceConfig = hardening.dashboard // {
        Type = "exec";
        ExecStart = "${cfg.package}/bin/${name} --config ${cfg.configFile}";
        User = name;
        Group = name;
        LoadCredential = loaded;
        StateDirectory = name;
        StateDirectoryMode = "0700";
        Restart = "always";
        RestartSec = 1;
        TimeoutStopSec = 30;
        # One connection per host and per watching browser.
        LimitNOFILE = mkDefault 65536;
      };
    };
  };
}
