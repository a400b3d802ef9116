-- What the dashboard itself knows of a run: the running checksum, a state that is ahead of the records, how long it waits.
ALTER TABLE runs ADD COLUMN notes TEXT NOT NULL DEFAULT '{}';
-- Whether records may still come: a run that has failed may have output on its way.
ALTER TABLE runs ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET open = 1 WHERE state IN ('queued', 'starting', 'running');
CREATE INDEX runs_open ON runs (id) WHERE open = 1;

-- Output whose checksum is not the host's, kept until a second copy is complete. Columns as in `output`.
CREATE TABLE output_aside (
  run_id        TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  offset_bytes  INTEGER NOT NULL,
  n_bytes       INTEGER NOT NULL,
  first_line    INTEGER NOT NULL,
  n_lines       INTEGER NOT NULL,
  line_start    INTEGER NOT NULL,
  tail_visible  INTEGER NOT NULL,
  at            INTEGER NOT NULL,
  gap           TEXT,
  marks         BLOB NOT NULL,
  bytes         BLOB NOT NULL,
  PRIMARY KEY (run_id, offset_bytes)
) STRICT;
