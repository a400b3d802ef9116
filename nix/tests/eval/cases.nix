# Configurations, and what must come of them. A case names every sentence that this module says of it, by a part; a sentence that
# is missing or that no case expects is a failure.
{ lib }:
let
  words = import ./cases/words.nix { inherit lib; };
  cases = file: import file { inherit lib words; };
in
{
  examples = cases ./cases/examples.nix;
  nixos = cases ./cases/nixos.nix ++ cases ./cases/nixos-words.nix;
  refused = cases ./cases/refused.nix;
  darwin = cases ./cases/darwin.nix;
  home = cases ./cases/home.nix;
}
