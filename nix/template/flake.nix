{
  description = "A fleet: one dashboard, two hosts and a Mac";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    # Where you have NixFleet from.
    nixfleet.url = "github:OWNER/nixfleet";
    nixfleet.inputs.nixpkgs.follows = "nixpkgs";
    nix-darwin.url = "github:nix-darwin/nix-darwin";
    nix-darwin.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    {
      nixpkgs,
      nixfleet,
      nix-darwin,
      ...
    }:
    let
      host =
        name:
        nixpkgs.lib.nixosSystem {
          modules = [
            nixfleet.nixosModules.default
            ./hosts/${name}.nix
            { networking.hostName = name; }
          ];
        };
    in
    {
      nixosConfigurations = nixpkgs.lib.genAttrs [ "hub" "web1" ] host;

      darwinConfigurations.mac1 = nix-darwin.lib.darwinSystem {
        modules = [
          nixfleet.darwinModules.default
          ./hosts/mac1.nix
        ];
      };
    };
}
