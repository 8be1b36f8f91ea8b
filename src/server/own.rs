//! The door by which the relay's own alerts come in, and the ends of alerts that nobody tells of.
//!
//! What `domain/own_alerts` takes for news is planned and kept like any other alert, so it is
//! delivered with the same promises. A heartbeat has a receiver of its own.

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
use crate::store::boundary::NewEvent;

/// How often heartbeats and what ends by itself are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until `stop`: hears the voice of the delivery side and watches heartbeats.
pub async fn run(app: App, mut ear: mpsc::Receiver<Own>, stop: CancellationToken) {
    let state = app.state();
    let mut teller = Teller::default();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(own) = ear.recv() => {
                let now = state.clock.now();
                if let Some(group) = teller.hear(&own, now) {
                    keep(&state, group, None, now).await;
                }
            }
            _ = look.tick() => {
                let now = state.clock.now();
                let book = state.books.current();
                let beats = {
                    let mut beats = state.beats.lock().unwrap_or_else(PoisonError::into_inner);
                    beats.look(&book.heartbeats, now)
                };
                for (own, receiver) in beats {
                    if let Some(group) = teller.hear(&own, now) {
                        keep(&state, group, Some(&receiver), now).await;
                    }
                }
                let over = state.expiries.lock().unwrap_or_else(PoisonError::into_inner).over(now);
                for group in teller.settle(now).into_iter().chain(over) {
                    keep(&state, group, None, now).await;
                }
            }
        }
    }
}

/// Plans an alert of our own and keeps it. `receiver` stands in for the routes.
async fn keep(state: &State, group: AlertGroup, receiver: Option<&str>, now: Timestamp) {
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
    if let Err(error) = state.store.accept(event).await {
        tracing::error!(%error, "an alert that the relay made could not be kept");
    }
}
