//! What people order, as statements of the writer's transaction: the change and the audit of it are
//! kept together or not at all. A refused order changes nothing.

use std::sync::Arc;

use rusqlite::{Transaction, params};

use crate::domain::alert::Status;
use crate::domain::delivery::State;
use crate::domain::lane::Clocks;
use crate::domain::message::Action;
use crate::store::boundary::{DeliveryId, Done, Fresh, LaneId, StoreError};
use crate::store::incidents::Act;
use crate::store::orders::{Order, Ordered, REDRIVE_NOTE, Refused, What};
use crate::store::rows::{self, millis};
use crate::store::sqlite::{Ids, engine};
use crate::store::sqlite_acts;
use crate::store::sqlite_chat::word_about;
use crate::store::sqlite_freezes;
use crate::store::sqlite_telling::{Occasion, Outcome, Teller, Telling, over, refuse, unknown};

/// Carries out one order. Deliveries up to `perhaps_sent` may have arrived.
pub fn carry_out(
    transaction: &Transaction<'_>,
    order: &Order,
    next: &mut Ids,
    perhaps_sent: DeliveryId,
) -> Result<Done, StoreError> {
    let mut desk = Desk { rows: Teller { transaction, next }, order, perhaps_sent };
    let (about, detail, outcome): (_, _, Result<(Ordered, Vec<Fresh>), Refused>) = match &order.what {
        What::Retry(id) => (format!("delivery {id}"), "", desk.retry(*id)?),
        What::Drop(id, why) => (format!("delivery {id}"), why.as_str(), desk.drop(*id, why)?),
        What::Resolve(lane) => (format!("lane {lane}"), "", desk.resolve(*lane)?),
        What::Incident(acting) => {
            let outcome = match acting.act {
                Act::Approve(job) => word_about(&mut desk.rows, order, acting, job, true)?,
                Act::Decline(job) => word_about(&mut desk.rows, order, acting, job, false)?,
                _ => sqlite_acts::act(&mut desk.rows, order, acting)?,
            };
            (format!("incident {}", acting.id), acting.note.as_str(), outcome)
        }
        What::Freeze(freeze) => {
            let outcome = sqlite_freezes::set(transaction, order, freeze).map_err(engine)?;
            let made = outcome.as_ref().map_or(0, |ordered| ordered.delivery);
            let outcome = outcome.map(|ordered| (ordered, Vec::new()));
            (format!("freeze {made}"), freeze.reason.as_str(), outcome)
        }
        What::Thaw(id) => {
            let outcome = sqlite_freezes::end(transaction, order, *id).map_err(engine)?;
            (format!("freeze {id}"), "", outcome.map(|ordered| (ordered, Vec::new())))
        }
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
    rows: Teller<'a>,
    order: &'a Order,
    perhaps_sent: DeliveryId,
}

impl Desk<'_> {
    fn retry(&mut self, id: DeliveryId) -> Outcome {
        let Some(known) = self.rows.known(id)? else { return Ok(Err(unknown("delivery", id))) };
        let state = rows::state(known.state)?;
        let lane = self.rows.lane(known.lane)?;
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
                self.rows.change(
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
        let Some(group) = known.told()? else {
            return Err(StoreError::Engine(format!("delivery {id} has no group")));
        };
        let who = &self.order.who;
        let event_note = format!("{REDRIVE_NOTE}{who}: delivery {id}");
        let reason = format!("{REDRIVE_NOTE}{who}");
        let told = Telling { action, group, note: known.note, proposal: None };
        let why = occasion(self.order, &known.source, &event_note, &reason);
        // Whoever orders it has seen to what was in doubt.
        lane.state.begun = None;
        self.rows.change("UPDATE lanes SET begun = NULL WHERE id = ?1", [known.lane])?;
        let fresh = self.rows.tell(why, vec![(known.lane, lane, told)])?;
        let made = fresh.first().map_or(0, |made| made.open.id);
        self.rows.change("UPDATE deliveries SET by = ?2 WHERE id = ?1", params![id, made])?;
        Ok(Ok((Ordered { delivery: made, at_once: true }, fresh)))
    }

    fn drop(&mut self, id: DeliveryId, why: &str) -> Outcome {
        let Some(known) = self.rows.known(id)? else { return Ok(Err(unknown("delivery", id))) };
        let state = rows::state(known.state)?;
        if !state.is_open() {
            return refuse(&format!("it is {} already; only what waits can be dropped", state.as_str()));
        }
        let who = &self.order.who;
        let reason =
            if why.is_empty() { format!("dropped by {who}") } else { format!("dropped by {who}: {why}") };
        let now = millis(self.order.at);
        self.rows.change(
            "UPDATE deliveries SET state = ?2, reason = ?3, finished_at = ?4 WHERE id = ?1",
            params![id, rows::state_number(State::Expired), reason, now],
        )?;
        // One that may have arrived before a crash still needs its resolve.
        let perhaps_seen = id <= self.perhaps_sent && rows::action(known.action)? == Action::Trigger;
        self.rows.change(
            "UPDATE lanes SET waiting = max(0, waiting - 1), seen = max(seen, ?3), touched_at = ?2,
                    fall_at = CASE WHEN waiting <= 1 THEN NULL ELSE fall_at END WHERE id = ?1",
            params![known.lane, now, perhaps_seen],
        )?;
        Ok(Ok((Ordered { delivery: id, at_once: false }, Vec::new())))
    }

    fn resolve(&mut self, id: LaneId) -> Outcome {
        let Some(lane) = self.rows.lane(id)? else { return Ok(Err(unknown("lane", id))) };
        if lane.waiting > 0 {
            return refuse("something is waiting to be sent there; see to that first (retry or drop)");
        }
        if !lane.state.seen {
            return refuse("nothing is open there");
        }
        let told_last = self.rows.last_told(&lane)?;
        let group = Arc::new(over(told_last.as_deref(), &lane.key, self.order.at));
        let reason = format!("resolved by {}", self.order.who);
        let source = group.source.clone();
        let told = Telling { action: Action::Resolve, group, note: None, proposal: None };
        let fresh =
            self.rows.tell(occasion(self.order, &source, &reason, &reason), vec![(id, lane, told)])?;
        // What is told of it from now on is a new story.
        self.rows.change(
            "UPDATE lanes SET clocks = ?2, content = 0 WHERE id = ?1",
            params![id, rows::clocks_blob(&Clocks::new())],
        )?;
        let made = fresh.first().map_or(0, |made| made.open.id);
        Ok(Ok((Ordered { delivery: made, at_once: true }, fresh)))
    }
}

fn occasion<'o>(order: &Order, source: &'o str, note: &'o str, reason: &'o str) -> Occasion<'o> {
    Occasion { uid: order.uid, at: order.at, source, note, reason }
}

/// Nothing of what a lane has heard of goes on.
pub fn is_over(clocks: &Clocks) -> bool {
    clocks.values().all(|clock| clock.status == Status::Resolved)
}
