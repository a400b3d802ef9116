# NixFleet on macOS with nix-darwin: the agent and the command line. The dashboard is for Linux.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.nixfleet;
  ours = import ../packages.nix pkgs;
in
{
  imports = [
    ./agent/darwin.nix
    ./earlier.nix
    (lib.mkRemovedOptionModule
      [
        "services"
        "nixfleet"
        "dashboard"
        "enable"
      ]
      "The dashboard runs on a NixOS host; for a try on this Mac there is `nix run`, with the package nixfleet-dashboard."
    )
  ];

  options.services.nixfleet = {
    enable = lib.mkEnableOption "NixFleet's agent, which reports to {option}`services.nixfleet.agent.url`";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.nixfleet or ours.nixfleet;
      defaultText = lib.literalMD "`pkgs.nixfleet` where an overlay has it, else this flake's";
      description = "The package with the command line `nixfleet`, which is put on the PATH.";
    };
  };

  config = lib.mkIf cfg.agent.enable { environment.systemPackages = [ cfg.package ]; };
}
