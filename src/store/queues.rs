//! The schedules of all targets, and the bell that wakes a target's loop.
//!
//! The writer pushes after each commit, the loop of the target claims: this is where the two walks
//! meet. Locks are held for moments, never over a wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::store::boundary::{Fresh, LaneId};
use crate::store::schedule::{Caps, Schedule};

/// The work of one target, shared between the writer and the target's loop.
#[derive(Debug)]
pub struct Queue {
    schedule: Mutex<Schedule>,
    bell: Notify,
}

impl Queue {
    /// The schedule, for a moment.
    pub fn schedule(&self) -> MutexGuard<'_, Schedule> {
        // A schedule is whole after every call, so one poisoned by a panic elsewhere is usable.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there may be something new to claim.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Wakes the loop.
    pub fn ring(&self) {
        self.bell.notify_one();
    }
}

/// All queues by target.
#[derive(Debug, Default)]
pub struct Queues {
    caps: Caps,
    by_target: Mutex<HashMap<Arc<str>, Arc<Queue>>>,
}

impl Queues {
    /// Queues with these caps each.
    pub fn new(caps: Caps) -> Queues {
        Queues { caps, by_target: Mutex::default() }
    }

    /// The queue of a target; made when first asked for, and then to be refilled from disk.
    pub fn of(&self, target: &str) -> Arc<Queue> {
        let mut by_target = self.by_target.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = by_target.get(target) {
            return Arc::clone(queue);
        }
        let queue = Arc::new(Queue { schedule: Mutex::new(Schedule::new(self.caps)), bell: Notify::new() });
        by_target.insert(Arc::from(target), Arc::clone(&queue));
        queue
    }

    /// Keeps a lane from being sent from, until [`Queues::readmit`]; false when that happens just now.
    pub fn withhold(&self, target: &str, lane: LaneId) -> bool {
        self.of(target).schedule().withhold(lane)
    }

    /// Ends [`Queues::withhold`]: the lane is read again from disk, at `due` or when it was due.
    pub fn readmit(&self, target: &str, lane: LaneId, due: Option<Timestamp>) {
        let queue = self.of(target);
        queue.schedule().readmit(lane, due);
        queue.ring();
    }

    /// Hands out what a commit brought, in its order, and rings each target once.
    pub fn push_all(&self, fresh: Vec<Fresh>) {
        let mut queues: HashMap<Arc<str>, Arc<Queue>> = HashMap::new();
        for item in fresh {
            let queue = queues.entry(Arc::clone(&item.target)).or_insert_with_key(|target| self.of(target));
            queue.schedule().push(item);
        }
        queues.values().for_each(|queue| queue.ring());
    }
}
