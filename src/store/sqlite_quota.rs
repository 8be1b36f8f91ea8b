//! Quotas as rows: a call is counted before it is made, so that neither a crash nor a restart makes
//! room for more.

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use crate::store::boundary::Done;
use crate::store::charge::{Charge, Charged};
use crate::store::rows::millis;

/// Counts a call if the quota has room for it.
pub fn charge(transaction: &Transaction<'_>, charge: &Charge) -> rusqlite::Result<Done> {
    let Charge { target, key, began, limit } = charge;
    let (used, refused): (u32, u32) = transaction
        .prepare_cached(
            "INSERT INTO quotas(target, key, began, used, refused) VALUES (?1, ?2, ?3, min(1, ?4), ?4 < 1)
             ON CONFLICT(target, key, began) DO UPDATE SET
               used = used + (used < ?4), refused = CASE WHEN used < ?4 THEN 0 ELSE refused + 1 END
             RETURNING used, refused",
        )?
        .query_row(params![&**target, key, millis(*began), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Done::Charged(match refused {
        0 => Charged::Paid { left: limit.saturating_sub(used) },
        refused => Charged::Spent { first: refused == 1 },
    }))
}

/// Forgets days that are over.
pub fn forget(transaction: &Transaction<'_>, before: Timestamp, limit: u32) -> rusqlite::Result<u32> {
    let gone = transaction
        .prepare_cached(
            "DELETE FROM quotas WHERE (target, key, began) IN
               (SELECT target, key, began FROM quotas WHERE began < ?1 LIMIT ?2)",
        )?
        .execute(params![millis(before), limit])?;
    Ok(u32::try_from(gone).unwrap_or(u32::MAX))
}
