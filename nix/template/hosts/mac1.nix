# A Mac that reports to the hub.
{
  nixpkgs.hostPlatform = "aarch64-darwin";
  system.stateVersion = 6;

  services.nixfleet = {
    enable = true;
    agent = {
      url = "wss://fleet.example.org";
      # Readable by the account _nixfleet-agent.
      tokenFile = "/var/lib/nixfleet-token";
      rebuild.flake = "/etc/nix-darwin#mac1";
    };
  };
}
