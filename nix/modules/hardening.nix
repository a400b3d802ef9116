# The sandboxes of the units, as in systemd/*.service, where each line was measured (tests/steps/35-hardening) and tried on
# real hosts (tests/steps/80-systemd). tests/steps/45-nix compares the two. All values are defaults: a host that needs more
# says so in `systemd.services.NAME.serviceConfig`.
{ lib }:
let
  inherit (lib) mapAttrs mkDefault;

  # The kernel is nobody's to change, and there is no privilege to be had.
  everywhere = {
    ProtectSystem = "strict";
    PrivateTmp = true;
    PrivateDevices = true;
    DevicePolicy = "closed";
    ProtectKernelTunables = true;
    ProtectKernelModules = true;
    ProtectKernelLogs = true;
    ProtectControlGroups = true;
    ProtectClock = true;
    ProtectHostname = true;
    NoNewPrivileges = true;
    RestrictNamespaces = true;
    RestrictRealtime = true;
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    KeyringMode = "private";
    SystemCallArchitectures = "native";
    SystemCallErrorNumber = "EPERM";
  };

  # A user without privileges.
  nobody = everywhere // {
    ProtectHome = true;
    PrivateMounts = true;
    UMask = "0077";
    ProtectProc = "invisible";
    CapabilityBoundingSet = "";
    AmbientCapabilities = "";
    PrivateUsers = true;
    RestrictSUIDSGID = true;
    RemoveIPC = true;
    SystemCallFilter = [
      "@system-service"
      "~@privileged @resources"
    ];
  };
  defaults = mapAttrs (_: mkDefault);
in
{
  # Not ProcSubset=pid: the boot's id and the load are in /proc. /dev/shm stays visible: StaSysMo's metrics.
  agent = defaults (
    nobody
    // {
      RestrictAddressFamilies = [ "AF_INET AF_INET6 AF_UNIX" ];
      # Whoever may talk to the Nix daemon can put systems into the store, and have the helper activate one where it takes such
      # an argument. The agent needs neither.
      InaccessiblePaths = [ "-/nix/var/nix/daemon-socket" ];
    }
  );

  dashboard = defaults (
    nobody
    // {
      ProcSubset = "pid";
      RestrictAddressFamilies = [ "AF_INET AF_INET6" ];
    }
  );

  # Root without a network. Not RestrictSUIDSGID: new files in a directory of runs shall have its group.
  helper = defaults (
    everywhere
    // {
      # GC roots of runs.
      ReadWritePaths = [ "-/nix/var/nix/gcroots" ];
      UMask = "0027";
      PrivateNetwork = true;
      CapabilityBoundingSet = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_KILL CAP_SYS_PTRACE";
      RestrictAddressFamilies = [ "AF_UNIX" ];
      SystemCallFilter = [
        "@system-service"
        "~@resources"
      ];
    }
  );

  # A script that writes one file of its own.
  credentials = defaults (
    everywhere
    // {
      ProtectHome = true;
      UMask = "0077";
      PrivateNetwork = true;
      CapabilityBoundingSet = "";
      RestrictSUIDSGID = true;
      RestrictAddressFamilies = [ "none" ];
      SystemCallFilter = [
        "@system-service"
        "~@privileged @resources"
      ];
    }
  );

  # Root that reads two files and asks systemd. No mounts of its own: a unit that has some sees no credentials of others, and
  # these are what is compared.
  credentialsChanged = defaults {
    CapabilityBoundingSet = "CAP_DAC_READ_SEARCH";
    DevicePolicy = "closed";
    IPAddressDeny = "any";
    KeyringMode = "private";
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    NoNewPrivileges = true;
    RestrictAddressFamilies = [ "AF_UNIX" ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter = [
      "@system-service"
      "~@privileged @resources"
    ];
    UMask = "0077";
  };
}
