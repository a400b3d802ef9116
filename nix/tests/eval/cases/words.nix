# What the cases are written with.
{ lib }:
rec {
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
}
