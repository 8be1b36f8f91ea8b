//! Adding to lanes that exist, outside of intake: what people order and what follows from signals.
//! Each occasion is an event of its own, so that the record tells why something was sent.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use uuid::Uuid;

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::domain::delivery::State;
use crate::domain::lane::Clocks;
use crate::domain::message::{Action, DedupKey, Proposal, RemoteRef};
use crate::store::boundary::{DeliveryId, Fresh, LaneId, LaneState, Open, StoreError};
use crate::store::orders::{Ordered, Refused};
use crate::store::rows::{self, delivery_uid, millis, told};
use crate::store::sqlite::{Ids, engine};

/// What an order came to, with what the schedule must learn.
pub type Outcome = Result<Result<(Ordered, Vec<Fresh>), Refused>, StoreError>;

/// It cannot be done.
pub fn refuse(why: &str) -> Outcome {
    Ok(Err(Refused::Not(why.to_owned())))
}

/// There is no such thing.
pub fn unknown(what: &str, id: i64) -> Refused {
    Refused::Unknown(format!("there is no {what} {id}; it may be past its retention"))
}

/// A delivery with what belongs to it.
pub struct Known {
    pub lane: LaneId,
    pub action: i64,
    pub state: i64,
    pub group: usize,
    pub alerts: Option<Vec<u8>>,
    pub reason: String,
    pub note: Option<String>,
    pub groups: Vec<u8>,
    pub source: String,
}

/// What a new delivery tells.
pub struct Telling {
    pub action: Action,
    pub group: Arc<AlertGroup>,
    pub note: Option<String>,
    pub proposal: Option<Proposal>,
}

/// A lane as it stands.
pub struct Lane {
    pub target: String,
    pub key: String,
    pub waiting: u32,
    pub due: i64,
    pub latest: DeliveryId,
    pub state: LaneState,
    pub clocks: Clocks,
}

impl Known {
    /// The alerts that it tells of.
    pub fn told(&self) -> Result<Option<Arc<AlertGroup>>, StoreError> {
        let group = rows::groups(&self.groups)?.into_iter().nth(self.group).map(Arc::new);
        Ok(group.map(|group| match &self.alerts {
            Some(blob) => told(&group, &rows::alerts(blob)),
            None => group,
        }))
    }
}

/// Why something is told.
#[derive(Clone, Copy)]
pub struct Occasion<'a> {
    /// Id of the event that is made of it.
    pub uid: Uuid,
    /// When.
    pub at: Timestamp,
    /// Source that the event names; may be empty.
    pub source: &'a str,
    /// For the record of the event.
    pub note: &'a str,
    /// For the record of each delivery.
    pub reason: &'a str,
}

/// Reads lanes and adds to them, within one transaction.
pub struct Teller<'a> {
    pub transaction: &'a Transaction<'a>,
    pub next: &'a mut Ids,
}

impl Teller<'_> {
    /// Makes one event with a delivery at the end of each of these lanes.
    pub fn tell(
        &mut self,
        occasion: Occasion<'_>,
        tellings: Vec<(LaneId, Lane, Telling)>,
    ) -> Result<Vec<Fresh>, StoreError> {
        let (event, first, now) = (self.next.event, self.next.delivery, millis(occasion.at));
        let groups = rows::groups_blob(tellings.iter().map(|(_, _, telling)| telling.group.as_ref()))?;
        self.change(
            "INSERT INTO events(id, uid, source, received_at, body, groups, notes, first_delivery, deliveries)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                event,
                occasion.uid.as_bytes(),
                occasion.source,
                now,
                rows::pack(&[]),
                groups,
                serde_json::Value::from(vec![occasion.note]).to_string(),
                first,
                i64::try_from(tellings.len()).unwrap_or(i64::MAX),
            ],
        )?;
        self.next.event += 1;
        let mut fresh = Vec::with_capacity(tellings.len());
        for (group, (lane_id, lane, telling)) in (0..).zip(tellings) {
            fresh.push(self.deliver(event, group, occasion, lane_id, &lane, telling)?);
        }
        Ok(fresh)
    }

    fn deliver(
        &mut self,
        event: i64,
        group: i64,
        occasion: Occasion<'_>,
        lane_id: LaneId,
        lane: &Lane,
        telling: Telling,
    ) -> Result<Fresh, StoreError> {
        let (id, now) = (self.next.delivery, millis(occasion.at));
        let key = DedupKey::written(&lane.key)
            .ok_or_else(|| StoreError::Engine("a stored dedup key is blank".into()))?;
        let (action, state) = (rows::action_number(telling.action), rows::state_number(State::Waiting));
        self.change(
            "INSERT INTO deliveries(id, event, lane, grp, action, state, attempts, accepted_at, reason, note, job)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9, ?10)",
            params![
                id,
                event,
                lane_id,
                group,
                action,
                state,
                now,
                occasion.reason,
                telling.note,
                telling.proposal.map(Proposal::number),
            ],
        )?;
        let due = if lane.waiting > 0 { lane.due } else { now };
        self.change(
            "UPDATE lanes SET waiting = waiting + 1, due = ?2, latest = ?3, touched_at = ?4, dead = NULL WHERE id = ?1",
            params![lane_id, due, id, now],
        )?;
        self.next.delivery += 1;
        Ok(Fresh {
            target: Arc::from(lane.target.as_str()),
            due: rows::time(due),
            open: Open {
                id,
                lane: lane_id,
                uid: delivery_uid(occasion.uid, group),
                key,
                action: telling.action,
                group: telling.group,
                accepted_at: occasion.at,
                attempts: 0,
                note: telling.note,
                proposal: telling.proposal,
            },
            lane: lane.state.clone(),
        })
    }

    /// What a lane was told last; `None` when that is past its retention.
    pub fn last_told(&self, lane: &Lane) -> Result<Option<Arc<AlertGroup>>, StoreError> {
        self.known(lane.latest)?.map_or(Ok(None), |known| known.told())
    }

    /// A delivery by its id.
    pub fn known(&self, id: DeliveryId) -> Result<Option<Known>, StoreError> {
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

    /// A lane by its id.
    pub fn lane(&self, id: LaneId) -> Result<Option<Lane>, StoreError> {
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

    /// Runs one statement.
    pub fn change(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        let done = self.transaction.prepare_cached(sql).and_then(|mut change| change.execute(values));
        done.map(|_| ()).map_err(engine)
    }
}

/// What the lanes of a dedup key were told last of what fires; `None` when that is past its
/// retention.
pub fn last_told_of_key(connection: &Connection, key: &str) -> Result<Option<Arc<AlertGroup>>, StoreError> {
    let read = |row: &Row<'_>| {
        Ok((row.get::<_, u32>(0)? as usize, row.get::<_, Option<Vec<u8>>>(1)?, row.get::<_, Vec<u8>>(2)?))
    };
    let found = connection
        .prepare_cached(
            "SELECT d.grp, d.alerts, e.groups FROM deliveries d JOIN events e ON e.id = d.event
             WHERE d.id IN (SELECT latest FROM lanes WHERE id IN (SELECT lane FROM keyed WHERE key = ?1)) AND d.action < 2 ORDER BY d.id DESC LIMIT 1",
        )
        .and_then(|mut query| query.query_row([key], read).optional())
        .map_err(engine)?;
    let Some((place, alerts, groups)) = found else { return Ok(None) };
    let group = rows::groups(&groups)?.into_iter().nth(place).map(Arc::new);
    Ok(group.map(|group| match &alerts {
        Some(blob) => told(&group, &rows::alerts(blob)),
        None => group,
    }))
}

/// What was told last, as over. When that is past its retention, the key is all there is, and all
/// that a resolve needs.
pub fn over(told: Option<&AlertGroup>, key: &str, now: Timestamp) -> AlertGroup {
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
            changes: Vec::new(),
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
