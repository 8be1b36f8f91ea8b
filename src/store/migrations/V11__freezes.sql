-- Times in which nothing is to be deployed, as people set them.
CREATE TABLE freezes(
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  service     TEXT NOT NULL,
  environment TEXT NOT NULL,
  from_at     INTEGER NOT NULL,
  until_at    INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  who         TEXT NOT NULL,
  set_at      INTEGER NOT NULL,
  ended_at    INTEGER,
  ended_by    TEXT
) STRICT;
CREATE INDEX freezes_until ON freezes(until_at);
