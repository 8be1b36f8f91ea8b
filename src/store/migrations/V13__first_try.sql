-- The first try stands with its delivery: most deliveries have no other, and a table of its own was
-- written with every commit. The others, and first tries of earlier versions, stand in attempts.
ALTER TABLE deliveries ADD COLUMN tried_at INTEGER;
ALTER TABLE deliveries ADD COLUMN took     INTEGER;
ALTER TABLE deliveries ADD COLUMN status   INTEGER;
ALTER TABLE deliveries ADD COLUMN outcome  TEXT;
ALTER TABLE deliveries ADD COLUMN excerpt  TEXT;

-- Looked for is what a target calls something; the fingerprint of a PagerDuty routing key is no name, and
-- every lane had an entry for it.
DROP INDEX lanes_remote;
CREATE INDEX lanes_remote ON lanes(target, remote)
  WHERE remote IS NOT NULL AND remote NOT GLOB 'key:????????????????';
