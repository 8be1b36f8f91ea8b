//! An engine with its schedule, a clock that is moved by hand, and short ways to say what happens.

use std::time::Duration;

use alert_relay::deliver::engine::{Engine, Step};
use alert_relay::deliver::errand::{Errand, Reader};
use alert_relay::deliver::resolution::{Ended, Terms, Tried};
use alert_relay::domain::delivery::RetryPolicy;
use alert_relay::domain::message::{Action, DedupKey};
use alert_relay::domain::outcome::Outcome;
use alert_relay::pace::breaker::BreakerPolicy;
use alert_relay::pace::bucket::{Pace, Rate};
use alert_relay::store::boundary::{Fresh, LaneState, Open};
use alert_relay::store::schedule::{Caps, Claimed, Schedule};
use alert_relay::target::contract::Repeat;

use crate::ground::{alert, at, group};

/// So many calls in so many seconds, so many at once.
pub fn pace(tokens: u32, seconds: u64, burst: u32) -> Pace {
    let per = Duration::from_secs(seconds);
    Pace { tokens: tokens.try_into().unwrap(), per, burst: burst.try_into().unwrap() }
}

/// A 429 or the like: come again after so many milliseconds.
pub fn rest(millis: u64, whole_target: bool) -> Outcome {
    Outcome::Retry { reason: "slow down".into(), after: Some(Duration::from_millis(millis)), whole_target }
}

/// A lane's name is `<key>/<name>`: what stands before the stroke is what the vendor limits.
fn key_of(claimed: &Claimed) -> Option<String> {
    let (key, _) = claimed.head.as_ref()?.key.as_str().split_once('/')?;
    Some(key.to_owned())
}

pub struct Bench {
    pub engine: Engine,
    pub schedule: Schedule,
    pub terms: Terms,
    pub now: i64,
    lanes: Vec<String>,
    next_id: i64,
}

impl Bench {
    pub fn new(rate: Rate) -> Bench {
        let mut schedule = Schedule::new(Caps { lanes_max: 50_000, deliveries_max: 50_000 });
        let (_, mark) = schedule.wants_refill(at(0)).unwrap();
        schedule.refilled(&[], mark);
        let terms = Terms {
            retry: RetryPolicy::default(),
            rate,
            concurrency: 100,
            repeat: Repeat::Tolerated,
            send_resolved: true,
            digest: false,
            breaker: BreakerPolicy { failures: 3, open_for: Duration::from_secs(30) },
            fall_after_attempts: None,
        };
        Bench { engine: Engine::new(1), schedule, terms, now: 0, lanes: Vec::new(), next_id: 1 }
    }

    /// Something to tell in this lane, with so many alerts.
    pub fn push(&mut self, lane: &str, action: Action, alerts: usize) -> i64 {
        let known = self.lanes.iter().position(|name| name == lane);
        let number = known.unwrap_or_else(|| {
            self.lanes.push(lane.to_owned());
            self.lanes.len() - 1
        });
        let ends = (action == Action::Resolve).then_some(1);
        let alerts = (0..alerts).map(|n| alert(&format!("{lane}#{n}"), 0, ends)).collect();
        let (id, lane_id) = (self.next_id, i64::try_from(number).unwrap() + 1);
        self.next_id += 1;
        let open = Open {
            id,
            lane: lane_id,
            uid: format!("d{id}"),
            key: DedupKey::written(lane).unwrap(),
            action,
            group: group(lane, alerts),
            accepted_at: at(self.now),
            attempts: 0,
            proposal: None,
            note: None,
        };
        let state = LaneState { seen: action == Action::Resolve, ..LaneState::default() };
        self.schedule.push(Fresh { target: "t".into(), due: at(self.now), open, lane: state });
        id
    }

    pub fn triggers(&mut self, lanes: &[&str]) {
        for lane in lanes {
            self.push(lane, Action::Trigger, 1);
        }
    }

    pub fn step(&mut self) -> Step {
        self.step_by(&key_of)
    }

    fn step_by(&mut self, reader: &dyn Reader) -> Step {
        self.engine.step(&mut self.schedule, &self.terms, at(self.now), reader)
    }

    /// All that is sent just now.
    pub fn sent(&mut self) -> Vec<Errand> {
        self.sent_by(&key_of)
    }

    /// The same for a kind that knows more of it.
    pub fn sent_by(&mut self, reader: &dyn Reader) -> Vec<Errand> {
        let mut sent = Vec::new();
        loop {
            match self.step_by(reader) {
                Step::Send(errand) => sent.push(*errand),
                Step::Aside { .. } => {}
                Step::Wait(_) | Step::Defer { .. } => return sent,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The lanes of what is sent just now, each call as `a/x+a/y`.
    pub fn names(&mut self) -> Vec<String> {
        self.sent().iter().map(names).collect()
    }

    /// When the engine wants to be asked again, in milliseconds.
    pub fn wakes(&mut self) -> Option<i64> {
        match self.step() {
            Step::Wait(until) | Step::Defer { until, .. } => {
                until.map(|until| until.as_millisecond() - at(0).as_millisecond())
            }
            other => panic!("{other:?}"),
        }
    }

    /// The end of a call, written and released.
    pub fn ends(&mut self, errand: &Errand, outcome: Outcome, requests: u32) -> Ended {
        let status = if matches!(outcome, Outcome::Retry { .. }) { 429 } else { 200 };
        let tried = Tried { outcome, status, calls: requests, ..Tried::nothing(at(self.now)) };
        let ended = self.engine.tried(errand, tried, &self.terms, at(self.now));
        for resolution in &ended.resolutions {
            let settlement = &resolution.settlement;
            let after = settlement.after.clone();
            self.schedule.release(settlement.lane, &resolution.done, resolution.tried, settlement.due, after);
        }
        ended
    }

    pub fn delivered(&mut self, errand: &Errand) -> Ended {
        self.ends(errand, Outcome::delivered(), 1)
    }
}

pub fn names(errand: &Errand) -> String {
    errand.heads().map(|head| head.key.as_str()).collect::<Vec<_>>().join("+")
}
