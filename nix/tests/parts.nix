# What the fleets are made of.
{ pkgs }:
let
  inherit (pkgs) lib;
  token = "a-token-that-only-tests-know";

  # nixos-rebuild as far as a switch to a system that is already built needs it: the steps and words of the real one, with
  # numbered lines before and after, and a copy of each byte that it writes. Wording: nixpkgs, pkgs/by-name/ni/nixos-rebuild-ng.
  rebuild =
    {
      # Leads to what is switched to; where it does not, the running system is.
      target ? "/run/current-system/specialisation/next",
      before ? 200,
      after ? 300,
    }:
    pkgs.writeShellScript "nixos-rebuild" ''
      set -u
      PATH=/run/current-system/sw/bin
      [ "''${1:-}" = switch ] || exit 2
      mkdir -p /var/lib/nixfleet-test
      source=/var/lib/nixfleet-test/source
      : > "$source"
      numbered() {
        for n in $(seq "$1" "$2"); do
          printf 'nr %06d\n' "$n"
          if [ $((n % 10)) = 0 ]; then sleep 0.1; fi
        done
      }
      work() {
        echo "building the system configuration..."
        numbered 1 ${toString before}
        path=$(readlink -f ${target})
        [ -x "$path/bin/switch-to-configuration" ] || path=$(readlink -f /run/current-system)
        nix-env --profile /nix/var/nix/profiles/system --set "$path" || return 1
        "$path/bin/switch-to-configuration" test
        status=$?
        numbered ${toString (before + 1)} ${toString (before + after)}
        if [ $status -ne 0 ]; then
          echo "Command '$path/bin/switch-to-configuration switch' returned non-zero exit status $status."
          return $status
        fi
        echo "Done. The new configuration is $path"
      }
      work 2>&1 | tee "$source"
      exit "''${PIPESTATUS[0]}"
    '';
in
rec {
  inherit
    lib
    pkgs
    rebuild
    token
    ;
  tokenFile = "/etc/nixfleet-test-token";

  # Every machine: the modules, and the token where the store is not.
  machine = {
    imports = [ ../modules/nixos.nix ];
    # Machines of tests have no switch-to-configuration by themselves.
    system.switch.enable = true;
    environment.etc."nixfleet-test-token" = {
      text = token + "\n";
      mode = "0600";
    };
  };

  dashboard = {
    imports = [ machine ];
    services.nixfleet.dashboard = {
      enable = true;
      address = "0.0.0.0";
      openFirewall = true;
      agentTokenFile = tokenFile;
    };
  };

  # A host. Its switch activates the configuration that it has: all that a switch does, with nothing new.
  host = {
    imports = [ machine ];
    services.nixfleet = {
      enable = true;
      agent = {
        url = "ws://dashboard:8000";
        inherit tokenFile;
        settings = {
          interval = 1;
          rebuild.program = "${rebuild { }}";
        };
      };
    };
  };

  # A host whose switch leads to another configuration.
  changing = {
    imports = [ host ];
    specialisation.next.configuration.environment.etc."nixfleet-test-next".text = "next\n";
  };

  # A test's script, with the fleet as `fleet`.
  script = text: ''
    ${builtins.readFile ./fleet.py}

    fleet = Fleet(dashboard)
    ${text}
  '';
}
