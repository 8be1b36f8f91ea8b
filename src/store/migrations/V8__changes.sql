-- What people and pipelines did to the system: each change once.
CREATE TABLE changes(
  id          INTEGER PRIMARY KEY,
  source      TEXT NOT NULL,
  -- the source's own id of it
  sid         TEXT NOT NULL,
  kind        TEXT NOT NULL,
  service     TEXT NOT NULL,
  environment TEXT NOT NULL,
  title       TEXT NOT NULL,
  who         TEXT NOT NULL,
  link        TEXT NOT NULL,
  at          INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX changes_sid ON changes(source, sid);
CREATE INDEX changes_at ON changes(at);
