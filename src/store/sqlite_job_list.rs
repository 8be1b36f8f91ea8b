//! Jobs as the runner looks for them and as people ask for them: the reading side of their rows.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use crate::domain::change::{Change, Sort};
use crate::domain::incident::{Level, State as Standing};
use crate::domain::job::{Run, State};
use crate::domain::message::DedupKey;
use crate::domain::rails::Record;
use crate::store::boundary::StoreError;
use crate::store::incidents::ChangeFilter;
use crate::store::jobs::{About, DuePlan, JobFilter, JobRecord, OpenRun};
use crate::store::rows;
use crate::store::sqlite::engine;
use crate::store::sqlite_casebook::state_number;
use crate::store::sqlite_changes;
use crate::store::sqlite_runs::{COLUMNS, number, run, state};
use crate::store::sqlite_telling::last_told_of_key;

/// Changes that are looked through for one incident.
const CHANGES_MAX: usize = 100;

/// What is known of an incident, and whether it goes on.
fn about(connection: &Connection, id: i64) -> Result<Option<(About, bool)>, StoreError> {
    let read = |row: &Row<'_>| -> rusqlite::Result<(String, u8, String, String, String, i64, i64)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
    };
    let mut query = connection
        .prepare_cached(
            "SELECT key, level, title, service, environment, opened_at, state FROM incidents WHERE id = ?1",
        )
        .map_err(engine)?;
    let mut found = query.query_map([id], read).map_err(engine)?;
    let Some(row) = found.next() else { return Ok(None) };
    let (key, level, title, service, environment, opened_at, standing) = row.map_err(engine)?;
    let Some(dedup) = DedupKey::written(&key) else { return Ok(None) };
    let about = About {
        incident: id,
        group: last_told_of_key(connection, &key)?,
        key: dedup,
        level: Level::ALL.get(usize::from(level)).copied().unwrap_or_default(),
        title,
        service,
        environment,
        opened_at: rows::time(opened_at),
    };
    Ok(Some((about, standing < state_number(Standing::Resolved))))
}

/// Runs whose conclusions have not been drawn, the oldest first.
pub fn open_runs(connection: &Connection, limit: usize) -> Result<Vec<OpenRun>, StoreError> {
    type Found = (Run, Option<String>, String, String, String);
    let mut query = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, change, who, CASE WHEN reason = '' THEN word ELSE reason END, output
             FROM jobs WHERE told = 0 ORDER BY id LIMIT ?1"
        ))
        .map_err(engine)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = |row: &Row<'_>| Ok((run(row)?, row.get(12)?, row.get(13)?, row.get(14)?, row.get(15)?));
    let found: Vec<Found> = query.query_map([limit], read).and_then(Iterator::collect).map_err(engine)?;
    let mut open = Vec::with_capacity(found.len());
    for (run, change, who, reason, output) in found {
        // An incident is kept as long as a run of it is open.
        let Some((about, incident_is_open)) = about(connection, run.incident)? else { continue };
        let change = change.and_then(|text| change_of(&text, &about));
        open.push(OpenRun { run, incident_is_open, about, change, who, reason, output });
    }
    Ok(open)
}

fn change_of(text: &str, about: &About) -> Option<Change> {
    let value: Value = serde_json::from_str(text).ok()?;
    let word = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Some(Change {
        id: word("id"),
        sort: Sort::parse(&word("kind"))?,
        service: about.service.clone(),
        environment: about.environment.clone(),
        title: word("title"),
        who: word("who"),
        link: word("link"),
        at: rows::time(value["at"].as_i64()?),
    })
}

/// Incidents for which it is to be looked what comes next.
pub fn due_plans(
    connection: &Connection,
    within: Duration,
    limit: usize,
) -> Result<Vec<DuePlan>, StoreError> {
    let mut query = connection
        .prepare_cached("SELECT incident, rules, since FROM job_plans WHERE due ORDER BY incident LIMIT ?1")
        .map_err(engine)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found: Vec<(i64, String, i64)> =
        query.query_map([limit], read).and_then(Iterator::collect).map_err(engine)?;
    let mut due = Vec::with_capacity(found.len());
    for (incident, rules, since) in found {
        let Some((about, is_open)) = about(connection, incident)? else { continue };
        let mut tried = connection
            .prepare_cached("SELECT rule, state, proposed_at >= ?2 FROM jobs WHERE incident = ?1")
            .map_err(engine)?;
        let tried: Vec<(String, u8, bool)> = tried
            .query_map([incident, since], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .and_then(Iterator::collect)
            .map_err(engine)?;
        due.push(DuePlan {
            is_open,
            rules: serde_json::from_str(&rules).unwrap_or_default(),
            is_busy: tried.iter().any(|(_, number, _)| state(*number).is_active()),
            tried: tried.into_iter().filter(|(.., lately)| *lately).map(|(rule, ..)| rule).collect(),
            records: records(connection).map_err(engine)?,
            changes: changes(connection, &about, within)?,
            about,
        });
    }
    Ok(due)
}

fn changes(connection: &Connection, about: &About, within: Duration) -> Result<Vec<Change>, StoreError> {
    if about.service.is_empty() {
        return Ok(Vec::new());
    }
    let filter = ChangeFilter {
        service: Some(about.service.clone()),
        since: about.opened_at.saturating_sub(within).ok(),
        until: Some(about.opened_at),
        limit: CHANGES_MAX,
    };
    sqlite_changes::changes(connection, &filter).map_err(engine)
}

/// What each rule came to. What was never started says nothing about it.
pub fn records(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Record>> {
    let mut query = connection.prepare_cached(
        "SELECT rule, count(*), sum(state = ?1), coalesce(avg((ended_at - running_at) / 1000.0), 0)
         FROM jobs WHERE state IN (?1, ?2) AND started_at IS NOT NULL GROUP BY rule",
    )?;
    let record = |row: &Row<'_>| {
        let record = Record { runs: row.get(1)?, good: row.get(2)?, mean_seconds: row.get(3)? };
        Ok((row.get(0)?, record))
    };
    query.query_map([number(State::Succeeded), number(State::Failed)], record)?.collect()
}

/// Runs, newest first.
pub fn jobs(connection: &Connection, filter: &JobFilter) -> rusqlite::Result<Vec<JobRecord>> {
    let mut query = connection.prepare_cached(
        "SELECT id, incident, rule, target, state, proposed_at, who, started_at, running_at, ended_at,
                coalesce(remote, ''), word, reason, output
         FROM jobs WHERE (?1 IS NULL OR incident = ?1) AND (?2 IS NULL OR rule = ?2) ORDER BY id DESC LIMIT ?3",
    )?;
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let time = |row: &Row<'_>, at: usize| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(at)?.map(rows::time))
    };
    let record = |row: &Row<'_>| {
        let remote: String = row.get(10)?;
        Ok(JobRecord {
            id: row.get(0)?,
            incident: row.get(1)?,
            rule: row.get(2)?,
            target: row.get(3)?,
            state: state(row.get(4)?),
            proposed_at: rows::time(row.get(5)?),
            who: row.get(6)?,
            started_at: time(row, 7)?,
            running_at: time(row, 8)?,
            ended_at: time(row, 9)?,
            remote: remote.split(' ').next().unwrap_or_default().to_owned(),
            word: row.get(11)?,
            reason: row.get(12)?,
            output: row.get(13)?,
        })
    };
    query.query_map(params![filter.incident, filter.rule, limit], record)?.collect()
}
