-- A problem from its first alert until nobody has to think of it any more, at all targets together.
CREATE TABLE incidents(
  id              INTEGER PRIMARY KEY,
  -- the dedup key that it was opened with; those that joined it stand in joined
  key             TEXT NOT NULL,
  state           INTEGER NOT NULL,
  level           INTEGER NOT NULL,
  title           TEXT NOT NULL,
  service         TEXT NOT NULL,
  environment     TEXT NOT NULL,
  owner           TEXT NOT NULL,
  source          TEXT NOT NULL,
  acknowledged_by TEXT NOT NULL,
  -- when the condition began, as far as the sender said
  started_at      INTEGER,
  opened_at       INTEGER NOT NULL,
  notified_at     INTEGER,
  acknowledged_at INTEGER,
  mitigated_at    INTEGER,
  resolved_at     INTEGER,
  reviewed_at     INTEGER,
  closed_at       INTEGER,
  touched_at      INTEGER NOT NULL,
  reopened        INTEGER NOT NULL,
  -- news that came of it
  news            INTEGER NOT NULL,
  -- what it shares with others of the same root; NULL: no rule says so
  root            TEXT,
  -- when others are told because nobody has acknowledged; NULL: not
  escalate_at     INTEGER,
  -- the steps of that, made and to come
  escalation      TEXT
) STRICT;
CREATE INDEX incidents_root ON incidents(root) WHERE root IS NOT NULL AND state < 3;
CREATE INDEX incidents_acknowledged ON incidents(acknowledged_at) WHERE acknowledged_at IS NOT NULL;
CREATE INDEX incidents_resolved ON incidents(resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX incidents_escalate ON incidents(escalate_at) WHERE escalate_at IS NOT NULL;

-- Dedup keys that joined an incident of the same root.
CREATE TABLE joined(
  incident INTEGER NOT NULL,
  key      TEXT NOT NULL,
  PRIMARY KEY(incident, key)
) STRICT, WITHOUT ROWID;

-- What happened, by incident and in order: alerts, deliveries, people, on one axis.
CREATE TABLE timeline(
  incident INTEGER NOT NULL,
  n        INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  kind     TEXT NOT NULL,
  who      TEXT NOT NULL,
  target   TEXT NOT NULL,
  text     TEXT NOT NULL,
  PRIMARY KEY(incident, n)
) STRICT, WITHOUT ROWID;

-- The incident that a lane is told of, the latest.
ALTER TABLE lanes ADD COLUMN incident INTEGER;
