# A host reboots: as a command, and without being asked in the middle of a run, which is lost then, and nothing else.
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

    with subtest("its power goes in the middle of a run"):
        run = fleet.start("switch host1", "host1")
        fleet.wait_for_line(50)
        host1.crash()
        host1.start(allow_reboot=True)
        fleet.wait_for_status("host1", "online", 180)
        fleet.wait_until("the run is over", lambda: fleet.run(run)["state"] in fleet.OVER, 60)
        view = fleet.run(run)
        assert view["state"] == "lost" and view["reason"], view

    with subtest("it is told to"):
        before = host1.succeed("cat /proc/sys/kernel/random/boot_id")
        fleet.start("run host1 reboot", "host1")
        # As after the driver's own reboot(): the next command waits for the next shell.
        host1.connected = False
        host1.wait_for_unit("multi-user.target")
        assert host1.succeed("cat /proc/sys/kernel/random/boot_id") != before
        fleet.wait_for_status("host1", "online", 120)
  '';
}
