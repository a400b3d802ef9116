# StaSysMo's metrics are in the heartbeats while they are fresh, from either place, and plainly absent when they are not.
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
    host2 = host;
  };
  testScript = script ''
    start_all()
    fleet.begin()
    for name in ("host1", "host2"):
        fleet.wait_for_status(name, "online")

    with subtest("without StaSysMo there are none"):
        assert fleet.host("host1")["metrics"] is None

    with subtest("single-value files in shared memory"):
        host1.succeed(
            "mkdir --parents /dev/shm/stasysmo",
            "cd /dev/shm/stasysmo && echo 12 > cpu && echo 34 > ram && echo 5 > swap && echo 1.24 > load && date +%s > timestamp",
        )
        fleet.wait_until("they are there", lambda: (fleet.host("host1")["metrics"] or {}).get("cpu") == 12, 20)

    with subtest("a snapshot"):
        host2.succeed("mkdir --parents /run/stasysmo", "echo \"v1 $(date +%s) 21 43 0 0.50 4\" > /run/stasysmo/snapshot")
        fleet.wait_until("it is there", lambda: (fleet.host("host2")["metrics"] or {}).get("ram") == 43, 20)

    with subtest("old ones are not shown as new"):
        host1.succeed("echo 1000000000 > /dev/shm/stasysmo/timestamp")
        fleet.wait_until("they are gone", lambda: fleet.host("host1")["metrics"] is None, 20)
  '';
}
