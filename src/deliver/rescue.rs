//! When a target does not take what it is owed: its fallback targets are told, with the reason in
//! the text; and when it is back, what was given up meanwhile is told again, if it still goes on.
//!
//! Both are kept as events of their own, so they have the same promises as everything else, and in
//! one commit with the mark that they were told, so that a crash never tells them twice. The resolve
//! needs no care here: it goes wherever its trigger went.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::alert::AlertGroup;
use crate::domain::lane::{AlertClock, Told};
use crate::domain::message::Action;
use crate::domain::reminders::Reminders;
use crate::rulebook::Fallback;
use crate::store::boundary::{LaneId, Open, Rescue, StoreError, Why};
use crate::store::event::{NewEvent, NewPart};
use crate::store::handle::Store;

/// Lanes looked at in one go.
const LANES_MAX: usize = 64;
/// Deliveries of a lane that are read to find its last trigger.
const EACH_LANE_MAX: usize = 64;

/// What it works with.
#[derive(Debug)]
pub struct Rescuer {
    name: Arc<str>,
    store: Store,
    dice: fastrand::Rng,
}

impl Rescuer {
    /// For the target of this name.
    pub fn new(name: Arc<str>, store: Store, seed: u64) -> Rescuer {
        Rescuer { name, store, dice: fastrand::Rng::with_seed(seed) }
    }

    /// Tells the fallback targets of every lane whose time has come. `trouble` is what the target
    /// said last. Returns whether there may be more.
    pub async fn tell_fallbacks(
        &mut self,
        fallback: &Fallback,
        trouble: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let name = Arc::clone(&self.name);
        let lanes = self.store.read(move |reader| reader.falling(&name, now, LANES_MAX)).await?;
        for lane in &lanes {
            let event = match self.last_trigger(*lane).await? {
                Some(open) => {
                    let trouble = self.trouble_of(&open, trouble).await?;
                    Some(Box::new(self.told_instead(fallback, &open, &trouble, now)))
                }
                None => None,
            };
            self.store.rescue(Rescue { lane: *lane, why: Why::Fallen, event }).await?;
        }
        Ok(lanes.len() == LANES_MAX)
    }

    /// What the fallback targets are told of one delivery.
    pub fn told_instead(
        &mut self,
        fallback: &Fallback,
        open: &Open,
        trouble: &str,
        now: Timestamp,
    ) -> NewEvent {
        let waited = now.duration_since(open.accepted_at).unsigned_abs();
        let note = format!(
            "Sent by fallback: {} has not taken this for {}{}",
            self.name,
            spoken(waited),
            because(trouble)
        );
        let parts = fallback.targets.iter().map(|target| part(target, open, &note)).collect();
        tracing::warn!(target_name = %self.name, delivery = %open.uid, %note, "the fallback is told");
        self.event(open, parts, now)
    }

    /// What the target said last; after a start, what is on record of this delivery.
    async fn trouble_of(&self, open: &Open, trouble: &str) -> Result<String, StoreError> {
        if !trouble.is_empty() {
            return Ok(trouble.to_owned());
        }
        let id = open.id;
        let record = self.store.read(move |reader| reader.delivery(id)).await?;
        Ok(record.map(|record| record.reason).unwrap_or_default())
    }

    /// Tells again what was given up and still goes on; what is over is left in peace.
    pub async fn redrive(&mut self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let name = Arc::clone(&self.name);
            let found = self.store.read(move |reader| reader.given_up(&name, LANES_MAX)).await?;
            let more = found.len() == LANES_MAX;
            for one in found {
                let event = one.still_firing.then(|| {
                    let note = format!("Late: {} could not be reached when this began", self.name);
                    let parts = vec![part(&self.name, &one.open, &note)];
                    tracing::info!(target_name = %self.name, delivery = %one.open.uid, "a dead letter is told again");
                    Box::new(self.event(&one.open, parts, now))
                });
                self.store.rescue(Rescue { lane: one.lane, why: Why::Redriven, event }).await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn last_trigger(&self, lane: LaneId) -> Result<Option<Open>, StoreError> {
        let work = self.store.read(move |reader| Ok(reader.lane_work(&[(lane, 0)], EACH_LANE_MAX))).await?;
        let Some((_, work)) = work.into_iter().next() else { return Ok(None) };
        // What ends in a resolve is over: nobody need be told instead.
        Ok(work?.open.pop().filter(|last| last.action == Action::Trigger))
    }

    fn event(&mut self, open: &Open, parts: Vec<NewPart>, now: Timestamp) -> NewEvent {
        let mut random = [0; 10];
        self.dice.fill(&mut random);
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        NewEvent {
            uid: uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid(),
            source: open.group.source.clone(),
            received_at: now,
            body: Vec::new(),
            window: Duration::ZERO,
            groups: vec![Arc::clone(&open.group)],
            notes: vec![format!("told again of delivery {}", open.uid)],
            parts,
        }
    }
}

/// The same news for another lane (or for the same one once more).
fn part(target: &Arc<str>, open: &Open, note: &str) -> NewPart {
    NewPart {
        target: Arc::clone(target),
        key: open.key.clone(),
        group: 0,
        alerts: told(&open.group),
        content: 0,
        truncated: open.group.truncated > 0,
        reminders: Reminders::Every,
        fall_after: None,
        note: Some(note.to_owned()),
        incident: None,
    }
}

fn told(group: &AlertGroup) -> Vec<Told> {
    let one = |(place, alert): (u32, &crate::domain::alert::Alert)| Told {
        place,
        print: alert.fingerprint,
        clock: AlertClock::of(alert),
        only_if_known: false,
    };
    (0..).zip(&group.alerts).map(one).collect()
}

fn because(trouble: &str) -> String {
    if trouble.is_empty() { String::new() } else { format!(" ({trouble})") }
}

fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
