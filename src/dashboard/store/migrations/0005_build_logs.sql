-- Logs of single builds, as Nix's records attribute lines to derivations. They are no part of a run's output.
CREATE TABLE build_logs (
  -- In the order in which builds first printed something.
  id            INTEGER PRIMARY KEY,
  run_id        TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  drv           TEXT NOT NULL,
  name          TEXT NOT NULL,
  -- How many lines it has printed; more than are stored where some could not be kept.
  lines         INTEGER NOT NULL,
  rest_dropped  INTEGER NOT NULL,
  UNIQUE (run_id, drv)
) STRICT;

-- The lines of one record of the journal, which is the same whenever it is sent again. A zstd frame; a newline ends each line.
CREATE TABLE build_log_lines (
  build_id      INTEGER NOT NULL REFERENCES build_logs (id) ON DELETE CASCADE,
  first_line    INTEGER NOT NULL,
  n_lines       INTEGER NOT NULL,
  bytes         BLOB NOT NULL,
  PRIMARY KEY (build_id, first_line)
) STRICT;
