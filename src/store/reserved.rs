//! An engine that has a reserve for a full disk: what the relay writes by itself is tried again with
//! the reserve given up, what senders posted is refused.

use std::sync::Arc;

use crate::store::boundary::{Done, Engine, Op, StoreError};
use crate::store::disk::Disk;

/// Another engine, with the disk that it writes to.
#[derive(Debug)]
pub struct Reserved<E> {
    engine: E,
    disk: Arc<Disk>,
}

impl<E: Engine> Reserved<E> {
    /// Puts a reserve behind an engine.
    pub fn new(engine: E, disk: Arc<Disk>) -> Reserved<E> {
        Reserved { engine, disk }
    }

    fn alone(&mut self, op: &Op) -> Result<Done, StoreError> {
        let mut results = self.engine.apply(std::slice::from_ref(op))?;
        results.pop().unwrap_or(Err(StoreError::Closed))
    }
}

impl<E: Engine> Engine for Reserved<E> {
    fn apply(&mut self, batch: &[Op]) -> Result<Vec<Result<Done, StoreError>>, StoreError> {
        let mut results = match self.engine.apply(batch) {
            Err(StoreError::DiskFull) => batch.iter().map(|_| Err(StoreError::DiskFull)).collect(),
            results => results?,
        };
        let missed = |(op, result): (&Op, &Result<Done, StoreError>)| !brings_a_body(op) && is_full(result);
        if batch.iter().zip(&results).any(missed) && self.disk.give_up_reserve() {
            for (op, result) in batch.iter().zip(&mut results) {
                if missed((op, &*result)) {
                    *result = self.alone(op);
                }
            }
        }
        Ok(results)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.engine.close()
    }
}

fn is_full(result: &Result<Done, StoreError>) -> bool {
    matches!(result, Err(StoreError::DiskFull))
}

/// What a sender posted. On a full disk it is not tried again one by one; what is small, or makes
/// room, may still fit. What the relay says by itself has no body.
pub fn brings_a_body(op: &Op) -> bool {
    match op {
        Op::Accept(event) => !event.body.is_empty(),
        Op::Quarantine(_) => true,
        Op::Settle(_) | Op::Prune(_) | Op::Rescue(_) => false,
        Op::Manage(_)
        | Op::Hear(_)
        | Op::Asked(_)
        | Op::Remind(_)
        | Op::Change(_)
        | Op::Escalate(_)
        | Op::Job(_)
        | Op::Charge(_)
        | Op::Begin(..)
        | Op::Nothing => false,
    }
}
