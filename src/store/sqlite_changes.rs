//! Changes as rows: each kept once, found by service and time.

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use crate::domain::change::{Change, Sort};
use crate::store::incidents::ChangeFilter;
use crate::store::rows::{self, millis};

/// Keeps one; returns whether it is news. The same again changes nothing.
pub fn keep(transaction: &Transaction<'_>, source: &str, change: &Change) -> rusqlite::Result<bool> {
    let made = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO changes(source, sid, kind, service, environment, title, who, link, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            source,
            change.id,
            change.sort.as_str(),
            change.service,
            change.environment,
            change.title,
            change.who,
            change.link,
            millis(change.at),
        ])?;
    Ok(made > 0)
}

/// Changes, the latest first.
pub fn changes(connection: &Connection, filter: &ChangeFilter) -> rusqlite::Result<Vec<Change>> {
    let mut query = connection.prepare_cached(
        "SELECT sid, kind, service, environment, title, who, link, at FROM changes
         WHERE at >= ?1 AND at <= ?2 AND (?3 IS NULL OR service = ?3) ORDER BY at DESC LIMIT ?4",
    )?;
    let change = |row: &Row<'_>| {
        let word: String = row.get(1)?;
        Ok(Change {
            id: row.get(0)?,
            sort: Sort::parse(&word).unwrap_or(Sort::Deploy),
            service: row.get(2)?,
            environment: row.get(3)?,
            title: row.get(4)?,
            who: row.get(5)?,
            link: row.get(6)?,
            at: rows::time(row.get(7)?),
        })
    };
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let bound = |time: Option<Timestamp>, none: i64| time.map_or(none, millis);
    let range = params![bound(filter.since, i64::MIN), bound(filter.until, i64::MAX), filter.service, limit];
    query.query_map(range, change)?.collect()
}

/// Forgets old ones; returns how many went.
pub fn prune(transaction: &Transaction<'_>, before: i64, limit: u32) -> rusqlite::Result<u32> {
    let gone = transaction
        .prepare_cached(
            "DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute(params![before, limit])?;
    Ok(u32::try_from(gone).unwrap_or(u32::MAX))
}
