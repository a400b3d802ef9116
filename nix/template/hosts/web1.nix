# A host that reports to the hub.
{
  # imports = [ ./web1-hardware.nix ];
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05";

  services.nixfleet = {
    enable = true;
    agent = {
      url = "wss://fleet.example.org";
      # From the hub: /var/lib/nixfleet-credentials/agent-token. Brought here by hand, by agenix or by sops-nix.
      tokenFile = "/var/lib/nixfleet-token";
      rebuild.flake = "/etc/nixos#web1";
    };
  };
}
