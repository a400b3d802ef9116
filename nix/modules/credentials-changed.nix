# A service gets its credentials at its start, as copies. Here is what notices that a file has changed since and starts the
# service again with the new one; where a file was only written anew, as at every activation of agenix and sops-nix, nothing
# happens. As systemd/*-credentials.path and .service.
{
  lib,
  unit,
  credentials,
}:
let
  hardening = import ./hardening.nix { inherit lib; };
  name = "${unit}-credentials";
  # "NAME:FILE", as in LoadCredential=.
  file = credential: lib.concatStringsSep ":" (lib.tail (lib.splitString ":" credential));
in
{
  paths.${name} = {
    description = "Changes of the credentials of ${unit}.service";
    wantedBy = [ "multi-user.target" ];
    pathConfig.PathChanged = map file credentials;
  };
  services.${name} = {
    description = "Restart of ${unit}.service for changed credentials";
    restartIfChanged = false;
    startLimitIntervalSec = 0;
    serviceConfig = hardening.credentialsChanged // {
      Type = "oneshot";
    };
    scriptArgs = lib.escapeShellArgs ([ "${unit}.service" ] ++ credentials);
    script = builtins.readFile ../../systemd/credentials-changed;
  };
}
