//! The one thread that commits.
//!
//! It takes what waits, commits once, then answers all: under load the sync itself makes the
//! groups, so there is no timer. What a commit brought is pushed to the schedules before the
//! senders are answered, in commit order.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::pace::clock::Clock;
use crate::store::boundary::{Done, Engine, LaneId, Op, StoreError};
use crate::store::orders::{Refused, What};
use crate::store::pressure::Pressure;
use crate::store::queues::Queues;

/// Operations in one commit.
pub const BATCH_MAX: usize = 1024;
/// Operations that may wait for the writer.
pub const WAITING_MAX: usize = 4096;
/// A commit of so many operations says that more are on their way.
const COMPANY: usize = 16;
/// Longest that these are waited for; not longer than half of what the last commit took.
const LINGER_MAX: Duration = Duration::from_millis(2);

/// An operation and where its answer goes.
pub type Ask = (Op, oneshot::Sender<Result<Done, StoreError>>);

/// What one commit took, for metrics: how long, and how many operations.
pub type OnCommit = Box<dyn Fn(Duration, usize) + Send>;

/// Runs until every sender of operations is gone, and gives the engine back to be closed.
pub fn run(
    mut engine: Box<dyn Engine>,
    mut asks: mpsc::Receiver<Ask>,
    queues: &Queues,
    clock: &Arc<dyn Clock>,
    pressure: &Pressure,
    on_commit: &OnCommit,
) -> Box<dyn Engine> {
    let mut batch: Vec<Ask> = Vec::with_capacity(BATCH_MAX);
    let mut linger = Duration::ZERO;
    while asks.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        // Whoever has an operation at hand gets the processor first. On an idle machine this costs
        // nothing; on a busy one it makes larger groups, and with them fewer commits: pages that all
        // of a group touch are written once.
        if linger.is_zero() {
            std::thread::yield_now()
        } else {
            std::thread::sleep(linger)
        }
        while batch.len() < BATCH_MAX
            && let Ok(ask) = asks.try_recv()
        {
            batch.push(ask);
        }
        let began = clock.now();
        let still = keep_still(&mut batch, queues);
        let (ops, answers): (Vec<Op>, Vec<_>) = batch.drain(..).unzip();
        if ops.is_empty() {
            continue;
        }
        pressure.begun(began);
        let results = engine.apply(&ops);
        let ended = clock.now();
        pressure.ended(ended);
        let took = ended.duration_since(began).unsigned_abs();
        on_commit(took, ops.len());
        linger = if ops.len() >= COMPANY { (took / 2).min(LINGER_MAX) } else { Duration::ZERO };
        match results {
            Ok(results) => answer_each(results, answers, queues),
            Err(error) => {
                tracing::error!(%error, operations = ops.len(), "nothing of this commit was kept");
                for answer in answers {
                    let _gone = answer.send(Err(error.clone()));
                }
            }
        }
        for (target, lane, since) in still {
            queues.readmit(&target, lane, since);
        }
    }
    engine
}

/// Takes the lanes that orders concern out of the schedule until the orders are on disk, so that
/// nothing is both sent and dropped. An order about a lane that is being sent from is refused.
fn keep_still(batch: &mut Vec<Ask>, queues: &Queues) -> Vec<(Arc<str>, LaneId, Option<Timestamp>)> {
    let mut still: Vec<(Arc<str>, LaneId, Option<Timestamp>)> = Vec::new();
    let wants = |op: &Op| matches!(op, Op::Manage(order) if order.still.is_some());
    if !batch.iter().any(|(op, _)| wants(op)) {
        return still;
    }
    for (op, answer) in std::mem::take(batch) {
        if let Op::Manage(order) = &op
            && let Some((target, lane)) = &order.still
        {
            if !queues.withhold(target, *lane) {
                let why = "it is being sent just now; look at it again in a moment".to_owned();
                let _gone = answer.send(Ok(Done::Managed(Err(Refused::Not(why)), Vec::new())));
                continue;
            }
            let at_once = matches!(order.what, What::Retry(_)).then_some(order.at);
            still.push((Arc::clone(target), *lane, at_once));
        }
        batch.push((op, answer));
    }
    still
}

/// Marks a clean end.
pub fn close(engine: &mut dyn Engine) {
    match engine.close() {
        Ok(()) => tracing::debug!("the store is closed"),
        Err(error) => tracing::warn!(%error, "the store could not be closed cleanly"),
    }
}

fn answer_each(
    results: Vec<Result<Done, StoreError>>,
    answers: Vec<oneshot::Sender<Result<Done, StoreError>>>,
    queues: &Queues,
) {
    let mut fresh = Vec::new();
    let results: Vec<_> = results
        .into_iter()
        .map(|result| match result {
            Ok(Done::Accepted(accepted, made)) => {
                fresh.extend(made);
                Ok(Done::Accepted(accepted, Vec::new()))
            }
            Ok(Done::Heard(heard, made)) => {
                fresh.extend(made);
                Ok(Done::Heard(heard, Vec::new()))
            }
            Ok(Done::Told(made)) => {
                fresh.extend(made);
                Ok(Done::Told(Vec::new()))
            }
            Ok(Done::Managed(ordered, made)) => {
                fresh.extend(made);
                Ok(Done::Managed(ordered, Vec::new()))
            }
            other => other,
        })
        .collect();
    queues.push_all(fresh);
    for (result, answer) in results.into_iter().zip(answers) {
        // A sender that hung up meanwhile will post again; what is kept stays kept.
        let _gone = answer.send(result);
    }
}
