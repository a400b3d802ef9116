# What the modules make of settings, without building anything. `report` is a sentence per check that held, and evaluation fails
# with all that did not. `golden` are the rendered files that are kept in ./golden, by name.
#
# `nixpkgs` is a tree with lib/, which is enough for `report` and `refused`; the rest needs all of it. nix-darwin and home-manager
# are optional trees of theirs.
{
  nixpkgs,
  pkgs ? import nixpkgs {
    system = "x86_64-linux";
    config = { };
    overlays = [ ];
  },
  darwinPkgs ? import nixpkgs {
    system = "aarch64-darwin";
    config = { };
    overlays = [ ];
  },
  nixDarwin ? null,
  homeManager ? null,
}:
let
  lib = import (nixpkgs + "/lib");
  systems = import ./systems.nix {
    inherit
      lib
      nixpkgs
      pkgs
      darwinPkgs
      nixDarwin
      homeManager
      ;
  };
  render = import ./render.nix { inherit lib; };
  cases = import ./cases.nix { inherit lib; };
  reference = import ../../options-doc.nix { inherit lib; };
  fleets = import ../. { inherit pkgs; };

  # The sentences of a configuration: what is refused, and what is warned about.
  said = config: {
    errors = map (entry: entry.message) (lib.filter (entry: !entry.assertion) config.assertions);
    inherit (config) warnings;
  };

  nothing = {
    errors = [ ];
    warnings = [ ];
  };
  # A whole system warns of other things as well.
  ours =
    sentences: sentences // { warnings = lib.filter (lib.hasInfix "nixfleet") sentences.warnings; };

  # Nothing if the sentence that a case expects is the only one of this module's; else what is wrong.
  complaint =
    evaluate: case:
    let
      inherit (evaluate case.config) config;
      inherit (said config) errors warnings;
      holds =
        expected: found:
        lib.length expected == lib.length found
        && lib.all (part: lib.any (lib.hasInfix part) found) expected;
      shown = name: list: "${name}: ${builtins.toJSON list}";
    in
    lib.optional (
      !(holds (case.errors or [ ]) errors)
    ) "${case.name}: ${shown "errors" errors} instead of ${builtins.toJSON (case.errors or [ ])}"
    ++ lib.optional (
      !(holds (case.warnings or [ ]) warnings)
    ) "${case.name}: ${shown "warnings" warnings} instead of ${builtins.toJSON (case.warnings or [ ])}"
    ++ map (fact: "${case.name}: ${fact.what}") (
      lib.filter (fact: !fact.holds) ((case.facts or (_: [ ])) config)
    );

  # All that a host is made of.
  probe = config: [
    (said config)
    config.services.nixfleet.agent.settings
    config.services.nixfleet.dashboard.settings
    (lib.mapAttrs (_: unit: unit.serviceConfig) config.systemd.services)
  ];

  platforms = [
    {
      name = "NixOS";
      evaluate = systems.bare.nixos;
      cases = cases.nixos;
    }
    {
      name = "nix-darwin";
      evaluate = systems.bare.darwin;
      cases = cases.darwin;
    }
    {
      name = "home-manager on Linux";
      evaluate = systems.bare.homeLinux;
      cases = cases.home;
    }
    {
      name = "home-manager on macOS";
      evaluate = systems.bare.homeDarwin;
      cases = cases.home;
    }
  ];
  complaints = lib.concatMap (
    platform:
    map (text: "${platform.name}: ${text}") (lib.concatMap (complaint platform.evaluate) platform.cases)
  ) platforms;
  ran = lib.concatMap (
    platform: map (case: "${platform.name}: ${case.name}") platform.cases
  ) platforms;
in
{
  report =
    if complaints == [ ] then
      lib.concatStringsSep "\n" ran
    else
      throw "the modules:\n${lib.concatStringsSep "\n" complaints}";

  golden = {
    nixos =
      render.nixos (systems.nixos cases.examples.alone).config "alone"
      // render.nixos (systems.nixos cases.examples.host).config "host"
      // render.nixos (systems.nixos cases.examples.dashboard).config "dashboard";
    darwin = render.darwin (systems.darwin cases.examples.mac).config "mac";
    home =
      render.homeLinux (systems.homeLinux cases.examples.home).config "home-linux"
      // render.homeDarwin (systems.homeDarwin cases.examples.home).config "home-mac";
  };

  # The reference of options, by platform.
  reference = {
    nixos = reference "NixOS" (systems.bare.nixos { }).options;
    darwin = reference "nix-darwin" (systems.bare.darwin { }).options;
    home = reference "home-manager" (systems.bare.homeLinux { }).options;
  };

  # Modules in the documents: nothing of them may be refused or warned about. On whole systems of NixOS where there is all of
  # nixpkgs, else on systems that take every other option as it comes.
  documented =
    files:
    let
      whole = builtins.pathExists (nixpkgs + "/nixos");
      # Options of others that the documents use.
      secrets.options = lib.genAttrs [ "age" "sops" ] (
        _: lib.mkOption { type = lib.types.lazyAttrsOf lib.types.anything; }
      );
      others = {
        age.secrets.nixfleet-token.path = "/run/agenix/nixfleet-token";
        sops.secrets.nixfleet-token.path = "/run/secrets/nixfleet-token";
      };
      onWhole =
        configuration:
        systems.nixos {
          imports = [
            configuration
            secrets
          ];
        };
      onBare =
        evaluate: configuration:
        evaluate {
          imports = [
            configuration
            { _module.freeformType = lib.types.lazyAttrsOf lib.types.anything; }
          ];
        };
      platformOf =
        file:
        let
          text = builtins.readFile file;
        in
        if lib.hasPrefix "# nix-darwin" text then
          onBare systems.bare.darwin
        else if lib.hasPrefix "# home-manager" text then
          onBare systems.bare.homeLinux
        else if whole then
          onWhole
        else
          onBare systems.bare.nixos;
      config =
        file:
        (platformOf file {
          imports = [
            file
            others
          ];
        }).config;
      about =
        config:
        ours (said config)
        // {
          agent = config.services.nixfleet.agent.enable;
        };
      wrong = lib.filterAttrs (_: found: found != nothing // { agent = true; }) (
        lib.listToAttrs (map (file: lib.nameValuePair (toString file) (about (config file))) files)
      );
    in
    if wrong == { } then
      "${toString (lib.length files)} modules on ${if whole then "whole" else "bare"} systems"
    else
      throw "the documents: ${builtins.toJSON wrong}";

  # The hosts of ../../template, on whole systems.
  template =
    let
      onNixos = {
        hub = systems.nixos ../../template/hosts/hub.nix;
        web1 = systems.nixos ../../template/hosts/web1.nix;
      };
      hosts =
        onNixos
        // lib.optionalAttrs (nixDarwin != null) { mac1 = systems.darwin ../../template/hosts/mac1.nix; };
      wrong = lib.filterAttrs (_: sentences: sentences != nothing) (
        lib.mapAttrs (_: host: ours (said host.config)) hosts
      );
      systemsOf = lib.filter (lib.hasSuffix ".drv") (
        lib.mapAttrsToList (_: host: host.config.system.build.toplevel.drvPath) onNixos
      );
    in
    if wrong != { } then
      throw "the template: ${builtins.toJSON wrong}"
    else
      # Those on NixOS as far as to what would be built of them.
      "${toString (lib.length (lib.attrNames hosts))} hosts, of which ${toString (lib.length systemsOf)} to their systems";

  # What types refuse is no assertion, and ends the evaluation: one at a time.
  refused = lib.mapAttrs (
    _: config: builtins.deepSeq (probe (systems.bare.nixos config).config) "accepted"
  ) cases.refused;

  # The script of each fleet of machines, by a nixpkgs of names.
  scripts = lib.mapAttrs (_: test: test.testScript) (
    import ../. {
      pkgs = import ./stub-pkgs.nix {
        inherit lib;
        system = "x86_64-linux";
      };
    }
  );

  # Each fleet of machines, evaluated to the derivation that would run it.
  machines = lib.mapAttrs (_: test: test.driver.drvPath) fleets;

  inherit systems;
}
