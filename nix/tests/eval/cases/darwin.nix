# Hosts on nix-darwin.
{ lib, words, ... }:
let
  inherit (words) fact;
in
[
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
      # With the same property list launchd would leave an agent with settings from before.
      (fact "changed settings do not reach the agent" (
        lib.hasInfix (builtins.unsafeDiscardStringContext "!= ${config.services.nixfleet.agent.configFile} ]") config.system.activationScripts.postActivation.text
        && lib.hasInfix "launchctl kill SIGTERM system/org.nixos.nixfleet-agent" config.system.activationScripts.postActivation.text
      ))
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
]
