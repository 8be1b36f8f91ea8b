//! The writing side of the embedded engine: every operation as statements of one transaction.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::domain::alert::Status;
use crate::domain::delivery::State;
use crate::domain::lane::{self, Admission, Incoming, LaneFacts};
use crate::domain::message::{Action, RemoteRef};
use crate::store::boundary::{
    Accepted, DeliveryId, Done, Engine, Fresh, LaneId, LaneState, NewEvent, NewPart, Op, Open, StoreError,
};
use crate::store::reserved::brings_a_body;
use crate::store::rows::{self, delivery_uid, millis, told};
use crate::store::sqlite::{Found, Ids, engine, mark_closed};
use crate::store::sqlite_orders;
use crate::store::sqlite_prune::{Round, prune, shorten};
use crate::store::sqlite_quota::charge;
use crate::store::sqlite_settle::{begin, fallen, quarantine, redriven, settle};
use crate::store::sqlite_signals::hear;

/// The engine.
#[derive(Debug)]
pub struct SqliteEngine {
    connection: Connection,
    next: Ids,
    perhaps_sent: DeliveryId,
    prune: Round,
}

impl SqliteEngine {
    /// Takes over an open connection. Pruning leaves the newest event and the newest lane, so that
    /// no id is ever given twice.
    pub fn new(connection: Connection, found: Found) -> Result<SqliteEngine, StoreError> {
        let next = |query: &str| -> Result<i64, StoreError> {
            connection
                .query_row(query, [], |row| row.get(0))
                .optional()
                .map_err(engine)
                .map(|id| id.unwrap_or(1))
        };
        let next = Ids {
            event: next("SELECT id + 1 FROM events ORDER BY id DESC LIMIT 1")?,
            delivery: next("SELECT first_delivery + deliveries FROM events ORDER BY id DESC LIMIT 1")?,
            lane: next("SELECT id + 1 FROM lanes ORDER BY id DESC LIMIT 1")?,
        };
        Ok(SqliteEngine { connection, next, perhaps_sent: found.perhaps_sent, prune: Round::default() })
    }

    fn run(&mut self, batch: &[Op]) -> Result<Vec<Done>, StoreError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(engine)?;
        let mut accept =
            Accept { transaction: &transaction, next: self.next, perhaps_sent: self.perhaps_sent };
        let mut done = Vec::with_capacity(batch.len());
        let mut pruning = self.prune;
        for op in batch {
            done.push(match op {
                Op::Accept(event) => accept.event(event)?,
                Op::Settle(settlement) => settle(&transaction, settlement).map_err(engine)?,
                Op::Quarantine(bytes) => quarantine(&transaction, bytes).map_err(engine)?,
                Op::Prune(retention) => prune(&transaction, retention, &mut pruning).map_err(engine)?,
                Op::Manage(order) => {
                    sqlite_orders::carry_out(&transaction, order, &mut accept.next, self.perhaps_sent)?
                }
                Op::Begin(lane, uid) => begin(&transaction, *lane, uid).map_err(engine)?,
                Op::Charge(call) => charge(&transaction, call).map_err(engine)?,
                Op::Hear(hearing) => hear(&transaction, hearing, &mut accept.next)?,
                Op::Fallen(lane) => fallen(&transaction, *lane).map_err(engine)?,
                Op::Redriven(lane) => redriven(&transaction, *lane).map_err(engine)?,
                Op::Nothing => Done::Kept,
            });
        }
        let next = accept.next;
        transaction.commit().map_err(engine)?;
        self.next = next;
        self.prune = pruning;
        if std::mem::take(&mut self.prune.shorten) {
            shorten(&self.connection);
        }
        Ok(done)
    }

    fn alone(&mut self, op: &Op) -> Result<Done, StoreError> {
        self.run(std::slice::from_ref(op)).and_then(|mut done| done.pop().ok_or(StoreError::Closed))
    }
}

impl Engine for SqliteEngine {
    fn apply(&mut self, batch: &[Op]) -> Result<Vec<Result<Done, StoreError>>, StoreError> {
        match self.run(batch) {
            Ok(done) => Ok(done.into_iter().map(Ok).collect()),
            Err(error) if batch.len() == 1 => Err(error),
            // One operation must not fail its neighbours: each gets a transaction of its own.
            Err(error) => {
                let full = matches!(error, StoreError::DiskFull);
                Ok(batch
                    .iter()
                    .map(
                        |op| {
                            if full && brings_a_body(op) { Err(StoreError::DiskFull) } else { self.alone(op) }
                        },
                    )
                    .collect())
            }
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        mark_closed(&self.connection)
    }
}

/// Accepting events within one transaction.
struct Accept<'a> {
    transaction: &'a Transaction<'a>,
    next: Ids,
    perhaps_sent: DeliveryId,
}

impl Accept<'_> {
    fn event(&mut self, event: &NewEvent) -> Result<Done, StoreError> {
        let id = self.next.event;
        let first_delivery = self.next.delivery;
        let mut fresh = Vec::new();
        let (mut news, mut repeats) = (false, false);
        for part in &event.parts {
            match self.part(id, event, first_delivery, part)? {
                Admitted::Sent(delivery) => fresh.push(*delivery),
                Admitted::Noted => news = true,
                Admitted::Repeated => repeats = true,
                Admitted::Passed => {}
            }
        }
        let groups = rows::groups_blob(event.groups.iter().map(AsRef::as_ref))?;
        let notes = serde_json::Value::from(event.notes.clone()).to_string();
        self.statement(
            "INSERT INTO events(id, uid, source, received_at, body, groups, notes, first_delivery, deliveries)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            id,
            event.uid.as_bytes(),
            event.source,
            millis(event.received_at),
            rows::pack(&event.body),
            groups,
            notes,
            first_delivery,
            self.next.delivery - first_delivery,
        ])
        .map_err(engine)?;
        self.next.event += 1;
        let deliveries = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        let duplicate = repeats && !news && fresh.is_empty();
        Ok(Done::Accepted(Accepted { uid: event.uid, deliveries, duplicate }, fresh))
    }

    /// Admits one part to its lane.
    fn part(
        &mut self,
        event_id: i64,
        event: &NewEvent,
        first: DeliveryId,
        part: &NewPart,
    ) -> Result<Admitted, StoreError> {
        let mut known = self.lane(part)?;
        let admission = lane::admit(
            &mut known.facts,
            &Incoming {
                alerts: &part.alerts,
                content: part.content,
                truncated: part.truncated,
                now: event.received_at,
                window: event.window,
                reminders: part.reminders,
            },
        );
        let repeat = matches!(admission, Admission::Duplicate | Admission::Reminder);
        let Some((action, alerts, state, reason)) = verdict(admission, part) else {
            return Ok(Admitted::Passed);
        };
        let sent = state == State::Waiting;
        let id = self.next.delivery;
        let lane_id = known.id.unwrap_or(self.next.lane);
        let nowhere = || format!("part of group {} of {}", part.group, event.groups.len());
        let group = event.groups.get(part.group as usize).ok_or_else(|| StoreError::Engine(nowhere()))?;
        let now = millis(event.received_at);
        self.statement(
            "INSERT INTO deliveries(id, event, lane, grp, alerts, action, state, attempts, accepted_at, finished_at, by, reason, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            id,
            event_id,
            lane_id,
            part.group,
            if sent { rows::alerts_blob(&alerts, group.alerts.len()) } else { None },
            rows::action_number(action),
            rows::state_number(state),
            now,
            (!sent).then_some(now),
            (state == State::Superseded && known.latest > 0).then_some(known.latest),
            reason,
            part.note,
        ])
        .map_err(engine)?;
        let due = self.write_lane(part, &known, lane_id, sent.then_some(id), now)?;
        if !repeat {
            self.mark_lane(part, &known, lane_id, sent && action == Action::Trigger, now)?;
        }
        self.next.delivery += 1;
        if !sent {
            return Ok(if repeat { Admitted::Repeated } else { Admitted::Noted });
        }
        let seen = known.facts.seen || (known.first_open > 0 && known.first_open <= self.perhaps_sent);
        Ok(Admitted::Sent(Box::new(Fresh {
            target: Arc::clone(&part.target),
            due: rows::time(due),
            open: Open {
                id,
                lane: lane_id,
                uid: delivery_uid(event.uid, id - first),
                key: part.key.clone(),
                action,
                group: told(group, &alerts),
                accepted_at: event.received_at,
                attempts: 0,
                note: part.note.clone(),
            },
            lane: LaneState { seen, ..known.state },
        })))
    }

    fn lane(&self, part: &NewPart) -> Result<KnownLane, StoreError> {
        let known = self
            .statement(
                "SELECT id, waiting, seen, remote, clocks, content, admitted_at, latest, due, dead IS NOT NULL,
                        CASE WHEN waiting = 0 THEN 0 ELSE
                          (SELECT id FROM deliveries d WHERE d.lane = lanes.id AND d.state < 2 ORDER BY d.id LIMIT 1) END,
                        begun
                 FROM lanes WHERE key = ?1 AND target = ?2",
            )?
            .query_row(params![part.key.as_str(), &*part.target], |row| {
                let blob: Vec<u8> = row.get(4)?;
                let facts = LaneFacts {
                    waiting: row.get(1)?,
                    seen: row.get(2)?,
                    content: row.get(5)?,
                    admitted_at: rows::time(row.get(6)?),
                    ..LaneFacts::default()
                };
                let remote: Option<String> = row.get(3)?;
                let state =
                    LaneState { seen: facts.seen, remote: remote.map(RemoteRef), begun: row.get(11)? };
                let known = KnownLane {
                    id: Some(row.get(0)?),
                    facts,
                    state,
                    latest: row.get(7)?,
                    due: row.get(8)?,
                    dead: row.get(9)?,
                    first_open: row.get(10)?,
                };
                Ok((known, blob))
            })
            .optional()
            .map_err(engine)?;
        match known {
            None => Ok(KnownLane::default()),
            Some((mut known, blob)) => {
                known.facts.clocks = rows::clocks(&blob)?;
                Ok(known)
            }
        }
    }

    fn write_lane(
        &mut self,
        part: &NewPart,
        known: &KnownLane,
        lane: LaneId,
        sent: Option<DeliveryId>,
        now: i64,
    ) -> Result<i64, StoreError> {
        let waiting = known.facts.waiting + u32::from(sent.is_some());
        // A lane that already owes something keeps its time: back-off is not cut short by news.
        let due = if known.facts.waiting > 0 { known.due } else { now };
        let latest = sent.unwrap_or(known.latest);
        let clocks = rows::clocks_blob(&known.facts.clocks);
        let facts = &known.facts;
        if known.id.is_some() {
            self.statement(
                "UPDATE lanes SET waiting = ?2, due = ?3, clocks = ?4, content = ?5, admitted_at = ?6, latest = ?7,
                        touched_at = ?8 WHERE id = ?1",
            )?
            .execute(params![lane, waiting, due, clocks, facts.content, millis(facts.admitted_at), latest, now])
            .map_err(engine)?;
        } else {
            self.statement(
                "INSERT INTO lanes(id, target, key, waiting, due, seen, remote, clocks, content, admitted_at, latest, touched_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, NULL, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                lane,
                &*part.target,
                part.key.as_str(),
                waiting,
                due,
                clocks,
                facts.content,
                millis(facts.admitted_at),
                latest,
                now,
            ])
            .map_err(engine)?;
            self.next.lane += 1;
        }
        Ok(due)
    }

    /// News ends what was given up before it; a trigger that begins to wait sets the time of its
    /// fallback. Most lanes have neither, and then nothing is written.
    fn mark_lane(
        &self,
        part: &NewPart,
        known: &KnownLane,
        lane: LaneId,
        triggers: bool,
        now: i64,
    ) -> Result<(), StoreError> {
        if known.dead {
            redriven(self.transaction, lane).map_err(engine)?;
        }
        let Some(after) = part.fall_after.filter(|_| triggers && known.facts.waiting == 0) else {
            return Ok(());
        };
        let fall_at = now.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
        self.statement("UPDATE lanes SET fall_at = ?2 WHERE id = ?1")?
            .execute([lane, fall_at])
            .map_err(engine)?;
        Ok(())
    }

    fn statement(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        self.transaction.prepare_cached(sql).map_err(engine)
    }
}

/// What became of one part.
enum Admitted {
    /// It is to be sent.
    Sent(Box<Fresh>),
    /// It is recorded only: stale, or a resolve of nothing.
    Noted,
    /// It is recorded as a repeat.
    Repeated,
    /// It did not concern its lane.
    Passed,
}

#[derive(Debug, Default)]
struct KnownLane {
    id: Option<LaneId>,
    facts: LaneFacts,
    state: LaneState,
    latest: DeliveryId,
    due: i64,
    /// A trigger of it was given up.
    dead: bool,
    /// Oldest delivery still owed; 0 when nothing is.
    first_open: DeliveryId,
}

/// How an admission is recorded; `None`: not at all.
fn verdict(admission: Admission, part: &NewPart) -> Option<(Action, Vec<u32>, State, Cow<'static, str>)> {
    let firing = part.alerts.iter().any(|told| told.clock.status == Status::Firing);
    let action = if firing { Action::Trigger } else { Action::Resolve };
    match admission {
        Admission::NotConcerned => None,
        Admission::Enqueue { action, alerts } => Some((action, alerts, State::Waiting, "".into())),
        Admission::Duplicate => {
            Some((action, Vec::new(), State::Superseded, "the same news came a moment ago".into()))
        }
        Admission::Stale => Some((action, Vec::new(), State::Superseded, "older than what was known".into())),
        Admission::Reminder => {
            let reason = format!("unchanged, and the target has reminders: {}", part.reminders);
            Some((action, Vec::new(), State::Expired, reason.into()))
        }
        Admission::NothingOpen => {
            Some((action, Vec::new(), State::Expired, "a resolve of something never opened".into()))
        }
    }
}
