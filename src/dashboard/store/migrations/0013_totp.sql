-- The second factor of users who have one.
CREATE TABLE totp (
  user_name     TEXT PRIMARY KEY REFERENCES users (name) ON DELETE CASCADE,
  secret        TEXT NOT NULL,     -- base32; codes are made of it, so a digest would not do
  last_step     INTEGER NOT NULL   -- the step of the last code that was taken: each counts once
) STRICT;
