-- Hosts, runs and their output, as the hub commits them.
CREATE TABLE hosts (
  hostname      TEXT PRIMARY KEY,
  register      TEXT,              -- the last `register` message, JSON
  heartbeat     TEXT,              -- the last heartbeat, JSON
  last_seen_at  INTEGER,           -- milliseconds since the epoch, the dashboard's clock
  status        TEXT,              -- as it last was: what a restarted dashboard begins with
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

-- Output exactly as the command wrote it, in zstd chunks, with the ends of its lines. Chunks of a run follow each other
-- without holes; bytes that the host could not keep are a chunk too, with its reason and without bytes.
CREATE TABLE output (
  run_id        TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  offset_bytes  INTEGER NOT NULL,  -- position of the first byte in the run's output
  n_bytes       INTEGER NOT NULL,
  first_line    INTEGER NOT NULL,  -- number of the first line that ends here
  n_lines       INTEGER NOT NULL,
  line_start    INTEGER NOT NULL,  -- position where the line began that is unfinished at the chunk's start
  tail_visible  INTEGER NOT NULL,  -- position of what is visible of the line that is unfinished at the chunk's end
  at            INTEGER NOT NULL,  -- when its last byte was read, by the host's clock
  gap           TEXT,              -- why the bytes are missing
  marks         BLOB NOT NULL,     -- zstd of the ends of the lines (see store/output/chunk.rs)
  bytes         BLOB NOT NULL,     -- zstd of the bytes
  PRIMARY KEY (run_id, offset_bytes)
) STRICT;
CREATE INDEX output_by_line ON output (run_id, first_line) WHERE n_lines > 0;

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
