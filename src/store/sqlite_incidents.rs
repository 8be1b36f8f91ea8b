//! Incidents as they are read: lists, stories, and what falls due.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::incident::{Level, State};
use crate::domain::message::DedupKey;
use crate::store::boundary::StoreError;
use crate::store::incidents::{Due, Entry, IncidentFilter, IncidentId, IncidentRecord, Story};
use crate::store::rows::{self, millis};
use crate::store::sqlite::engine;
use crate::store::sqlite_casebook::{level_number, life, read, state_number};
use crate::store::sqlite_follows::of_incident;
use crate::store::sqlite_telling::last_told_of_key;

const COLUMNS: &str =
    "id, key, title, service, environment, source, started_at, touched_at, news, escalate_at,
    state, level, owner, acknowledged_by, opened_at, notified_at, acknowledged_at, mitigated_at, resolved_at,
    reviewed_at, closed_at, reopened";

/// Newest first.
pub fn incidents(
    connection: &Connection,
    filter: &IncidentFilter,
) -> Result<Vec<IncidentRecord>, StoreError> {
    let mut records = Vec::new();
    each(connection, COLUMNS, filter, |row| {
        records.push(record(row).map_err(engine)??);
        Ok(())
    })?;
    Ok(records)
}

/// Hands on these columns of each that the filter lets through, newest first.
pub fn each(
    connection: &Connection,
    columns: &str,
    filter: &IncidentFilter,
    mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    // Each condition costs something for each row: only those that are asked for stand there.
    let conditions: String = [
        (!filter.states.is_empty(), "(1 << state) & ?1"),
        (!filter.levels.is_empty(), "(1 << level) & ?2"),
        (filter.service.is_some(), "service = ?3"),
        (filter.owner.is_some(), "owner = ?4"),
        (filter.key.is_some(), "key = ?5"),
        (filter.since.is_some(), "opened_at >= ?6"),
        (filter.until.is_some(), "opened_at < ?7"),
    ]
    .into_iter()
    .filter(|(is_asked, _)| *is_asked)
    .map(|(_, condition)| format!("{condition} AND "))
    .collect();
    let text =
        format!("SELECT {columns} FROM incidents WHERE {conditions} id < ?8 ORDER BY id DESC LIMIT ?9");
    let mut query = connection.prepare_cached(&text).map_err(engine)?;
    let states: i64 = filter.states.iter().map(|state: &State| 1 << state_number(*state)).sum();
    let levels = bits(&filter.levels);
    let mut found = query
        .query(params![
            states,
            levels,
            filter.service,
            filter.owner,
            filter.key,
            filter.since.map_or(i64::MIN, millis),
            filter.until.map_or(i64::MAX, millis),
            filter.before.unwrap_or(i64::MAX),
            i64::try_from(filter.limit).unwrap_or(i64::MAX),
        ])
        .map_err(engine)?;
    while let Some(row) = found.next().map_err(engine)? {
        take(row)?;
    }
    Ok(())
}

/// What was taken or over since.
pub fn moved(connection: &Connection, since: Timestamp) -> Result<Vec<IncidentRecord>, StoreError> {
    let mut query = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM incidents WHERE id IN (
               SELECT id FROM incidents WHERE acknowledged_at >= ?1
               UNION SELECT id FROM incidents WHERE resolved_at >= ?1)"
        ))
        .map_err(engine)?;
    let mut found = query.query([millis(since)]).map_err(engine)?;
    let mut records = Vec::new();
    while let Some(row) = found.next().map_err(engine)? {
        records.push(record(row).map_err(engine)??);
    }
    Ok(records)
}

fn bits(levels: &[Level]) -> i64 {
    levels.iter().map(|level| 1 << level_number(*level)).sum()
}

fn record(row: &Row<'_>) -> rusqlite::Result<Result<IncidentRecord, StoreError>> {
    let time = |at: usize| row.get::<_, Option<i64>>(at).map(|time| time.map(rows::time));
    let life = match life(row, 10)? {
        Ok(life) => life,
        Err(damaged) => return Ok(Err(damaged)),
    };
    Ok(Ok(IncidentRecord {
        id: row.get(0)?,
        key: row.get(1)?,
        life,
        title: row.get(2)?,
        service: row.get(3)?,
        environment: row.get(4)?,
        source: row.get(5)?,
        started_at: time(6)?,
        touched_at: rows::time(row.get(7)?),
        news: row.get(8)?,
        escalate_at: time(9)?,
    }))
}

/// One with all that happened to it.
pub fn story(connection: &Connection, id: IncidentId) -> Result<Option<Story>, StoreError> {
    let mut query = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM incidents WHERE id = ?1"))
        .map_err(engine)?;
    let found = query.query_row([id], record).optional().map_err(engine)?;
    let Some(incident) = found.transpose()? else { return Ok(None) };
    let mut keys = vec![incident.key.clone()];
    let mut joined =
        connection.prepare_cached("SELECT key FROM joined WHERE incident = ?1").map_err(engine)?;
    for key in joined.query_map([id], |row| row.get(0)).map_err(engine)? {
        keys.push(key.map_err(engine)?);
    }
    let opened = Entry {
        at: incident.life.opened_at,
        kind: "opened".to_owned(),
        who: String::new(),
        target: String::new(),
        text: incident.title.clone(),
    };
    let mut timeline = vec![opened];
    let mut lines = connection
        .prepare_cached("SELECT at, kind, who, target, text FROM timeline WHERE incident = ?1 ORDER BY n")
        .map_err(engine)?;
    let entry = |row: &Row<'_>| {
        Ok(Entry {
            at: rows::time(row.get(0)?),
            kind: row.get(1)?,
            who: row.get(2)?,
            target: row.get(3)?,
            text: row.get(4)?,
        })
    };
    for line in lines.query_map([id], entry).map_err(engine)? {
        timeline.push(line.map_err(engine)?);
    }
    let tickets = of_incident(connection, id).map_err(engine)?;
    Ok(Some(Story { incident, keys, timeline, tickets }))
}

/// Escalations of incidents of these levels whose time has come, the earliest first.
pub fn escalations(
    connection: &Connection,
    now: Timestamp,
    levels: &[Level],
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let mut query = connection
        .prepare_cached(
            "SELECT id, level, escalate_at, escalation, key FROM incidents
             WHERE escalate_at IS NOT NULL AND escalate_at <= ?1 AND (1 << level) & ?3 ORDER BY escalate_at LIMIT ?2",
        )
        .map_err(engine)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let due = |row: &Row<'_>| -> rusqlite::Result<(i64, u8, i64, String, String)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    };
    let found: Vec<_> = query
        .query_map(params![millis(now), limit, bits(levels)], due)
        .and_then(Iterator::collect)
        .map_err(engine)?;
    let mut dues = Vec::with_capacity(found.len());
    for (id, level, at, escalation, key) in found {
        let Some(dedup) = DedupKey::written(&key) else { continue };
        dues.push(Due {
            id,
            level: Level::ALL.get(usize::from(level)).copied().unwrap_or_default(),
            due: rows::time(at),
            escalation: read(&escalation)?,
            group: last_told_of_key(connection, &key)?,
            key: dedup,
        });
    }
    Ok(dues)
}
