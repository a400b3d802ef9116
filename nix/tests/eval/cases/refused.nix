# By what types refuse: tests/steps/45-nix has the words of each.
{ words, ... }:
let
  inherit (words) token fleet;
in
{
  token-in-store = fleet { agent.tokenFile = "${builtins.toFile "token" "secret"}"; };
  token-path-literal = fleet { agent.tokenFile = ./refused.nix; };
  token-relative = fleet { agent.tokenFile = "token"; };
  key-in-store.services.nixfleet.dashboard = {
    enable = true;
    tls.certFile = "/x.pem";
    tls.keyFile = "${builtins.toFile "key" "secret"}";
  };
  port.services.nixfleet.dashboard = {
    enable = true;
    port = 70000;
  };
  option-misspelled = fleet { agent.tokenfile = token; };
  argument-kind = fleet {
    agent.commands.x = {
      argv = [ "/bin/x" ];
      args = [ "path" ];
    };
  };
  fixed-key = fleet { agent.settings.token_file = "/elsewhere"; };
  accepted = fleet { };
}
