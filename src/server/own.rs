//! The door by which the relay's own alerts come in, and the ends of alerts that nobody tells of.
//!
//! What `domain/own_alerts` takes for news is planned and kept like any other alert, so it is
//! delivered with the same promises. A heartbeat has a receiver of its own.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::domain::alert::{AlertGroup, Status};
use crate::domain::own_alerts::{Own, Teller};
use crate::plan::{plan, plan_for};
use crate::rulebook::Rulebook;
use crate::server::app::App;
use crate::server::state::State;
use crate::store::boundary::StoreError;
use crate::store::event::NewEvent;

/// How often heartbeats and what ends by itself are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Alerts that may wait for room on the disk.
const OWED_MAX: usize = 100;

/// Alerts that could not be kept, oldest first, each with the receiver that stands in for the routes.
type Owed = VecDeque<(AlertGroup, Option<String>)>;

/// Runs until `stop`: hears the voice of the delivery side and watches heartbeats.
pub async fn run(app: App, mut ear: mpsc::Receiver<Own>, stop: CancellationToken) {
    let state = app.state();
    let mut teller = Teller::default();
    let mut owed = Owed::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(own) = ear.recv() => {
                let now = state.clock.now();
                if let Some(group) = teller.hear(&own, now) {
                    tell(&state, &mut owed, group, None, now).await;
                }
            }
            _ = look.tick() => {
                let now = state.clock.now();
                while let Some((group, receiver)) = owed.pop_front() {
                    if keep(&state, &group, receiver.as_deref(), now).await.is_err() {
                        owed.push_front((group, receiver));
                        break;
                    }
                }
                let book = state.books.current();
                let beats = {
                    let mut beats = state.beats.lock().unwrap_or_else(PoisonError::into_inner);
                    beats.look(&book.heartbeats, now)
                };
                state.metrics.heartbeats_seen(book.heartbeats.iter().map(|beat| {
                    let is_it = |own: &Own| matches!(own, Own::HeartbeatMissing { name, .. } if *name == beat.name);
                    (beat.name.as_str(), beats.iter().any(|(own, _)| is_it(own)))
                }));
                for (own, receiver) in beats {
                    if let Some(group) = teller.hear(&own, now) {
                        tell(&state, &mut owed, group, Some(receiver), now).await;
                    }
                }
                let over = state.expiries.lock().unwrap_or_else(PoisonError::into_inner).over(now);
                for group in teller.settle(now).into_iter().chain(over) {
                    tell(&state, &mut owed, group, None, now).await;
                }
            }
        }
    }
}

/// Keeps an alert of our own. On a disk that is full it waits in memory; what is over before it
/// could be kept need not be told at all.
async fn tell(state: &State, owed: &mut Owed, group: AlertGroup, receiver: Option<String>, now: Timestamp) {
    let is_over = group.status() == Status::Resolved;
    let waits = owed
        .iter()
        .position(|(waiting, _)| waiting.source == group.source && waiting.group_key == group.group_key);
    if let Some(place) = waits.filter(|_| is_over) {
        owed.remove(place);
        return;
    }
    if owed.is_empty() && keep(state, &group, receiver.as_deref(), now).await.is_ok() {
        return;
    }
    if owed.len() < OWED_MAX {
        owed.push_back((group, receiver));
    }
}

/// Plans an alert of our own and keeps it. `receiver` stands in for the routes.
async fn keep(
    state: &State,
    group: &AlertGroup,
    receiver: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let group = group.clone();
    let book: Arc<Rulebook> = state.books.current();
    let source = group.source.clone();
    let is_over = group.status() == Status::Resolved;
    let plan = {
        let active = state.active.lock().unwrap_or_else(PoisonError::into_inner);
        match receiver {
            None => plan(&book, vec![group], &active, now),
            Some(receiver) => plan_for(&book, group, receiver, now),
        }
    };
    let notes = plan.notes();
    let mut parts = plan.parts;
    if is_over {
        // Nobody need hear of the end of what he has not heard of.
        parts.iter_mut().flat_map(|part| &mut part.alerts).for_each(|told| told.only_if_known = true);
    }
    let event = NewEvent {
        uid: state.fresh_id(now),
        source,
        received_at: now,
        body: Vec::new(),
        window: Duration::ZERO,
        notes,
        groups: plan.groups,
        parts,
    };
    let kept = state.store.accept(event).await;
    if let Err(error) = &kept
        && state.may_complain(now)
    {
        tracing::error!(%error, "an alert that the relay made could not be kept; it is tried again");
    }
    kept.map(|_| ())
}
