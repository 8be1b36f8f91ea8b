//! The steps of the runner as statements of the writer's transaction: each is made once, together with
//! the deliveries that follow from it or not at all. The guard rails are looked at here, where nothing
//! can come in between.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::domain::job::{Run, State, Stop, next_question};
use crate::domain::message::{Action, JobId, Proposal as Shown, RemoteRef};
use crate::domain::rails::{HOUR, Rails, Usage, Verdict, decide};
use crate::store::boundary::{Done, Fresh, StoreError};
use crate::store::event::NewEvent;
use crate::store::incidents::{Act, Acting, IncidentId};
use crate::store::jobs::{Asked, Closing, JobMove, JobStep, Proposal};
use crate::store::orders::{Order, What};
use crate::store::rows::millis;
use crate::store::sqlite::engine;
use crate::store::sqlite_accept::Accept;
use crate::store::sqlite_acts::{self, Told};
use crate::store::sqlite_casebook::{Casebook, Line};
use crate::store::sqlite_chat::tell_chats;
use crate::store::sqlite_runs::{self as runs, End, by_id, concluded, end, named, number};
use crate::store::sqlite_telling::{Occasion, Teller, Telling, over};

impl Accept<'_> {
    /// Makes one step.
    pub fn job(&mut self, step: &JobStep) -> Result<Done, StoreError> {
        let fresh = match &step.what {
            JobMove::Rest(incident) => self.rest(*incident, false).map(|()| Vec::new()),
            JobMove::Propose(proposal) => self.propose(step, proposal),
            JobMove::Start { run, rails, event } => self.start(step, *run, rails, event),
            JobMove::Expire(run, why) => self.expire(step, *run, why),
            JobMove::Withdraw(run) => self.withdraw(step, *run),
            JobMove::Stop(run, stop) => self.stop(step, *run, *stop).map(|()| Vec::new()),
            JobMove::Asked(run, asked) => self.asked(step, *run, asked).map(|()| Vec::new()),
            JobMove::GiveUp(run) => self.give_up(step, *run).map(|()| Vec::new()),
            JobMove::Close(closing) => self.conclude(step, closing),
        };
        Ok(Done::Told(fresh?))
    }

    /// Whether the incident is to be looked at again.
    fn rest(&self, incident: IncidentId, due: bool) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached("UPDATE job_plans SET due = ?2 WHERE incident = ?1")
            .and_then(|mut update| update.execute(params![incident, due]))
            .map(|_| ())
            .map_err(engine)
    }

    fn in_state(&self, id: JobId, states: &[State]) -> Result<Option<Run>, StoreError> {
        Ok(by_id(self.transaction, id)?.filter(|run| states.contains(&run.state)))
    }

    fn propose(&mut self, step: &JobStep, proposal: &Proposal) -> Result<Vec<Fresh>, StoreError> {
        let book = Casebook(self.transaction);
        let (incident, now) = (proposal.incident, millis(step.at));
        let is_open = book.case(incident)?.is_some_and(|case| case.life.state.is_open());
        let may: bool = self
            .transaction
            .prepare_cached(
                "SELECT due AND NOT EXISTS (SELECT 1 FROM jobs WHERE incident = ?1 AND state < 4)
                 FROM job_plans WHERE incident = ?1",
            )
            .and_then(|mut query| query.query_row([incident], |row| row.get(0)).optional())
            .map_err(engine)?
            .unwrap_or(false);
        if !may || !is_open {
            self.rest(incident, false)?;
            return Ok(Vec::new());
        }
        let id = self.proposed(step, proposal, now)?;
        let Some(run) = by_id(self.transaction, id)? else { return Ok(Vec::new()) };
        self.rest(incident, false)?;
        let usage = self.usage(&run, &proposal.rails, step.at)?;
        if let Verdict::Rests(why) = decide(&proposal.rails, &usage, step.at) {
            end(
                self.transaction,
                &run,
                End { state: State::Refused, word: "", reason: &why, output: "" },
                now,
            )
            .map_err(engine)?;
            return Ok(Vec::new());
        }
        let known = if proposal.known.is_empty() { String::new() } else { format!(", {}", proposal.known) };
        let change = proposal.change.as_ref().map(|change| format!(" after {}", change.title));
        let what = format!("{} by {}{}{known}", run.rule, run.target, change.unwrap_or_default());
        let text = format!("{what} (job {id})");
        let kind = if proposal.approve_until.is_some() { "job_proposed" } else { "job_approved" };
        book.write_at(incident, now, Line { kind, who: "", target: &run.target, text: &text })
            .map_err(engine)?;
        if proposal.approve_until.is_none() {
            return Ok(Vec::new());
        }
        let note = format!(
            "Proposed: {what}. To start it: `alert-relay incident approve {incident} --job {id}`; not to: `alert-relay incident decline {incident} --job {id}`"
        );
        self.tell(step, incident, &note, Shown::Made(id))
    }

    fn proposed(&mut self, step: &JobStep, proposal: &Proposal, now: i64) -> Result<JobId, StoreError> {
        let state = if proposal.approve_until.is_some() { State::Proposed } else { State::Approved };
        let change = proposal.change.as_ref().map(|change| {
            serde_json::json!({
                "id": change.id, "kind": change.sort.as_str(), "title": change.title, "who": change.who,
                "link": change.link, "at": millis(change.at),
            })
            .to_string()
        });
        self.transaction
            .prepare_cached(
                "INSERT INTO jobs(incident, rule, target, service, environment, state, told, due, proposed_at, who,
                   timeout, stops, asked, word, reason, output, change)
                 SELECT ?1, ?2, ?3, service, environment, ?4, 0, ?5, ?6, '', ?7, ?8, 0, '', '', '', ?9
                 FROM incidents WHERE id = ?1",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    proposal.incident,
                    &*proposal.rule,
                    &*proposal.target,
                    number(state),
                    proposal.approve_until.map_or(now, millis),
                    millis(step.at),
                    proposal.timeout,
                    proposal.stops_when_over,
                    change,
                ])
            })
            .map_err(engine)?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// What the guard rails look at. One of which nobody knows whether it runs counts while it could.
    fn usage(&self, run: &Run, rails: &Rails, now: Timestamp) -> Result<Usage, StoreError> {
        let ago = |length| millis(now.saturating_sub(length).unwrap_or(Timestamp::UNIX_EPOCH));
        self.transaction
            .prepare_cached(
                "SELECT (SELECT count(*) FROM jobs WHERE state IN (2, 3))
                      + (SELECT count(*) FROM jobs WHERE state = 11 AND started_at + timeout * 1000 > ?1),
                   (SELECT count(*) FROM jobs WHERE started_at > ?2),
                   (SELECT max(o.started_at) FROM jobs o JOIN jobs r ON r.id = ?4
                    WHERE o.started_at > ?3 AND o.rule = r.rule AND o.service = r.service
                      AND o.environment = r.environment)",
            )
            .and_then(|mut query| {
                query.query_row(params![millis(now), ago(HOUR), ago(rails.cooldown), run.id], |row| {
                    let last: Option<i64> = row.get(2)?;
                    Ok(Usage {
                        running: row.get(0)?,
                        this_hour: row.get(1)?,
                        last: last.map(crate::store::rows::time),
                    })
                })
            })
            .map_err(engine)
    }

    fn start(
        &mut self,
        step: &JobStep,
        id: JobId,
        rails: &Rails,
        event: &Result<Box<NewEvent>, String>,
    ) -> Result<Vec<Fresh>, StoreError> {
        let Some(run) = self.in_state(id, &[State::Approved])? else { return Ok(Vec::new()) };
        let now = millis(step.at);
        let usage = self.usage(&run, rails, step.at)?;
        let ends = |state, reason: &str| {
            end(self.transaction, &run, End { state, word: "", reason, output: "" }, now).map_err(engine)
        };
        let event = match (decide(rails, &usage, step.at), event) {
            (Verdict::Rests(why) | Verdict::Full(why), _) => {
                ends(State::Refused, &why)?;
                return Ok(Vec::new());
            }
            (_, Err(why)) => {
                ends(State::Failed, why)?;
                return Ok(Vec::new());
            }
            (Verdict::Rehearse, Ok(_)) => {
                self.mark_started(id, None, now)?;
                ends(State::Rehearsed, "jobs.dry_run: it would have been started now")?;
                return Ok(Vec::new());
            }
            (Verdict::Start, Ok(event)) => event,
        };
        let lane = self.next.lane;
        let Done::Accepted(_, mut fresh) = self.event(event)? else { return Ok(Vec::new()) };
        if fresh.is_empty() || self.next.lane == lane {
            ends(State::Failed, "what it is about is over already")?;
            return Ok(fresh);
        }
        self.transaction
            .prepare_cached("UPDATE lanes SET job = ?2, incident = ?3 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![lane, id, run.incident]))
            .map_err(engine)?;
        self.mark_started(id, Some(lane), now)?;
        let line = Line { kind: "job_started", who: "", target: &run.target, text: &named(&run) };
        Casebook(self.transaction).write_at(run.incident, now, line).map_err(engine)?;
        let note = format!("Started: {} by {}", named(&run), run.target);
        fresh.extend(self.tell(step, run.incident, &note, Shown::Settled)?);
        Ok(fresh)
    }

    fn mark_started(&self, id: JobId, lane: Option<i64>, now: i64) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached("UPDATE jobs SET state = ?2, started_at = ?3, lane = ?4 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id, number(State::Starting), now, lane]))
            .map(|_| ())
            .map_err(engine)
    }

    fn expire(&mut self, step: &JobStep, id: JobId, why: &str) -> Result<Vec<Fresh>, StoreError> {
        if let Some(run) = self.in_state(id, &[State::Proposed, State::Approved])? {
            let expired = End { state: State::Expired, word: "", reason: why, output: "" };
            end(self.transaction, &run, expired, millis(step.at)).map_err(engine)?;
        }
        Ok(Vec::new())
    }

    /// The end of the problem goes into the lane of the start: what is unsent is folded away with it.
    fn withdraw(&mut self, step: &JobStep, id: JobId) -> Result<Vec<Fresh>, StoreError> {
        let Some(run) = self.in_state(id, &[State::Starting])? else { return Ok(Vec::new()) };
        self.stop(step, run.id, Stop::Over)?;
        let lane: Option<i64> = self
            .transaction
            .query_row("SELECT lane FROM jobs WHERE id = ?1", [id], |row| row.get(0))
            .map_err(engine)?;
        let mut rows = Teller { transaction: self.transaction, next: &mut self.next };
        let Some(lane_id) = lane else { return Ok(Vec::new()) };
        let Some(lane) = rows.lane(lane_id)? else { return Ok(Vec::new()) };
        let group = over(rows.last_told(&lane)?.as_deref(), &lane.key, step.at);
        let source = group.source.clone();
        let telling = Telling { action: Action::Resolve, group: group.into(), note: None, proposal: None };
        let why = "its incident is over";
        let occasion = Occasion { uid: step.uid, at: step.at, source: &source, note: why, reason: why };
        rows.tell(occasion, vec![(lane_id, lane, telling)])
    }

    fn stop(&self, step: &JobStep, id: JobId, stop: Stop) -> Result<(), StoreError> {
        let Some(run) = self.in_state(id, &[State::Starting, State::Running])? else { return Ok(()) };
        if run.stop.is_some() {
            return Ok(());
        }
        let now = millis(step.at);
        self.transaction
            .prepare_cached("UPDATE jobs SET stop = ?2, due = ?3, asked = 0 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id, runs::stop_number(stop), now]))
            .map_err(engine)?;
        let text = match stop {
            Stop::Timeout => format!("{}: it takes too long", named(&run)),
            Stop::Over => format!("{}: the incident is over", named(&run)),
        };
        let line = Line { kind: "job_called_back", who: "", target: &run.target, text: &text };
        Casebook(self.transaction).write_at(run.incident, now, line).map_err(engine)
    }

    fn asked(&self, step: &JobStep, id: JobId, asked: &Asked) -> Result<(), StoreError> {
        let Some(run) = self.in_state(id, &[State::Running])? else { return Ok(()) };
        if let Some(ended_well) = asked.ended_well {
            let (state, reason, word) = concluded(&run, ended_well, &asked.word);
            let ended = End { state, word, reason: &reason, output: &asked.output };
            return end(self.transaction, &run, ended, millis(step.at)).map_err(engine);
        }
        let due = asked.not_before.unwrap_or_else(|| next_question(step.at, run.asked + 1));
        self.transaction
            .prepare_cached(
                "UPDATE jobs SET asked = asked + 1, due = ?2, word = CASE WHEN ?3 = '' THEN word ELSE ?3 END,
                   reason = ?4, output = CASE WHEN ?5 = '' THEN output ELSE ?5 END WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![id, millis(due), asked.word, asked.trouble, asked.output])
            })
            .map(|_| ())
            .map_err(engine)
    }

    fn give_up(&self, step: &JobStep, id: JobId) -> Result<(), StoreError> {
        let Some(run) = self.in_state(id, &[State::Running])? else { return Ok(()) };
        let name = run.remote.as_ref().map_or("", |RemoteRef(text)| text.split(' ').next().unwrap_or(""));
        let reason = format!(
            "it was called back and has not ended, as far as can be told; look at run {name} on the platform"
        );
        let ended = End { state: State::Unknown, word: "", reason: &reason, output: "" };
        end(self.transaction, &run, ended, millis(step.at)).map_err(engine)
    }

    fn conclude(&mut self, step: &JobStep, closing: &Closing) -> Result<Vec<Fresh>, StoreError> {
        let Some(run) = self.in_state(closing.run, &[closing.state])? else { return Ok(Vec::new()) };
        let untold = self
            .transaction
            .prepare_cached(
                "UPDATE jobs SET told = 1, output = CASE WHEN ?2 = '' THEN output ELSE ?2 END
                 WHERE id = ?1 AND told = 0",
            )
            .and_then(|mut update| update.execute(params![run.id, closing.output]))
            .map_err(engine)?;
        if untold == 0 {
            return Ok(Vec::new());
        }
        let mut fresh = match closing.event.as_deref().map(|event| self.event(event)).transpose()? {
            Some(Done::Accepted(_, fresh)) => fresh,
            _ => Vec::new(),
        };
        self.close_lane(&run)?;
        let reason: String = self
            .transaction
            .query_row("SELECT reason FROM jobs WHERE id = ?1", [run.id], |row| row.get(0))
            .map_err(engine)?;
        let colon = if reason.is_empty() { "" } else { ": " };
        let note = format!("{} has {}{colon}{reason}", named(&run), ended(run.state));
        fresh.extend(self.tell(step, run.incident, &note, Shown::Settled)?);
        self.go_on(&run, closing.goes_on)?;
        if closing.resolves {
            fresh.extend(self.resolve(step, &run)?);
        }
        Ok(fresh)
    }

    /// The next job may be proposed: after this one, or because the incident came back meanwhile.
    fn go_on(&self, run: &Run, goes_on: bool) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached(
                "UPDATE job_plans SET due = 1 WHERE incident = ?1
                   AND (?2 OR since > (SELECT proposed_at FROM jobs WHERE id = ?3))",
            )
            .and_then(|mut update| update.execute(params![run.incident, goes_on, run.id]))
            .map(|_| ())
            .map_err(engine)
    }

    /// What a person would do who sees that it helped.
    fn resolve(&mut self, step: &JobStep, run: &Run) -> Result<Vec<Fresh>, StoreError> {
        let acting = Acting {
            id: run.incident,
            act: Act::Resolve,
            note: format!("{} has succeeded", named(run)),
            cast: std::sync::Arc::clone(&step.cast),
        };
        let uid = uuid::Uuid::from_u128(step.uid.as_u128() ^ 0x0200_0000_0000_0000);
        let who = format!("job {}", run.rule);
        let what = What::Incident(acting.clone());
        let order = Order { who, at: step.at, uid, what, still: None };
        let mut rows = Teller { transaction: self.transaction, next: &mut self.next };
        // One that is over already needs nothing.
        Ok(sqlite_acts::act(&mut rows, &order, &acting)?.map(|(_, fresh)| fresh).unwrap_or_default())
    }

    /// Nothing goes on in the lane of a run that is over: it is told nothing more.
    fn close_lane(&self, run: &Run) -> Result<(), StoreError> {
        if run.state == State::Unknown {
            return Ok(());
        }
        self.transaction
            .prepare_cached(
                "UPDATE lanes SET seen = 0, begun = NULL, clocks = ?2 WHERE waiting = 0
                   AND id = (SELECT lane FROM jobs WHERE id = ?1)",
            )
            .and_then(|mut update| {
                let none = crate::store::rows::clocks_blob(&crate::domain::lane::Clocks::new());
                update.execute(params![run.id, none])
            })
            .map(|_| ())
            .map_err(engine)
    }

    fn tell(
        &mut self,
        step: &JobStep,
        incident: IncidentId,
        note: &str,
        proposal: Shown,
    ) -> Result<Vec<Fresh>, StoreError> {
        let told = Told { uid: step.uid, at: step.at, note };
        let mut rows = Teller { transaction: self.transaction, next: &mut self.next };
        tell_chats(&mut rows, incident, &step.cast, told, proposal)
    }
}

fn ended(state: State) -> &'static str {
    match state {
        State::Proposed | State::Approved | State::Starting | State::Running => "moved",
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        State::Cancelled => "been cancelled",
        State::Declined => "been declined",
        State::Expired => "expired",
        State::Refused => "been refused",
        State::Rehearsed => "been rehearsed",
        State::Unknown => "an end that is not known",
    }
}
