# The three programs from a given nixpkgs: `import ./packages.nix pkgs`.
pkgs:
let
  # Static on Linux; macOS has no static system library.
  set = if pkgs.stdenv.hostPlatform.isLinux then pkgs.pkgsStatic else pkgs;
  program = component: set.callPackage ./package.nix { inherit component; };
in
{
  nixfleet-agent = program "agent";
  nixfleet-dashboard = program "dashboard";
  nixfleet = program "cli";
}
