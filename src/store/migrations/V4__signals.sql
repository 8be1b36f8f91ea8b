-- What services and people at services told us: each signal once.
CREATE TABLE signals(
  id       INTEGER PRIMARY KEY,
  target   TEXT NOT NULL,
  -- the service's own id of it
  sid      TEXT NOT NULL,
  -- the dedup key it is about; empty when nobody knows what it speaks of
  key      TEXT NOT NULL,
  event    TEXT NOT NULL,
  who      TEXT NOT NULL,
  text     TEXT NOT NULL,
  at       INTEGER NOT NULL,
  heard_at INTEGER NOT NULL,
  -- the relay knew already
  echo     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX signals_sid ON signals(target, sid);
CREATE INDEX signals_key ON signals(key);

-- When somebody took it; NULL: nobody has.
ALTER TABLE lanes ADD COLUMN acked_at INTEGER;
-- What a service gave back is looked up when it speaks of it.
CREATE INDEX lanes_remote ON lanes(target, remote) WHERE remote IS NOT NULL;
