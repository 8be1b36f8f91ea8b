//! The memory that bodies may take, over all connections: takes what a body holds and what it will
//! weigh once it is understood, gives the room or says that there is none just now.
//!
//! Two purses of the same size. Bytes that are being read are counted as they come, so that a sender
//! who announces much and sends nothing holds nothing; what does not fit is refused at once. Work
//! (reading, planning, waiting for the disk) ends by itself, so there a body waits for its turn.
//!
//! Deliberately not here: limits of a single body (`body.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to this many bytes may use the whole purse; larger ones leave the rest of it to them,
/// so that a few huge bodies cannot keep ordinary alerts out.
const SMALL: usize = 64 * 1024;
/// What large bodies leave to small ones: one part in so many.
const FOR_SMALL: usize = 4;
/// Work is counted in units of this many bytes.
const UNIT: usize = 4096;
/// How long a body waits for its turn to be understood.
const TURN: Duration = Duration::from_secs(1);

/// Rough cost in memory of what a body becomes, for each of its bytes, values and objects: the text
/// is held two or three times (as it came, in the alerts, as it is written), a value is an entry of
/// a map, an object may be an alert with what is planned for it.
const OF_BYTE: usize = 4;
const OF_VALUE: usize = 32;
const OF_OBJECT: usize = 400;

/// There is no room just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bodies that are being read just now take all the memory that they may take")]
pub struct NoRoom;

/// What all bodies together may hold. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Purses>);

#[derive(Debug)]
struct Purses {
    limit: usize,
    read: AtomicUsize,
    work: Arc<Semaphore>,
    units: u32,
}

impl Budget {
    /// A budget of so many bytes for each of the two purses.
    pub fn new(bytes: usize) -> Budget {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Budget(Arc::new(Purses {
            limit: bytes,
            read: AtomicUsize::new(0),
            work: Arc::new(Semaphore::new(units)),
            units: u32::try_from(units).unwrap_or(u32::MAX),
        }))
    }

    /// Nothing held yet.
    pub fn held(&self) -> Held {
        Held { budget: self.clone(), bytes: 0 }
    }

    /// Bytes of bodies held now.
    pub fn in_use(&self) -> usize {
        self.0.read.load(Ordering::Relaxed)
    }

    /// Waits for the turn of a body that is about to be understood. One that weighs more than the
    /// whole purse gets all of it: it is worked on alone.
    ///
    /// # Errors
    /// [`NoRoom`] when its turn has not come within a second.
    pub async fn turn(&self, body: &[u8]) -> Result<Turn, NoRoom> {
        let units = u32::try_from(weight(body) / UNIT + 1).unwrap_or(u32::MAX).min(self.0.units);
        let purse = Arc::clone(&self.0.work);
        if let Ok(turn) = Arc::clone(&purse).try_acquire_many_owned(units) {
            return Ok(Turn { _units: turn });
        }
        match tokio::time::timeout(TURN, purse.acquire_many_owned(units)).await {
            Ok(Ok(turn)) => Ok(Turn { _units: turn }),
            // The purse is never closed.
            Ok(Err(_)) | Err(_) => Err(NoRoom),
        }
    }
}

/// Bytes that one body holds; given back when this is dropped.
#[derive(Debug)]
pub struct Held {
    budget: Budget,
    bytes: usize,
}

impl Held {
    /// Takes room for more bytes.
    ///
    /// # Errors
    /// [`NoRoom`]; what was held stays held.
    pub fn grow(&mut self, more: usize) -> Result<(), NoRoom> {
        let Purses { limit, read, .. } = &*self.budget.0;
        let after = self.bytes.saturating_add(more);
        let ceiling = if after <= SMALL { *limit } else { *limit - *limit / FOR_SMALL };
        let fits = |all: usize| all.checked_add(more).filter(|all| *all <= ceiling);
        read.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|_| NoRoom)?;
        self.bytes = after;
        Ok(())
    }

    /// Gives back all but so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let back = self.bytes.saturating_sub(bytes);
        self.budget.0.read.fetch_sub(back, Ordering::Relaxed);
        self.bytes -= back;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

/// The turn of one body; over when this is dropped.
#[derive(Debug)]
pub struct Turn {
    _units: OwnedSemaphorePermit,
}

/// JSON objects of a body, roughly: braces in texts are counted along.
pub fn objects(body: &[u8]) -> usize {
    count(b'{', body)
}

/// JSON values of a body, as roughly.
pub fn values(body: &[u8]) -> usize {
    count(b',', body)
}

/// In blocks whose counts fit into a byte: so many are compared at once.
fn count(wanted: u8, body: &[u8]) -> usize {
    let (blocks, rest) = body.as_chunks::<128>();
    let in_block = |block: &[u8]| block.iter().map(|byte| u8::from(*byte == wanted)).sum::<u8>();
    blocks.iter().map(|block| usize::from(in_block(block))).sum::<usize>() + usize::from(in_block(rest))
}

fn weight(body: &[u8]) -> usize {
    body.len() * OF_BYTE + values(body) * OF_VALUE + objects(body) * OF_OBJECT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_what_is_dropped_comes_back() {
        let budget = Budget::new(1_000_000);
        let (mut first, mut second) = (budget.held(), budget.held());
        first.grow(700_000).unwrap();
        assert_eq!(first.grow(100_000), Err(NoRoom), "a large body leaves room for small ones");
        second.grow(60_000).unwrap();
        assert_eq!(second.grow(60_000), Err(NoRoom), "which it is no more");
        assert_eq!(budget.in_use(), 760_000);
        first.shrink_to(10_000);
        assert_eq!(budget.in_use(), 70_000);
        second.grow(60_000).unwrap();
        drop((first, second));
        assert_eq!(budget.in_use(), 0);
    }

    #[test]
    fn everything_that_weighs_is_counted() {
        for length in [0, 1, 127, 128, 129, 255, 256, 300, 1000] {
            let body = "{,".repeat(length);
            assert_eq!((objects(body.as_bytes()), values(body.as_bytes())), (length, length));
            assert_eq!(objects("{".repeat(length).as_bytes()), length);
            assert_eq!(objects(" ".repeat(length).as_bytes()), 0);
        }
    }

    #[tokio::test]
    async fn heavy_bodies_are_worked_on_one_at_a_time_and_light_ones_beside_them() {
        let budget = Budget::new(1_000_000);
        let heavy = "{},".repeat(10_000).into_bytes();
        let light = br#"{"alerts":[{"labels":{"alertname":"Down"}}]}"#;
        let first = budget.turn(light).await.unwrap();
        let other = budget.turn(light).await.unwrap();
        drop((first, other));
        let alone = budget.turn(&heavy).await.unwrap();
        assert_eq!(budget.turn(light).await.unwrap_err(), NoRoom);
        let waits = tokio::spawn({
            let (budget, heavy) = (budget.clone(), heavy.clone());
            async move { budget.turn(&heavy).await.map(drop) }
        });
        tokio::time::sleep(TURN / 2).await;
        drop(alone);
        assert_eq!(waits.await.unwrap(), Ok(()));
    }
}
