-- Which lane has a dedup key at a target. Keys are hashes: an index over all of them is written all over
-- with every commit. So this table lags behind: it knows the lanes up to meta.keyed, those after it the
-- relay holds in memory until there are enough of them to be worth the pages (sqlite_keys.rs).
CREATE TABLE lane_keys(
  key    TEXT NOT NULL,
  target TEXT NOT NULL,
  lane   INTEGER NOT NULL,
  PRIMARY KEY(key, target)
) STRICT, WITHOUT ROWID;
INSERT INTO lane_keys(key, target, lane) SELECT key, target, id FROM lanes ORDER BY key, target;
INSERT OR REPLACE INTO meta(name, value) SELECT 'keyed', coalesce(max(id), 0) FROM lanes;
DROP INDEX lanes_key;
CREATE TRIGGER lanes_forgotten AFTER DELETE ON lanes BEGIN
  DELETE FROM lane_keys WHERE key = old.key AND target = old.target;
END;
