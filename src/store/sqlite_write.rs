//! The writing side of the embedded engine: every operation as statements of one transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::store::boundary::{DeliveryId, Done, Engine, LaneId, Op, StoreError};
use crate::store::reserved::brings_a_body;
use crate::store::sqlite::{Found, Ids, engine, mark_closed};
use crate::store::sqlite_accept::Accept;
use crate::store::sqlite_keys;
use crate::store::sqlite_orders;
use crate::store::sqlite_prune::{Round, prune, shorten};
use crate::store::sqlite_quota::charge;
use crate::store::sqlite_settle::{begin, quarantine};
use crate::store::sqlite_signals::{asked, hear};
use crate::store::sqlite_tickets::remind;

/// The engine.
#[derive(Debug)]
pub struct SqliteEngine {
    connection: Connection,
    next: Ids,
    perhaps_sent: DeliveryId,
    prune: Round,
    /// The lane with which keys are next to be written down.
    keys_due: LaneId,
}

impl SqliteEngine {
    /// Takes over an open connection. Pruning leaves the newest event and the newest lane, so that
    /// no id is ever given twice.
    pub fn new(connection: Connection, found: Found) -> Result<SqliteEngine, StoreError> {
        let next = |query: &str| -> Result<i64, StoreError> {
            connection
                .query_row(query, [], |row| row.get(0))
                .optional()
                .map_err(engine)
                .map(|id| id.unwrap_or(1))
        };
        let next = Ids {
            event: next("SELECT id + 1 FROM events ORDER BY id DESC LIMIT 1")?,
            delivery: next("SELECT first_delivery + deliveries FROM events ORDER BY id DESC LIMIT 1")?,
            lane: next("SELECT id + 1 FROM lanes ORDER BY id DESC LIMIT 1")?,
        };
        let Found { perhaps_sent, keys_due } = found;
        Ok(SqliteEngine { connection, next, perhaps_sent, prune: Round::default(), keys_due })
    }

    fn run(&mut self, batch: &[Op]) -> Result<Vec<Done>, StoreError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(engine)?;
        let mut accept =
            Accept { transaction: &transaction, next: self.next, perhaps_sent: self.perhaps_sent };
        let mut done = Vec::with_capacity(batch.len());
        let mut pruning = self.prune;
        for op in batch {
            done.push(match op {
                Op::Accept(event) => accept.event(event)?,
                Op::Settle(settlement) => accept.settle(settlement)?,
                Op::Quarantine(bytes) => quarantine(&transaction, bytes).map_err(engine)?,
                Op::Prune(retention) => prune(&transaction, retention, &mut pruning).map_err(engine)?,
                Op::Manage(order) => {
                    sqlite_orders::carry_out(&transaction, order, &mut accept.next, self.perhaps_sent)?
                }
                Op::Begin(lane, uid) => begin(&transaction, *lane, uid).map_err(engine)?,
                Op::Charge(call) => charge(&transaction, call).map_err(engine)?,
                Op::Hear(hearing) => hear(&transaction, hearing, &mut accept.next)?,
                Op::Asked(found) => asked(&transaction, found, &mut accept.next)?,
                Op::Remind(reminding) => remind(&mut accept, reminding)?,
                Op::Change(changed) => accept.change(changed)?,
                Op::Escalate(step) => accept.escalate(step)?,
                Op::Job(step) => accept.job(step)?,
                Op::Rescue(rescue) => accept.rescue(rescue)?,
                Op::Nothing => Done::Kept,
            });
        }
        let next = accept.next;
        transaction.commit().map_err(engine)?;
        self.next = next;
        self.keys_due = sqlite_keys::write_down(&mut self.connection, self.keys_due, next.lane - 1);
        self.prune = pruning;
        if std::mem::take(&mut self.prune.shorten) {
            shorten(&self.connection);
        }
        Ok(done)
    }

    fn alone(&mut self, op: &Op) -> Result<Done, StoreError> {
        self.run(std::slice::from_ref(op)).and_then(|mut done| done.pop().ok_or(StoreError::Closed))
    }
}

impl Engine for SqliteEngine {
    fn apply(&mut self, batch: &[Op]) -> Result<Vec<Result<Done, StoreError>>, StoreError> {
        match self.run(batch) {
            Ok(done) => Ok(done.into_iter().map(Ok).collect()),
            Err(error) if batch.len() == 1 => Err(error),
            // One operation must not fail its neighbours: each gets a transaction of its own.
            Err(error) => {
                let full = matches!(error, StoreError::DiskFull);
                Ok(batch
                    .iter()
                    .map(
                        |op| {
                            if full && brings_a_body(op) { Err(StoreError::DiskFull) } else { self.alone(op) }
                        },
                    )
                    .collect())
            }
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        mark_closed(&self.connection)
    }
}
