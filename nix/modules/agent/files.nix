# The agent's and its helper's configuration files, checked by the program that will read them.
{ lib, pkgs }:
let
  toml = pkgs.formats.toml { };
  # What root executes: the helper's to say where there is one.
  executed = [
    "allowed_commands"
    "commands"
    "limits"
    "rebuild"
    "repo"
    "stop"
    "tests"
  ];
  of = settings: lib.filterAttrs (name: _: lib.elem name executed) settings;
in
{
  # Of all settings, those of the agent's own file when a helper starts its runs.
  withoutExecution = settings: removeAttrs settings executed;

  # Of all settings, those of the helper's file.
  onlyExecution = of;

  # A file that `package` has found valid. `check-config` needs no secret, no network and none of the files that are named.
  # A build machine that cannot execute the program leaves the check to the host.
  checked =
    {
      name,
      package,
      settings,
      # What to check, where that is not the file itself.
      probe ? settings,
      program ? "nixfleet-agent",
    }:
    let
      file = toml.generate name settings;
      checkedFile = if probe == settings then file else toml.generate "probe-${name}" probe;
      canCheck = pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform;
    in
    if canCheck then
      pkgs.runCommand name { preferLocalBuild = true; } ''
        ${package}/bin/${program} check-config --config ${checkedFile}
        cp ${file} $out
      ''
    else
      file;
}
