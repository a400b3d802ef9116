# Agent and helper are killed in the middle of a run, and no line is lost.
{
  dashboard,
  host,
  script,
  ...
}:
{
  nodes = {
    inherit dashboard;
    host1 = host;
  };
  testScript = script ''
    start_all()
    fleet.begin()
    fleet.wait_for_status("host1", "online")
    run = fleet.start("switch host1", "host1")
    for line in (50, 350):
        fleet.wait_for_line(line)
        old = agent_pid(host1)
        host1.succeed("systemctl kill --signal=KILL nixfleet-agent.service")
        host1.execute("systemctl kill --signal=KILL nixfleet-agent-helper.service")
        another_agent(fleet, host1, old)
    fleet.check_success(run, host1, 500)
  '';
}
