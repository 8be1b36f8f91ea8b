//! The embedded engine: one SQLite file in one folder, held by one relay.
//!
//! Settings follow measurements: 8 KiB pages halve the waste of 2 KiB bodies, `FULL` makes each
//! commit durable with one sync, and a small autocheckpoint keeps the tail of commit times short (how
//! SQLite itself is built stands in `.cargo/config.toml`).
//! Pages are tracked (`auto_vacuum`), so that on a disk that runs low the file can shrink.
//! Always the bundled SQLite: distributions ship versions with the WAL-reset corruption bug.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use crate::store::boundary::{DeliveryId, LaneId, StoreError};
use crate::store::disk::Extent;
use crate::store::sqlite_keys;

mod migrations {
    refinery::embed_migrations!("src/store/migrations");
}

const FILE: &str = "alert-relay.db";
const LOCK: &str = "lock";
/// Pages that the WAL may grow to before a commit checkpoints it.
const AUTOCHECKPOINT_PAGES: u32 = 500;
/// Page cache of the writer; negative is KiB for SQLite.
const CACHE_KIB: i32 = -8192;
/// Page cache of each reader.
const READER_CACHE_KIB: i32 = -2048;
const STATEMENTS_CACHED: usize = 64;

/// Where the rows are, and the lock that keeps a second relay out of them.
#[derive(Debug)]
pub struct Place {
    folder: PathBuf,
    _lock: File,
}

/// What the start found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Deliveries up to this id may have been in flight when the last run ended without a
    /// farewell: each of them may have arrived. Stays so over later clean ends, until they are
    /// settled; 0 when no end was ever unclean.
    pub perhaps_sent: DeliveryId,
    /// The lane with which keys are next to be written down (`sqlite_keys.rs`).
    pub keys_due: LaneId,
}

/// The next free ids. Gaps after a failed batch are harmless.
#[derive(Debug, Clone, Copy)]
pub struct Ids {
    /// For an event.
    pub event: i64,
    /// For a delivery.
    pub delivery: DeliveryId,
    /// For a lane.
    pub lane: LaneId,
}

impl Place {
    /// Makes the folder if need be and takes its lock.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another relay has it; the system's words when it cannot be made.
    pub fn take(folder: &Path) -> Result<Place, StoreError> {
        let io = |error: std::io::Error| StoreError::Engine(format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(io)?;
        let lock = File::create(folder.join(LOCK)).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => Ok(Place { folder: folder.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
            Err(TryLockError::Error(error)) => Err(io(error)),
        }
    }

    /// Opens for writing, brings the schema up to date, and finds out how the last run ended.
    pub fn writer(&self) -> Result<(Connection, Found), StoreError> {
        let mut connection = Connection::open(self.folder.join(FILE)).map_err(engine)?;
        connection
            .execute_batch(&format!(
                "PRAGMA page_size=8192; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
                 PRAGMA wal_autocheckpoint={AUTOCHECKPOINT_PAGES}; PRAGMA cache_size={CACHE_KIB};
                 PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=16777216;"
            ))
            .map_err(engine)?;
        keep_statements(&connection)?;
        migrate(&mut connection)?;
        let perhaps_sent = mark_opened(&connection)?;
        let keys_due = sqlite_keys::open(&connection).map_err(engine)?;
        Ok((connection, Found { perhaps_sent, keys_due }))
    }

    /// Opens for reading.
    pub fn reader(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.folder.join(FILE), flags).map_err(engine)?;
        sqlite_keys::open_to_read(&connection).map_err(engine)?;
        connection
            .execute_batch(&format!("PRAGMA cache_size={READER_CACHE_KIB}; PRAGMA query_only=ON;"))
            .map_err(engine)?;
        keep_statements(&connection)?;
        Ok(connection)
    }
}

/// Statements are compiled once. Without the planner's promise of stable plans, those that pass near
/// a partial index would be compiled again for each value that is bound.
fn keep_statements(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(engine)?;
    Ok(())
}

/// Notes a clean end.
pub fn mark_closed(connection: &Connection) -> Result<(), StoreError> {
    connection
        .execute_batch(
            "INSERT OR REPLACE INTO meta(name, value) VALUES ('clean', 1); PRAGMA wal_checkpoint(TRUNCATE);",
        )
        .map_err(engine)
}

/// Reads the note of the last end, and notes that this run has not ended yet. What may have been
/// sent before an earlier crash stays so until it is settled, hence the larger of old and new mark.
fn mark_opened(connection: &Connection) -> Result<DeliveryId, StoreError> {
    let value = |name: &str| {
        connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get::<_, i64>(0))
            .optional()
    };
    let clean = value("clean").map_err(engine)?.unwrap_or(1) == 1;
    let before = value("perhaps_sent").map_err(engine)?.unwrap_or(0);
    let newest: i64 = connection
        .query_row("SELECT coalesce(max(id), 0) FROM deliveries", [], |row| row.get(0))
        .map_err(engine)?;
    let perhaps_sent = if clean { before } else { before.max(newest) };
    connection
        .execute_batch(&format!(
            "BEGIN; INSERT OR REPLACE INTO meta(name, value) VALUES ('clean', 0), ('perhaps_sent', {perhaps_sent}); COMMIT;"
        ))
        .map_err(engine)?;
    Ok(perhaps_sent)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let runner = migrations::migrations::runner();
    let known = runner.get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0);
    let known = u32::try_from(known).unwrap_or(0);
    let found = applied(connection)?;
    if found > known {
        return Err(StoreError::SchemaNewer { found, known });
    }
    if found < known {
        if found > 0 {
            tracing::info!(
                from = found,
                to = known,
                "bringing the store up to date; a million lanes take half a minute"
            );
        }
        runner.run(connection).map_err(|error| StoreError::Engine(format!("migration: {error}")))?;
    }
    Ok(())
}

fn applied(connection: &Connection) -> Result<u32, StoreError> {
    let table: Option<i64> = connection
        .query_row("SELECT 1 FROM sqlite_master WHERE name = 'refinery_schema_history'", [], |row| row.get(0))
        .optional()
        .map_err(engine)?;
    if table.is_none() {
        return Ok(0);
    }
    connection
        .query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))
        .map_err(engine)
}

/// What the file takes. Pages that pruning has freed are used again before it grows.
pub fn extent(connection: &Connection) -> rusqlite::Result<Extent> {
    connection
        .prepare_cached(
            "SELECT (page_count - freelist_count) * page_size, freelist_count * page_size
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )?
        .query_row([], |row| {
            let bytes = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok(Extent { used: bytes(0)?, reusable: bytes(1)? })
        })
}

/// Says an engine error in the words of the boundary.
pub fn engine(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull,
        _ => StoreError::Engine(error.to_string()),
    }
}
