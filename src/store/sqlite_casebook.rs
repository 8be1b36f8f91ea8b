//! Incidents as rows of the writer's transaction: found, opened, moved by the rules of
//! `domain/life`, with every move on their time line.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::domain::incident::{Draft, Escalation, Incident, Level, State, Step};
use crate::domain::life::{Effect, Happening, Illegal, happen};
use crate::store::boundary::StoreError;
use crate::store::incidents::IncidentId;
use crate::store::rows::{self, millis};
use crate::store::sqlite::engine;

/// Entries of one time line that the relay writes by itself; people may always write.
const ENTRIES_MAX: i64 = 2_000;

/// Columns that the life cycle reads and writes, in the order of [`case`].
const COLUMNS: &str =
    "id, key, state, level, owner, acknowledged_by, opened_at, notified_at, acknowledged_at,
    mitigated_at, resolved_at, reviewed_at, closed_at, reopened, escalate_at, escalation";

/// An incident in hand.
#[derive(Debug, Clone)]
pub struct Case {
    pub id: IncidentId,
    pub key: String,
    pub life: Incident,
    pub escalate_at: Option<Timestamp>,
    pub escalation: Option<Escalation>,
}

/// One thing for the time line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line<'a> {
    pub kind: &'a str,
    pub who: &'a str,
    pub target: &'a str,
    pub text: &'a str,
}

/// What a move came to.
pub struct Moved {
    /// It was news.
    pub is_news: bool,
    pub effects: &'static [Effect],
}

/// Reads and writes incidents within one transaction.
#[derive(Clone, Copy)]
pub struct Casebook<'a>(pub &'a Transaction<'a>);

impl Casebook<'_> {
    /// One by its number.
    pub fn case(&self, id: IncidentId) -> Result<Option<Case>, StoreError> {
        let mut query = self
            .0
            .prepare_cached(&format!("SELECT {COLUMNS} FROM incidents WHERE id = ?1"))
            .map_err(engine)?;
        query.query_row([id], case).optional().map_err(engine)?.transpose()
    }

    /// The latest that a lane of this dedup key was told of.
    pub fn of_key(&self, key: &str) -> Result<Option<Case>, StoreError> {
        // Lane by lane: for a list of them a table would be made.
        let mut query = self
            .0
            .prepare_cached(
                "SELECT max((SELECT incident FROM lanes WHERE id = lane)) FROM keyed WHERE key = ?1",
            )
            .map_err(engine)?;
        let id: Option<i64> = query.query_row([key], |row| row.get(0)).map_err(engine)?;
        id.map_or(Ok(None), |id| self.case(id))
    }

    /// The one of the same root that what fires belongs to, if it is young enough.
    pub fn of_root(&self, root: &str, within: Duration, at: Timestamp) -> Result<Option<Case>, StoreError> {
        let since = at.saturating_sub(within).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut query = self
            .0
            .prepare_cached(
                "SELECT id FROM incidents WHERE root = ?1 AND state < 3 AND opened_at >= ?2 ORDER BY id DESC LIMIT 1",
            )
            .map_err(engine)?;
        let id: Option<i64> =
            query.query_row(params![root, millis(since)], |row| row.get(0)).optional().map_err(engine)?;
        id.map_or(Ok(None), |id| self.case(id))
    }

    /// Opens one.
    pub fn open(&self, key: &str, draft: &Draft, source: &str, at: Timestamp) -> Result<Case, StoreError> {
        let life = Incident::open(draft.level, draft.owner.clone(), at);
        let escalation =
            (!draft.steps.is_empty()).then(|| Escalation { since: at, made: 0, steps: draft.steps.clone() });
        let escalate_at = escalation.as_ref().and_then(Escalation::due);
        let mut insert = self
            .0
            .prepare_cached(
                "INSERT INTO incidents(key, state, level, title, service, environment, owner, source, acknowledged_by,
                   started_at, opened_at, touched_at, reopened, news, root, escalate_at, escalation)
                 VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, '', ?8, ?9, ?9, 0, 1, ?10, ?11, ?12)",
            )
            .map_err(engine)?;
        insert
            .execute(params![
                key,
                level_number(draft.level),
                draft.title,
                draft.service,
                draft.environment,
                draft.owner,
                source,
                draft.started_at.map(millis),
                millis(at),
                draft.root.as_ref().map(|(root, _)| root),
                escalate_at.map(millis),
                escalation.as_ref().map(written).transpose()?,
            ])
            .map_err(engine)?;
        let id = self.0.last_insert_rowid();
        Ok(Case { id, key: key.to_owned(), life, escalate_at, escalation })
    }

    /// Lets something happen to one; what is news is kept, with this on the time line.
    ///
    /// # Errors
    /// Inside: the life cycle does not know the move.
    pub fn happen(
        &self,
        case: &mut Case,
        what: Happening<'_>,
        at: Timestamp,
        line: Line<'_>,
    ) -> Result<Result<Moved, Illegal>, StoreError> {
        let (life, effects) = match happen(&case.life, what, at) {
            Ok(next) => next,
            Err(illegal) => return Ok(Err(illegal)),
        };
        let is_news = life != case.life || !effects.is_empty();
        case.life = life;
        for effect in effects {
            match effect {
                Effect::Arm => case.arm(at),
                Effect::Disarm => case.escalate_at = None,
                Effect::TellTaken | Effect::TellOver => {}
            }
        }
        if is_news {
            self.save(case, at)?;
            self.write(case.id, at, line)?;
        }
        Ok(Ok(Moved { is_news, effects }))
    }

    /// Keeps what moves.
    pub fn save(&self, case: &Case, at: Timestamp) -> Result<(), StoreError> {
        let life = &case.life;
        self.0
            .prepare_cached(
                "UPDATE incidents SET state = ?2, level = ?3, owner = ?4, acknowledged_by = ?5, acknowledged_at = ?6,
                   mitigated_at = ?7, resolved_at = ?8, reviewed_at = ?9, closed_at = ?10, reopened = ?11,
                   escalate_at = ?12, escalation = ?13, touched_at = ?14 WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![
                    case.id,
                    state_number(life.state),
                    level_number(life.level),
                    life.owner,
                    life.acknowledged_by,
                    life.acknowledged_at.map(millis),
                    life.mitigated_at.map(millis),
                    life.resolved_at.map(millis),
                    life.reviewed_at.map(millis),
                    life.closed_at.map(millis),
                    life.reopened,
                    case.escalate_at.map(millis),
                    case.escalation.as_ref().and_then(|escalation| written(escalation).ok()),
                    millis(at),
                ])
            })
            .map(|_| ())
            .map_err(engine)
    }

    /// Counts news of one that goes on.
    pub fn count(&self, id: IncidentId, level: Level, at: Timestamp) -> Result<(), StoreError> {
        self.0
            .prepare_cached(
                "UPDATE incidents SET news = news + 1, level = min(level, ?2), touched_at = ?3 WHERE id = ?1",
            )
            .and_then(|mut update| update.execute(params![id, level_number(level), millis(at)]))
            .map(|_| ())
            .map_err(engine)
    }

    /// Somebody was told of it: only the first time counts.
    pub fn notified(&self, id: IncidentId, at: i64) -> rusqlite::Result<()> {
        self.0
            .prepare_cached("UPDATE incidents SET notified_at = ?2 WHERE id = ?1 AND notified_at IS NULL")?
            .execute([id, at])?;
        Ok(())
    }

    /// Writes on the time line, unless the relay has written enough there.
    pub fn write(&self, id: IncidentId, at: Timestamp, line: Line<'_>) -> Result<(), StoreError> {
        self.write_at(id, millis(at), line).map_err(engine)
    }

    /// The same, with a time as it is stored.
    pub fn write_at(&self, id: IncidentId, at: i64, line: Line<'_>) -> rusqlite::Result<()> {
        // Looked up first: a table that is read and written in one statement is copied for it.
        let last: Option<i64> = self
            .0
            .prepare_cached("SELECT max(n) FROM timeline WHERE incident = ?1")?
            .query_row([id], |row| row.get(0))?;
        self.write_behind(id, last.unwrap_or(0), at, line)
    }

    /// The same, where the number of the last entry is known.
    pub fn write_behind(&self, id: IncidentId, last: i64, at: i64, line: Line<'_>) -> rusqlite::Result<()> {
        let limit = if line.who.is_empty() { ENTRIES_MAX } else { i64::MAX };
        if last < limit {
            self.0
                .prepare_cached(
                    "INSERT INTO timeline(incident, n, at, kind, who, target, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![id, last + 1, at, line.kind, line.who, line.target, line.text])?;
        }
        Ok(())
    }

    /// A dedup key joins.
    pub fn join(&self, id: IncidentId, key: &str) -> Result<(), StoreError> {
        self.0
            .prepare_cached("INSERT OR IGNORE INTO joined(incident, key) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![id, key]))
            .map(|_| ())
            .map_err(engine)
    }

    /// All of its dedup keys, its own first.
    pub fn keys(&self, case: &Case) -> Result<Vec<String>, StoreError> {
        let mut query =
            self.0.prepare_cached("SELECT key FROM joined WHERE incident = ?1").map_err(engine)?;
        let joined: Vec<String> =
            query.query_map([case.id], |row| row.get(0)).and_then(Iterator::collect).map_err(engine)?;
        Ok(std::iter::once(case.key.clone()).chain(joined).collect())
    }
}

impl Case {
    /// From now on it counts anew, from the first step.
    fn arm(&mut self, at: Timestamp) {
        if let Some(escalation) = &mut self.escalation {
            (escalation.since, escalation.made) = (at, 0);
        }
        self.escalate_at = self.escalation.as_ref().and_then(Escalation::due);
    }

    /// Targets that were told because nobody had acknowledged.
    pub fn escalated_to(&self) -> impl Iterator<Item = &str> {
        let made = self.escalation.iter().flat_map(|escalation| &escalation.steps);
        made.flat_map(|step| step.targets.iter().map(AsRef::as_ref))
    }
}

fn case(row: &Row<'_>) -> rusqlite::Result<Result<Case, StoreError>> {
    let escalation: Option<String> = row.get(15)?;
    let (id, key, escalate_at): (i64, String, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(14)?);
    let life = life(row, 2)?;
    Ok(life.and_then(|life| {
        let escalation = escalation.map(|text| read(&text)).transpose()?;
        Ok(Case { id, key, life, escalate_at: escalate_at.map(rows::time), escalation })
    }))
}

/// The columns from `state` to `reopened`, in the order of [`COLUMNS`].
pub fn life(row: &Row<'_>, from: usize) -> rusqlite::Result<Result<Incident, StoreError>> {
    let (state, level): (u8, u8) = (row.get(from)?, row.get(from + 1)?);
    let time = |at: usize| row.get::<_, Option<i64>>(from + at).map(|time| time.map(rows::time));
    let (Some(state), Some(level)) = (State::ALL.get(usize::from(state)), Level::ALL.get(usize::from(level)))
    else {
        return Ok(Err(damaged("state")));
    };
    Ok(Ok(Incident {
        state: *state,
        level: *level,
        owner: row.get(from + 2)?,
        acknowledged_by: row.get(from + 3)?,
        opened_at: rows::time(row.get(from + 4)?),
        notified_at: time(5)?,
        acknowledged_at: time(6)?,
        mitigated_at: time(7)?,
        resolved_at: time(8)?,
        reviewed_at: time(9)?,
        closed_at: time(10)?,
        reopened: row.get(from + 11)?,
    }))
}

/// What is stored of an incident is none of what is ever written there.
pub fn damaged(what: &str) -> StoreError {
    StoreError::Engine(format!("a stored {what} of an incident is damaged"))
}

/// Number of a state; less than 3: it goes on.
pub fn state_number(state: State) -> i64 {
    state as i64
}

/// Number of a level, the worst being 0.
pub fn level_number(level: Level) -> i64 {
    level as i64
}

#[derive(Serialize, Deserialize)]
struct EscalationRow {
    since: i64,
    made: usize,
    steps: Vec<StepRow>,
}

#[derive(Serialize, Deserialize)]
struct StepRow {
    /// Milliseconds.
    after: u64,
    targets: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rota: Option<String>,
}

fn written(escalation: &Escalation) -> Result<String, StoreError> {
    let step = |step: &Step| StepRow {
        after: u64::try_from(step.after.as_millis()).unwrap_or(u64::MAX),
        targets: step.targets.iter().map(ToString::to_string).collect(),
        rota: step.rota.as_deref().map(str::to_owned),
    };
    let steps = escalation.steps.iter().map(step).collect();
    let row = EscalationRow { since: millis(escalation.since), made: escalation.made, steps };
    serde_json::to_string(&row).map_err(|error| StoreError::Engine(error.to_string()))
}

/// Reads what [`written`] wrote.
pub fn read(text: &str) -> Result<Escalation, StoreError> {
    let row: EscalationRow = serde_json::from_str(text).map_err(|_| damaged("escalation"))?;
    let step = |step: StepRow| Step {
        after: Duration::from_millis(step.after),
        targets: step.targets.iter().map(|target| Arc::from(target.as_str())).collect(),
        rota: step.rota.map(|rota| Arc::from(rota.as_str())),
    };
    let steps = row.steps.into_iter().map(step).collect();
    Ok(Escalation { since: rows::time(row.since), made: row.made, steps })
}
