{
  description = "NixFleet: every NixOS and macOS host on one page, and every rebuild live, line by line";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      # A nixpkgs that has given up a system is no reason to give up the others.
      systems = lib.filter (system: nixpkgs.legacyPackages ? ${system}) [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
        "x86_64-darwin"
      ];
      forAll = make: lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      programs = import ./nix/packages.nix;
      app = program: description: {
        type = "app";
        inherit program;
        meta = { inherit description; };
      };
    in
    {
      packages = forAll (pkgs: programs pkgs // { default = (programs pkgs).nixfleet; });

      apps = forAll (
        pkgs:
        let
          ours = self.packages.${pkgs.stdenv.hostPlatform.system};
        in
        {
          agent = app "${ours.nixfleet-agent}/bin/nixfleet-agent" "An agent for this host; NIXFLEET_URL and NIXFLEET_TOKEN are enough";
          dashboard = app "${ours.nixfleet-dashboard}/bin/nixfleet-dashboard" "A dashboard with its data in your home directory";
          demo = app "${import ./nix/demo.nix { inherit pkgs ours; }}" "A dashboard, an agent and a demo host on this machine";
          default = app "${ours.nixfleet}/bin/nixfleet" "The command line";
        }
      );

      overlays.default = final: _: programs final;

      nixosModules = {
        # One module: agent and dashboard have options of their own in it. Both names lead there.
        default = ./nix/modules/nixos.nix;
        agent = ./nix/modules/nixos.nix;
        dashboard = ./nix/modules/nixos.nix;
      };
      darwinModules.default = ./nix/modules/darwin.nix;
      homeModules.default = ./nix/modules/home.nix;

      checks = forAll (
        pkgs:
        import ./nix/checks.nix {
          inherit pkgs;
          ours = self.packages.${pkgs.stdenv.hostPlatform.system};
        }
      );

      devShells = forAll (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.cargo
            pkgs.clippy
            pkgs.rustc
            pkgs.rustfmt
            pkgs.rust-analyzer
            pkgs.python3
            pkgs.nodejs
          ];
        };
      });

      formatter = forAll (pkgs: pkgs.nixfmt-tree);

      templates.default = {
        path = ./nix/template;
        description = "A fleet of three hosts with NixFleet";
        welcomeText = "Next: read README.md in this directory.";
      };
    };
}
