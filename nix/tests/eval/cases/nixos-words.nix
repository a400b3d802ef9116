# What the NixOS module says of settings: errors, warnings, and those of which it says nothing.
{ lib, words, ... }:
let
  inherit (words) token fleet fact;
in
[
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
]
