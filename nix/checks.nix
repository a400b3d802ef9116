# What `nix flake check` builds: the programs, what the modules make of settings, and on Linux the fleets of machines.
{ pkgs, ours }:
let
  inherit (pkgs) lib;
  root = ../.;
  inherit (pkgs.stdenv) hostPlatform;

  evaluation = import ./tests/eval {
    nixpkgs = pkgs.path;
    inherit pkgs;
  };
  nixFiles = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      (root + "/flake.nix")
      (root + "/nix")
    ];
  };
in
{
  inherit (ours) nixfleet nixfleet-agent nixfleet-dashboard;

  evaluation = pkgs.runCommand "nixfleet-evaluation" { report = evaluation.report; } ''
    printf '%s\n' "$report" > $out
  '';

  format =
    pkgs.runCommand "nixfleet-format"
      {
        nativeBuildInputs = [
          pkgs.nixfmt
          pkgs.deadnix
        ];
      }
      ''
        cd ${nixFiles}
        find . -name '*.nix' -print0 | xargs -0 nixfmt --check
        deadnix --fail .
        touch $out
      '';
}
// lib.optionalAttrs hostPlatform.isLinux (
  {
    # Nothing of the host is needed to start the agent.
    static = pkgs.runCommand "nixfleet-static" { nativeBuildInputs = [ pkgs.file ]; } ''
      for program in ${ours.nixfleet-agent}/bin/nixfleet-agent ${ours.nixfleet-dashboard}/bin/nixfleet-dashboard ${ours.nixfleet}/bin/nixfleet; do
        file --dereference --brief "$program" | tee --append $out | grep --extended-regexp 'static-pie linked|statically linked'
      done
      size=$(stat --format %s ${ours.nixfleet-agent}/bin/nixfleet-agent)
      [ "$size" -le 5000000 ] || { echo "the agent has $size bytes, 5000000 are allowed"; exit 1; }
    '';
  }
  // lib.mapAttrs' (name: lib.nameValuePair "vm-${name}") (import ./tests { inherit pkgs; })
)
