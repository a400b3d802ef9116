# Whole systems with a given configuration, as their own evaluators make them: `config` and `options`.
{
  lib,
  nixpkgs,
  pkgs,
  darwinPkgs,
  nixDarwin,
  homeManager,
}:
let
  bare =
    system: module: configuration:
    lib.evalModules {
      modules = [
        ./bare.nix
        module
        { _module.args.pkgs = import ./stub-pkgs.nix { inherit lib system; }; }
        configuration
      ];
    };
  # Nothing is built here: what a unit executes is known by its name.
  programs = pkgs: {
    services.nixfleet = {
      package = pkgs.runCommand "nixfleet" { } "";
      agent.package = pkgs.runCommand "nixfleet-agent" { } "";
    };
  };
  home =
    pkgs: configuration:
    let
      # home-manager's own entry point ends with the first assertion that fails.
      extended = import (homeManager + "/modules/lib/stdlib-extended.nix") lib;
    in
    extended.evalModules {
      class = "homeManager";
      specialArgs.modulesPath = homeManager + "/modules";
      modules =
        import (homeManager + "/modules/modules.nix") {
          inherit pkgs;
          lib = extended;
          check = true;
        }
        ++ [
          ../../modules/home.nix
          (programs pkgs)
          {
            home.username = "ada";
            home.homeDirectory = if pkgs.stdenv.hostPlatform.isDarwin then "/Users/ada" else "/home/ada";
            home.stateVersion = "25.05";
          }
          configuration
        ];
    };
in
{
  nixos =
    configuration:
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      inherit lib;
      system = null;
      modules = [
        ../../modules/nixos.nix
        (programs pkgs)
        {
          nixpkgs.pkgs = pkgs;
          services.nixfleet.dashboard.package = pkgs.runCommand "nixfleet-dashboard" { } "";
          networking.hostName = "web1";
          documentation.nixos.enable = false;
          boot.loader.grub.enable = false;
          fileSystems."/".device = "/dev/disk/by-label/root";
          system.stateVersion = lib.mkDefault "25.05";
        }
        configuration
      ];
    };

  darwin =
    configuration:
    import (nixDarwin + "/eval-config.nix") {
      inherit lib;
      enableNixpkgsReleaseCheck = false;
      modules = [
        ../../modules/darwin.nix
        (programs darwinPkgs)
        {
          nixpkgs.pkgs = darwinPkgs;
          system.stateVersion = lib.mkDefault 6;
        }
        configuration
      ];
    };

  # The modules alone, without the system around them.
  bare = {
    nixos = bare "x86_64-linux" ../../modules/nixos.nix;
    darwin = bare "aarch64-darwin" ../../modules/darwin.nix;
    homeLinux = bare "x86_64-linux" ../../modules/home.nix;
    homeDarwin = bare "aarch64-darwin" ../../modules/home.nix;
  };

  homeLinux = home pkgs;
  homeDarwin = home darwinPkgs;
}
