//! Freezes as rows: set and ended by people, never changed otherwise.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::domain::freeze::{Freeze, Glob, NewFreeze};
use crate::store::orders::{Order, Ordered, Refused};
use crate::store::rows::{self, millis};

/// What an order comes to.
type Outcome = rusqlite::Result<Result<Ordered, Refused>>;

/// Sets one.
pub fn set(transaction: &Transaction<'_>, order: &Order, freeze: &NewFreeze) -> Outcome {
    transaction
        .prepare_cached(
            "INSERT INTO freezes(service, environment, from_at, until_at, reason, who, set_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            freeze.service.0,
            freeze.environment.0,
            millis(freeze.from),
            millis(freeze.until),
            freeze.reason,
            order.who,
            millis(order.at),
        ])?;
    Ok(Ok(Ordered { delivery: transaction.last_insert_rowid(), at_once: false }))
}

/// Ends one before its time.
pub fn end(transaction: &Transaction<'_>, order: &Order, id: i64) -> Outcome {
    let known: Option<(i64, Option<String>)> = transaction
        .prepare_cached("SELECT until_at, ended_by FROM freezes WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match known {
        None => Ok(Err(Refused::Unknown(format!("there is no freeze {id}; it may be past its retention")))),
        Some((_, Some(who))) => Ok(Err(Refused::Not(format!("it was ended already, by {who}")))),
        Some((until, None)) if until <= millis(order.at) => {
            Ok(Err(Refused::Not("it is over; there is nothing to end".to_owned())))
        }
        Some(_) => {
            transaction
                .prepare_cached("UPDATE freezes SET ended_at = ?2, ended_by = ?3 WHERE id = ?1")?
                .execute(params![id, millis(order.at), order.who])?;
            Ok(Ok(Ordered { delivery: id, at_once: false }))
        }
    }
}

/// Those that stand or are to come at this time, the next to end first.
pub fn standing(connection: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<Vec<Freeze>> {
    let mut query = connection.prepare_cached(
        "SELECT id, service, environment, from_at, until_at, reason, who, set_at FROM freezes
         WHERE until_at > ?1 AND ended_at IS NULL ORDER BY until_at, id LIMIT ?2",
    )?;
    let freeze = |row: &Row<'_>| {
        Ok(Freeze {
            id: row.get(0)?,
            set: NewFreeze {
                service: Glob(row.get(1)?),
                environment: Glob(row.get(2)?),
                from: rows::time(row.get(3)?),
                until: rows::time(row.get(4)?),
                reason: row.get(5)?,
            },
            who: row.get(6)?,
            set_at: rows::time(row.get(7)?),
            ended: None,
        })
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query.query_map(params![millis(now), limit], freeze)?.collect()
}

/// Forgets those that were over before; returns how many went.
pub fn prune(transaction: &Transaction<'_>, before: i64, limit: u32) -> rusqlite::Result<u32> {
    let gone = transaction
        .prepare_cached(
            "DELETE FROM freezes WHERE id IN (SELECT id FROM freezes WHERE until_at < ?1 ORDER BY until_at LIMIT ?2)",
        )?
        .execute(params![before, limit])?;
    Ok(u32::try_from(gone).unwrap_or(u32::MAX))
}
