-- What agents of the earlier protocol say of lines beside their text: which of them came from standard error, and which
-- the agent takes for errors. Lines of standard output have no row.
CREATE TABLE IF NOT EXISTS v2_lines (
  run_id      TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  first_line  INTEGER NOT NULL,
  last_line   INTEGER NOT NULL,
  stream      TEXT NOT NULL,
  is_error    INTEGER NOT NULL,
  PRIMARY KEY (run_id, first_line)
) STRICT, WITHOUT ROWID;
