# One program of the three, from this repository's own lock file and nothing else. On Linux it is called through pkgsStatic:
# a host's agent must start whatever the host's libraries are.
{
  lib,
  stdenv,
  rustPlatform,
  component, # "agent", "dashboard" or "cli"
}:
let
  manifest = lib.importTOML ../Cargo.toml;
  programs = {
    agent = {
      program = "nixfleet-agent";
      features = [ "agent" ];
      does = "The agent of a host in a NixFleet fleet: runs rebuilds and reports them line by line";
    };
    dashboard = {
      program = "nixfleet-dashboard";
      features = [ "dashboard" ];
      does = "The dashboard of a NixFleet fleet: every host and every rebuild, live";
    };
    # The demo takes the roles of all three.
    cli = {
      program = "nixfleet";
      features = [
        "agent"
        "dashboard"
        "cli"
      ];
      does = "The command line of a NixFleet fleet, with a demo";
    };
  };
  inherit (programs.${component}) program features does;
  root = ../.;
in
rustPlatform.buildRustPackage {
  pname = program;
  inherit (manifest.package) version;

  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      (root + "/Cargo.toml")
      (root + "/Cargo.lock")
      (root + "/src")
      # Targets that the manifest names must be there, built or not.
      (root + "/benches")
      (root + "/tests/it/main.rs")
      (root + "/tests/chaos/main.rs")
      (root + "/tests/agent_process/main.rs")
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;

  # The agent has a profile of its own: smaller.
  buildType = if component == "agent" then "agent" else "release";
  buildNoDefaultFeatures = true;
  buildFeatures = features;
  cargoBuildFlags = [
    "--bin"
    program
  ];

  # The tests need terminals, sockets and recorded rebuilds: tests/run has them. Here is checked that the program starts.
  doCheck = false;
  doInstallCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  installCheckPhase = ''
    runHook preInstallCheck
    $out/bin/${program} --version
    runHook postInstallCheck
  '';

  meta = {
    description = does;
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = program;
    platforms = lib.platforms.linux ++ lib.platforms.darwin;
  };
}
