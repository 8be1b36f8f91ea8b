//! What stands between a due lane and its call: rests that a service asked for, and tokens; for
//! the target as a whole, and for each natural key within it (channel, routing key, number). Pure:
//! now comes in, a time goes out.
//!
//! Lanes of a key that must wait are kept here in order of age, and one after the other is called
//! when its key may be used again; lanes of other keys go on meanwhile.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::pace::bucket::{Bucket, Pace, Rate};
use crate::store::boundary::LaneId;

/// Keys whose state is remembered at once. About 400 bytes each.
pub const KEYS_MAX: usize = 10_000;
/// When there is no room for one more key: all of them are in use, which passes.
const NO_ROOM_PAUSE: Duration = Duration::from_secs(1);

/// Not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shut {
    /// Not before then.
    pub until: Timestamp,
    /// One word for metrics: `rate` or `rest`.
    pub why: &'static str,
    /// Only lanes of this key have to wait.
    pub key_only: bool,
}

/// A call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// It had to be waited for, so others may wait behind it.
    pub was_shut: bool,
}

/// Rest and tokens of the target, or of one key.
#[derive(Debug, Default)]
struct Door {
    bucket: Option<(Pace, Bucket)>,
    /// The bucket has no token before this.
    token_at: Option<Timestamp>,
    resting_until: Option<Timestamp>,
    /// Lanes that wait here, by when they were due.
    waiting: BTreeSet<(Timestamp, LaneId)>,
    /// When the first of them is called.
    wake_at: Option<Timestamp>,
    used: Timestamp,
    /// Somebody had to wait since the last call.
    was_shut: bool,
}

impl Door {
    /// A rest, or an empty bucket that is known to be empty.
    fn shut(&mut self, pace: Option<Pace>, now: Timestamp) -> Option<(Timestamp, &'static str)> {
        self.resting_until = self.resting_until.filter(|until| *until > now);
        let same_pace = self.bucket.as_ref().map(|(pace, _)| *pace) == pace;
        self.token_at = self.token_at.filter(|until| *until > now && same_pace);
        let shut = match (self.resting_until, self.token_at) {
            (None, None) => None,
            (rest, token) if rest >= token => rest.map(|until| (until, "rest")),
            (_, token) => token.map(|until| (until, "rate")),
        };
        self.was_shut |= shut.is_some();
        shut
    }

    fn rest(&mut self, until: Timestamp) {
        self.resting_until = Some(self.resting_until.map_or(until, |already| already.max(until)));
        self.was_shut = true;
    }

    /// Takes a token, only when a call is about to be made: one that was saved meanwhile would come
    /// on top of what the bucket allows.
    fn take(&mut self, pace: Option<Pace>, now: Timestamp) -> Result<(), Timestamp> {
        self.used = now;
        let Some(pace) = pace else { return Ok(()) };
        // A changed pace starts over nearly empty: a reload must not become a burst.
        let (_, bucket) = match &mut self.bucket {
            Some(kept) if kept.0 == pace => kept,
            slot => slot.insert((pace, Bucket::nearly_empty(pace, now))),
        };
        bucket.take(now).map_err(|wait| {
            let until = later(now, wait);
            self.token_at = Some(until);
            self.was_shut = true;
            until
        })
    }

    fn charge(&mut self, calls: u32) {
        if let Some((_, bucket)) = &mut self.bucket {
            bucket.charge(calls);
        }
    }

    /// Nothing would be forgotten with it: no lane, no rest, and its bucket is full again.
    fn is_idle(&self, now: Timestamp) -> bool {
        let fills_in = self.bucket.as_ref().map_or(Duration::ZERO, |(pace, _)| pace.fills_in());
        self.waiting.is_empty()
            && self.resting_until.is_none_or(|until| until <= now)
            && later(self.used, fills_in) <= now
    }
}

/// The gate of one target.
#[derive(Debug, Default)]
pub struct Gate {
    whole: Door,
    keys: HashMap<Arc<str>, Door>,
    /// Keys with lanes that wait, by when the first of these is called.
    wakes: BTreeSet<(Timestamp, Arc<str>)>,
}

impl Gate {
    /// Whether no call at all may be made now, as far as is known without taking a token.
    pub fn shut(&mut self, rate: Rate, now: Timestamp) -> Option<Shut> {
        let (until, why) = self.whole.shut(rate.whole(), now)?;
        Some(Shut { until, why, key_only: false })
    }

    /// Until when the service wants to be left alone as a whole.
    pub fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.whole.resting_until.filter(|until| *until > now)
    }

    /// Takes what a call needs, for a lane that was due at `due`: behind the lanes of its key that
    /// wait already, and with a token.
    ///
    /// # Errors
    /// When it may be made, and whether only this key must wait. Asking costs nothing.
    pub fn pass(
        &mut self,
        key: Option<&str>,
        due: Timestamp,
        rate: Rate,
        now: Timestamp,
    ) -> Result<Passed, Shut> {
        let of_whole = |until| Shut { until, why: "rate", key_only: false };
        let per_key = rate.per_key();
        let mut was_shut = false;
        // A key of which nothing is known, and that has no bucket, has nothing to say.
        let key = key.or(per_key.is_some().then_some(""));
        if let Some(key) = key.filter(|key| per_key.is_some() || self.keys.contains_key(*key)) {
            let Some(door) = self.door(key, now) else { return Err(of_whole(later(now, NO_ROOM_PAUSE))) };
            let of_key = |(until, why)| Shut { until, why, key_only: true };
            if let Some(shut) = door.shut(per_key, now) {
                return Err(of_key(shut));
            }
            let first = door.waiting.first().map(|(due, _)| *due);
            if let Some(wake_at) = door.wake_at.filter(|_| first.is_some_and(|first| first < due)) {
                return Err(of_key((wake_at, "rate")));
            }
            door.take(per_key, now).map_err(|until| of_key((until, "rate")))?;
            // Whoever still stands there has waited, though another went since.
            was_shut = std::mem::take(&mut door.was_shut) || !door.waiting.is_empty();
        }
        self.whole.take(rate.whole(), now).map_err(of_whole)?;
        was_shut |= std::mem::take(&mut self.whole.was_shut);
        Ok(Passed { was_shut })
    }

    /// A lane that was due at `due` waits for its key, which is shut until then; false when nothing
    /// is known of that key.
    pub fn wait(&mut self, key: Option<&str>, due: Timestamp, lane: LaneId, until: Timestamp) -> bool {
        let key = key.unwrap_or_default();
        let Some(door) = self.keys.get_mut(key) else { return false };
        door.waiting.insert((due, lane));
        self.wake(key, until);
        true
    }

    /// The lane that may be tried now, of those that wait: the oldest of a key that is open again.
    pub fn called(&mut self, rate: Rate, now: Timestamp) -> Option<LaneId> {
        let (at, name) = self.wakes.first().filter(|(at, _)| *at <= now).cloned()?;
        let lane = self.next_of(&name);
        // Tokens come one by one; after a mere rest all may go.
        let pause = rate.per_key().map_or(Duration::ZERO, |pace| pace.interval());
        self.wake(&name, later(at, pause));
        lane
    }

    /// Takes the oldest lane off those that wait for this key, to be sent along with another.
    pub fn next_of(&mut self, key: &str) -> Option<LaneId> {
        self.keys.get_mut(key)?.waiting.pop_first().map(|(_, lane)| lane)
    }

    /// When the next of the waiting lanes is called.
    pub fn next_call(&self) -> Option<Timestamp> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// The service asked for rest: of this key, or (without one) as a whole.
    pub fn rest(&mut self, key: Option<&str>, until: Timestamp, now: Timestamp) {
        match key {
            None => self.whole.rest(until),
            Some(key) => {
                if let Some(door) = self.door(key, now) {
                    door.rest(until);
                    self.wake(key, until);
                }
            }
        }
    }

    /// More calls were made than tokens were taken.
    pub fn charge(&mut self, key: Option<&str>, calls: u32) {
        self.whole.charge(calls);
        if let Some(door) = self.keys.get_mut(key.unwrap_or_default()) {
            door.charge(calls);
        }
    }

    /// Keys that are remembered.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Sets when the first lane of a key is called, if one waits there.
    fn wake(&mut self, key: &str, at: Timestamp) {
        let Some((name, door)) =
            self.keys.get_key_value(key).map(|(name, _)| Arc::clone(name)).zip(self.keys.get_mut(key))
        else {
            return;
        };
        if let Some(before) = door.wake_at.take() {
            self.wakes.remove(&(before, Arc::clone(&name)));
        }
        if !door.waiting.is_empty() {
            door.wake_at = Some(at);
            self.wakes.insert((at, name));
        }
    }

    /// The door of a key; `None` when there are too many keys in use.
    fn door(&mut self, key: &str, now: Timestamp) -> Option<&mut Door> {
        if !self.keys.contains_key(key) {
            if self.keys.len() >= KEYS_MAX {
                self.keys.retain(|_, door| !door.is_idle(now));
            }
            if self.keys.len() >= KEYS_MAX {
                return None;
            }
            self.keys.insert(Arc::from(key), Door { used: now, ..Door::default() });
        }
        self.keys.get_mut(key)
    }
}

/// That much later, on a whole millisecond: schedules count in these, and what was asked for must
/// not be cut short.
pub fn later(now: Timestamp, wait: Duration) -> Timestamp {
    whole_millis(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

/// Rounded up.
pub fn whole_millis(time: Timestamp) -> Timestamp {
    let millis = i64::try_from((time.as_nanosecond() + 999_999).div_euclid(1_000_000)).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}
