# What is rendered whole and kept as golden files.
{ lib, words, ... }:
let
  inherit (words) token remote;
in
{
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
}
