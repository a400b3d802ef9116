# A stop ends every process of a run, also those that have left its session and ignore SIGTERM.
{
  dashboard,
  host,
  script,
  pkgs,
  ...
}:
let
  family = pkgs.writeShellScript "family" ''
    trap "" INT TERM
    echo "the family begins"
    ${pkgs.util-linux}/bin/setsid --fork ${pkgs.bash}/bin/bash -c 'trap "" INT TERM HUP; exec -a nixfleet-test-child ${pkgs.coreutils}/bin/sleep 600' < /dev/null > /dev/null 2>&1
    echo "the family stays"
    ${pkgs.coreutils}/bin/sleep 600
  '';
in
{
  nodes = {
    inherit dashboard;
    host1 = {
      imports = [ host ];
      services.nixfleet.agent = {
        commands.family.argv = [ "${family}" ];
        settings.stop.grace = 2;
      };
    };
  };
  testScript = script ''
    start_all()
    fleet.begin()
    fleet.wait_for_status("host1", "online")
    run = fleet.start("run host1 family", "host1")
    dashboard.wait_until_succeeds("grep --quiet 'the family stays' /tmp/watch-1.out", timeout=30)
    host1.succeed("pgrep --full nixfleet-test-child")
    dashboard.succeed(f"NIXFLEET_URL={fleet.url} NIXFLEET_TOKEN_FILE=/root/token nixfleet stop {run}")
    status, _ = fleet.end(60)
    assert status == 130, status
    assert fleet.run(run)["state"] == "stopped"
    host1.wait_until_fails("pgrep --full nixfleet-test-child", timeout=10)
    host1.wait_until_fails(f"systemctl is-active nixfleet-run-{run}.service", timeout=10)
  '';
}
