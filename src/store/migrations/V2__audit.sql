-- What people changed by hand: who, when, what, about what.
CREATE TABLE audit(
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  who    TEXT NOT NULL,
  what   TEXT NOT NULL,
  about  TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
