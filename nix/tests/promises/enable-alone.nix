# `services.nixfleet.enable = true` and nothing else is a dashboard and an agent, wired to each other.
{ machine, script, ... }:
{
  nodes.dashboard = {
    imports = [ machine ];
    services.nixfleet.enable = true;
  };
  testScript = script ''
    with subtest("both are there, and the host is online"):
        fleet.begin()
        fleet.wait_for_status("dashboard", "online")

    with subtest("nothing listens beyond this machine"):
        listening = dashboard.succeed("ss --no-header --listening --tcp --numeric 'sport = :8000'")
        assert "127.0.0.1:8000" in listening and "0.0.0.0" not in listening, listening

    with subtest("the token is root's, and stays over a restart"):
        file = "/var/lib/nixfleet-credentials/agent-token"
        assert dashboard.succeed(f"stat --format '%a %U' {file}").strip() == "600 root"
        before = dashboard.succeed(f"cat {file}")
        assert len(before.strip()) == 64
        dashboard.succeed("systemctl restart nixfleet-credentials.service")
        assert dashboard.succeed(f"cat {file}") == before

    with subtest("a new token counts at once, for both"):
        pid = agent_pid(dashboard)
        dashboard.succeed(f"echo {'5' * 64} > {file}")
        dashboard.wait_until_succeeds(f"test \"$(systemctl show --property MainPID --value nixfleet-agent.service)\" != {pid}", timeout=60)
        dashboard.wait_until_succeeds("grep 5555 /run/credentials/nixfleet-dashboard.service/agent-token", timeout=60)
        fleet.wait_for_status("dashboard", "online")

    with subtest("the administrator's link is in the journal"):
        dashboard.succeed("journalctl --unit nixfleet-dashboard.service | grep 'http://127.0.0.1:8000/'")
  '';
}
