# Configurations, and what must come of them. A case names every sentence that this module says of it, by a part; a sentence that
# is missing or that no case expects is a failure.
{ lib }:
let
  token = "/run/keys/nixfleet-token";
  remote = {
    enable = true;
    agent.url = "wss://fleet.example.org";
    agent.tokenFile = token;
    agent.rebuild.flake = "/etc/nixos#web1";
  };
  fleet = changes: { services.nixfleet = lib.recursiveUpdate remote changes; };
  unit = config: name: config.systemd.services.${name};
  fact = what: holds: { inherit what holds; };
in
{
  examples = {
    alone.services.nixfleet.enable = true;

    host.services.nixfleet = lib.recursiveUpdate remote {
      agent = {
        caFile = "/etc/ssl/fleet-ca.pem";
        repo.url = "git@git.example.org:fleet.git";
        repo.sshKeyFile = "/run/keys/deploy";
        allowedCommands = [
          "switch"
          "pull"
          "scrub"
          "restore"
        ];
        commands.scrub = {
          argv = [
            "/run/current-system/sw/bin/btrfs"
            "scrub"
            "start"
            "-B"
            "/"
          ];
          description = "Check the root file system";
          timeout = 3600;
        };
        commands.restore = {
          argv = [ "/run/current-system/sw/bin/restore" ];
          args = [ "generation" ];
        };
        settings = {
          interval = 10;
          location = "rack \"2\"";
          limits.memory_max = "4G";
          metrics.stasysmo_paths = [
            "/run/stasysmo"
            "/home/ada/.cache/stasysmo"
          ];
        };
      };
    };

    dashboard.services.nixfleet = {
      dashboard = {
        enable = true;
        address = "::";
        port = 8443;
        openFirewall = true;
        baseUrl = "https://fleet.example.org:8443";
        agentTokenFile = token;
        tls.certFile = "/var/lib/acme/fleet.example.org/fullchain.pem";
        tls.keyFile = "/var/lib/acme/fleet.example.org/key.pem";
        settings.retention_days = 180;
      };
    };

    mac.services.nixfleet = {
      enable = true;
      agent.url = "wss://fleet.example.org";
      agent.tokenFile = "/etc/nixfleet/token";
      agent.rebuild.flake = "/etc/nix-darwin#mac1";
      agent.settings.limits.timeout = 7200;
    };

    home.services.nixfleet = {
      enable = true;
      agent.url = "wss://fleet.example.org";
      agent.tokenFile = "/run/keys/token";
      agent.rebuild.flake = "/srv/fleet#ada";
    };
  };

  nixos = [
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
    {
      name = "an address without a scheme";
      config = fleet { agent.url = "fleet.example.org"; };
      errors = [
        "`services.nixfleet.agent.url` = \"fleet.example.org\" is no address of a dashboard.\nWrite it with its scheme"
      ];
    }
    {
      name = "an address with a user";
      config = fleet { agent.url = "wss://me@fleet.example.org"; };
      errors = [ "`services.nixfleet.agent.url`" ];
    }
    {
      name = "no address, and no dashboard here";
      config.services.nixfleet = {
        enable = true;
        dashboard.enable = false;
        agent.tokenFile = token;
      };
      errors = [ "`services.nixfleet.agent.url` is not set" ];
    }
    {
      name = "no token";
      config.services.nixfleet = {
        enable = true;
        agent.url = "wss://fleet.example.org";
      };
      errors = [ "`services.nixfleet.agent.tokenFile` is not set" ];
    }
    {
      name = "a relative flake";
      config = fleet { agent.rebuild.flake = ".#web1"; };
      errors = [ "`services.nixfleet.agent.rebuild.flake` = \".#web1\" is relative" ];
    }
    {
      name = "no flake where there are no channels";
      config = {
        services.nixfleet.enable = true;
        nix.channel.enable = false;
      };
      warnings = [ "`services.nixfleet.agent.rebuild.flake` is not set" ];
    }
    {
      name = "a token in a repository's address";
      config = fleet { agent.repo.url = "https://ada:sesame@git.example.org/fleet.git"; };
      errors = [
        "`services.nixfleet.agent.repo.url` has a user or a token before the host's name"
      ];
    }
    {
      name = "a token in place of a user, as a key of settings";
      config = fleet { agent.settings.repo.url = "HTTP://sesame@git.example.org"; };
      errors = [ "`services.nixfleet.agent.repo.url` has a user or a token" ];
    }
    {
      name = "a token in a flake's address";
      config = fleet { agent.rebuild.flake = "git+https://ada:sesame@git.example.org/fleet.git#web1"; };
      errors = [ "`services.nixfleet.agent.rebuild.flake` has a user or a token" ];
    }
    {
      name = "addresses without secrets";
      config = fleet {
        agent.repo.url = "https://git.example.org/@fleet/hosts.git";
        agent.rebuild.flake = "git+ssh://git@git.example.org/fleet.git#web1";
      };
    }
    {
      name = "a token in a repository's address, in the words of the earlier NixFleet";
      config = lib.recursiveUpdate (fleet { }) {
        services.nixfleet-agent.repoUrl = "https://ada:sesame@git.example.org/fleet.git";
      };
      errors = [ "`services.nixfleet.agent.repo.url` has a user or a token" ];
      warnings = [ "`services.nixfleet-agent.repoUrl' defined" ];
    }
    {
      name = "pull without a repository";
      config = fleet { agent.allowedCommands = [ "pull" ]; };
      errors = [ "`services.nixfleet.agent.allowedCommands` has a command that works on a repository" ];
    }
    {
      name = "arguments of known kinds, and any";
      config = fleet {
        agent.commands.say = {
          argv = [ "/bin/echo" ];
          args = [ "text" ];
          allowArgs = true;
        };
      };
      errors = [ "`services.nixfleet.agent.commands` has a command with both" ];
    }
    {
      name = "a token in the clear";
      config = fleet { agent.url = "ws://10.0.0.2:8000"; };
      warnings = [ "`services.nixfleet.agent.url` = \"ws://10.0.0.2:8000\" is not encrypted" ];
    }
    {
      name = "not in the clear beyond this host";
      config = fleet { agent.url = "http://[::1]:8000/fleet"; };
    }
    {
      name = "a name that only begins like this host's";
      config = fleet { agent.url = "ws://localhost.example.org"; };
      warnings = [ "is not encrypted" ];
    }
    {
      name = "a dashboard for all, without TLS";
      config.services.nixfleet = {
        enable = true;
        dashboard.address = "0.0.0.0";
      };
      warnings = [ "`services.nixfleet.dashboard.address` = \"0.0.0.0\" without TLS" ];
      facts = config: [
        (fact "the agent goes around" (
          config.services.nixfleet.agent.settings.url == "ws://127.0.0.1:8000"
        ))
      ];
    }
    {
      name = "a dashboard for a proxy elsewhere";
      config.services.nixfleet.dashboard = {
        enable = true;
        address = "10.0.0.2";
        settings.trusted_proxies = [ "10.0.0.1" ];
      };
    }
    {
      name = "a certificate without its key";
      config.services.nixfleet = {
        dashboard.enable = true;
        dashboard.tls.certFile = "/var/lib/acme/x/fullchain.pem";
      };
      errors = [ "`services.nixfleet.dashboard.tls.keyFile` is not set" ];
    }
    {
      name = "a key without its certificate";
      config.services.nixfleet = {
        dashboard.enable = true;
        dashboard.tls.keyFile = "/var/lib/acme/x/key.pem";
      };
      errors = [ "`services.nixfleet.dashboard.tls.certFile` is not set" ];
    }
    {
      name = "an agent that cannot know the certificate's name";
      config.services.nixfleet = {
        enable = true;
        dashboard.tls.certFile = "/var/lib/acme/x/fullchain.pem";
        dashboard.tls.keyFile = "/var/lib/acme/x/key.pem";
      };
      errors = [ "`services.nixfleet.agent.url` is not set, and this host's dashboard speaks TLS" ];
    }
    {
      name = "a port that needs a privilege";
      config.services.nixfleet.dashboard = {
        enable = true;
        port = 443;
      };
      errors = [ "`services.nixfleet.dashboard.port` = 443 needs a privilege" ];
    }
    {
      name = "a site with a path";
      config.services.nixfleet.dashboard = {
        enable = true;
        baseUrl = "https://example.org/fleet";
      };
      errors = [
        "`services.nixfleet.dashboard.baseUrl` = \"https://example.org/fleet\" is no address of a site"
      ];
    }
    {
      name = "options of the earlier NixFleet";
      config.services.nixfleet-agent = {
        enable = true;
        url = "https://fleet.example.org";
        tokenFile = token;
        repoUrl = "git@git.example.org:fleet.git";
        branch = "main";
        interval = 30;
        location = "cloud";
        deviceType = "server";
        themeColor = "#769ff0";
      };
      warnings = [
        "`services.nixfleet-agent.enable' defined"
        "`services.nixfleet-agent.url' defined"
        "`services.nixfleet-agent.tokenFile' defined"
        "`services.nixfleet-agent.repoUrl' defined"
        "`services.nixfleet-agent.branch' defined"
        "`services.nixfleet-agent.interval' is now `services.nixfleet.agent.settings.interval'"
        "`services.nixfleet-agent.location' is now"
        "`services.nixfleet-agent.deviceType' is now `services.nixfleet.agent.settings.device_type'"
        "`services.nixfleet-agent.themeColor' is now"
      ];
      facts = config: [
        (fact "no agent" (config.systemd.services ? nixfleet-agent))
        (fact "something is lost" (
          lib.getAttrs [
            "url"
            "interval"
            "location"
            "device_type"
            "theme_color"
          ] config.services.nixfleet.agent.configFile.settings == {
            url = "https://fleet.example.org";
            interval = 30;
            location = "cloud";
            device_type = "server";
            theme_color = "#769ff0";
          }
        ))
        (fact "another repository" (
          config.services.nixfleet.agent.helperFile.settings.repo == {
            url = "git@git.example.org:fleet.git";
            branch = "main";
          }
        ))
      ];
    }
    {
      name = "what the earlier NixFleet needed and this does not";
      config = lib.recursiveUpdate (fleet { }) { services.nixfleet-agent.user = "ada"; };
      errors = [ "services.nixfleet-agent.user" ];
    }
  ];

  # By what types refuse: tests/steps/45-nix has the words of each.
  refused = {
    token-in-store = fleet { agent.tokenFile = "${builtins.toFile "token" "secret"}"; };
    token-path-literal = fleet { agent.tokenFile = ./cases.nix; };
    token-relative = fleet { agent.tokenFile = "token"; };
    key-in-store.services.nixfleet.dashboard = {
      enable = true;
      tls.certFile = "/x.pem";
      tls.keyFile = "${builtins.toFile "key" "secret"}";
    };
    port.services.nixfleet.dashboard = {
      enable = true;
      port = 70000;
    };
    option-misspelled = fleet { agent.tokenfile = token; };
    argument-kind = fleet {
      agent.commands.x = {
        argv = [ "/bin/x" ];
        args = [ "path" ];
      };
    };
    fixed-key = fleet { agent.settings.token_file = "/elsewhere"; };
    accepted = fleet { };
  };

  darwin = [
    {
      name = "switched off, nothing is there";
      config = { };
      facts = config: [
        (fact "a daemon is there" (config.launchd.daemons == { }))
      ];
    }
    {
      name = "the agent's property list is the same for every configuration";
      config.services.nixfleet = {
        enable = true;
        agent.url = "wss://fleet.example.org";
        agent.tokenFile = "/etc/nixfleet/token";
      };
      facts = config: [
        (fact "it has a store path" (
          !lib.hasInfix "/nix/store" (
            builtins.toJSON (removeAttrs config.launchd.daemons.nixfleet-agent [ "path" ])
          )
        ))
        (fact "the program is not where it leads to" (
          lib.elem config.services.nixfleet.agent.package config.environment.systemPackages
        ))
        (fact "the files are not where it leads to" (config.environment.etc ? "nixfleet/agent.toml"))
        (fact "the account is not made" (lib.elem "_nixfleet-agent" config.users.knownUsers))
        (fact "darwin-rebuild is not what is executed" (
          config.services.nixfleet.agent.helperFile.settings.rebuild.tool == "darwin-rebuild"
        ))
      ];
    }
    {
      name = "a Nix that nix-darwin does not manage, and so does not know";
      config = {
        nix.enable = false;
        nix.package = throw "nix.package: accessed when `nix.enable` is off";
        services.nixfleet = {
          enable = true;
          agent.url = "wss://fleet.example.org";
          agent.tokenFile = "/etc/nixfleet/token";
        };
      };
      facts = config: [
        (fact "it is not found" (
          lib.elem "/nix/var/nix/profiles/default/bin" config.launchd.daemons.nixfleet-agent-helper.path
        ))
      ];
    }
    {
      name = "neither address nor token";
      config.services.nixfleet.enable = true;
      errors = [
        "`services.nixfleet.agent.url` is not set"
        "`services.nixfleet.agent.tokenFile` is not set"
      ];
    }
    {
      name = "a token in the clear";
      config.services.nixfleet = {
        enable = true;
        agent.url = "http://fleet.lan";
        agent.tokenFile = "/etc/nixfleet/token";
      };
      warnings = [ "`services.nixfleet.agent.url` = \"http://fleet.lan\" is not encrypted" ];
    }
  ];

  home = [
    {
      name = "switched off, nothing is there";
      config = { };
      facts = config: [
        (fact "a service is there" (
          !(config.systemd.user.services ? nixfleet-agent) && !(config.launchd.agents ? nixfleet-agent)
        ))
      ];
    }
    {
      name = "neither address, token nor home";
      config.services.nixfleet.enable = true;
      errors = [
        "`services.nixfleet.agent.url` is not set"
        "`services.nixfleet.agent.tokenFile` is not set"
        "`services.nixfleet.agent.rebuild.flake` is not set"
      ];
    }
    {
      name = "a home that is rebuilt";
      config.services.nixfleet = {
        enable = true;
        agent.url = "wss://fleet.example.org";
        agent.tokenFile = "/run/keys/token";
        agent.rebuild.flake = "/srv/fleet#ada";
      };
      facts = config: [
        (fact "a helper" (!(config.services.nixfleet.agent.configFile.settings ? helper)))
        (fact "home-manager is not what is executed" (
          config.services.nixfleet.agent.configFile.settings.rebuild.tool == "home-manager"
        ))
      ];
    }
  ];
}
