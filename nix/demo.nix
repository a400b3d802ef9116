# `nix run .#demo`
{ pkgs, ours }:
pkgs.writeShellScript "nixfleet-demo" ''
  exec ${ours.nixfleet}/bin/nixfleet demo "$@"
''
