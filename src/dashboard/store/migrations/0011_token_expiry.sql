-- When an API token ends, in milliseconds since the epoch; NULL for one that does not.
ALTER TABLE api_tokens ADD COLUMN expires_at INTEGER;
