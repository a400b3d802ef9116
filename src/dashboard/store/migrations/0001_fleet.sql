-- Hosts, runs and their output, as the hub commits them.
CREATE TABLE hosts (
  hostname      TEXT PRIMARY KEY,
  register      TEXT,              -- the last `register` message, JSON
  heartbeat     TEXT,              -- the last heartbeat, JSON
  last_seen_at  INTEGER,           -- milliseconds since the epoch, the dashboard's clock
  created_at    INTEGER NOT NULL,
  comment       TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE runs (
  id            TEXT PRIMARY KEY,  -- UUIDv7: sorts by time
  hostname      TEXT NOT NULL REFERENCES hosts (hostname) ON DELETE CASCADE,
  command       TEXT NOT NULL,
  args          TEXT NOT NULL,     -- JSON array
  requested_by  TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  state         TEXT NOT NULL,
  view          TEXT NOT NULL,     -- the RunView after last_seq, JSON
  last_seq      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_by_host ON runs (hostname, id);
CREATE INDEX runs_by_state ON runs (state, id);

-- Output exactly as the command wrote it, in zstd chunks, with the ends of its lines.
CREATE TABLE output (
  run_id        TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  offset_bytes  INTEGER NOT NULL,  -- position of the first byte in the run's output
  n_bytes       INTEGER NOT NULL,
  first_line    INTEGER NOT NULL,  -- number of the first line that ends here
  n_lines       INTEGER NOT NULL,
  line_start    INTEGER NOT NULL,  -- position where the line began that is unfinished at the chunk's start
  at            INTEGER NOT NULL,
  marks         BLOB NOT NULL,     -- zstd of the JSON array of line marks
  bytes         BLOB NOT NULL,     -- zstd of the bytes
  PRIMARY KEY (run_id, offset_bytes)
) STRICT, WITHOUT ROWID;
CREATE INDEX output_by_line ON output (run_id, first_line);

-- What happened in the fleet, one row a transition; the position that server-sent events resume from.
CREATE TABLE events (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  at            INTEGER NOT NULL,
  kind          TEXT NOT NULL,     -- host or run
  hostname      TEXT NOT NULL,
  run_id        TEXT,
  what          TEXT NOT NULL      -- online, offline, queued, succeeded, ...
) STRICT;
CREATE INDEX events_by_host ON events (hostname, id);
