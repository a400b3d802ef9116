# Fleets of machines under QEMU, one file per promise: `nix build .#checks.x86_64-linux.vm-NAME`. They need KVM, and minutes.
# tests/systemd has the same promises on containers, without Nix's help.
{ pkgs }:
let
  inherit (pkgs) lib;
  parts = import ./parts.nix { inherit pkgs; };
  test = name: pkgs.testers.runNixOSTest (import (./promises + "/${name}.nix") parts // { inherit name; });
in
lib.genAttrs [
  "agent-killed"
  "cable-pulled"
  "dashboard-restarted"
  "earlier-options"
  "enable-alone"
  "hardening"
  "live-run"
  "metrics"
  "reboot"
  "secrets"
  "self-switch"
  "stop"
  "tls"
  "wrong-token"
] test
