//! The schedule against a model without any cap: all open deliveries by lane in plain lists, as
//! the disk holds them. Whatever is pushed, claimed, read, failed and evicted in whatever order,
//! nothing is lost, nothing overtakes, nothing is sent before it is due, and memory stays bounded.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]

#[path = "schedule/parking.rs"]
mod parking;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alert_relay::domain::alert::{AlertGroup, Labels};
use alert_relay::domain::fold::KEPT_MAX;
use alert_relay::domain::message::{Action, DedupKey};
use alert_relay::store::boundary::{DueLane, Fresh, LaneId, LaneState, LaneWork, Open};
use alert_relay::store::schedule::{Caps, Claim, Claimed, Schedule};
use jiff::Timestamp;
use proptest::prelude::*;

/// Deliveries of one lane read at a time.
const EACH: usize = 2;
/// The loop's pause between looks at the disk.
const REFILL_PAUSE: i64 = 20;
/// Calls at once.
const CONCURRENCY: usize = 3;

/// What may happen next.
#[derive(Debug, Clone)]
enum Event {
    /// Something is accepted for a lane.
    Accept(LaneId, Action),
    /// The loop goes on; while it reads, these are accepted.
    Step(Vec<(LaneId, Action)>),
    /// A read of owed deliveries fails.
    FailingRead,
    /// A call ends: the n-th of those in flight.
    End(usize, End),
    /// The next lane that is claimed is laid aside.
    Park,
    /// One that was laid aside comes back, or is claimed right away.
    Unpark(usize, bool),
    /// Time passes.
    Pass(i64),
    /// A person drops the newest of a lane, or (false) wants the lane tried now; while that is
    /// written, these are accepted.
    Order(LaneId, bool, Vec<(LaneId, Action)>),
}

#[derive(Debug, Clone, Copy)]
enum End {
    Delivered,
    /// Surely not arrived; again after so many milliseconds.
    Retry(i64),
}

/// A lane as the disk has it.
#[derive(Debug, Default)]
struct DiskLane {
    due: i64,
    open: Vec<Open>,
    state: LaneState,
}

struct World {
    schedule: Schedule,
    caps: Caps,
    disk: BTreeMap<LaneId, DiskLane>,
    in_flight: Vec<Claimed>,
    /// Laid aside, as far as nobody ordered anything about them meanwhile.
    parked: Vec<LaneId>,
    /// What was sent of each lane, in order.
    sent: BTreeMap<LaneId, Vec<i64>>,
    ended: BTreeSet<i64>,
    next_id: i64,
    now: i64,
    refill_not_before: i64,
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
}

fn group() -> Arc<AlertGroup> {
    Arc::new(AlertGroup {
        source: String::new(),
        group_key: String::new(),
        receiver: String::new(),
        group_labels: Labels::new(),
        common_labels: Labels::new(),
        common_annotations: Labels::new(),
        external_url: String::new(),
        truncated: 0,
        reason: String::new(),
        alerts: Vec::new(),
        event: serde_json::Value::Null,
        changes: Vec::new(),
    })
}

impl World {
    fn new(caps: Caps) -> World {
        World {
            schedule: Schedule::new(caps),
            caps,
            disk: BTreeMap::new(),
            in_flight: Vec::new(),
            parked: Vec::new(),
            sent: BTreeMap::new(),
            ended: BTreeSet::new(),
            next_id: 1,
            now: 0,
            refill_not_before: 0,
        }
    }

    /// The commit: from here on it is on disk, and the schedule has still to hear of it.
    fn commit(&mut self, lane: LaneId, action: Action) -> Fresh {
        let id = self.next_id;
        self.next_id += 1;
        let open = Open {
            id,
            lane,
            uid: id.to_string(),
            key: DedupKey::written(&lane.to_string()).unwrap(),
            action,
            group: group(),
            accepted_at: at(self.now),
            attempts: 0,
            proposal: None,
            note: None,
        };
        let on_disk = self.disk.entry(lane).or_default();
        if on_disk.open.is_empty() {
            on_disk.due = self.now;
        }
        on_disk.open.push(open.clone());
        Fresh { target: "t".into(), due: at(on_disk.due), open, lane: on_disk.state.clone() }
    }

    fn due_lanes(&self, limit: usize) -> Vec<DueLane> {
        let mut lanes: Vec<DueLane> = self
            .disk
            .iter()
            .filter(|(_, lane)| !lane.open.is_empty())
            .map(|(id, lane)| DueLane { lane: *id, due: at(lane.due) })
            .collect();
        lanes.sort_by_key(|lane| lane.due);
        lanes.truncate(limit);
        lanes
    }

    fn lane_work(&self, lane: LaneId, after: i64) -> LaneWork {
        let Some(on_disk) = self.disk.get(&lane) else {
            return LaneWork { state: LaneState::default(), open: Vec::new(), more: false };
        };
        let mut open: Vec<Open> = on_disk.open.iter().filter(|open| open.id > after).cloned().collect();
        let more = open.len() > EACH;
        open.truncate(EACH);
        LaneWork { state: on_disk.state.clone(), open, more }
    }

    /// One step of the loop; `meanwhile` is committed before its read (even places) or after it
    /// (odd places), and pushed before what was read is taken in.
    fn step(&mut self, meanwhile: &[(LaneId, Action)], read_fails: bool) -> Result<bool, TestCaseError> {
        let (before, after): (Vec<_>, Vec<_>) =
            meanwhile.iter().enumerate().partition(|(place, _)| place % 2 == 0);
        if self.now >= self.refill_not_before
            && let Some((limit, mark)) = self.schedule.wants_refill(at(self.now))
        {
            self.refill_not_before = self.now + REFILL_PAUSE;
            let mut fresh: Vec<Fresh> =
                before.iter().map(|(_, (lane, action))| self.commit(*lane, *action)).collect();
            let lanes = self.due_lanes(limit);
            fresh.extend(after.iter().map(|(_, (lane, action))| self.commit(*lane, *action)));
            fresh.into_iter().for_each(|fresh| self.schedule.push(fresh));
            self.schedule.refilled(&lanes, mark);
            return self.bounded().map(|()| true);
        }
        if let Some(claim) = self.schedule.claim_overfull() {
            return self.fold_early(claim, read_fails).map(|()| true);
        }
        if self.in_flight.len() >= CONCURRENCY {
            return Ok(false);
        }
        match self.schedule.claim(at(self.now)) {
            Claim::Idle(until) => {
                prop_assert!(until.is_none_or(|until| until > at(self.now)), "idle with work in hand");
                return Ok(false);
            }
            Claim::Load(lanes) => {
                let mut fresh: Vec<Fresh> =
                    before.iter().map(|(_, (lane, action))| self.commit(*lane, *action)).collect();
                let read: Vec<_> =
                    lanes.iter().map(|(lane, last)| (*lane, self.lane_work(*lane, *last))).collect();
                fresh.extend(after.iter().map(|(_, (lane, action))| self.commit(*lane, *action)));
                fresh.into_iter().for_each(|fresh| self.schedule.push(fresh));
                for (lane, work) in read {
                    if read_fails {
                        self.schedule.load_failed(lane, at(self.now + 10));
                    } else {
                        self.schedule.loaded(lane, work);
                    }
                }
            }
            Claim::Ready(claimed) => self.claimed(*claimed)?,
        }
        self.bounded().map(|()| true)
    }

    fn claimed(&mut self, claimed: Claimed) -> Result<(), TestCaseError> {
        let lane = claimed.lane;
        prop_assert!(self.in_flight.iter().all(|other| other.lane != lane), "two of a lane in flight");
        let on_disk = self.disk.get(&lane).unwrap();
        prop_assert!(on_disk.due <= self.now, "lane {lane} is due at {} and it is {}", on_disk.due, self.now);
        for gone in &claimed.superseded {
            prop_assert!(on_disk.open.iter().any(|open| open.id == gone.id), "superseded, but not open");
        }
        // As the engine does: what is folded away is on disk before anything else is sent.
        let head = match &claimed.head {
            Some(head) if claimed.superseded.is_empty() => head,
            _ => {
                let folded = Claimed { head: None, ..claimed };
                let state = folded.state.clone();
                self.settle(&folded, None, self.now, state);
                return Ok(());
            }
        };
        prop_assert_eq!(
            on_disk.open.first().map(|open| open.id),
            Some(head.id),
            "what is sent is the oldest that is owed"
        );
        let sent = self.sent.entry(lane).or_default();
        prop_assert!(sent.last().is_none_or(|last| *last <= head.id), "order in lane {}", lane);
        sent.push(head.id);
        self.in_flight.push(claimed);
        Ok(())
    }

    fn end(&mut self, place: usize, end: End) {
        if self.in_flight.is_empty() {
            return;
        }
        let claimed = self.in_flight.remove(place % self.in_flight.len());
        let head = claimed.head.clone().unwrap();
        match end {
            End::Delivered => {
                let seen = head.action == Action::Trigger;
                self.settle(&claimed, Some(head.id), self.now, LaneState { seen, ..LaneState::default() });
            }
            End::Retry(pause) => self.settle(&claimed, None, self.now + pause, claimed.state.clone()),
        }
    }

    fn settle(&mut self, claimed: &Claimed, delivered: Option<i64>, due: i64, state: LaneState) {
        let mut done: Vec<i64> = claimed.superseded.iter().map(|gone| gone.id).collect();
        done.extend(delivered);
        let on_disk = self.disk.get_mut(&claimed.lane).unwrap();
        on_disk.open.retain(|open| !done.contains(&open.id));
        on_disk.due = due;
        on_disk.state = state.clone();
        self.ended.extend(&done);
        let tried =
            claimed.head.as_ref().filter(|_| delivered.is_none()).map(|head| (head.id, head.attempts + 1));
        self.schedule.release(claimed.lane, &done, tried, at(due), state);
    }

    fn order(
        &mut self,
        lane: LaneId,
        drops: bool,
        meanwhile: &[(LaneId, Action)],
    ) -> Result<(), TestCaseError> {
        let in_flight = self.in_flight.iter().any(|claimed| claimed.lane == lane);
        prop_assert_eq!(self.schedule.withhold(lane), !in_flight, "withheld unless it is being sent");
        if in_flight {
            return Ok(());
        }
        self.parked.retain(|parked| *parked != lane);
        let now = self.now;
        let fresh: Vec<Fresh> = meanwhile.iter().map(|(lane, action)| self.commit(*lane, *action)).collect();
        let on_disk = self.disk.entry(lane).or_default();
        let due = (!drops).then(|| at(now));
        if drops {
            self.ended.extend(on_disk.open.pop().map(|open| open.id));
        } else {
            on_disk.due = now;
        }
        fresh.into_iter().for_each(|fresh| self.schedule.push(fresh));
        self.schedule.readmit(lane, due);
        Ok(())
    }

    fn bounded(&self) -> Result<(), TestCaseError> {
        prop_assert!(self.schedule.len() <= self.caps.lanes_max, "{} lanes", self.schedule.len());
        let held_max =
            self.caps.deliveries_max + (EACH + KEPT_MAX) * (self.caps.deliveries_max + CONCURRENCY);
        prop_assert!(self.schedule.held() <= held_max, "{} held whole", self.schedule.held());
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Accept(lane, action) => {
                let fresh = self.commit(lane, action);
                self.schedule.push(fresh);
            }
            Event::Step(meanwhile) => drop(self.step(&meanwhile, false)?),
            Event::FailingRead => drop(self.step(&[], true)?),
            Event::End(place, end) => self.end(place, end),
            Event::Park => self.park()?,
            Event::Unpark(place, at_once) => self.unpark(place, at_once)?,
            Event::Pass(millis) => self.now += millis,
            Event::Order(lane, drops, meanwhile) => self.order(lane, drops, &meanwhile)?,
        }
        self.bounded()
    }

    /// Lets everything succeed until nothing is owed.
    fn drain(&mut self) -> Result<(), TestCaseError> {
        for lane in std::mem::take(&mut self.parked) {
            prop_assert!(self.schedule.unpark(lane));
        }
        for _ in 0..10_000 {
            if self.step(&[], false)? {
                continue;
            }
            if self.in_flight.is_empty() {
                if self.schedule.is_empty() {
                    break;
                }
                let millis = |time: Timestamp| time.as_millisecond() - at(0).as_millisecond();
                let here = self.schedule.next_due().map(millis);
                let there = self.schedule.due_on_disk().map(|due| millis(due).max(self.refill_not_before));
                let next = here.into_iter().chain(there).min().unwrap();
                prop_assert!(next > self.now, "due at {}, and nothing is done", next);
                self.now = next;
            }
            self.end(0, End::Delivered);
        }
        let owed: Vec<i64> =
            self.disk.values().flat_map(|lane| lane.open.iter().map(|open| open.id)).collect();
        prop_assert_eq!(owed, Vec::<i64>::new(), "lost");
        prop_assert!(self.schedule.is_empty() && self.schedule.held() == 0, "{} held", self.schedule.held());
        prop_assert_eq!(self.ended.len(), usize::try_from(self.next_id - 1).unwrap());
        Ok(())
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![2 => Just(Action::Trigger), 1 => Just(Action::Resolve)]
}

fn event() -> impl Strategy<Value = Event> {
    let accept = || (1..9_i64, action());
    let end = prop_oneof![Just(End::Delivered), (1..200_i64).prop_map(End::Retry)];
    prop_oneof![
        4 => accept().prop_map(|(lane, action)| Event::Accept(lane, action)),
        6 => prop::collection::vec(accept(), 0..4).prop_map(Event::Step),
        1 => Just(Event::FailingRead),
        3 => (0..CONCURRENCY, end).prop_map(|(place, end)| Event::End(place, end)),
        2 => Just(Event::Park),
        2 => (0..4_usize, any::<bool>()).prop_map(|(place, at_once)| Event::Unpark(place, at_once)),
        2 => (1..60_i64).prop_map(Event::Pass),
        1 => (1..9_i64, any::<bool>(), prop::collection::vec(accept(), 0..3))
            .prop_map(|(lane, drops, meanwhile)| Event::Order(lane, drops, meanwhile)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_overtaken_early_or_unbounded(
        lanes_max in 2..5_usize,
        deliveries_max in 1..4_usize,
        events in prop::collection::vec(event(), 0..120),
    ) {
        let mut world = World::new(Caps { lanes_max, deliveries_max });
        for event in events {
            world.happen(event)?;
        }
        world.drain()?;
    }
}
