# The host's cable is pulled in the middle of a run; it goes on, and what was printed meanwhile arrives when the cable is back.
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

    with subtest("away, and the run goes on"):
        host1.block()
        host1.wait_until_succeeds("grep --quiet 'nr 000400' /var/lib/nixfleet-test/source", timeout=60)
        dashboard.fail("grep --quiet 'nr 000400' /tmp/watch-1.out")

    with subtest("back, and all of it is there"):
        host1.unblock()
        fleet.check_success(run, host1, 500)
        fleet.wait_for_status("host1", "online")
  '';
}
