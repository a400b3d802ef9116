# A nixpkgs of names: what the modules take from one, for evaluations that build nothing and need nothing but lib.
{ lib, system }:
let
  platform = lib.systems.elaborate system;
  package =
    name:
    derivation {
      inherit name system;
      builder = "/none";
    };
  # As nixpkgs has it in pkgs/pkgs-lib/formats.nix.
  tomlType =
    let
      value = lib.types.oneOf [
        lib.types.bool
        lib.types.int
        lib.types.float
        lib.types.str
        lib.types.path
        (lib.types.attrsOf value)
        (lib.types.listOf value)
      ];
    in
    value // { description = "TOML value"; };
in
lib.genAttrs [
  "bash"
  "cacert"
  "coreutils"
  "git"
  "gitMinimal"
  "nixfleet"
  "nixfleet-agent"
  "nixfleet-dashboard"
  "openssh"
  "openssl"
  "util-linux"
] package
// {
  inherit lib;
  stdenv = {
    hostPlatform = platform;
    buildPlatform = platform;
  };
  runCommand =
    name: _: _:
    package name;
  writeShellScript = name: _: package name;
  writeShellScriptBin = name: _: package name;
  testers.runNixOSTest = test: test;
  formats.toml = _: {
    type = tomlType;
    generate = name: _: package name;
  };
}
