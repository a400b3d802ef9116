-- How long derivations took to build, the newest times of each on each machine: what tells when a run will end.
CREATE TABLE build_times (
  hostname      TEXT NOT NULL REFERENCES hosts (hostname) ON DELETE CASCADE,  -- who told of it
  builder       TEXT NOT NULL,     -- the remote builder; empty for the host itself
  name          TEXT NOT NULL,     -- the derivation's, without its version
  at            INTEGER NOT NULL,  -- when the newest came, by the dashboard's clock
  times         TEXT NOT NULL,     -- JSON array of milliseconds, the newest last
  PRIMARY KEY (hostname, builder, name)
) STRICT;
