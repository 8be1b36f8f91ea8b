//! What a target's loop writes, however long it takes: the announcement of a sending that must never
//! be made twice, before it; and what it came to, after it. Decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::deliver::errand::Errand;
use crate::deliver::resolution::Resolution;
use crate::domain::message::Action;
use crate::rulebook::TargetRule;
use crate::store::boundary::{DeliveryId, LaneId, Settlement, StoreError};
use crate::store::handle::{Answer, Store};

/// Pause before a write or a read that the store refused is tried again.
pub const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Announces what must never be sent twice, and returns when that is on disk: after a crash it is
/// known which sendings may have arrived. Costs a commit, so it is done only where a start may
/// follow. False when the store is closed: then nothing may be sent.
pub async fn announce(store: &Store, rule: &TargetRule, errand: &Errand) -> bool {
    if !rule.repeat.is_announced() || rule.dry_run {
        return true;
    }
    for claimed in errand.claims() {
        let known = claimed.state.remote.is_some() || claimed.state.begun.is_some();
        let starts = claimed.head.as_ref().filter(|head| head.action == Action::Trigger && !known);
        if let Some(head) = starts
            && !begin(store, head.lane, &head.uid).await
        {
            return false;
        }
    }
    true
}

async fn begin(store: &Store, lane: LaneId, uid: &str) -> bool {
    loop {
        match store.begin(lane, uid).await {
            Ok(()) => return true,
            Err(StoreError::Closed) => return false,
            Err(error) => {
                tracing::error!(%error, lane, "a sending could not be announced; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

/// A settlement on its way to the disk, and how its lane is released when it is there.
#[derive(Debug)]
pub struct Kept {
    /// What is written.
    pub settlement: Arc<Settlement>,
    /// Deliveries that are open no more.
    pub done: Vec<DeliveryId>,
    /// The delivery that stays open, with its attempts.
    pub tried: Option<(DeliveryId, u32)>,
}

/// Writes settlements, however long each takes: an outcome must not be forgotten, or the target
/// would be told twice.
///
/// The store answers in the order in which it is asked, so the oldest answer is waited for, and the
/// others of its commit are found behind it.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    /// Those that the store was handed, oldest first.
    handed: VecDeque<(Kept, Answer)>,
    /// Those that it had no room for, or refused.
    urged: JoinSet<Kept>,
}

impl Keeper {
    /// One that has nothing to write yet.
    pub fn new(store: Store) -> Keeper {
        Keeper { store, handed: VecDeque::new(), urged: JoinSet::new() }
    }

    /// Settlements that are not on disk yet.
    pub fn len(&self) -> usize {
        self.handed.len() + self.urged.len()
    }

    /// All is on disk.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins to write a settlement.
    pub fn write(&mut self, resolution: Resolution) {
        let Resolution { settlement, done, tried } = resolution;
        let kept = Kept { settlement: Arc::new(settlement), done, tried };
        match self.store.hand_over(&kept.settlement) {
            Some(answer) => self.handed.push_back((kept, answer)),
            None => self.urge(kept, Duration::ZERO),
        }
    }

    /// Waits for the next one that is on disk; `None` when there is nothing to wait for. Dropped, it
    /// has lost nothing.
    pub async fn next(&mut self) -> Option<Kept> {
        while !self.is_empty() {
            tokio::select! {
                answer = first(&mut self.handed) => {
                    if let Some(kept) = self.answered(answer) {
                        return Some(kept);
                    }
                }
                Some(urged) = self.urged.join_next() => {
                    if let Ok(kept) = urged {
                        return Some(kept);
                    }
                }
            }
        }
        None
    }

    /// The next one that is known to be on disk, without waiting.
    pub fn at_hand(&mut self) -> Option<Kept> {
        loop {
            let answer = self.handed.front_mut()?.1.at_hand()?;
            if let Some(kept) = self.answered(answer) {
                return Some(kept);
            }
        }
    }

    /// Takes in the answer to the oldest one.
    fn answered(&mut self, answer: Result<(), StoreError>) -> Option<Kept> {
        let (kept, _) = self.handed.pop_front()?;
        match answer {
            Ok(()) | Err(StoreError::Closed) => Some(kept),
            Err(error) => {
                refused(&error, &kept.settlement);
                self.urge(kept, STORE_PAUSE);
                None
            }
        }
    }

    fn urge(&mut self, kept: Kept, pause: Duration) {
        let store = self.store.clone();
        self.urged.spawn(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            keep(&store, &kept.settlement).await;
            kept
        });
    }
}

async fn first(handed: &mut VecDeque<(Kept, Answer)>) -> Result<(), StoreError> {
    match handed.front_mut() {
        Some((_, answer)) => answer.await,
        None => std::future::pending().await,
    }
}

async fn keep(store: &Store, settlement: &Arc<Settlement>) {
    loop {
        match store.settle(Arc::clone(settlement)).await {
            Ok(()) | Err(StoreError::Closed) => return,
            Err(error) => {
                refused(&error, settlement);
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

fn refused(error: &StoreError, settlement: &Settlement) {
    tracing::error!(%error, lane = settlement.lane, "an outcome could not be written; trying again");
}
