# A nixpkgs of names: enough of one to evaluate this repository's flake on a machine that has none. Used by tests/steps/45-nix
# as `--override-input nixpkgs`.
{
  outputs =
    { self }:
    let
      package =
        system: name:
        derivation {
          inherit name system;
          builder = "/none";
        };
      platform = system: {
        inherit system;
        isLinux = builtins.match ".*-linux" system != null;
      };
      lib = {
        genAttrs =
          names: f:
          builtins.listToAttrs (
            map (name: {
              inherit name;
              value = f name;
            }) names
          );
        mapAttrs' = f: set: builtins.listToAttrs (map (name: f name set.${name}) (builtins.attrNames set));
        nameValuePair = name: value: { inherit name value; };
        inherit (builtins) filter;
        attrNames = builtins.attrNames;
        removeSuffix =
          suffix: text: builtins.substring 0 (builtins.stringLength text - builtins.stringLength suffix) text;
        optionalAttrs = condition: set: if condition then set else { };
        fileset = {
          toSource = _: "/source";
        };
      };
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ] (
        system:
        let
          pkgs =
            lib.genAttrs [
              "cargo"
              "clippy"
              "deadnix"
              "file"
              "nixfmt"
              "nixfmt-tree"
              "nodejs"
              "python3"
              "rust-analyzer"
              "rustc"
              "rustfmt"
            ] (package system)
            // {
              inherit lib;
              path = self;
              stdenv.hostPlatform = platform system;
              callPackage = _: args: package system args.component;
              pkgsStatic = pkgs;
              runCommand =
                name: _: _:
                package system name;
              writeShellScript = name: _: package system name;
              mkShell = _: package system "shell";
              testers.runNixOSTest = test: package system test.name;
            };
        in
        pkgs
      );
    in
    {
      inherit lib legacyPackages;
    };
}
