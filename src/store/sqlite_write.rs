//! The writing side of the embedded engine: every operation as statements of one transaction.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use crate::domain::alert::{AlertGroup, Status};
use crate::domain::delivery::State;
use crate::domain::lane::{self, Admission, Incoming, LaneFacts};
use crate::domain::message::{Action, RemoteRef};
use crate::store::boundary::{
    Accepted, DeliveryId, Done, Engine, Fresh, LaneId, LaneState, NewEvent, NewPart, Op, Open, Quarantined,
    Settled, Settlement, StoreError,
};
use crate::store::rows::{self, millis};
use crate::store::sqlite::{Found, engine, mark_closed};
use crate::store::sqlite_prune::prune;

/// The engine.
#[derive(Debug)]
pub struct SqliteEngine {
    connection: Connection,
    next: Ids,
    perhaps_sent: DeliveryId,
    /// Where the round of pruning closed lanes has got to.
    prune_lane: LaneId,
}

/// The next free ids. Gaps after a failed batch are harmless.
#[derive(Debug, Clone, Copy)]
struct Ids {
    event: i64,
    delivery: DeliveryId,
    lane: LaneId,
}

impl SqliteEngine {
    /// Takes over an open connection.
    pub fn new(connection: Connection, found: Found) -> Result<SqliteEngine, StoreError> {
        let next = |table: &str| -> Result<i64, StoreError> {
            let query = format!("SELECT coalesce(max(id), 0) + 1 FROM {table}");
            connection.query_row(&query, [], |row| row.get(0)).map_err(engine)
        };
        let next = Ids { event: next("events")?, delivery: next("deliveries")?, lane: next("lanes")? };
        Ok(SqliteEngine { connection, next, perhaps_sent: found.perhaps_sent, prune_lane: 0 })
    }

    fn run(&mut self, batch: &[Op]) -> Result<Vec<Done>, StoreError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(engine)?;
        let mut accept =
            Accept { transaction: &transaction, next: self.next, perhaps_sent: self.perhaps_sent };
        let mut done = Vec::with_capacity(batch.len());
        let mut prune_lane = self.prune_lane;
        for op in batch {
            done.push(match op {
                Op::Accept(event) => accept.event(event)?,
                Op::Settle(settlement) => settle(&transaction, settlement).map_err(engine)?,
                Op::Quarantine(bytes) => quarantine(&transaction, bytes).map_err(engine)?,
                Op::Prune(retention) => prune(&transaction, retention, &mut prune_lane).map_err(engine)?,
            });
        }
        let next = accept.next;
        transaction.commit().map_err(engine)?;
        self.next = next;
        self.prune_lane = prune_lane;
        Ok(done)
    }
}

impl Engine for SqliteEngine {
    fn apply(&mut self, batch: &[Op]) -> Result<Vec<Result<Done, StoreError>>, StoreError> {
        match self.run(batch) {
            Ok(done) => Ok(done.into_iter().map(Ok).collect()),
            Err(StoreError::DiskFull) => Err(StoreError::DiskFull),
            Err(error) if batch.len() == 1 => Err(error),
            // One operation must not fail its neighbours: each gets a transaction of its own.
            Err(_) => Ok(batch
                .iter()
                .map(|op| {
                    self.run(std::slice::from_ref(op))
                        .and_then(|mut done| done.pop().ok_or(StoreError::Closed))
                })
                .collect()),
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
        let mut news = event.parts.is_empty();
        for part in &event.parts {
            let (delivery, is_news) = self.part(id, event, first_delivery, part)?;
            fresh.extend(delivery);
            news |= is_news;
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
        Ok(Done::Accepted(Accepted { uid: event.uid, deliveries, duplicate: !news }, fresh))
    }

    /// Admits one part to its lane. Returns the delivery when it has to be sent, and whether it
    /// was anything but a repeat.
    fn part(
        &mut self,
        event_id: i64,
        event: &NewEvent,
        first: DeliveryId,
        part: &NewPart,
    ) -> Result<(Option<Fresh>, bool), StoreError> {
        let mut known = self.lane(part)?;
        let admission = lane::admit(
            &mut known.facts,
            &Incoming {
                alerts: &part.alerts,
                content: part.content,
                truncated: part.truncated,
                now: event.received_at,
                window: event.window,
            },
        );
        let repeat = admission == Admission::Duplicate;
        let Some((action, alerts, state, reason)) = verdict(admission, part) else { return Ok((None, true)) };
        let sent = state == State::Waiting;
        let id = self.next.delivery;
        let lane_id = known.id.unwrap_or(self.next.lane);
        let Some(group) = event.groups.get(part.group as usize) else {
            return Err(StoreError::Engine(format!(
                "part of group {} of {}",
                part.group,
                event.groups.len()
            )));
        };
        let now = millis(event.received_at);
        self.statement(
            "INSERT INTO deliveries(id, event, lane, grp, alerts, action, state, attempts, accepted_at, finished_at, by, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11)",
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
            (state == State::Superseded).then_some(known.latest),
            reason,
        ])
        .map_err(engine)?;
        self.write_lane(part, &known, lane_id, sent.then_some(id), now)?;
        self.next.delivery += 1;
        let seen = known.facts.seen || (known.first_open > 0 && known.first_open <= self.perhaps_sent);
        let fresh = sent.then(|| Fresh {
            target: Arc::clone(&part.target),
            open: Open {
                id,
                lane: lane_id,
                uid: delivery_uid(event.uid, id - first),
                key: part.key.clone(),
                action,
                group: told(group, &alerts),
                accepted_at: event.received_at,
                attempts: 0,
            },
            lane: LaneState { seen, remote: known.remote },
        });
        Ok((fresh, !repeat))
    }

    fn lane(&self, part: &NewPart) -> Result<KnownLane, StoreError> {
        let known = self
            .statement(
                "SELECT id, waiting, seen, remote, clocks, content, admitted_at, latest, due,
                        CASE WHEN waiting = 0 THEN 0 ELSE
                          (SELECT id FROM deliveries d WHERE d.lane = lanes.id AND d.state < 2 ORDER BY d.id LIMIT 1) END
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
                let known = KnownLane {
                    id: Some(row.get(0)?),
                    facts,
                    remote: remote.map(RemoteRef),
                    latest: row.get(7)?,
                    due: row.get(8)?,
                    first_open: row.get(9)?,
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
    ) -> Result<(), StoreError> {
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
        Ok(())
    }

    fn statement(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        self.transaction.prepare_cached(sql).map_err(engine)
    }
}

#[derive(Debug, Default)]
struct KnownLane {
    id: Option<LaneId>,
    facts: LaneFacts,
    remote: Option<RemoteRef>,
    latest: DeliveryId,
    due: i64,
    /// Oldest delivery still owed; 0 when nothing is.
    first_open: DeliveryId,
}

/// How an admission is recorded; `None`: not at all.
fn verdict(admission: Admission, part: &NewPart) -> Option<(Action, Vec<u32>, State, &'static str)> {
    let firing = part.alerts.iter().any(|told| told.clock.status == Status::Firing);
    let action = if firing { Action::Trigger } else { Action::Resolve };
    match admission {
        Admission::NotConcerned => None,
        Admission::Enqueue { action, alerts } => Some((action, alerts, State::Waiting, "")),
        Admission::Duplicate => {
            Some((action, Vec::new(), State::Superseded, "the same news came a moment ago"))
        }
        Admission::Stale => Some((action, Vec::new(), State::Superseded, "older than what was known")),
        Admission::NothingOpen => {
            Some((action, Vec::new(), State::Expired, "a resolve of something never opened"))
        }
    }
}

/// The outside id of the n-th delivery of an event.
pub fn delivery_uid(event: Uuid, n: i64) -> String {
    format!("{}-{n}", event.simple())
}

/// The group as a delivery tells it.
pub fn told(group: &Arc<AlertGroup>, alerts: &[u32]) -> Arc<AlertGroup> {
    if rows::alerts_blob(alerts, group.alerts.len()).is_none() {
        Arc::clone(group)
    } else {
        Arc::new(group.part(alerts))
    }
}

fn settle(transaction: &Transaction<'_>, settlement: &Settlement) -> rusqlite::Result<Done> {
    let mut closed = 0;
    for Settled { id, state, reason, by, attempt } in &settlement.settled {
        let finished = (!state.is_open()).then(|| millis(settlement.now));
        // `state < 2`: settling twice (a retried write whose first try did commit) changes nothing.
        let changed = transaction
            .prepare_cached(
                "UPDATE deliveries SET state = ?2, reason = ?3, by = ?4, finished_at = ?5, attempts = attempts + ?6
                 WHERE id = ?1 AND state < 2",
            )?
            .execute(params![id, rows::state_number(*state), reason, by, finished, i64::from(attempt.is_some())])?;
        closed += if state.is_open() { 0 } else { changed };
        if let Some(attempt) = attempt
            && changed > 0
        {
            transaction
                .prepare_cached(
                    "INSERT INTO attempts(delivery, n, at, took, status, outcome, excerpt)
                     SELECT ?1, attempts, ?2, ?3, ?4, ?5, ?6 FROM deliveries WHERE id = ?1",
                )?
                .execute(params![
                    id,
                    millis(attempt.at),
                    i64::try_from(attempt.took.as_micros()).unwrap_or(i64::MAX),
                    attempt.status,
                    attempt.outcome,
                    attempt.excerpt,
                ])?;
        }
    }
    transaction
        .prepare_cached(
            "UPDATE lanes SET waiting = max(0, waiting - ?2), due = ?3, seen = ?4, remote = ?5, touched_at = ?6 WHERE id = ?1",
        )?
        .execute(params![
            settlement.lane,
            i64::try_from(closed).unwrap_or(0),
            millis(settlement.due),
            settlement.after.seen,
            settlement.after.remote.as_ref().map(|remote| &remote.0),
            millis(settlement.now),
        ])?;
    Ok(Done::Kept)
}

fn quarantine(transaction: &Transaction<'_>, bytes: &Quarantined) -> rusqlite::Result<Done> {
    transaction
        .prepare_cached("INSERT INTO quarantine(source, received_at, reason, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![bytes.source, millis(bytes.received_at), bytes.reason, rows::pack(&bytes.body)])?;
    Ok(Done::Kept)
}
