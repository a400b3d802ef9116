# The machine that shows the fleet; it is a host of it as well.
{
  # imports = [ ./hub-hardware.nix ];
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05";

  services.nixfleet = {
    enable = true;
    dashboard.baseUrl = "https://fleet.example.org";
    dashboard.settings.trusted_proxies = [ "127.0.0.1" ];
    agent.rebuild.flake = "/etc/nixos#hub";
  };

  # A certificate, and the dashboard behind it.
  services.nginx = {
    enable = true;
    recommendedProxySettings = true;
    virtualHosts."fleet.example.org" = {
      forceSSL = true;
      enableACME = true;
      locations."/" = {
        proxyPass = "http://127.0.0.1:8000";
        proxyWebsockets = true;
        # Live output is not to be collected first.
        extraConfig = "proxy_buffering off; proxy_read_timeout 1h;";
      };
    };
  };
  security.acme.acceptTerms = true;
  security.acme.defaults.email = "you@example.org";
  networking.firewall.allowedTCPPorts = [
    80
    443
  ];
}
