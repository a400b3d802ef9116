-- Who may come in. Tokens, links and sessions are kept as SHA-256, passwords as argon2 hashes.
CREATE TABLE users (
  name          TEXT PRIMARY KEY,
  role          TEXT NOT NULL,     -- viewer, operator, admin
  password_hash TEXT NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE api_tokens (
  name          TEXT PRIMARY KEY,
  role          TEXT NOT NULL,
  token_hash    BLOB NOT NULL UNIQUE,
  created_at    INTEGER NOT NULL,
  last_used_at  INTEGER
) STRICT;

CREATE TABLE sessions (
  token_hash    BLOB PRIMARY KEY,
  user_name     TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  csrf_token    TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL
) STRICT;

-- The one-time link that sets the first administrator's password.
CREATE TABLE setup_links (
  token_hash    BLOB PRIMARY KEY,
  expires_at    INTEGER NOT NULL
) STRICT;
