//! Pays for calls that cost money: before each of them, one is taken off the quota of its number
//! and day, on disk. What a crash takes with it was paid for all the same.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::pace::quota::Quota;
use crate::store::charge::{Charge, Charged};
use crate::store::handle::Store;

/// When payment is tried again that could not be written down.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Why a call may not be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpaid {
    /// Not before then.
    pub until: Timestamp,
    /// One sentence.
    pub reason: String,
    /// The quota is spent: somebody else must be told at once. Otherwise it could not be written
    /// down.
    pub spent: bool,
    /// Nobody has been told yet that it is spent.
    pub first: bool,
    /// Whose quota: a number, or empty for the target as a whole.
    pub key: String,
}

/// Pays for one call after the other.
#[derive(Debug, Clone)]
pub struct Purse(Option<Store>);

impl Purse {
    /// Counts in this store.
    pub fn new(store: Store) -> Purse {
        Purse(Some(store))
    }

    /// Counts nothing: for what a person orders by hand, where no store is at hand.
    pub fn uncounted() -> Purse {
        Purse(None)
    }

    /// Pays for one call of `target` that `key` (a number; empty: nothing in particular) is charged
    /// with. Returns once it is on disk.
    ///
    /// # Errors
    /// [`Unpaid`] when the quota is spent or cannot be counted: then the call must not be made.
    pub async fn pay(
        &self,
        target: &Arc<str>,
        key: &str,
        quota: Quota,
        now: Timestamp,
    ) -> Result<(), Unpaid> {
        let Some(store) = &self.0 else { return Ok(()) };
        let charge = Charge {
            target: Arc::clone(target),
            key: key.to_owned(),
            began: quota.per.began(now),
            limit: quota.calls,
        };
        let unpaid =
            |until, reason, spent, first| Unpaid { until, reason, spent, first, key: key.to_owned() };
        match store.charge(charge).await {
            Ok(Charged::Paid { .. }) => Ok(()),
            Ok(Charged::Spent { first }) => {
                let until = quota.per.ends(now);
                let of = if key.is_empty() { String::new() } else { format!(" for {key}") };
                let reason = format!("the quota of {quota}{of} is spent until {until:.0}");
                Err(unpaid(until, reason, true, first))
            }
            Err(error) => {
                let until = now.saturating_add(STORE_PAUSE).unwrap_or(Timestamp::MAX);
                Err(unpaid(until, format!("the quota could not be counted: {error}"), false, false))
            }
        }
    }
}
