//! What a report counts, read in one walk: the incidents from the newest on, and beside them, in the
//! same order, what ran by itself for them.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, Params, Row, Rows, params};

use crate::domain::incident::{Level, State};
use crate::domain::job;
use crate::store::boundary::StoreError;
use crate::store::incidents::{Figure, IncidentFilter, IncidentId};
use crate::store::rows;
use crate::store::sqlite::engine;
use crate::store::sqlite_casebook::damaged;
use crate::store::sqlite_incidents::each;
use crate::store::sqlite_runs::number;

const COLUMNS: &str = "id, title, service, acknowledged_by, state, level, started_at, opened_at, notified_at,
    acknowledged_at, resolved_at, news, reopened";

/// Runs that were started by rules, from the newest on: incident, when, and whether it ended well.
const RUNS: &str = "SELECT incident, started_at, CASE state WHEN ?2 THEN 1 WHEN ?3 THEN 0 END FROM jobs
    WHERE incident <= ?1 AND started_at IS NOT NULL AND state <> ?4 ORDER BY incident DESC, id DESC";

/// The same of jobs that were started by telling their target of the incident.
const LINES: &str = "SELECT incident, iif(kind = 'delivered', at, NULL),
      CASE kind WHEN 'job_succeeded' THEN 1 WHEN 'job_failed' THEN 0 END FROM timeline
    WHERE incident <= ?1 AND target IN (SELECT value FROM json_each(?2)) ORDER BY incident DESC, n DESC";

/// Tickets that were opened, from the newest on.
const TICKETS: &str = "SELECT incident, NULL, NULL FROM follows WHERE incident <= ?1 ORDER BY incident DESC";

/// Hands on what is counted of each incident that the filter lets through, newest first.
pub fn figures(
    connection: &Connection,
    filter: &IncidentFilter,
    jobs: &[String],
    take: &mut dyn FnMut(&Figure<'_>),
) -> Result<(), StoreError> {
    let newest = filter.before.unwrap_or(IncidentId::MAX);
    let mut statements = [RUNS, LINES, TICKETS]
        .into_iter()
        .map(|text| connection.prepare_cached(text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(engine)?;
    let [runs, lines, tickets] = statements.as_mut_slice() else { return Ok(()) };
    let (good, bad, none) =
        (number(job::State::Succeeded), number(job::State::Failed), number(job::State::Rehearsed));
    let mut runs = Beside::over(runs, params![newest, good, bad, none])?;
    // Where no target starts jobs for being told, nothing in the time line does.
    let jobs_as_json = serde_json::json!(jobs).to_string();
    let first_line = if jobs.is_empty() { IncidentId::MIN } else { newest };
    let mut lines = Beside::over(lines, params![first_line, jobs_as_json])?;
    let mut tickets = Beside::over(tickets, [newest])?;
    each(connection, COLUMNS, filter, |row| {
        let id = row.get(0).map_err(engine)?;
        let (run, line) = (runs.of(id)?, lines.of(id)?);
        let mut figure = figure(row)?;
        figure.automated_at = run.started_at.or(line.started_at).map(rows::time);
        figure.job_ended_well = line.ended_well.or(run.ended_well);
        figure.has_ticket = tickets.of(id)?.is_any;
        take(&figure);
        Ok(())
    })
}

fn figure<'r>(row: &'r Row<'_>) -> Result<Figure<'r>, StoreError> {
    let word = |at: usize| row.get_ref(at).map_err(engine)?.as_str().map_err(|error| engine(error.into()));
    let number = |at: usize| row.get::<_, u32>(at).map_err(engine);
    let time = |at: usize| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.get::<_, Option<i64>>(at).map_err(engine)?.map(rows::time))
    };
    let (state, level) = (row.get::<_, u8>(4).map_err(engine)?, row.get::<_, u8>(5).map_err(engine)?);
    Ok(Figure {
        title: word(1)?,
        service: word(2)?,
        acknowledged_by: word(3)?,
        state: *State::ALL.get(usize::from(state)).ok_or_else(|| damaged("state"))?,
        level: *Level::ALL.get(usize::from(level)).ok_or_else(|| damaged("level"))?,
        started_at: time(6)?,
        opened_at: time(7)?.unwrap_or_default(),
        notified_at: time(8)?,
        acknowledged_at: time(9)?,
        resolved_at: time(10)?,
        news: number(11)?,
        reopened: number(12)?,
        automated_at: None,
        job_ended_well: None,
        has_ticket: false,
    })
}

/// What stands beside one incident.
#[derive(Default)]
struct Found {
    /// Anything.
    is_any: bool,
    /// The earliest start.
    started_at: Option<i64>,
    /// The latest end that is known.
    ended_well: Option<bool>,
}

/// Rows of another table, from the newest incident on: incident, start, end.
struct Beside<'s> {
    rows: Rows<'s>,
    next: Option<(IncidentId, Option<i64>, Option<bool>)>,
}

impl<'s> Beside<'s> {
    fn over(statement: &'s mut CachedStatement<'_>, params: impl Params) -> Result<Beside<'s>, StoreError> {
        let mut beside = Beside { rows: statement.query(params).map_err(engine)?, next: None };
        beside.step().map_err(engine)?;
        Ok(beside)
    }

    fn step(&mut self) -> rusqlite::Result<()> {
        self.next = match self.rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?, row.get(2)?)),
            None => None,
        };
        Ok(())
    }

    /// What stands beside this incident, which is older than the one asked for before.
    fn of(&mut self, id: IncidentId) -> Result<Found, StoreError> {
        let mut found = Found::default();
        while let Some((of, started_at, ended_well)) = self.next.filter(|(of, ..)| *of >= id) {
            if of == id {
                found.is_any = true;
                found.started_at = started_at.or(found.started_at);
                found.ended_well = found.ended_well.or(ended_well);
            }
            self.step().map_err(engine)?;
        }
        Ok(found)
    }
}
