-- Keys with which a host pushes its heartbeats over HTTP, without a connection. Kept as SHA-256.
CREATE TABLE push_keys (
  key_hash      BLOB PRIMARY KEY,
  hostname      TEXT NOT NULL REFERENCES hosts (hostname) ON DELETE CASCADE,
  created_at    INTEGER NOT NULL,
  last_used_at  INTEGER
) STRICT;

CREATE INDEX push_keys_by_host ON push_keys (hostname);
