# Accounts of home-manager.
{ words, ... }:
let
  inherit (words) fact;
in
[
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
]
