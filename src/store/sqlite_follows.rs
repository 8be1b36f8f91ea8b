//! Followed tickets as rows: begun and ended with the settlements of their lanes, moved by what is
//! heard and asked, and read for those who ask and remind.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::domain::incident::Level;
use crate::domain::message::{DedupKey, RemoteRef};
use crate::domain::ticket::{Known, LOST_MAX, Phase};
use crate::store::boundary::{LaneId, StoreError};
use crate::store::follows::{Asking, FollowId, Following, Pending, TicketRecord};
use crate::store::incidents::IncidentId;
use crate::store::rows::{self, millis};
use crate::store::sqlite::engine;
use crate::store::sqlite_casebook::level_number;
use crate::store::sqlite_telling::last_told_of_key;

/// A ticket in hand.
#[derive(Debug)]
pub struct Followed {
    pub id: FollowId,
    pub target: String,
    pub name: String,
    pub lane: LaneId,
    pub incident: IncidentId,
    pub known: Known,
    pub news: u32,
    pub has_moved: bool,
    pub lost: u32,
    pub ask_at: Option<Timestamp>,
    pub remind_at: Option<Timestamp>,
    pub reminded: u32,
}

const COLUMNS: &str =
    "id, target, name, lane, incident, phase, state, news, moved, lost, ask_at, remind_at, reminded";

fn followed(row: &Row<'_>) -> rusqlite::Result<Followed> {
    let time = |at: usize| row.get::<_, Option<i64>>(at).map(|time| time.map(rows::time));
    Ok(Followed {
        id: row.get(0)?,
        target: row.get(1)?,
        name: row.get(2)?,
        lane: row.get(3)?,
        incident: row.get(4)?,
        known: Known { phase: phase(row.get(5)?), state: row.get(6)? },
        news: row.get(7)?,
        has_moved: row.get(8)?,
        lost: row.get(9)?,
        ask_at: time(10)?,
        remind_at: time(11)?,
        reminded: row.get(12)?,
    })
}

fn phase(number: u8) -> Phase {
    Phase::ALL.get(usize::from(number)).copied().unwrap_or(Phase::Over)
}

/// What a settlement means for the tickets of its lane. A lane without an incident has none.
pub fn settle(
    transaction: &Transaction<'_>,
    lane: LaneId,
    following: &Following,
    now: i64,
) -> rusqlite::Result<()> {
    match following {
        Following::Elsewhere => {}
        Following::Begins { remote, ask_at, remind_at } => {
            let name = remote.0.split_whitespace().next().unwrap_or_default();
            // One that is closed and goes on is followed anew.
            transaction
                .prepare_cached(
                    "INSERT INTO follows(lane, name, target, key, incident, remote, phase, state, who, since, changed_at,
                       news, moved, lost, ask_at, remind_at, reminded)
                     SELECT id, ?2, target, key, incident, ?3, 0, '', '', ?4, ?4, 0, 0, 0, ?5, ?6, 0
                       FROM lanes WHERE id = ?1 AND incident IS NOT NULL
                     ON CONFLICT(lane, name) DO UPDATE SET phase = 0, state = '', incident = excluded.incident,
                       remote = excluded.remote, changed_at = excluded.changed_at, moved = 0, lost = 0,
                       ask_at = excluded.ask_at, remind_at = excluded.remind_at, reminded = 0 WHERE phase > 0",
                )?
                .execute(params![lane, name, remote.0, now, ask_at.map(millis), remind_at.map(millis)])?;
            // One that this one follows on is nobody's business any more.
            transaction
                .prepare_cached(
                    "UPDATE follows SET phase = 2, ask_at = NULL, remind_at = NULL, changed_at = ?3
                     WHERE lane = ?1 AND name <> ?2 AND phase IN (0, 3)",
                )?
                .execute(params![lane, name, now])?;
        }
        Following::Ends => {
            // Closed by a person it stays, so that the list says so.
            transaction
                .prepare_cached(
                    "UPDATE follows SET ask_at = NULL, remind_at = NULL,
                       phase = CASE phase WHEN 1 THEN 1 ELSE 2 END, changed_at = CASE phase WHEN 1 THEN changed_at ELSE ?2 END
                     WHERE lane = ?1 AND phase <> 2",
                )?
                .execute([lane, now])?;
        }
    }
    Ok(())
}

/// Reads and writes followed tickets within one transaction.
#[derive(Clone, Copy)]
pub struct Follows<'a>(pub &'a Transaction<'a>);

impl Follows<'_> {
    /// One by its number.
    pub fn one(self, id: FollowId) -> Result<Option<Followed>, StoreError> {
        let mut query =
            self.0.prepare_cached(&format!("SELECT {COLUMNS} FROM follows WHERE id = ?1")).map_err(engine)?;
        query.query_row([id], followed).optional().map_err(engine)
    }

    /// The latest that the service calls by this name.
    pub fn named(self, target: &str, name: &str) -> Result<Option<Followed>, StoreError> {
        let mut query = self
            .0
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM follows WHERE target = ?1 AND name = ?2 ORDER BY id DESC LIMIT 1"
            ))
            .map_err(engine)?;
        query.query_row([target, name], followed).optional().map_err(engine)
    }

    /// Whether the incident has an open ticket for another of its dedup keys.
    pub fn goes_on_elsewhere(self, incident: IncidentId, key: &str) -> Result<bool, StoreError> {
        self.0
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM follows WHERE incident = ?1 AND key <> ?2 AND phase = 0)",
            )
            .and_then(|mut query| query.query_row(params![incident, key], |row| row.get(0)))
            .map_err(engine)
    }

    /// It is known to stand like this from now on, which is news. A closed one is asked after no more.
    pub fn stands(self, id: FollowId, known: &Known, who: &str, at: Timestamp) -> Result<(), StoreError> {
        self.0
            .prepare_cached(
                "UPDATE follows SET phase = ?2, state = ?3, who = CASE WHEN ?4 = '' THEN who ELSE ?4 END,
                   changed_at = ?5, news = news + 1, moved = 1, lost = 0,
                   ask_at = CASE WHEN ?2 = 0 THEN ask_at END, remind_at = CASE WHEN ?2 = 0 THEN remind_at END
                 WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![id, known.phase as i64, known.state, who, millis(at)])
            })
            .map(|_| ())
            .map_err(engine)
    }

    /// The state that it was made in.
    pub fn begins(self, id: FollowId, state: &str) -> Result<(), StoreError> {
        self.0
            .prepare_cached("UPDATE follows SET state = ?2 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id, state]))
            .map(|_| ())
            .map_err(engine)
    }

    /// Its service was asked; when it is asked again. Who has it may have changed without a move.
    pub fn asked(self, id: FollowId, next: Timestamp, who: Option<&str>) -> Result<(), StoreError> {
        self.0
            .prepare_cached(
                "UPDATE follows SET ask_at = ?2, who = coalesce(?3, who), lost = CASE WHEN ?3 IS NULL THEN lost ELSE 0 END
                 WHERE id = ?1",
            )
            .and_then(|mut update| update.execute(params![id, millis(next), who]))
            .map(|_| ())
            .map_err(engine)
    }

    /// Its service does not find it; returns whether it is given up.
    pub fn missed(self, ticket: &Followed, next: Timestamp, at: Timestamp) -> Result<bool, StoreError> {
        let lost = ticket.lost + 1;
        let gone = lost >= LOST_MAX;
        let phase = if gone { Phase::Lost } else { ticket.known.phase };
        self.0
            .prepare_cached(
                "UPDATE follows SET lost = ?2, phase = ?3, ask_at = ?4, changed_at = CASE WHEN ?5 THEN ?6 ELSE changed_at END,
                   remind_at = CASE WHEN ?5 THEN NULL ELSE remind_at END WHERE id = ?1",
            )
            .and_then(|mut update| {
                let next = (!gone).then(|| millis(next));
                update.execute(params![ticket.id, lost, phase as i64, next, gone, millis(at)])
            })
            .map_err(engine)?;
        Ok(gone)
    }

    /// Somebody was reminded, or not; when it is thought of again.
    pub fn reminded(self, id: FollowId, next: Option<Timestamp>, was_sent: bool) -> Result<(), StoreError> {
        self.0
            .prepare_cached("UPDATE follows SET remind_at = ?2, reminded = reminded + ?3 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id, next.map(millis), was_sent]))
            .map(|_| ())
            .map_err(engine)
    }
}

/// Tickets of a target whose service is to be asked by now, the longest due first.
pub fn due(
    connection: &Connection,
    target: &str,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Asking>> {
    let mut query = connection.prepare_cached(
        "SELECT id, remote, ask_at, changed_at FROM follows
         WHERE target = ?1 AND ask_at IS NOT NULL AND ask_at <= ?2 ORDER BY ask_at LIMIT ?3",
    )?;
    let asking = |row: &Row<'_>| {
        Ok(Asking {
            id: row.get(0)?,
            remote: RemoteRef(row.get(1)?),
            due: rows::time(row.get(2)?),
            changed_at: rows::time(row.get(3)?),
        })
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query.query_map(params![target, millis(now), limit], asking)?.collect()
}

/// Which of these targets has an open ticket of this dedup key.
pub fn elsewhere(
    connection: &Connection,
    key: &str,
    targets: &[Arc<str>],
) -> rusqlite::Result<Option<String>> {
    let mut query = connection.prepare_cached(
        "SELECT target FROM follows WHERE lane IN (SELECT lane FROM keyed WHERE key = ?1) AND phase = 0",
    )?;
    let mut found = query.query([key])?;
    while let Some(row) = found.next()? {
        let target: String = row.get(0)?;
        if targets.iter().any(|wanted| **wanted == *target) {
            return Ok(Some(target));
        }
    }
    Ok(None)
}

/// Tickets that are followed, by target.
pub fn count(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut query =
        connection.prepare_cached("SELECT target, count(*) FROM follows WHERE phase = 0 GROUP BY target")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?.collect()
}

/// Tickets of incidents of these levels of which somebody may have to be reminded, the longest due
/// first.
pub fn pending(
    connection: &Connection,
    now: Timestamp,
    levels: &[Level],
    limit: usize,
) -> Result<Vec<Pending>, StoreError> {
    let mut query = connection
        .prepare_cached(
            "SELECT f.id, f.target, f.remote, f.who, f.remind_at, f.since, f.incident, i.level, f.key
             FROM follows f JOIN incidents i ON i.id = f.incident
             WHERE f.remind_at IS NOT NULL AND f.remind_at <= ?1 AND (1 << i.level) & ?3 ORDER BY f.remind_at LIMIT ?2",
        )
        .map_err(engine)?;
    let levels: i64 = levels.iter().map(|level| 1 << level_number(*level)).sum();
    let mut found = query
        .query(params![millis(now), i64::try_from(limit).unwrap_or(i64::MAX), levels])
        .map_err(engine)?;
    let mut all = Vec::new();
    while let Some(row) = found.next().map_err(engine)? {
        let key: String = row.get(8).map_err(engine)?;
        let Some(dedup) = DedupKey::written(&key) else { continue };
        let read = || -> rusqlite::Result<Pending> {
            Ok(Pending {
                id: row.get(0)?,
                target: row.get(1)?,
                remote: RemoteRef(row.get(2)?),
                who: row.get(3)?,
                due: rows::time(row.get(4)?),
                since: rows::time(row.get(5)?),
                incident: row.get(6)?,
                level: Level::ALL.get(usize::from(row.get::<_, u8>(7)?)).copied().unwrap_or_default(),
                key: dedup.clone(),
                group: None,
            })
        };
        let pending = read().map_err(engine)?;
        all.push(Pending { group: last_told_of_key(connection, &key)?, ..pending });
    }
    Ok(all)
}

/// The tickets of an incident, in order.
pub fn of_incident(connection: &Connection, incident: IncidentId) -> rusqlite::Result<Vec<TicketRecord>> {
    let mut query = connection.prepare_cached(
        "SELECT target, remote, phase, state, who, since, changed_at, reminded FROM follows
         WHERE incident = ?1 ORDER BY id",
    )?;
    let record = |row: &Row<'_>| {
        Ok(TicketRecord {
            target: row.get(0)?,
            remote: RemoteRef(row.get(1)?),
            url: String::new(),
            phase: phase(row.get(2)?),
            state: row.get(3)?,
            who: row.get(4)?,
            since: rows::time(row.get(5)?),
            changed_at: rows::time(row.get(6)?),
            reminded: row.get(7)?,
        })
    };
    query.query_map([incident], record)?.collect()
}
