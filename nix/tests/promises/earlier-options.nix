# A host with options of the earlier NixFleet has a working agent.
{
  dashboard,
  machine,
  script,
  tokenFile,
  ...
}:
{
  nodes = {
    inherit dashboard;
    host1 = {
      imports = [ machine ];
      services.nixfleet-agent = {
        enable = true;
        url = "http://dashboard:8000/ws";
        inherit tokenFile;
        repoUrl = "https://git.example.org/fleet.git";
        branch = "main";
        interval = 1;
        location = "cloud";
        deviceType = "server";
      };
    };
  };
  testScript = script ''
    start_all()
    fleet.begin()
    fleet.wait_for_status("host1", "online")
    host = fleet.host("host1")
    assert (host.get("location"), host.get("device_type")) == ("cloud", "server"), host
  '';
}
