# An agent with another token is refused, says why, and comes in once its token is right.
{
  dashboard,
  host,
  script,
  lib,
  token,
  ...
}:
{
  nodes = {
    inherit dashboard;
    host1 = {
      imports = [ host ];
      services.nixfleet.agent.tokenFile = lib.mkForce "/var/lib/tokens/fleet";
      systemd.tmpfiles.rules = [
        "d /var/lib/tokens 0700 root root - -"
        "f /var/lib/tokens/fleet 0600 root root - not-the-fleets"
      ];
    };
  };
  testScript = script ''
    start_all()
    fleet.begin()

    with subtest("refused, with the reason in the journal"):
        host1.wait_until_succeeds("journalctl --unit nixfleet-agent.service | grep --ignore-case token", timeout=60)
        assert fleet.host("host1") is None
        host1.fail("journalctl --unit nixfleet-agent.service | grep not-the-fleets")

    with subtest("the right token is enough"):
        host1.succeed("echo ${token} > /var/lib/tokens/fleet", "systemctl restart nixfleet-agent.service")
        fleet.wait_for_status("host1", "online")
  '';
}
