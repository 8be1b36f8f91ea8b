//! Which lane has a dedup key at a target: asked for every alert, and the one index whose rows come in
//! no order.
//!
//! Keys are hashes, so each new one belongs on another page, and an index over all of them would write
//! as many pages as alerts with every commit: half of all that is written. The table `lane_keys` lags
//! behind instead. What it does not know yet stands in `fresh`, a table in memory that is part of the
//! writer's transactions, and goes over a few thousand at a time, several to each page. After a crash
//! `fresh` is made again from the lanes behind the mark `keyed`.
//!
//! Both sides of the store see all lanes as `keyed(key, target, lane)`.

use rusqlite::{Connection, params};

use crate::store::boundary::LaneId;

/// So many new keys are worth their pages: some 100 bytes each in memory, and a row each to read at the start.
const FRESH_MAX: LaneId = 4096;

/// What the writer knows besides the file. A lane that is made is [noted](note): with a trigger for that, SQLite
/// copies each page that the making of a lane touches.
const FOR_WRITING: &str = "
    CREATE TEMP TABLE fresh(
      key TEXT NOT NULL, target TEXT NOT NULL, lane INTEGER NOT NULL, PRIMARY KEY(key, target)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO fresh(key, target, lane)
      SELECT key, target, id FROM lanes WHERE id > (SELECT value FROM meta WHERE name = 'keyed');
    CREATE TEMP TRIGGER lane_forgotten AFTER DELETE ON main.lanes BEGIN
      DELETE FROM fresh WHERE key = old.key AND target = old.target;
    END;
    CREATE TEMP VIEW keyed(key, target, lane) AS
      SELECT key, target, lane FROM lane_keys UNION ALL SELECT key, target, lane FROM fresh;";

/// A reader looks through the newest lanes themselves.
const FOR_READING: &str = "
    CREATE TEMP VIEW keyed(key, target, lane) AS
      SELECT key, target, lane FROM lane_keys
      UNION ALL
      SELECT key, target, id FROM lanes WHERE id > (SELECT value FROM meta WHERE name = 'keyed');";

/// Makes `keyed` known to the connection that writes; returns the lane with which keys are next to be
/// written down.
pub fn open(connection: &Connection) -> rusqlite::Result<LaneId> {
    connection.execute_batch(FOR_WRITING)?;
    let keyed: LaneId =
        connection.query_row("SELECT value FROM meta WHERE name = 'keyed'", [], |row| row.get(0))?;
    Ok(keyed + FRESH_MAX)
}

/// Makes `keyed` known to a connection that reads. Comes before it is told to write nothing.
pub fn open_to_read(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(FOR_READING)
}

/// Notes the key of a lane that has just been made.
pub fn note(connection: &Connection, key: &str, target: &str, lane: LaneId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO fresh(key, target, lane) VALUES (?1, ?2, ?3)")?
        .execute(params![key, target, lane])
        .map(|_| ())
}

/// Writes the fresh keys down, if there are enough of them: `due` is the lane with which there are,
/// `newest` the newest there is. Returns the lane with which it is next to be done.
///
/// In a transaction of its own, after that of the lanes: on a full disk what was owed must be settled
/// all the same. What could not be written down stays in memory and is tried again with some lanes more.
pub fn write_down(connection: &mut Connection, due: LaneId, newest: LaneId) -> LaneId {
    if newest < due {
        return due;
    }
    match written(connection, newest) {
        Ok(()) => newest + FRESH_MAX,
        Err(error) => {
            tracing::debug!(%error, "the keys of new lanes could not be written down; trying again later");
            newest + FRESH_MAX / 8
        }
    }
}

fn written(connection: &mut Connection, newest: LaneId) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "INSERT INTO lane_keys(key, target, lane) SELECT key, target, lane FROM fresh; DELETE FROM fresh;",
    )?;
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'keyed'", [newest])?;
    transaction.commit()
}
