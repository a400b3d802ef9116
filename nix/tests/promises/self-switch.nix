# A switch replaces the agent that reports it, and no line is lost.
{
  dashboard,
  changing,
  script,
  lib,
  pkgs,
  ...
}:
{
  nodes = {
    inherit dashboard;
    host1 =
      { config, ... }:
      {
        imports = [ changing ];
        specialisation.next.configuration.services.nixfleet.agent = {
          # The same program as another file, and other settings: unit, program and helper all change.
          package = lib.mkForce (
            pkgs.runCommand "nixfleet-agent-next" { } ''
              install -D ${config.services.nixfleet.agent.package}/bin/nixfleet-agent $out/bin/nixfleet-agent
            ''
          );
          settings.location = "next";
        };
      };
  };
  testScript = script ''
    start_all()
    fleet.begin()
    fleet.wait_for_status("host1", "online")
    old = agent_pid(host1)

    with subtest("the agent that began tells the end"):
        run = fleet.start("switch host1", "host1")
        fleet.wait_for_line(300)
        assert agent_pid(host1) == old
        fleet.check_success(run, host1, 500)

    with subtest("then it makes room for the new one"):
        another_agent(fleet, host1, old, 120)
        program = host1.succeed("readlink /proc/$(systemctl show --property=MainPID --value nixfleet-agent.service)/exe")
        assert "nixfleet-agent-next" in program, program
        fleet.wait_for_status("host1", "online")
        fleet.wait_until("the new settings are known", lambda: fleet.host("host1").get("location") == "next", 30)

    with subtest("a run with the new agent and the new helper"):
        fleet.check_success(fleet.start("switch host1", "host1"), host1, 500)
  '';
}
