# Options of NixOS, nix-darwin and home-manager as far as the modules here touch them, without types. A whole system takes two
# seconds to evaluate; this takes a moment, and needs nothing but lib.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  any = mkOption {
    type = types.anything;
    default = { };
  };
  list = mkOption {
    type = types.listOf types.unspecified;
    default = [ ];
  };
  value =
    default:
    mkOption {
      type = types.raw;
      inherit default;
    };
  units = mkOption {
    default = { };
    type = types.attrsOf (
      types.submodule {
        freeformType = types.anything;
        options = lib.genAttrs [ "after" "bindsTo" "before" "requires" "wantedBy" "wants" ] (_: list);
      }
    );
  };
in
{
  options = {
    assertions = list;
    warnings = list;
    environment = {
      systemPackages = list;
      etc = any;
      sessionVariables = any;
    };
    users = {
      users = any;
      groups = any;
      knownUsers = list;
      knownGroups = list;
    };
    systemd = {
      services = units;
      sockets = units;
      paths = units;
      user.services = any;
      tmpfiles.rules = list;
      package = value "/systemd";
    };
    networking = {
      hostName = value "web1";
      firewall.allowedTCPPorts = list;
      proxy.envVars = any;
    };
    nix = {
      enable = mkOption {
        type = types.bool;
        default = true;
      };
      package = value "/nix";
      channel.enable = mkOption {
        type = types.bool;
        default = true;
      };
      envVars = any;
    };
    system = {
      build = any;
      activationScripts = mkOption {
        default = { };
        type = types.attrsOf (types.submodule { options.text = mkOption { type = types.lines; }; });
      };
    };
    launchd = {
      daemons = mkOption {
        default = { };
        type = types.attrsOf (
          types.submodule (
            { name, ... }:
            {
              freeformType = types.anything;
              config.serviceConfig.Label = "org.nixos.${name}";
            }
          )
        );
      };
      agents = any;
    };
    home = {
      packages = list;
      username = value "ada";
      homeDirectory = value "/home/ada";
      profileDirectory = value "/home/ada/.nix-profile";
    };
  };
}
