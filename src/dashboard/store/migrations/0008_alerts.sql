-- What was not as it should be, one row each time; at most one row of a rule, host and object is firing.
CREATE TABLE alerts (
  id            TEXT PRIMARY KEY,  -- UUIDv7: sorts by time
  rule          TEXT NOT NULL,     -- the rule's name
  kind          TEXT NOT NULL,     -- what the rule looks at: offline, disk, ...
  hostname      TEXT NOT NULL,     -- empty for the dashboard itself; stays when the host is removed
  object        TEXT NOT NULL,     -- what of the host: a mount, a unit, a command; empty for the host itself
  severity      TEXT NOT NULL,
  state         TEXT NOT NULL,     -- firing or recovered
  summary       TEXT NOT NULL,
  value         REAL,
  run_id        TEXT,
  started_at    INTEGER NOT NULL,  -- when it began; the rule may wait before it fires
  fired_at      INTEGER NOT NULL,
  recovered_at  INTEGER,
  ended         TEXT               -- why it is over, where it did not just pass
) STRICT;
CREATE UNIQUE INDEX alerts_firing ON alerts (rule, hostname, object) WHERE state = 'firing';
CREATE INDEX alerts_by_host ON alerts (hostname, id);

-- What is told on which channel, in the order of `id`. Written in the transaction that changes the alert.
CREATE TABLE deliveries (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  delivery      TEXT NOT NULL UNIQUE,  -- the id that a receiver sees, the same on every try
  alert_id      TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  channel       TEXT NOT NULL,
  event         TEXT NOT NULL,     -- firing or recovered
  message       TEXT NOT NULL,     -- what is told, JSON
  created_at    INTEGER NOT NULL,
  not_before    INTEGER NOT NULL,  -- the end of quiet hours, or `created_at`
  state         TEXT NOT NULL,     -- queued, sent, failed, dropped
  attempts      INTEGER NOT NULL DEFAULT 0,
  next_at       INTEGER NOT NULL,  -- not tried again before this
  done_at       INTEGER,
  error         TEXT
) STRICT;
CREATE INDEX deliveries_queued ON deliveries (channel, id) WHERE state = 'queued';
CREATE INDEX deliveries_by_alert ON deliveries (alert_id);
CREATE INDEX deliveries_done ON deliveries (channel, state, done_at);

-- The last event of a run that rules have looked at.
CREATE TABLE alert_cursor (
  one           INTEGER PRIMARY KEY CHECK (one = 1),
  event_id      INTEGER NOT NULL
) STRICT;

-- What is usual for a metric of a host in each hour of the week, for rules that tell of what is unusual.
CREATE TABLE baselines (
  hostname      TEXT NOT NULL REFERENCES hosts (hostname) ON DELETE CASCADE,
  metric        TEXT NOT NULL,
  hours         TEXT NOT NULL,     -- JSON, see dashboard::alerts::baseline
  PRIMARY KEY (hostname, metric)
) STRICT;
