# The dashboard speaks TLS itself; an agent believes a certificate of the fleet's own authority, and no other.
{
  dashboard,
  host,
  pkgs,
  lib,
  ...
}@parts:
let
  certificates = pkgs.runCommand "certificates" { nativeBuildInputs = [ pkgs.openssl ]; } ''
    mkdir $out && cd $out
    openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj /CN=fleet-ca -keyout ca.key -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj /CN=dashboard -keyout key.pem -out request.pem
    echo subjectAltName=DNS:dashboard > names
    openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 36500 -extfile names -out cert.pem
  '';
in
{
  nodes = {
    dashboard = {
      imports = [ dashboard ];
      environment.etc."fleet-key.pem" = {
        source = "${certificates}/key.pem";
        mode = "0600";
      };
      services.nixfleet.dashboard = {
        tls.certFile = "${certificates}/cert.pem";
        tls.keyFile = "/etc/fleet-key.pem";
      };
    };
    host1 = {
      imports = [ host ];
      services.nixfleet.agent.url = lib.mkForce "wss://dashboard:8000";
      services.nixfleet.agent.caFile = "${certificates}/ca.pem";
    };
    # It does not know the authority.
    host2 = {
      imports = [ host ];
      services.nixfleet.agent.url = lib.mkForce "wss://dashboard:8000";
    };
  };
  testScript = parts.script ''
    fleet = Fleet(dashboard, "https://dashboard:8000", "--cacert ${certificates}/ca.pem")
    start_all()
    fleet.begin()
    fleet.wait_for_status("host1", "online")
    host2.wait_until_succeeds("journalctl --unit nixfleet-agent.service | grep --ignore-case certificate", timeout=60)
    assert fleet.host("host2") is None
    dashboard.fail("curl --fail --silent --max-time 5 http://dashboard:8000/health")
  '';
}
