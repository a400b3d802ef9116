# Hosts on NixOS, and what must be there.
{ lib, words, ... }:
let
  inherit (words)
    token
    fleet
    unit
    fact
    ;
in
[
  {
    name = "switched off, nothing is there";
    config = { };
    facts = config: [
      (fact "a unit is there" (config.systemd.services == { } && config.systemd.sockets == { }))
      (fact "an account is there" (config.users.users == { }))
      (fact "a firewall's port is open" (config.networking.firewall.allowedTCPPorts == [ ]))
    ];
  }
  {
    name = "enable alone: a dashboard on loopback, an agent, and a token for both";
    config.services.nixfleet.enable = true;
    facts = config: [
      (fact "no dashboard" (config.systemd.services ? nixfleet-dashboard))
      (fact "no agent" (config.systemd.services ? nixfleet-agent))
      (fact "the agent looks elsewhere" (
        config.services.nixfleet.agent.settings.url == "ws://127.0.0.1:8000"
      ))
      (fact "not on loopback" (config.services.nixfleet.dashboard.settings.listen == "127.0.0.1:8000"))
      (fact "different tokens" (
        lib.head (unit config "nixfleet-agent").serviceConfig.LoadCredential
        == lib.head (unit config "nixfleet-dashboard").serviceConfig.LoadCredential
      ))
      (fact "the token is not made first" (
        lib.elem "nixfleet-credentials.service" (unit config "nixfleet-agent").after
        && lib.elem "nixfleet-credentials.service" (unit config "nixfleet-dashboard").after
      ))
      (fact "the command line is not on the PATH" (
        lib.elem config.services.nixfleet.package config.environment.systemPackages
      ))
      (fact "a firewall's port is open" (config.networking.firewall.allowedTCPPorts == [ ]))
      (fact "the agent requires something" (
        (unit config "nixfleet-agent").requires == [ ] && (unit config "nixfleet-agent").bindsTo == [ ]
      ))
    ];
  }
  {
    name = "a dashboard elsewhere: only the agent";
    config = fleet { };
    facts = config: [
      (fact "a dashboard as well" (!(config.systemd.services ? nixfleet-dashboard)))
      (fact "a token is made" (!(config.systemd.services ? nixfleet-credentials)))
      (fact "the agent's file says what is executed" (
        !(config.services.nixfleet.agent.configFile.settings ? rebuild)
      ))
      (fact "the helper's file does not" (
        config.services.nixfleet.agent.helperFile.settings.rebuild == {
          flake = "/etc/nixos#web1";
          tool = "nixos-rebuild";
        }
      ))
    ];
  }
  {
    name = "a dashboard alone";
    config.services.nixfleet.dashboard.enable = true;
    facts = config: [
      (fact "an agent as well" (!(config.systemd.services ? nixfleet-agent)))
      (fact "no token is made" (config.systemd.services ? nixfleet-credentials))
    ];
  }
  {
    name = "one token for both";
    config.services.nixfleet = {
      enable = true;
      agent.tokenFile = token;
    };
    facts = config: [
      (fact "a token is made" (!(config.systemd.services ? nixfleet-credentials)))
      (fact "the dashboard has another" (config.services.nixfleet.dashboard.effectiveTokenFile == token))
    ];
  }
  {
    name = "a new token or certificate reaches who has a copy of it";
    config.services.nixfleet = {
      enable = true;
      agent.url = "wss://fleet.example.org:8000";
      agent.tokenFile = "/run/agenix/token";
      dashboard.enable = true;
      dashboard.tls.certFile = "/var/lib/acme/x/fullchain.pem";
      dashboard.tls.keyFile = "/var/lib/acme/x/key.pem";
    };
    facts =
      config:
      let
        watched = name: config.systemd.paths."${name}-credentials".pathConfig.PathChanged;
        loaded = name: (unit config name).serviceConfig.LoadCredential;
        looks = name: unit config "${name}-credentials";
      in
      [
        (fact "the agent's token, or its next generation, is not watched" (
          watched "nixfleet-agent" == [
            "/run/agenix/token"
            "/run/agenix.d"
          ]
        ))
        (fact "token, certificate and key of the dashboard are not watched" (
          watched "nixfleet-dashboard" == [
            "/run/agenix/token"
            "/run/agenix.d"
            "/var/lib/acme/x/fullchain.pem"
            "/var/lib/acme/x/key.pem"
          ]
        ))
        (fact "something else is compared" (
          lib.all (name: lib.hasSuffix (lib.escapeShellArgs (loaded name)) (looks name).scriptArgs) [
            "nixfleet-agent"
            "nixfleet-dashboard"
          ]
        ))
        (fact "a unit with mounts of its own would see no credentials" (
          !lib.any (key: lib.hasPrefix "Protect" key || lib.hasPrefix "Private" key) (
            lib.attrNames (looks "nixfleet-agent").serviceConfig
          )
        ))
      ];
  }
  {
    name = "metrics below /home are all that is there of it";
    config = fleet {
      agent.settings.metrics.stasysmo_paths = [
        "/run/stasysmo"
        "/home/ada/.cache/stasysmo"
      ];
    };
    facts = config: [
      (fact "systemd would drop the mount" (
        (unit config "nixfleet-agent").serviceConfig.ProtectHome == "tmpfs"
      ))
      (fact "something else is mounted" (
        (unit config "nixfleet-agent").serviceConfig.BindReadOnlyPaths == [ "-/home/ada/.cache/stasysmo" ]
      ))
    ];
  }
  {
    name = "metrics elsewhere: homes stay inaccessible";
    config = fleet { agent.settings.metrics.stasysmo_paths = [ "/run/stasysmo" ]; };
    facts = config: [
      (fact "homes are a tmpfs" ((unit config "nixfleet-agent").serviceConfig.ProtectHome == true))
    ];
  }
  {
    name = "a switch leaves agent and helper alone";
    config = fleet { };
    facts =
      config:
      lib.concatMap
        (name: [
          (fact "${name} is restarted" (
            !(unit config name).restartIfChanged && !(unit config name).stopIfChanged
          ))
          (fact "${name} is stopped when it is removed" (
            (unit config name).unitConfig.X-StopOnRemoval == false
          ))
        ])
        [
          "nixfleet-agent"
          "nixfleet-agent-helper"
        ]
      ++ [
        (fact "the socket is stopped when it is removed" (
          config.systemd.sockets.nixfleet-agent-helper.unitConfig.X-StopOnRemoval == false
        ))
      ];
  }
  {
    name = "the port in the firewall, where that is asked for";
    config.services.nixfleet.dashboard = {
      enable = true;
      openFirewall = true;
    };
    facts = config: [
      (fact "no port is open" (config.networking.firewall.allowedTCPPorts == [ 8000 ]))
    ];
  }
]
