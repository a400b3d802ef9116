# The dashboard is killed, and later restarted, in the middle of a run, and no line is lost.
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
    fleet.wait_for_line(50)
    dashboard.succeed("systemctl kill --signal=KILL nixfleet-dashboard.service")
    fleet.wait_for_line(200)
    dashboard.succeed("systemctl restart nixfleet-dashboard.service")
    fleet.check_success(run, host1, 500)
    fleet.wait_for_status("host1", "online")
  '';
}
