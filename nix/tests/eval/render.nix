# Text of units and files, without what depends on the nixpkgs at hand: hashes and versions in store paths, the order of lines,
# and the environment that NixOS gives every unit.
{ lib }:
let
  # /nix/store/HASH-NAME-VERSION/… becomes /nix/store/…-NAME/…
  anonymous =
    text:
    lib.concatStrings (
      map (part: if lib.isList part then "/nix/store/…-${lib.getName (lib.head part)}" else part) (
        builtins.split "/nix/store/[0-9a-z]{32}-([^/ :\"<'\n]*)" (builtins.unsafeDiscardStringContext text)
      )
    );
  # Releases of NixOS write the lines of a section in different orders; equal keys stay as they are among themselves.
  key = line: lib.head (lib.splitString "=" line);
  sorted = lib.sort (a: b: key a < key b);
  own = line: line != "" && !(lib.hasPrefix "Environment=" line);
  section =
    text:
    let
      lines = lib.filter own (lib.splitString "\n" text);
    in
    lib.concatLines ([ "[${lib.head lines}" ] ++ sorted (lib.tail lines));
  unit =
    text:
    anonymous (lib.concatMapStringsSep "\n" section (lib.tail (lib.splitString "\n[" "\n${text}")));

  # TOML as far as settings have it: the programs' check-config reads it in tests/steps/45-nix.
  toml =
    let
      key = name: if builtins.match "[A-Za-z0-9_-]+" name != null then name else builtins.toJSON name;
      value =
        v:
        if lib.isAttrs v then
          "{ ${lib.concatStringsSep ", " (lib.mapAttrsToList (n: x: "${key n} = ${value x}") v)} }"
        else if lib.isList v then
          "[ ${lib.concatMapStringsSep ", " value v} ]"
        else
          builtins.toJSON v;
      table =
        path: attrs:
        let
          plain = lib.filterAttrs (_: v: !lib.isAttrs v) attrs;
          tables = lib.filterAttrs (_: lib.isAttrs) attrs;
        in
        lib.optionalString (path != [ ] && plain != { }) "\n[${lib.concatMapStringsSep "." key path}]\n"
        + lib.concatStrings (lib.mapAttrsToList (n: v: "${key n} = ${value v}\n") plain)
        + lib.concatStrings (lib.mapAttrsToList (n: table (path ++ [ n ])) tables);
    in
    settings: anonymous (table [ ] settings);
in
{
  nixos =
    config: name:
    let
      fleet = config.services.nixfleet;
      ours = lib.filterAttrs (unit: _: lib.hasPrefix "nixfleet" unit) config.systemd.units;
    in
    lib.mapAttrs' (file: entry: lib.nameValuePair "${name}/${file}" (unit entry.text)) ours
    // {
      "${name}/tmpfiles.conf" = lib.concatLines (
        lib.filter (lib.hasInfix "nixfleet") config.systemd.tmpfiles.rules
      );
    }
    // lib.optionalAttrs fleet.generatesToken {
      "${name}/nixfleet-credentials.sh" = config.systemd.services.nixfleet-credentials.script;
    }
    // lib.optionalAttrs fleet.agent.enable {
      "${name}/agent.toml" = toml fleet.agent.configFile.settings;
      "${name}/helper.toml" = toml fleet.agent.helperFile.settings;
    }
    // lib.optionalAttrs fleet.dashboard.enable {
      "${name}/dashboard.toml" = toml fleet.dashboard.configFile.settings;
    };

  darwin =
    config: name:
    let
      ours = lib.filterAttrs (file: _: lib.hasInfix "nixfleet" file) config.environment.launchDaemons;
    in
    lib.mapAttrs' (file: entry: lib.nameValuePair "${name}/${file}" (anonymous entry.text + "\n")) ours
    // {
      "${name}/agent.toml" = toml config.services.nixfleet.agent.configFile.settings;
      "${name}/helper.toml" = toml config.services.nixfleet.agent.helperFile.settings;
    };

  homeLinux = config: name: {
    "${name}/nixfleet-agent.service.json" =
      anonymous (builtins.toJSON config.systemd.user.services.nixfleet-agent.Service) + "\n";
    "${name}/agent.toml" = toml config.services.nixfleet.agent.configFile.settings;
  };

  homeDarwin = config: name: {
    "${name}/nixfleet-agent.plist" = anonymous (
      lib.generators.toPlist { escape = true; } (
        lib.filterAttrs (_: value: value != null) config.launchd.agents.nixfleet-agent.config
      )
      + "\n"
    );
    "${name}/agent.toml" = toml config.services.nixfleet.agent.configFile.settings;
  };
}
