//! What people order, as statements of the writer's transaction: the change and the audit of it are
//! kept together or not at all. A refused order changes nothing.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::domain::delivery::State;
use crate::domain::lane::Clocks;
use crate::domain::message::{Action, DedupKey, RemoteRef};
use crate::store::boundary::{DeliveryId, Done, Fresh, LaneId, LaneState, Open, StoreError};
use crate::store::orders::{Order, Ordered, REDRIVE_NOTE, Refused, What};
use crate::store::rows::{self, delivery_uid, millis, told};
use crate::store::sqlite::{Ids, engine};

type Outcome = Result<Result<(Ordered, Vec<Fresh>), Refused>, StoreError>;

/// Carries out one order. Deliveries up to `perhaps_sent` may have arrived.
pub fn carry_out(
    transaction: &Transaction<'_>,
    order: &Order,
    next: &mut Ids,
    perhaps_sent: DeliveryId,
) -> Result<Done, StoreError> {
    let mut desk = Desk { transaction, order, next, perhaps_sent };
    let (about, detail, outcome) = match &order.what {
        What::Retry(id) => (format!("delivery {id}"), "", desk.retry(*id)?),
        What::Drop(id, why) => (format!("delivery {id}"), why.as_str(), desk.drop(*id, why)?),
        What::Resolve(lane) => (format!("lane {lane}"), "", desk.resolve(*lane)?),
        What::Note(detail) => {
            let nothing = Ordered { delivery: 0, at_once: false };
            ("events".to_owned(), detail.as_str(), Ok((nothing, Vec::new())))
        }
    };
    match outcome {
        Err(refused) => Ok(Done::Managed(Err(refused), Vec::new())),
        Ok((ordered, fresh)) => {
            let detail = match (ordered.delivery, &order.what) {
                (made, What::Retry(id)) if made != *id => format!("sent again as delivery {made}"),
                (made, What::Resolve(_)) => format!("resolved by delivery {made}"),
                _ => detail.to_owned(),
            };
            transaction
                .prepare_cached("INSERT INTO audit(at, who, what, about, detail) VALUES (?1, ?2, ?3, ?4, ?5)")
                .and_then(|mut insert| {
                    insert.execute(params![millis(order.at), order.who, order.what.word(), about, detail])
                })
                .map_err(engine)?;
            Ok(Done::Managed(Ok(ordered), fresh))
        }
    }
}

struct Desk<'a> {
    transaction: &'a Transaction<'a>,
    order: &'a Order,
    next: &'a mut Ids,
    perhaps_sent: DeliveryId,
}

/// A delivery with what belongs to it.
struct Known {
    lane: LaneId,
    action: i64,
    state: i64,
    group: usize,
    alerts: Option<Vec<u8>>,
    reason: String,
    note: Option<String>,
    groups: Vec<u8>,
    source: String,
}

/// What a new delivery tells.
struct Telling<'a> {
    action: Action,
    group: Arc<AlertGroup>,
    note: Option<String>,
    source: &'a str,
}

/// A lane as an order finds it.
struct Lane {
    target: String,
    key: String,
    waiting: u32,
    due: i64,
    latest: DeliveryId,
    state: LaneState,
    clocks: Clocks,
}

impl Desk<'_> {
    fn retry(&mut self, id: DeliveryId) -> Outcome {
        let Some(known) = self.known(id)? else { return Ok(Err(unknown("delivery", id))) };
        let state = rows::state(known.state)?;
        let lane = self.lane(known.lane)?;
        let Some(mut lane) = lane else {
            return refuse(
                "what is known of its lane is past its retention; it cannot be sent in order any more",
            );
        };
        match state {
            State::Delivered | State::Superseded => {
                return refuse(&format!("it is {}, there is nothing to try again", state.as_str()));
            }
            State::Waiting | State::Held => {
                self.change(
                    "UPDATE lanes SET due = ?2, touched_at = ?2 WHERE id = ?1",
                    params![known.lane, millis(self.order.at)],
                )?;
                return Ok(Ok((Ordered { delivery: id, at_once: true }, Vec::new())));
            }
            State::Dead | State::Expired => {}
        }
        if lane.latest > id {
            let later = lane.latest;
            return refuse(&format!(
                "later news of the same problem followed as delivery {later}; look at that one"
            ));
        }
        if lane.latest < id {
            return refuse(&format!("it was never to be sent: {}", known.reason));
        }
        let action = rows::action(known.action)?;
        if action == Action::Trigger && is_over(&lane.clocks) {
            return refuse("all its alerts are over by now; nobody is paged for what is over");
        }
        let groups = rows::groups(&known.groups)?;
        let Some(group) = groups.into_iter().nth(known.group).map(Arc::new) else {
            return Err(StoreError::Engine(format!("delivery {id} has no group")));
        };
        let group =
            known.alerts.map_or_else(|| Arc::clone(&group), |blob| told(&group, &rows::alerts(&blob)));
        let who = &self.order.who;
        let event_note = format!("{REDRIVE_NOTE}{who}: delivery {id}");
        let reason = format!("{REDRIVE_NOTE}{who}");
        let told = Telling { action, group, note: known.note, source: &known.source };
        // Whoever orders it has seen to what was in doubt.
        lane.state.begun = None;
        self.change("UPDATE lanes SET begun = NULL WHERE id = ?1", [known.lane])?;
        let fresh = self.deliver(known.lane, &lane, told, &event_note, &reason)?;
        self.change("UPDATE deliveries SET by = ?2 WHERE id = ?1", params![id, fresh.open.id])?;
        Ok(Ok((Ordered { delivery: fresh.open.id, at_once: true }, vec![fresh])))
    }

    fn drop(&mut self, id: DeliveryId, why: &str) -> Outcome {
        let Some(known) = self.known(id)? else { return Ok(Err(unknown("delivery", id))) };
        let state = rows::state(known.state)?;
        if !state.is_open() {
            return refuse(&format!("it is {} already; only what waits can be dropped", state.as_str()));
        }
        let who = &self.order.who;
        let reason =
            if why.is_empty() { format!("dropped by {who}") } else { format!("dropped by {who}: {why}") };
        let now = millis(self.order.at);
        self.change(
            "UPDATE deliveries SET state = ?2, reason = ?3, finished_at = ?4 WHERE id = ?1",
            params![id, rows::state_number(State::Expired), reason, now],
        )?;
        // One that may have arrived before a crash still needs its resolve.
        let perhaps_seen = id <= self.perhaps_sent && rows::action(known.action)? == Action::Trigger;
        self.change(
            "UPDATE lanes SET waiting = max(0, waiting - 1), seen = max(seen, ?3), touched_at = ?2,
                    fall_at = CASE WHEN waiting <= 1 THEN NULL ELSE fall_at END WHERE id = ?1",
            params![known.lane, now, perhaps_seen],
        )?;
        Ok(Ok((Ordered { delivery: id, at_once: false }, Vec::new())))
    }

    fn resolve(&mut self, id: LaneId) -> Outcome {
        let Some(lane) = self.lane(id)? else { return Ok(Err(unknown("lane", id))) };
        if lane.waiting > 0 {
            return refuse("something is waiting to be sent there; see to that first (retry or drop)");
        }
        if !lane.state.seen {
            return refuse("nothing is open there");
        }
        let told_last = match self.known(lane.latest)? {
            Some(known) => {
                let groups = rows::groups(&known.groups)?;
                let group = groups.into_iter().nth(known.group).map(Arc::new);
                group.map(|group| match known.alerts {
                    Some(blob) => told(&group, &rows::alerts(&blob)),
                    None => group,
                })
            }
            None => None,
        };
        let group = Arc::new(over(told_last.as_deref(), &lane.key, self.order.at));
        let reason = format!("resolved by {}", self.order.who);
        let source = group.source.clone();
        let told = Telling { action: Action::Resolve, group, note: None, source: &source };
        let fresh = self.deliver(id, &lane, told, &reason, &reason)?;
        // What is told of it from now on is a new story.
        self.change(
            "UPDATE lanes SET clocks = ?2, content = 0 WHERE id = ?1",
            params![id, rows::clocks_blob(&Clocks::new())],
        )?;
        Ok(Ok((Ordered { delivery: fresh.open.id, at_once: true }, vec![fresh])))
    }

    /// Makes an event with one delivery at the end of a lane.
    fn deliver(
        &mut self,
        lane_id: LaneId,
        lane: &Lane,
        told: Telling<'_>,
        event_note: &str,
        reason: &str,
    ) -> Result<Fresh, StoreError> {
        let (event, id, now) = (self.next.event, self.next.delivery, millis(self.order.at));
        let key = DedupKey::written(&lane.key)
            .ok_or_else(|| StoreError::Engine("a stored dedup key is blank".into()))?;
        self.change(
            "INSERT INTO events(id, uid, source, received_at, body, groups, notes, first_delivery, deliveries)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)",
            params![
                event,
                self.order.uid.as_bytes(),
                told.source,
                now,
                rows::pack(&[]),
                rows::groups_blob(std::iter::once(told.group.as_ref()))?,
                serde_json::Value::from(vec![event_note]).to_string(),
                id
            ],
        )?;
        self.change(
            "INSERT INTO deliveries(id, event, lane, grp, action, state, attempts, accepted_at, reason, note)
             VALUES (?1, ?2, ?3, 0, ?4, ?5, 0, ?6, ?7, ?8)",
            params![
                id,
                event,
                lane_id,
                rows::action_number(told.action),
                rows::state_number(State::Waiting),
                now,
                reason,
                told.note
            ],
        )?;
        let due = if lane.waiting > 0 { lane.due } else { now };
        self.change(
            "UPDATE lanes SET waiting = waiting + 1, due = ?2, latest = ?3, touched_at = ?4, dead = NULL WHERE id = ?1",
            params![lane_id, due, id, now],
        )?;
        self.next.event += 1;
        self.next.delivery += 1;
        Ok(Fresh {
            target: Arc::from(lane.target.as_str()),
            due: rows::time(due),
            open: Open {
                id,
                lane: lane_id,
                uid: delivery_uid(self.order.uid, 0),
                key,
                action: told.action,
                group: told.group,
                accepted_at: self.order.at,
                attempts: 0,
                note: told.note,
            },
            lane: lane.state.clone(),
        })
    }

    fn known(&self, id: DeliveryId) -> Result<Option<Known>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(Known {
                lane: row.get(0)?,
                action: row.get(1)?,
                state: row.get(2)?,
                group: row.get::<_, u32>(3)? as usize,
                alerts: row.get(4)?,
                reason: row.get(5)?,
                groups: row.get(6)?,
                source: row.get(7)?,
                note: row.get(8)?,
            })
        };
        self.transaction
            .prepare_cached(
                "SELECT d.lane, d.action, d.state, d.grp, d.alerts, d.reason, e.groups, e.source, d.note
                 FROM deliveries d JOIN events e ON e.id = d.event WHERE d.id = ?1",
            )
            .and_then(|mut query| query.query_row([id], read).optional())
            .map_err(engine)
    }

    fn lane(&self, id: LaneId) -> Result<Option<Lane>, StoreError> {
        let read = |row: &Row<'_>| {
            let blob: Vec<u8> = row.get(7)?;
            let lane = Lane {
                target: row.get(0)?,
                key: row.get(1)?,
                waiting: row.get(2)?,
                due: row.get(3)?,
                latest: row.get(4)?,
                state: LaneState {
                    seen: row.get(5)?,
                    remote: row.get::<_, Option<String>>(6)?.map(RemoteRef),
                    begun: row.get(8)?,
                },
                clocks: Clocks::new(),
            };
            Ok((lane, blob))
        };
        let found = self
            .transaction
            .prepare_cached(
                "SELECT target, key, waiting, due, latest, seen, remote, clocks, begun FROM lanes WHERE id = ?1",
            )
            .and_then(|mut query| query.query_row([id], read).optional())
            .map_err(engine)?;
        let Some((lane, blob)) = found else { return Ok(None) };
        Ok(Some(Lane { clocks: rows::clocks(&blob)?, ..lane }))
    }

    fn change(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        let done = self.transaction.prepare_cached(sql).and_then(|mut change| change.execute(values));
        done.map(|_| ()).map_err(engine)
    }
}

/// Nothing of what a lane has heard of goes on.
pub fn is_over(clocks: &Clocks) -> bool {
    clocks.values().all(|clock| clock.status == Status::Resolved)
}

fn refuse(why: &str) -> Outcome {
    Ok(Err(Refused::Not(why.to_owned())))
}

fn unknown(what: &str, id: i64) -> Refused {
    Refused::Unknown(format!("there is no {what} {id}; it may be past its retention"))
}

/// What was told last, as over. When that is past its retention, the key is all there is, and all
/// that a resolve needs.
fn over(told: Option<&AlertGroup>, key: &str, now: Timestamp) -> AlertGroup {
    let Some(told) = told else {
        let labels = Labels::from([("alertname".to_owned(), "forgotten".to_owned())]);
        let alert = Alert {
            status: Status::Resolved,
            fingerprint: Fingerprint::of(&labels),
            annotations: Labels::new(),
            starts_at: None,
            ends_at: Some(now),
            generator_url: String::new(),
            extra: serde_json::Map::new(),
            labels: labels.clone(),
        };
        return AlertGroup {
            source: String::new(),
            group_key: key.to_owned(),
            receiver: String::new(),
            group_labels: labels.clone(),
            common_labels: labels,
            common_annotations: Labels::new(),
            external_url: String::new(),
            truncated: 0,
            reason: String::new(),
            alerts: vec![alert],
            event: serde_json::Value::Null,
        };
    };
    let mut group = told.clone();
    group.truncated = 0;
    for alert in group.alerts.iter_mut().filter(|alert| alert.status == Status::Firing) {
        alert.status = Status::Resolved;
        alert.ends_at = Some(now);
    }
    group
}
