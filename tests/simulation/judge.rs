//! What must be true of every run, whatever the dice said.

use std::collections::{BTreeMap, BTreeSet};

use alert_relay::domain::delivery::State;
use alert_relay::domain::message::Action;
use alert_relay::domain::outcome::Outcome;
use alert_relay::store::boundary::Reader;
use alert_relay::target::contract::Repeat;

use crate::vendor::Call;
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

fn by_key(calls: &[Call]) -> BTreeMap<&str, Vec<&Call>> {
    let mut lanes: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        lanes.entry(&call.key).or_default().push(call);
    }
    lanes
}

fn in_order(calls: &[Call]) -> Result<(), String> {
    for (key, calls) in by_key(calls) {
        for pair in calls.windows(2) {
            if pair[1].delivery < pair[0].delivery {
                return Err(format!("{key}: {} after {}", pair[1].delivery, pair[0].delivery));
            }
            if pair[1].at < pair[0].answered && pair[1].life == pair[0].life {
                return Err(format!("{key}: two in flight at {}", pair[1].at));
            }
        }
    }
    Ok(())
}

/// A repeat needs a reason: a refusal, an unknown outcome, or an answer that nobody heard.
fn not_twice(world: &World<'_>) -> Result<(), String> {
    let mut last: BTreeMap<i64, &Call> = BTreeMap::new();
    for call in &world.vendor.calls {
        if let Some(before) = last.insert(call.delivery, call)
            && !before.unheard
            && matches!(before.outcome, Outcome::Delivered { .. } | Outcome::Rejected { .. })
        {
            return Err(format!("delivery {} was sent again at {} for no reason", call.delivery, call.at));
        }
    }
    Ok(())
}

/// Between two starts for one problem it was over, and the target had heard so.
fn started_once(calls: &[Call]) -> Result<(), String> {
    for (key, calls) in by_key(calls) {
        let mut is_started = false;
        for call in calls {
            let ends = call.action == Action::Resolve && matches!(call.outcome, Outcome::Delivered { .. });
            if call.starts && is_started {
                return Err(format!("{key} was started again at {} by delivery {}", call.at, call.delivery));
            }
            is_started = (is_started || call.starts) && !ends;
        }
    }
    Ok(())
}

/// What a service asks for is kept: by the whole target within a life, by the lane for ever.
fn rested(calls: &[Call]) -> Result<(), String> {
    for asked in calls.iter().filter(|call| !call.unheard) {
        let Outcome::Retry { after: Some(after), whole_target, .. } = &asked.outcome else { continue };
        let until = asked.heard + i64::try_from(after.as_millis()).unwrap();
        let disturbs = |call: &&Call| {
            let concerned = call.key == asked.key || (*whole_target && call.life == asked.life);
            concerned && call.at < until
        };
        if let Some(call) = calls.iter().skip(asked.calls_before_heard).find(disturbs) {
            return Err(format!("{} asked for rest until {until} and was called at {}", asked.key, call.at));
        }
    }
    Ok(())
}

/// However a stretch of one life is cut out, no more calls lie in it than the bucket allows.
fn paced(world: &World<'_>) -> Result<(), String> {
    let Some(pace) = world.terms.pace else { return Ok(()) };
    let interval = pace.per.as_secs_f64() * 1000.0 / f64::from(pace.tokens.get());
    for life in 1..=world.life {
        let times: Vec<i64> =
            world.vendor.calls.iter().filter(|call| call.life == life).map(|call| call.at).collect();
        for (from, first) in times.iter().enumerate() {
            for (to, last) in times.iter().enumerate().skip(from) {
                let allowed = f64::from(pace.burst.get()) + ((last - first) as f64 / interval).floor();
                if (to - from + 1) as f64 > allowed {
                    return Err(format!("{} calls from {first} to {last}, {allowed} allowed", to - from + 1));
                }
            }
        }
    }
    Ok(())
}
