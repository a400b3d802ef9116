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
  # agenix and sops-nix write a new directory /run/NAME.d/N, have the link /run/NAME lead there and remove the one before. A
  # watch of a file does not notice that its path leads to another one now; the directory of directories does change.
  generations =
    path:
    let
      below = builtins.match "/run/([^/]+)/.+" path;
    in
    lib.optional (below != null) "/run/${lib.head below}.d";
  watched = path: [ path ] ++ generations path;
in
{
  paths.${name} = {
    description = "Changes of the credentials of ${unit}.service";
    wantedBy = [ "multi-user.target" ];
    pathConfig.PathChanged = lib.unique (lib.concatMap watched (map file credentials));
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
