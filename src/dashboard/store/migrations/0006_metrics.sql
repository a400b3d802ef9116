-- What each host's load, memory, disks and the like were: a ladder of resolutions with a fixed number of buckets for each host.
-- Hosts have numbers here that are never used again. Of a removed host the name goes at once, its rows a little later.
CREATE TABLE metric_hosts (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  hostname      TEXT UNIQUE REFERENCES hosts (hostname) ON DELETE SET NULL
) STRICT;

-- By time first: what all hosts write in one moment lies together, and so does what becomes too old.
CREATE TABLE metrics (
  rung          INTEGER NOT NULL,  -- 0: ten seconds, 1: a minute, 2: ten minutes, 3: an hour
  bucket        INTEGER NOT NULL,  -- seconds since the epoch by the length of the rung's buckets
  host          INTEGER NOT NULL,  -- metric_hosts.id
  packed        BLOB NOT NULL,     -- number, mean, least and most of each series (see metrics/packed.rs)
  PRIMARY KEY (rung, bucket, host)
) STRICT, WITHOUT ROWID;

-- An operator's words for a host, a JSON array, sorted.
ALTER TABLE hosts ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
