# Options of the earlier NixFleet (`services.nixfleet-agent`): taken over, with a warning that says what they are called now.
{ config, lib, ... }:
let
  old = [
    "services"
    "nixfleet-agent"
  ];
  new = [
    "services"
    "nixfleet"
    "agent"
  ];
  renamed = from: to: lib.mkRenamedOptionModule (old ++ [ from ]) (new ++ to);
  removed = from: lib.mkRemovedOptionModule (old ++ [ from ]);
  # Today keys of `settings`, which a rename cannot lead to.
  keys = {
    interval = "interval";
    location = "location";
    deviceType = "device_type";
    themeColor = "theme_color";
    logLevel = "log_level";
    hostname = "hostname";
  };
  given = lib.filterAttrs (name: _: config.services.nixfleet-agent.${name} != null) keys;
in
{
  imports = [
    (renamed "enable" [ "enable" ])
    (renamed "url" [ "url" ])
    (renamed "tokenFile" [ "tokenFile" ])
    (renamed "repoUrl" [
      "repo"
      "url"
    ])
    (renamed "configRepo" [
      "repo"
      "dir"
    ])
    (renamed "branch" [
      "repo"
      "branch"
    ])
    (renamed "sshKeyFile" [
      "repo"
      "sshKeyFile"
    ])
    (removed "user" "The agent has an account of its own and needs no sudo: a root helper starts what its own file allows. Delete the line.")
    (removed "version" "The version is built into the program. Delete the line.")
  ];

  options.services.nixfleet-agent = lib.mapAttrs (
    _: key:
    lib.mkOption {
      type = lib.types.nullOr (lib.types.either lib.types.int lib.types.str);
      default = null;
      visible = false;
      description = "Alias of {option}`services.nixfleet.agent.settings.${key}`.";
    }
  ) keys;

  config = {
    services.nixfleet.agent.settings = lib.mapAttrs' (
      name: key: lib.nameValuePair key config.services.nixfleet-agent.${name}
    ) given;
    warnings = lib.mapAttrsToList (
      name: key:
      "The option `services.nixfleet-agent.${name}' is now `services.nixfleet.agent.settings.${key}': rename it."
    ) given;
  };
}
