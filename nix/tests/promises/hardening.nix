# What the units leave open, by systemd's own measure, and that the helper takes nothing from anybody else.
{ machine, script, ... }:
{
  nodes.dashboard = {
    imports = [ machine ];
    services.nixfleet.enable = true;
    users.users.eve.isNormalUser = true;
  };
  testScript = script ''
    fleet.begin()
    fleet.wait_for_status("dashboard", "online")

    with subtest("exposure in tenths"):
        for unit, limit in (("nixfleet-agent", 20), ("nixfleet-dashboard", 15), ("nixfleet-agent-helper", 25), ("nixfleet-credentials", 20), ("nixfleet-agent-credentials", 35), ("nixfleet-dashboard-credentials", 35)):
            dashboard.succeed(f"systemd-analyze security --no-pager --threshold={limit} {unit}.service")

    with subtest("nobody else talks to the helper"):
        dashboard.succeed("test -S /run/nixfleet/helper.sock", "sudo -u eve true")
        # Whoever may write to a socket may connect to it.
        dashboard.succeed("sudo -u nixfleet-agent test -w /run/nixfleet/helper.sock")
        dashboard.fail("sudo -u eve test -w /run/nixfleet/helper.sock")

    with subtest("the agent is nobody"):
        pid = agent_pid(dashboard)
        assert dashboard.succeed(f"grep CapEff /proc/{pid}/status").split()[1] == "0000000000000000"
        assert dashboard.succeed(f"stat --format %U /proc/{pid}").strip() == "nixfleet-agent"

    with subtest("what it made is its own"):
        dashboard.succeed("stat --format '%a %U:%G' /var/lib/nixfleet/runs | grep --line-regexp '2750 root:nixfleet-agent'")
        dashboard.succeed("stat --format '%a' /var/lib/nixfleet-dashboard | grep --line-regexp 700")
  '';
}
