# A system as far as a switch needs one: a switch-to-configuration, NixFleet's new program, and units that name it.
{ revision, host }:
derivation {
  name = "nixos-system-${host}-25.11.test";
  system = builtins.currentSystem;
  builder = "/bin/bash";
  PATH = "/usr/bin:/bin";
  inherit revision;
  args = [
    "-c"
    ''
      echo "building revision $revision"
      mkdir -p $out/bin $out/sw/bin $out/etc/systemd/system
      cp /usr/local/lib/nixfleet-test/switch-to-configuration $out/bin/
      cp /opt/next/nixfleet-agent $out/sw/bin/
      for unit in /usr/local/lib/nixfleet-test/units/*; do
        sed "s|/usr/local/bin/nixfleet-agent|$out/sw/bin/nixfleet-agent|" $unit > $out/etc/systemd/system/$(basename $unit)
      done
      echo 25.11.test > $out/nixos-version
      # A program at the end can be mistaken for the builder's failure.
      exit 0
    ''
  ];
}
