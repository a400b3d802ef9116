# No secret is in a unit's file, in an environment, in a unit's properties, in the journal or in what the dashboard says.
{
  dashboard,
  host,
  script,
  ...
}:
{
  nodes = {
    # What is secret here is made at run time: the test's own token is in the store.
    dashboard =
      { lib, ... }:
      {
        imports = [ dashboard ];
        services.nixfleet.enable = true;
        services.nixfleet.dashboard.agentTokenFile = lib.mkForce null;
      };
    host1 =
      { lib, ... }:
      {
        imports = [ host ];
        services.nixfleet.agent.tokenFile = lib.mkForce "/var/lib/tokens/fleet";
        systemd.tmpfiles.rules = [ "d /var/lib/tokens 0700 root root - -" ];
      };
  };
  testScript = script ''
    start_all()
    fleet.begin()
    secret = dashboard.succeed("cat /var/lib/nixfleet-credentials/agent-token").strip()
    host1.wait_for_unit("multi-user.target")
    host1.succeed(f"umask 077; echo {secret} > /var/lib/tokens/fleet", "systemctl restart nixfleet-agent.service")
    fleet.wait_for_status("host1", "online")
    run = fleet.start("switch host1", "host1")
    fleet.wait_for_line(50)

    for machine in (dashboard, host1):
        with subtest(f"{machine.name} keeps it to itself"):
            # Nothing may match; what cannot be read is not a match, and no reason to be content either.
            for where in ("--recursive --dereference-recursive /run/current-system/etc/systemd", "/proc/[0-9]*/environ"):
                found = machine.succeed(f"grep --no-messages --text --files-with-matches {secret} {where} || true")
                assert found == "", found
            # Everybody on the host can read all of the store.
            machine.succeed("nix-store --query --requisites /run/current-system > /tmp/closure", "grep nixfleet-agent.toml /tmp/closure")
            found = machine.succeed(f"xargs grep --recursive --no-messages --text --fixed-strings --files-with-matches {secret} < /tmp/closure || true")
            assert found == "", found
            machine.succeed("journalctl --boot > /tmp/journal", "test -s /tmp/journal")
            machine.fail(f"grep --text {secret} /tmp/journal")
            machine.succeed("systemctl show 'nixfleet*' > /tmp/properties", "grep ExecStart /tmp/properties")
            machine.fail(f"grep {secret} /tmp/properties")
    with subtest("nor is it in what the dashboard says"):
        dashboard.succeed(f"{fleet.curl()} {fleet.url}/api/hosts > /tmp/hosts", "test -s /tmp/hosts")
        dashboard.fail(f"grep {secret} /tmp/hosts")
    fleet.check_success(run, host1, 500)
  '';
}
