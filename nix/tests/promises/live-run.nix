# Two hosts rebuild at once; both are seen line by line while they do.
{
  dashboard,
  changing,
  script,
  ...
}:
{
  nodes = {
    inherit dashboard;
    host1 = changing;
    host2 = changing;
  };
  testScript = script ''
    start_all()
    fleet.begin()
    for name in ("host1", "host2"):
        fleet.wait_for_status(name, "online")

    with subtest("a run is seen while it goes on, and its heartbeats go on too"):
        run = fleet.start("switch host1", "host1")
        fleet.wait_for_line(50)
        assert fleet.run(run)["state"] == "running"
        beats = fleet.host("host1")["heartbeats"]
        other = fleet.get("/api/hosts/host2")
        assert other["activity"] is None, other
        fleet.wait_for_line(150)
        assert fleet.host("host1")["heartbeats"] > beats
        assert fleet.host("host1")["status"] == "online"

    with subtest("it ends well, with each line once"):
        fleet.check_success(run, host1, 500)
        host1.succeed("test -e /etc/nixfleet-test-next")
        host2.fail("test -e /etc/nixfleet-test-next")

    with subtest("the other one as well"):
        fleet.check_success(fleet.start("switch host2", "host2"), host2, 500)
  '';
}
