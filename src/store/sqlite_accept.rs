//! Accepting events, as statements of the writer's transaction: each part to its lane, and what it
//! means for incidents.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::{CachedStatement, OptionalExtension, Transaction, params};

use crate::domain::alert::Status;
use crate::domain::delivery::State;
use crate::domain::lane::{self, Admission, Incoming, LaneFacts};
use crate::domain::message::{Action, RemoteRef};
use crate::store::boundary::{
    DeliveryId, Done, Fresh, LaneId, LaneState, Open, Rescue, Settlement, StoreError, Why,
};
use crate::store::event::{Changed, NewEvent, NewPart};
use crate::store::follows::Following;
use crate::store::incidents::{Escalating, IncidentId};
use crate::store::records::Accepted;
use crate::store::rows::{self, delivery_uid, millis, told};
use crate::store::sqlite::{Ids, engine};
use crate::store::sqlite_casebook::{Casebook, Line};
use crate::store::sqlite_changes::keep;
use crate::store::sqlite_docket::Docket;
use crate::store::sqlite_keys;
use crate::store::sqlite_settle::{is_to_fall, rescued, settle};

/// Accepting events within one transaction.
pub struct Accept<'a> {
    pub transaction: &'a Transaction<'a>,
    pub next: Ids,
    pub perhaps_sent: DeliveryId,
}

impl Accept<'_> {
    /// Keeps one event.
    pub fn event(&mut self, event: &NewEvent) -> Result<Done, StoreError> {
        let id = self.next.event;
        let first_delivery = self.next.delivery;
        let mut fresh = Vec::new();
        let mut docket = Docket::default();
        let (mut news, mut repeats) = (false, false);
        for part in &event.parts {
            match self.part((id, event, first_delivery), part, &mut docket)? {
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
        fresh.extend(docket.close(self.transaction, &mut self.next, event)?);
        Ok(Done::Accepted(Accepted { uid: event.uid, deliveries, duplicate }, fresh))
    }

    /// Makes a step of an escalation, unless it was made already or need not be made any more.
    pub fn escalate(&mut self, step: &Escalating) -> Result<Done, StoreError> {
        let book = Casebook(self.transaction);
        let Some(mut case) = book.case(step.id)?.filter(|case| case.escalate_at == Some(step.due)) else {
            return Ok(Done::Told(Vec::new()));
        };
        if let Some(escalation) = &mut case.escalation {
            let at = escalation.made;
            escalation.made += 1;
            // Whoever is told is told of the end as well.
            if let (Some(made), Some(event)) = (escalation.steps.get_mut(at), &step.event) {
                made.targets = event.parts.iter().map(|part| Arc::clone(&part.target)).collect();
            }
            case.escalate_at = escalation.due();
        }
        book.save(&case, step.at)?;
        book.write(case.id, step.at, Line { kind: "escalated", text: &step.said, ..Line::default() })?;
        self.told(step.event.as_deref())
    }

    /// Tells of a lane elsewhere or later, unless that was done already.
    pub fn rescue(&mut self, rescue: &Rescue) -> Result<Done, StoreError> {
        let owed = rescued(self.transaction, rescue.lane, rescue.why).map_err(engine)?;
        self.told(rescue.event.as_deref().filter(|_| owed))
    }

    /// Keeps a change and, if it is news, tells of it.
    pub fn change(&mut self, changed: &Changed) -> Result<Done, StoreError> {
        let news = keep(self.transaction, &changed.source, &changed.change).map_err(engine)?;
        self.told(changed.event.as_deref().filter(|_| news))
    }

    /// Writes what a try came to, with what is told of it elsewhere.
    pub fn settle(&mut self, settlement: &Settlement) -> Result<Done, StoreError> {
        // Its fallback may have heard of it already.
        let owes = match settlement.follows.as_deref() {
            Some(Following::Elsewhere) => is_to_fall(self.transaction, settlement.lane).map_err(engine)?,
            _ => true,
        };
        let ended = settle(self.transaction, settlement).map_err(engine)?;
        self.told(settlement.tells.as_deref().filter(|_| ended && owes))
    }

    /// What is told besides.
    pub fn told(&mut self, event: Option<&NewEvent>) -> Result<Done, StoreError> {
        match event.map(|event| self.event(event)).transpose()? {
            Some(Done::Accepted(_, fresh)) => Ok(Done::Told(fresh)),
            _ => Ok(Done::Told(Vec::new())),
        }
    }

    /// Admits one part to its lane.
    fn part(
        &mut self,
        (event_id, event, first): (i64, &NewEvent, DeliveryId),
        part: &NewPart,
        docket: &mut Docket,
    ) -> Result<Admitted, StoreError> {
        let mut known = self.known(part)?;
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
        let incident = docket.part(Casebook(self.transaction), event, part, &admission, known.has_key)?;
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
        let due = self.write_lane(part, &known, lane_id, (sent.then_some(id), incident), now)?;
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
                proposal: None,
            },
            lane: LaneState { seen, ..known.state },
        })))
    }

    /// What is known of a part's lane. One question tells of a new problem that it is new.
    fn known(&self, part: &NewPart) -> Result<KnownLane, StoreError> {
        let mut query = self.statement("SELECT lane, target FROM keyed WHERE key = ?1")?;
        let mut lanes = query.query([part.key.as_str()]).map_err(engine)?;
        let (mut own, mut has_key) = (None, false);
        while let Some(row) = lanes.next().map_err(engine)? {
            has_key = true;
            let target = row.get_ref(1).map_err(engine)?;
            if target.as_str().is_ok_and(|target| target == &*part.target) {
                own = Some(row.get(0).map_err(engine)?);
            }
        }
        let lane = own.map_or(Ok(KnownLane::default()), |id| self.lane(id))?;
        Ok(KnownLane { has_key, ..lane })
    }

    fn lane(&self, id: LaneId) -> Result<KnownLane, StoreError> {
        let known = self
            .statement(
                "SELECT id, waiting, seen, remote, clocks, content, admitted_at, latest, due, dead IS NOT NULL,
                        CASE WHEN waiting = 0 THEN 0 ELSE
                          (SELECT id FROM deliveries d WHERE d.lane = lanes.id AND d.state < 2 ORDER BY d.id LIMIT 1) END,
                        begun
                 FROM lanes WHERE id = ?1",
            )?
            .query_row([id], |row| {
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
                    has_key: true,
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
        (sent, incident): (Option<DeliveryId>, Option<IncidentId>),
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
                        touched_at = ?8, incident = coalesce(?9, incident) WHERE id = ?1",
            )?
            .execute(params![
                lane,
                waiting,
                due,
                clocks,
                facts.content,
                millis(facts.admitted_at),
                latest,
                now,
                incident
            ])
            .map_err(engine)?;
        } else {
            self.statement(
                "INSERT INTO lanes(id, target, key, waiting, due, seen, remote, clocks, content, admitted_at, latest, touched_at, incident)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, NULL, ?6, ?7, ?8, ?9, ?10, ?11)",
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
                incident,
            ])
            .map_err(engine)?;
            sqlite_keys::note(self.transaction, part.key.as_str(), &part.target, lane).map_err(engine)?;
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
            rescued(self.transaction, lane, Why::Redriven).map_err(engine)?;
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
    /// Some lane has its dedup key, this one or one of another target.
    has_key: bool,
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
