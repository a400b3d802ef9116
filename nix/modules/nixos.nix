# NixFleet on NixOS. `services.nixfleet.enable = true` alone is a dashboard and an agent on this host, wired to each other.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.nixfleet;
  hardening = import ./hardening.nix { inherit lib; };
  ours = import ../packages.nix pkgs;
in
{
  imports = [
    ./agent/nixos.nix
    ./dashboard/nixos.nix
    ./earlier.nix
  ];

  options.services.nixfleet = {
    enable = lib.mkEnableOption "NixFleet: an agent, and a dashboard unless {option}`services.nixfleet.agent.url` names another host's";

    package = mkOption {
      type = types.package;
      default = pkgs.nixfleet or ours.nixfleet;
      defaultText = lib.literalMD "`pkgs.nixfleet` where an overlay has it, else this flake's";
      description = "The package with the command line `nixfleet`, which is put on the PATH.";
    };

    generatesToken = mkOption {
      type = types.bool;
      internal = true;
      readOnly = true;
      default =
        cfg.dashboard.enable
        && lib.hasPrefix "/var/lib/nixfleet-credentials/" cfg.dashboard.effectiveTokenFile;
      description = "Whether this host makes the agents' token.";
    };
  };

  config = mkIf (cfg.agent.enable || cfg.dashboard.enable) {
    environment.systemPackages = [ cfg.package ];

    # Made once, outside the store, root's own; both units get it as a credential.
    systemd.services.nixfleet-credentials = mkIf cfg.generatesToken {
      description = "NixFleet: the token that this host's dashboard and its agents share";
      before = [
        "nixfleet-agent.service"
        "nixfleet-dashboard.service"
      ];
      unitConfig.ConditionFileNotEmpty = "!/var/lib/nixfleet-credentials/agent-token";
      serviceConfig = hardening.credentials // {
        Type = "oneshot";
        StateDirectory = "nixfleet-credentials";
        StateDirectoryMode = "0700";
      };
      script = ''
        set -o pipefail
        cd /var/lib/nixfleet-credentials
        head --bytes 32 /dev/urandom | od --address-radix n --format x1 | tr --delete ' \n' > agent-token.new
        echo >> agent-token.new
        # Whole or not at all, also where the disk is full or the power fails.
        if [ "$(stat --format %s agent-token.new)" != 65 ]; then
          echo "a token of another length than 64 characters was made; nothing is changed" >&2
          exit 1
        fi
        sync agent-token.new
        mv agent-token.new agent-token
      '';
    };
  };
}
