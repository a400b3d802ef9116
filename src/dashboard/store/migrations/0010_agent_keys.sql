-- Public keys of agents, each for one host name and organization.
CREATE TABLE agent_keys (
  public_key    BLOB PRIMARY KEY,  -- Ed25519, 32 bytes
  host          TEXT NOT NULL,
  organization  TEXT NOT NULL,
  added_at      INTEGER NOT NULL
) STRICT;

-- Counts changes of that table, so that a running dashboard sees those of another process without reading all of it.
CREATE TABLE agent_key_changes (
  n             INTEGER NOT NULL
) STRICT;
INSERT INTO agent_key_changes (n) VALUES (0);
