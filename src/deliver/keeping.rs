//! What a target's loop writes, however long it takes: the announcement of a sending that must never
//! be made twice, before it; and what it came to, after it. Decides nothing.

use std::time::Duration;

use crate::deliver::errand::Errand;
use crate::domain::message::Action;
use crate::rulebook::TargetRule;
use crate::store::boundary::{LaneId, Settlement, StoreError};
use crate::store::handle::Store;

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

/// Writes a settlement, however long it takes: its outcome must not be forgotten, or the target
/// would be told twice.
pub async fn keep(store: &Store, settlement: &Settlement) {
    loop {
        match store.settle(settlement.clone()).await {
            Ok(()) | Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, lane = settlement.lane, "an outcome could not be written; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}
