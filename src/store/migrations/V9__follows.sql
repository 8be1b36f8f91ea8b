-- Tickets that targets opened: one row for each ticket of a lane, kept as long as its incident.
CREATE TABLE follows(
  id         INTEGER PRIMARY KEY,
  lane       INTEGER NOT NULL,
  -- what the service calls it: the first word of remote
  name       TEXT NOT NULL,
  target     TEXT NOT NULL,
  key        TEXT NOT NULL,
  incident   INTEGER NOT NULL,
  remote     TEXT NOT NULL,
  -- 0 open, 1 closed there, 2 what it was opened for is over, 3 not found any more
  phase      INTEGER NOT NULL,
  -- the service's word; empty: not known yet
  state      TEXT NOT NULL,
  -- who has it, as the service names them
  who        TEXT NOT NULL,
  since      INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  -- news of it so far
  news       INTEGER NOT NULL,
  -- it has left the state that it was made in
  moved      INTEGER NOT NULL,
  -- questions in a row that found no ticket
  lost       INTEGER NOT NULL,
  -- when its service is asked next; NULL: not
  ask_at     INTEGER,
  -- when somebody is reminded; NULL: not
  remind_at  INTEGER,
  reminded   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX follows_ticket ON follows(lane, name);
CREATE INDEX follows_name ON follows(target, name);
CREATE INDEX follows_incident ON follows(incident);
CREATE INDEX follows_ask ON follows(target, ask_at) WHERE ask_at IS NOT NULL;
CREATE INDEX follows_remind ON follows(remind_at) WHERE remind_at IS NOT NULL;
