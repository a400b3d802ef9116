# Fleets of machines under QEMU, one file per promise: `nix build .#checks.x86_64-linux.vm-NAME`. They need KVM, and minutes.
# tests/systemd has the same promises on containers, without Nix's help.
{ pkgs }:
let
  inherit (pkgs) lib;
  parts = import ./parts.nix { inherit pkgs; };
  test =
    name: pkgs.testers.runNixOSTest (import (./promises + "/${name}.nix") parts // { inherit name; });
  names = map (lib.removeSuffix ".nix") (lib.attrNames (builtins.readDir ./promises));
in
lib.genAttrs names test
