-- Which rules may start jobs for an incident.
CREATE TABLE job_plans(
  incident INTEGER PRIMARY KEY,
  -- names of rules, as JSON
  rules    TEXT NOT NULL,
  -- what was tried before may be tried again: the incident has come back since
  since    INTEGER NOT NULL,
  -- something has happened, and it is to be looked what comes next
  due      INTEGER NOT NULL
) STRICT;
CREATE INDEX job_plans_due ON job_plans(incident) WHERE due;

-- Runs of repair scripts, from the proposal to the end.
CREATE TABLE jobs(
  id          INTEGER PRIMARY KEY,
  incident    INTEGER NOT NULL,
  rule        TEXT NOT NULL,
  target      TEXT NOT NULL,
  service     TEXT NOT NULL,
  environment TEXT NOT NULL,
  state       INTEGER NOT NULL,
  -- the conclusions of its end have been drawn, once
  told        INTEGER NOT NULL,
  -- when it is looked at again
  due         INTEGER NOT NULL,
  proposed_at INTEGER NOT NULL,
  -- who said yes or no
  who         TEXT NOT NULL,
  decided_at  INTEGER,
  -- when its start was promised: the guard rails count from here
  started_at  INTEGER,
  -- when the platform had it
  running_at  INTEGER,
  -- seconds that it may run, and when these are over
  timeout     INTEGER NOT NULL,
  deadline    INTEGER,
  ended_at    INTEGER,
  stops       INTEGER NOT NULL,
  -- why it is being called back; NULL: it is not
  stop        INTEGER,
  -- the lane of its start
  lane        INTEGER,
  remote      TEXT,
  asked       INTEGER NOT NULL,
  -- the platform's word for its state
  word        TEXT NOT NULL,
  reason      TEXT NOT NULL,
  output      TEXT NOT NULL,
  -- the change that it is about, as JSON
  change      TEXT
) STRICT;
CREATE INDEX jobs_untold ON jobs(id) WHERE told = 0;
CREATE INDEX jobs_incident ON jobs(incident);
CREATE INDEX jobs_started ON jobs(started_at) WHERE started_at IS NOT NULL;
CREATE INDEX jobs_rule ON jobs(rule, state);

-- The run that a lane starts.
ALTER TABLE lanes ADD COLUMN job INTEGER;
-- The run that is proposed in its text; 0: none any more.
ALTER TABLE deliveries ADD COLUMN job INTEGER;
