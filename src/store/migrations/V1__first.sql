-- Times are milliseconds since 1970, UTC. Words are kept as small numbers; rows.rs names them.
CREATE TABLE meta(
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One accepted call of a source. `body` is what came, `groups` what it said after enrichment.
CREATE TABLE events(
  id          INTEGER PRIMARY KEY,
  uid         BLOB NOT NULL,
  source      TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  body        BLOB NOT NULL,
  groups      BLOB NOT NULL,
  notes       TEXT NOT NULL,
  -- its deliveries are the ids from first_delivery on, this many
  first_delivery INTEGER NOT NULL,
  deliveries  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_uid ON events(uid);

-- One problem at one target.
CREATE TABLE lanes(
  id          INTEGER PRIMARY KEY,
  target      TEXT NOT NULL,
  key         TEXT NOT NULL,
  waiting     INTEGER NOT NULL,
  due         INTEGER NOT NULL,
  seen        INTEGER NOT NULL,
  remote      TEXT,
  clocks      BLOB NOT NULL,
  content     INTEGER NOT NULL,
  admitted_at INTEGER NOT NULL,
  latest      INTEGER NOT NULL,
  touched_at  INTEGER NOT NULL,
  -- when its fallback targets are to be told; NULL: not, or they have been
  fall_at     INTEGER,
  -- a trigger that was given up and may be told when the target is back
  dead        INTEGER
) STRICT;
CREATE UNIQUE INDEX lanes_key ON lanes(key, target);
-- The schedule is refilled from this: it holds open work only.
CREATE INDEX lanes_due ON lanes(target, due) WHERE waiting > 0;
CREATE INDEX lanes_fall ON lanes(target, fall_at) WHERE fall_at IS NOT NULL;
CREATE INDEX lanes_dead ON lanes(target) WHERE dead IS NOT NULL;

CREATE TABLE deliveries(
  id          INTEGER PRIMARY KEY,
  event       INTEGER NOT NULL,
  lane        INTEGER NOT NULL,
  grp         INTEGER NOT NULL,
  alerts      BLOB,
  action      INTEGER NOT NULL,
  state       INTEGER NOT NULL,
  attempts    INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL,
  finished_at INTEGER,
  by          INTEGER,
  reason      TEXT NOT NULL,
  -- a sentence that its text carries, such as why it comes by a fallback
  note        TEXT
) STRICT;
CREATE INDEX deliveries_open ON deliveries(lane, id) WHERE state < 2;

CREATE TABLE attempts(
  delivery INTEGER NOT NULL,
  n        INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  took     INTEGER NOT NULL,
  status   INTEGER NOT NULL,
  outcome  TEXT NOT NULL,
  excerpt  TEXT NOT NULL,
  PRIMARY KEY(delivery, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine(
  id          INTEGER PRIMARY KEY,
  source      TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  body        BLOB NOT NULL
) STRICT;
