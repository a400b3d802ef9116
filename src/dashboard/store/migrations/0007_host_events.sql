-- What happened to hosts, the newest of each one; and what operators said of their being away.
CREATE TABLE host_events (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  hostname      TEXT NOT NULL,     -- no reference: an event may be written before its host is
  at            INTEGER NOT NULL,  -- milliseconds since the epoch, the dashboard's clock
  kind          TEXT NOT NULL,     -- online, offline, reboot, ...
  last_seen     INTEGER,           -- when the host was last heard, where it went away
  flap          INTEGER NOT NULL,  -- 1 where it went away unasked
  detail        TEXT NOT NULL
) STRICT;
CREATE INDEX host_events_by_host ON host_events (hostname, id);
CREATE INDEX host_events_flaps ON host_events (at) WHERE flap = 1;
-- One silence is one event, also if a dashboard died before it could write that it knew.
CREATE UNIQUE INDEX host_events_offline ON host_events (hostname, last_seen) WHERE kind = 'offline';

CREATE TABLE host_absence (
  hostname      TEXT PRIMARY KEY REFERENCES hosts (hostname) ON DELETE CASCADE,
  expected      INTEGER,           -- 0 or 1; null: by what kind of device it is
  since         INTEGER,           -- of the maintenance, as the others; null without one
  until         INTEGER,
  reason        TEXT,
  set_by        TEXT
) STRICT;
