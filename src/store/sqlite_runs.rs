//! Runs of jobs as rows of the writer's transaction: planned when their incident opens, and moved by
//! what becomes of their start, by what the platform tells of itself, and by people.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::domain::delivery;
use crate::domain::job::{Run, State, Stop, next_question};
use crate::domain::message::{Action, JobId, RemoteRef};
use crate::domain::signal::Event;
use crate::store::boundary::{LaneState, StoreError};
use crate::store::incidents::IncidentId;
use crate::store::rows::{self, millis};
use crate::store::sqlite::engine;
use crate::store::sqlite_casebook::{Casebook, Line};

/// Columns of [`run`].
pub const COLUMNS: &str =
    "id, incident, rule, target, state, due, deadline, stop, stops, remote, asked, output <> ''";

/// Number of a state.
pub fn number(state: State) -> i64 {
    state as i64
}

/// State of a number; nonsense is a state that nobody goes on from.
pub fn state(number: u8) -> State {
    State::ALL.get(usize::from(number)).copied().unwrap_or(State::Unknown)
}

/// Number of a reason to call back.
pub fn stop_number(stop: Stop) -> i64 {
    match stop {
        Stop::Timeout => 1,
        Stop::Over => 2,
    }
}

/// Reads [`COLUMNS`].
pub fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: row.get(0)?,
        incident: row.get(1)?,
        rule: row.get(2)?,
        target: row.get(3)?,
        state: state(row.get(4)?),
        due: rows::time(row.get(5)?),
        deadline: row.get::<_, Option<i64>>(6)?.map(rows::time),
        stop: row.get::<_, Option<i64>>(7)?.map(|stop| if stop == 1 { Stop::Timeout } else { Stop::Over }),
        stops_when_over: row.get(8)?,
        remote: row.get::<_, Option<String>>(9)?.map(RemoteRef),
        asked: row.get(10)?,
        has_output: row.get(11)?,
    })
}

/// Rules that are for what opened an incident, went on or came back; when it came back, what was
/// tried before may be tried again.
pub fn plan(
    transaction: &Transaction<'_>,
    incident: IncidentId,
    rules: &[Arc<str>],
    at: Timestamp,
    anew: bool,
) -> Result<(), StoreError> {
    let known: Option<String> = transaction
        .prepare_cached("SELECT rules FROM job_plans WHERE incident = ?1")
        .and_then(|mut query| query.query_row([incident], |row| row.get(0)).optional())
        .map_err(engine)?;
    let mut names: Vec<String> = known.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    for rule in rules {
        if !names.iter().any(|name| **name == **rule) {
            names.push(rule.to_string());
        }
    }
    transaction
        .prepare_cached(
            "INSERT INTO job_plans(incident, rules, since, due) VALUES (?1, ?2, ?3, 1) ON CONFLICT(incident)
             DO UPDATE SET rules = ?2, due = 1, since = CASE WHEN ?4 THEN ?3 ELSE since END",
        )
        .and_then(|mut insert| {
            insert.execute(params![incident, serde_json::Value::from(names).to_string(), millis(at), anew])
        })
        .map(|_| ())
        .map_err(engine)
}

/// A run by its number.
pub fn by_id(transaction: &Transaction<'_>, id: JobId) -> Result<Option<Run>, StoreError> {
    transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1"))
        .and_then(|mut query| query.query_row([id], run).optional())
        .map_err(engine)
}

/// How a run ended.
#[derive(Clone, Copy)]
pub struct End<'a> {
    pub state: State,
    /// The platform's word.
    pub word: &'a str,
    pub reason: &'a str,
    pub output: &'a str,
}

/// Marks the end of a run, whose conclusions are drawn next, and writes it on the time line.
pub fn end(transaction: &Transaction<'_>, run: &Run, end: End<'_>, at: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE jobs SET state = ?2, told = 0, due = ?3, ended_at = ?3, word = ?4, reason = ?5,
                    output = CASE WHEN ?6 = '' THEN output ELSE ?6 END WHERE id = ?1",
        )?
        .execute(params![run.id, number(end.state), at, end.word, end.reason, end.output])?;
    let kind = format!("job_{}", end.state);
    let text = match end.reason {
        "" => named(run),
        reason => format!("{}: {reason}", named(run)),
    };
    Casebook(transaction).write_at(
        run.incident,
        at,
        Line { kind: &kind, who: "", target: &run.target, text: &text },
    )
}

/// `restart (job 3)`
pub fn named(run: &Run) -> String {
    format!("{} (job {})", run.rule, run.id)
}

/// What became of the start of a run.
pub fn settled(
    transaction: &Transaction<'_>,
    job: JobId,
    ended: &[(Action, delivery::State, &str)],
    after: &LaneState,
    now: i64,
) -> rusqlite::Result<()> {
    let Some((_, came_to, reason)) = ended.iter().rfind(|(action, ..)| *action == Action::Trigger) else {
        return Ok(());
    };
    let found = transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1"))?
        .query_row([job], run)
        .optional()?;
    // What a person orders anew of one that is in doubt, or could not be started, is the same run.
    let Some(run) = found.filter(|run| run.remote.is_none() && run.state > State::Approved) else {
        return Ok(());
    };
    let is = |state, reason| End { state, word: "", reason, output: "" };
    match (came_to, &after.remote) {
        (delivery::State::Delivered, Some(remote)) => runs(transaction, &run, remote, now),
        (delivery::State::Delivered, None) => end(
            transaction,
            &run,
            is(State::Rehearsed, "the target says what it would do, and does nothing"),
            now,
        ),
        (delivery::State::Dead, _) if after.begun.is_some() => {
            end(transaction, &run, is(State::Unknown, &unknown(&run, reason)), now)
        }
        (delivery::State::Dead, _) => {
            end(transaction, &run, is(State::Failed, &format!("it could not be started: {reason}")), now)
        }
        _ => end(transaction, &run, is(State::Cancelled, &format!("it was not started: {reason}")), now),
    }
}

/// What a person can do about a start of which nobody knows how it ended.
fn unknown(run: &Run, reason: &str) -> String {
    format!(
        "whether it was started is not known ({reason}); look at the platform. If it was not: `alert-relay queue list --target {}` names the delivery to retry; if it was, or is not to be: `alert-relay incident decline {} --job {}`",
        run.target, run.incident, run.id
    )
}

fn runs(transaction: &Transaction<'_>, run: &Run, remote: &RemoteRef, now: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE jobs SET state = ?2, told = 0, remote = ?3, running_at = ?4, deadline = ?4 + timeout * 1000,
                    due = ?5, asked = 0 WHERE id = ?1",
        )?
        .execute(params![
            run.id,
            number(State::Running),
            remote.0,
            now,
            millis(next_question(rows::time(now), 0)),
        ])?;
    let name = remote.0.split(' ').next().unwrap_or_default();
    let text = format!("{}, run {name}", named(run));
    let line = Line { kind: "job_running", who: "", target: &run.target, text: &text };
    Casebook(transaction).write_at(run.incident, now, line)
}

/// The end that the platform tells of, in the light of what was wanted.
pub fn concluded<'a>(run: &Run, ended_well: bool, word: &'a str) -> (State, String, &'a str) {
    let said = if word.is_empty() { String::new() } else { format!(" ({word})") };
    match (ended_well, run.stop) {
        (true, _) => (State::Succeeded, String::new(), word),
        (false, Some(Stop::Timeout)) => {
            (State::Failed, format!("it took too long and was cancelled{said}"), word)
        }
        (false, Some(Stop::Over)) => {
            (State::Cancelled, format!("its incident is over, so it was cancelled{said}"), word)
        }
        (false, None) => (State::Failed, word.to_owned(), word),
    }
}

/// What the platform tells of a run by itself; whether it is one that a rule started.
pub fn heard(
    transaction: &Transaction<'_>,
    (key, target): (&str, &str),
    event: Event,
    word: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let ended_well = match event {
        Event::JobSucceeded => Some(true),
        Event::JobFailed => Some(false),
        Event::JobMoved => None,
        _ => return Ok(false),
    };
    let job: Option<Option<JobId>> = transaction
        .prepare_cached(
            "SELECT job FROM lanes WHERE id = (SELECT lane FROM keyed WHERE key = ?1 AND target = ?2)",
        )
        .and_then(|mut query| query.query_row([key, target], |row| row.get(0)).optional())
        .map_err(engine)?;
    let Some(run) = job.flatten().map_or(Ok(None), |job| by_id(transaction, job))? else { return Ok(false) };
    if !matches!(run.state, State::Running | State::Unknown) {
        return Ok(true);
    }
    let Some(ended_well) = ended_well else {
        return transaction
            .prepare_cached("UPDATE jobs SET word = ?2 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![run.id, word]))
            .map(|_| true)
            .map_err(engine);
    };
    let (state, reason, word) = concluded(&run, ended_well, word);
    end(transaction, &run, End { state, word, reason: &reason, output: "" }, millis(at)).map_err(engine)?;
    Ok(true)
}

/// Somebody says yes or no; the sentence inside says why that changes nothing.
pub fn decided(
    transaction: &Transaction<'_>,
    incident: IncidentId,
    job: Option<JobId>,
    (yes, who, note): (bool, &str, &str),
    at: Timestamp,
) -> Result<Result<Run, String>, StoreError> {
    let found = match job {
        Some(job) => by_id(transaction, job)?.filter(|run| run.incident == incident),
        None => transaction
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM jobs WHERE incident = ?1 AND state = 0 ORDER BY id DESC LIMIT 1"
            ))
            .and_then(|mut query| query.query_row([incident], run).optional())
            .map_err(engine)?,
    };
    let Some(run) = found else {
        return Ok(Err(match job {
            Some(job) => format!("there is no job {job} of incident {incident}"),
            None => format!("no job of incident {incident} waits for a word; name one by its number"),
        }));
    };
    let next = match (yes, run.state) {
        (true, State::Proposed | State::Refused) => State::Approved,
        (false, State::Proposed | State::Approved) => State::Declined,
        (false, State::Unknown) => State::Cancelled,
        (_, state) => return Ok(Err(format!("job {} is {state} already; nothing was changed", run.id))),
    };
    let book = Casebook(transaction);
    if !book.case(incident)?.is_some_and(|case| case.life.state.is_open()) && next != State::Cancelled {
        return Ok(Err(format!("the incident is over; job {} is not started any more", run.id)));
    }
    let reason = match (next, note) {
        (State::Cancelled, "") => format!("given up by {who}"),
        (_, note) => note.to_owned(),
    };
    let now = millis(at);
    transaction
        .prepare_cached(
            "UPDATE jobs SET state = ?2, told = 0, due = ?3, who = ?4, decided_at = ?3, reason = ?5,
                    ended_at = CASE WHEN ?2 = 1 THEN NULL ELSE ?3 END WHERE id = ?1",
        )
        .and_then(|mut update| update.execute(params![run.id, number(next), now, who, reason]))
        .map_err(engine)?;
    let kind = format!("job_{next}");
    let text = if note.is_empty() { named(&run) } else { format!("{}: {note}", named(&run)) };
    book.write_at(incident, now, Line { kind: &kind, who, target: &run.target, text: &text })
        .map_err(engine)?;
    Ok(Ok(Run { state: next, ..run }))
}
