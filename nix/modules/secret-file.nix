# The type of options that name a secret: whoever gets it wrong reads why.
{ lib }:
lib.types.externalPath
// {
  description = "absolute path outside the Nix store, which everybody can read, written as text such as \"/run/agenix/token\"";
}
