//! What must be true of every run, whatever the dice said.

use std::collections::{BTreeMap, BTreeSet};

use alert_relay::domain::delivery::State;
use alert_relay::domain::message::Action;
use alert_relay::domain::outcome::Outcome;
use alert_relay::pace::bucket::{Pace, Rate};
use alert_relay::store::reader::Reader;
use alert_relay::target::contract::Repeat;

use crate::vendor::{Call, REQUESTS_MAX};
use crate::world::World;

pub fn judge(world: &World<'_>) -> Result<(), String> {
    let dead = every_delivery_ended(world)?;
    let calls = &world.vendor.calls;
    in_order(calls)?;
    not_twice(world)?;
    rested(calls)?;
    paced(world)?;
    if world.terms.repeat == Repeat::Forbidden {
        return started_once(calls);
    }
    for (name, firing) in &world.story.firing {
        let open = world.vendor.open.contains(name);
        if !dead.contains(name) && open != *firing {
            return Err(format!("{name}: firing is {firing}, open at the vendor is {open}"));
        }
    }
    Ok(())
}

/// Returns the keys with dead letters.
fn every_delivery_ended(world: &World<'_>) -> Result<BTreeSet<String>, String> {
    let mut reader = world.reader();
    let mut dead = BTreeSet::new();
    for uid in &world.events {
        let record = reader.event(*uid).unwrap().ok_or("an accepted event is gone")?;
        if record.deliveries.len() != 1 {
            return Err(format!("event {uid} has {} deliveries", record.deliveries.len()));
        }
        for delivery in record.deliveries {
            if delivery.state.is_open() {
                return Err(format!("delivery {} is {:?} at the end", delivery.id, delivery.state));
            }
            if delivery.state == State::Dead {
                dead.insert(delivery.key.clone());
            }
            let delivered = delivery.attempts.iter().filter(|attempt| attempt.outcome == "delivered").count();
            if delivered != usize::from(delivery.state == State::Delivered) {
                return Err(format!(
                    "delivery {} is {:?} with {delivered} successes",
                    delivery.id, delivery.state
                ));
            }
        }
    }
    let waiting = reader.waiting().unwrap();
    if waiting.is_empty() { Ok(dead) } else { Err(format!("counters say {waiting:?}")) }
}

/// What reached each lane: the delivery, with its call.
fn by_lane(calls: &[Call]) -> BTreeMap<&str, Vec<(i64, &Call)>> {
    let mut lanes: BTreeMap<&str, Vec<(i64, &Call)>> = BTreeMap::new();
    for call in calls {
        for (lane, delivery, _) in &call.heads {
            lanes.entry(lane).or_default().push((*delivery, call));
        }
    }
    lanes
}

fn in_order(calls: &[Call]) -> Result<(), String> {
    for (lane, told) in by_lane(calls) {
        for pair in told.windows(2) {
            let [(before, first), (after, second)] = pair else { continue };
            if after < before {
                return Err(format!("{lane}: {after} after {before}"));
            }
            if second.at < first.answered && second.life == first.life {
                return Err(format!("{lane}: two in flight at {}", second.at));
            }
        }
    }
    Ok(())
}

/// A repeat needs a reason: a refusal, an unknown outcome, or an answer that nobody heard. What was
/// refused in company comes alone.
fn not_twice(world: &World<'_>) -> Result<(), String> {
    let mut last: BTreeMap<i64, &Call> = BTreeMap::new();
    for call in &world.vendor.calls {
        for (_, delivery, _) in &call.heads {
            let Some(before) = last.insert(*delivery, call).filter(|before| !before.unheard) else {
                continue;
            };
            let again = match before.outcome {
                Outcome::Delivered { .. } => false,
                Outcome::Rejected { .. } => {
                    before.is_digest() && (!call.is_digest() || call.life > before.life)
                }
                _ => true,
            };
            if !again {
                return Err(format!("delivery {delivery} was sent again at {} for no reason", call.at));
            }
        }
    }
    Ok(())
}

/// Between two starts for one problem it was over, and the target had heard so.
fn started_once(calls: &[Call]) -> Result<(), String> {
    for (lane, told) in by_lane(calls) {
        let mut is_started = false;
        for (delivery, call) in told {
            let resolves = call.heads.iter().any(|(_, _, action)| *action == Action::Resolve);
            let ends = resolves && matches!(call.outcome, Outcome::Delivered { .. });
            if call.starts && is_started {
                return Err(format!("{lane} was started again at {} by delivery {delivery}", call.at));
            }
            is_started = (is_started || call.starts) && !ends;
        }
    }
    Ok(())
}

/// What a service asks for is kept: by the whole target or the key within a life, by the lane for
/// ever.
fn rested(calls: &[Call]) -> Result<(), String> {
    for asked in calls.iter().filter(|call| !call.unheard) {
        let Outcome::Retry { after: Some(after), whole_target, .. } = &asked.outcome else { continue };
        let until = asked.heard + i64::try_from(after.as_millis()).unwrap();
        let disturbs = |call: &&Call| {
            let same_lane =
                call.heads.iter().any(|(lane, _, _)| asked.heads.iter().any(|(other, _, _)| lane == other));
            let same_key = asked.key.is_some() && call.key == asked.key;
            let concerned = same_lane || (call.life == asked.life && (*whole_target || same_key));
            concerned && call.at < until
        };
        if let Some(call) = calls.iter().skip(asked.calls_before_heard).find(disturbs) {
            return Err(format!(
                "{:?} asked for rest until {until} and was called at {}",
                asked.heads, call.at
            ));
        }
    }
    Ok(())
}

/// However a stretch of one life is cut out, no more requests lie in it than the bucket allows; what
/// calls under way take beyond the first is known when they end.
fn paced(world: &World<'_>) -> Result<(), String> {
    let keys: BTreeSet<Option<&String>> = world.vendor.calls.iter().map(|call| call.key.as_ref()).collect();
    for life in 1..=world.life {
        let of_life = || world.vendor.calls.iter().filter(move |call| call.life == life);
        match world.terms.rate {
            Rate::Unlimited => {}
            Rate::Whole(pace) => within(&of_life().collect::<Vec<_>>(), pace, world.terms.concurrency)?,
            Rate::PerKey(pace) => {
                for key in &keys {
                    let of_key: Vec<&Call> = of_life().filter(|call| call.key.as_ref() == *key).collect();
                    within(&of_key, pace, world.terms.concurrency)?;
                }
            }
        }
    }
    Ok(())
}

fn within(calls: &[&Call], pace: Pace, concurrency: usize) -> Result<(), String> {
    let interval = pace.interval().as_secs_f64() * 1000.0;
    for (from, first) in calls.iter().enumerate() {
        let (mut begun, mut extra) = (0, 0);
        for last in &calls[from..] {
            begun += 1;
            let allowed = f64::from(pace.burst.get()) + ((last.at - first.at) as f64 / interval).floor();
            if f64::from(begun) > allowed {
                return Err(format!("{begun} calls from {} to {}, {allowed} allowed", first.at, last.at));
            }
            let under_way = f64::from(u32::try_from(concurrency).unwrap() * (REQUESTS_MAX - 1));
            extra += last.requests.saturating_sub(1);
            if f64::from(begun + extra) > allowed + under_way {
                return Err(format!("{begun} calls and {extra} more from {} to {}", first.at, last.at));
            }
        }
    }
    Ok(())
}
