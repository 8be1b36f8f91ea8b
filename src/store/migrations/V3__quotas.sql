-- Calls that cost money, counted before they are made: by target, number and day (or hour).
CREATE TABLE quotas(
  target  TEXT NOT NULL,
  key     TEXT NOT NULL,
  -- when the day began
  began   INTEGER NOT NULL,
  used    INTEGER NOT NULL,
  -- how often more was asked for
  refused INTEGER NOT NULL,
  PRIMARY KEY(target, key, began)
) STRICT, WITHOUT ROWID;
