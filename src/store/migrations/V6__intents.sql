-- Outside id of a delivery that was about to be sent to a target that must never be told twice (a job
-- platform), until it is known how that ended; NULL: nothing is in doubt.
ALTER TABLE lanes ADD COLUMN begun TEXT;
