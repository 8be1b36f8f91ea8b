//! One run: a story, a store on disk, a target's engine and a vendor, on simulated time. The
//! process may end at any moment, with or without a farewell.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use alert_relay::deliver::engine::{Engine, Step};
use alert_relay::deliver::errand::{DIGEST_ALERTS_MAX, Errand};
use alert_relay::deliver::purse::Unpaid;
use alert_relay::deliver::resolution::{Resolution, Terms, Tried};
use alert_relay::domain::alert::AlertGroup;
use alert_relay::domain::delivery::RetryPolicy;
use alert_relay::domain::message::{Action, RemoteRef};
use alert_relay::domain::outcome::Outcome;
use alert_relay::domain::reminders::Reminders;
use alert_relay::pace::breaker::BreakerPolicy;
use alert_relay::pace::bucket::{Pace, Rate};
use alert_relay::store::boundary::{Done, Engine as _, Fresh, Op, Settlement};
use alert_relay::store::reader::Reader;
use alert_relay::store::schedule::{Caps, Claimed, Schedule};
use alert_relay::store::sqlite::Place;
use alert_relay::store::sqlite_read::SqliteReader;
use alert_relay::store::sqlite_write::SqliteEngine;
use alert_relay::target::contract::Repeat;
use uuid::Uuid;

use crate::dice::Dice;
use crate::ground::{at, news};
use crate::story::{LENGTH, Story, Telling, story};
use crate::vendor::{Mood, Vendor};

pub const TARGET: &str = "pager";
const HALF_HOUR: std::time::Duration = std::time::Duration::from_secs(1800);
/// Deliveries of one lane read at a time.
const EACH: usize = 64;
/// Steps after which a run is going round in circles.
const STEPS_MAX: usize = 200_000;
/// When a run that has not come to rest is given up.
const END: i64 = LENGTH + 40 * 3_600_000;

/// What is alive between two restarts.
struct Life {
    engine: SqliteEngine,
    reader: SqliteReader,
    schedule: Schedule,
    target: Engine,
    /// Calls under way: number in the vendor's ledger.
    calls: Vec<(usize, Errand)>,
    _place: Arc<Place>,
}

pub struct World<'a> {
    folder: &'a Path,
    pub dice: Dice,
    pub terms: Terms,
    /// Problems are spread over so many keys; 0: the vendor knows none.
    keys: usize,
    /// Of a hundred calls, so many are not paid for.
    unpaid: u32,
    reminders: Reminders,
    caps: Caps,
    pub story: Story,
    told: usize,
    pub vendor: Vendor,
    pub now: i64,
    pub life: u32,
    /// Ends of lives: when, and whether without a farewell.
    pub ends: Vec<(i64, bool)>,
    restarts: Vec<i64>,
    pub events: Vec<Uuid>,
    alive: Option<Life>,
}

impl<'a> World<'a> {
    pub fn new(seed: u64, folder: &'a Path) -> World<'a> {
        let mut dice = Dice::new(seed);
        let story = story(&mut dice);
        let mood = Mood {
            faults: [0, 10, 50, 90][dice.place(4)],
            rejects: dice.percent(25),
            well_from: dice.between(0, 2 * LENGTH),
            slow: [5, 500, 30_000][dice.place(3)],
        };
        let mut restarts: Vec<i64> =
            (0..dice.between(0, 5)).map(|_| dice.between(1, LENGTH + 120_000)).collect();
        restarts.sort_unstable();
        let caps = Caps { lanes_max: 2 + dice.place(6), deliveries_max: 1 + dice.place(5) };
        World {
            folder,
            terms: terms(&mut dice),
            keys: dice.place(4),
            unpaid: [0, 0, 10, 40][dice.place(4)],
            reminders: [Reminders::Every, Reminders::Never, Reminders::Once(HALF_HOUR)][dice.place(3)],
            caps,
            story,
            told: 0,
            vendor: Vendor::new(mood),
            now: 0,
            life: 0,
            ends: Vec::new(),
            restarts,
            events: Vec::new(),
            alive: None,
            dice,
        }
    }

    /// Runs until nothing is owed and nothing more will happen.
    pub fn run(&mut self) -> Result<(), String> {
        self.start();
        for _ in 0..STEPS_MAX {
            let wake = self.work();
            let quiet = self.told == self.story.tellings.len() && self.restarts.is_empty();
            let alive = self.alive.as_ref().ok_or("dead")?;
            if quiet && alive.calls.is_empty() && alive.schedule.is_empty() {
                self.stop(false);
                return Ok(());
            }
            let answer = alive.calls.iter().map(|(call, _)| self.vendor.calls[*call].answered).min();
            let telling = self.story.tellings.get(self.told).map(|telling| telling.at);
            let next = [wake, answer, telling, self.restarts.first().copied()].into_iter().flatten().min();
            let next = next.ok_or("something is owed and nothing will ever happen")?;
            if next > END {
                return Err("it never comes to rest".into());
            }
            self.now = self.now.max(next);
            if self.restarts.first().is_some_and(|when| *when <= self.now) {
                self.restarts.remove(0);
                let unclean = self.dice.percent(60);
                self.stop(unclean);
                self.start();
            }
            self.settle_answered();
            let heard = self.hear();
            self.push(heard);
        }
        Err("it runs in circles".into())
    }

    pub fn reader(&self) -> SqliteReader {
        let place = Place::take(self.folder).unwrap();
        SqliteReader::new(place.reader().unwrap(), 0)
    }

    fn start(&mut self) {
        let place = Arc::new(Place::take(self.folder).unwrap());
        let (connection, found) = place.writer().unwrap();
        self.life += 1;
        self.alive = Some(Life {
            engine: SqliteEngine::new(connection, found).unwrap(),
            reader: SqliteReader::new(place.reader().unwrap(), found.perhaps_sent),
            schedule: Schedule::new(self.caps),
            target: Engine::new(u64::from(self.life)),
            calls: Vec::new(),
            _place: place,
        });
    }

    /// With a farewell all calls are awaited and written first; without, they stay unheard.
    fn stop(&mut self, unclean: bool) {
        if !unclean {
            while let Some(last) = self
                .alive
                .as_ref()
                .and_then(|alive| alive.calls.iter().map(|(call, _)| self.vendor.calls[*call].answered).min())
            {
                self.now = self.now.max(last);
                self.settle_answered();
            }
        }
        let mut alive = self.alive.take().unwrap();
        for (call, _) in &alive.calls {
            self.vendor.calls[*call].unheard = true;
        }
        if !unclean {
            alive.engine.close().unwrap();
        }
        self.ends.push((self.now, unclean));
    }

    /// Everything that arrives now, committed together.
    fn hear(&mut self) -> Vec<Fresh> {
        let mut batch = Vec::new();
        while let Some(Telling { name, starts, ends, .. }) =
            self.story.tellings.get(self.told).filter(|telling| telling.at <= self.now)
        {
            self.told += 1;
            let mut event = news(self.told as u128, self.now, TARGET, name, *starts, *ends);
            event.parts[0].reminders = self.reminders;
            self.events.push(event.uid);
            batch.push(Op::Accept(Box::new(event)));
        }
        self.commit(&batch)
    }

    fn commit(&mut self, batch: &[Op]) -> Vec<Fresh> {
        let done = self.alive.as_mut().unwrap().engine.apply(batch).unwrap();
        let fresh = |done| match done {
            Ok(Done::Accepted(_, fresh)) => fresh,
            Ok(_) => Vec::new(),
            Err(error) => panic!("{error}"),
        };
        done.into_iter().flat_map(fresh).collect()
    }

    fn push(&mut self, fresh: Vec<Fresh>) {
        let schedule = &mut self.alive.as_mut().unwrap().schedule;
        fresh.into_iter().for_each(|fresh| schedule.push(fresh));
    }

    /// Time goes on for a moment while a file is read: what arrives meanwhile is committed before
    /// or after the read, and pushed before what was read is taken in.
    fn meanwhile(&mut self) -> Vec<Fresh> {
        if self.dice.percent(50) {
            return Vec::new();
        }
        self.now += self.dice.between(0, 20);
        self.hear()
    }

    /// Does what there is to do now; returns when to look again.
    fn work(&mut self) -> Option<i64> {
        loop {
            let now = at(self.now);
            let alive = self.alive.as_mut().unwrap();
            let keys = self.keys;
            match alive
                .target
                .step(&mut alive.schedule, &self.terms, now, &|claimed: &Claimed| key_of(claimed, keys))
            {
                Step::Wait(until) | Step::Defer { until, .. } => {
                    return until.map(|until| until.duration_since(at(0)).as_millis() as i64);
                }
                Step::Aside { .. } => {}
                Step::Send(errand) => {
                    all_are_named(&errand);
                    if self.dice.percent(self.unpaid) {
                        self.not_paid(&errand);
                    } else {
                        self.send(*errand);
                    }
                }
                Step::Settle(resolution) => self.write(vec![*resolution]),
                Step::Load(lanes) => {
                    let mut fresh = self.meanwhile();
                    let read = self.alive.as_mut().unwrap().reader.lane_work(&lanes, EACH);
                    fresh.extend(self.meanwhile());
                    self.push(fresh);
                    let schedule = &mut self.alive.as_mut().unwrap().schedule;
                    for (lane, work) in read {
                        schedule.loaded(lane, work.unwrap());
                    }
                }
                Step::Refill { limit, mark } => {
                    let mut fresh = self.meanwhile();
                    let read = self.alive.as_mut().unwrap().reader.due_lanes(TARGET, limit).unwrap();
                    fresh.extend(self.meanwhile());
                    self.push(fresh);
                    self.alive.as_mut().unwrap().schedule.refilled(&read, mark);
                }
            }
        }
    }

    /// The quota is spent for a while, or cannot be counted.
    fn not_paid(&mut self, errand: &Errand) {
        let until = at(self.now + self.dice.between(1, 3_600_000));
        let unpaid = Unpaid { until, reason: "spent".into(), spent: true, first: false, key: String::new() };
        let tried = Tried { unpaid: Some(unpaid), ..Tried::nothing(at(self.now)) };
        let target = &mut self.alive.as_mut().unwrap().target;
        let ended = target.tried(errand, tried, &self.terms, at(self.now));
        self.write(ended.resolutions);
    }

    /// What must not be started twice is announced before it is sent, and the kind rules by what the
    /// lane knows, as a job platform's does.
    fn send(&mut self, errand: Errand) {
        let (head, state) = (errand.first.head.clone().unwrap(), &errand.first.state);
        let ruled = match (self.terms.repeat, head.action) {
            (Repeat::Harmless, _) => None,
            (_, Action::Trigger) if state.remote.is_some() => Some(Outcome::delivered()),
            (_, Action::Trigger) if state.begun.is_some() => {
                Some(Outcome::Rejected { reason: "in doubt".into() })
            }
            (_, Action::Trigger) => {
                self.commit(&[Op::Begin(head.lane, head.uid.clone())]);
                None
            }
            _ => Some(Outcome::delivered()),
        };
        let call = self.vendor.call(&errand, ruled, self.life, self.now, &mut self.dice);
        self.alive.as_mut().unwrap().calls.push((call, errand));
    }

    fn settle_answered(&mut self) {
        let now = at(self.now);
        let alive = self.alive.as_mut().unwrap();
        let mut written = Vec::new();
        let mut place = 0;
        while place < alive.calls.len() {
            let calls_made = self.vendor.calls.len();
            let call = &mut self.vendor.calls[alive.calls[place].0];
            if call.answered > self.now {
                place += 1;
                continue;
            }
            call.heard = self.now;
            call.calls_before_heard = calls_made;
            let (_, errand) = alive.calls.remove(place);
            let took = std::time::Duration::from_millis((call.answered - call.at).unsigned_abs());
            let outcome = match call.outcome.clone() {
                Outcome::Delivered { .. } if call.starts && self.terms.repeat != Repeat::Harmless => {
                    Outcome::Delivered { remote: Some(RemoteRef(call.heads[0].1.to_string())) }
                }
                outcome => outcome,
            };
            let calls = call.requests;
            let tried = Tried { outcome, took, calls, ..Tried::nothing(at(call.at)) };
            written.extend(alive.target.tried(&errand, tried, &self.terms, now).resolutions);
        }
        if !written.is_empty() {
            self.write(written);
        }
    }

    /// Commits settlements, now and then with arrivals before or after them in the same commit,
    /// now and then twice, and releases the lanes.
    fn write(&mut self, resolutions: Vec<Resolution>) {
        let settle = |settlement: &Settlement| Op::Settle(Arc::new(settlement.clone()));
        let mut batch: Vec<Op> =
            resolutions.iter().map(|resolution| settle(&resolution.settlement)).collect();
        if self.dice.percent(10) {
            batch.extend(batch.clone());
        }
        let mut fresh = if self.dice.percent(50) { self.hear() } else { Vec::new() };
        fresh.extend(self.commit(&batch));
        let mut late = Vec::new();
        if self.dice.percent(50) {
            late = self.hear();
        }
        self.push(fresh);
        let schedule = &mut self.alive.as_mut().unwrap().schedule;
        for Resolution { settlement, done, tried, .. } in resolutions {
            schedule.release(settlement.lane, &done, tried, settlement.due, settlement.after);
        }
        self.push(late);
    }
}

/// The key of a problem: its number, as far as the vendor cares.
fn key_of(claimed: &Claimed, keys: usize) -> Option<String> {
    let problem = claimed.head.as_ref()?.key.as_str().rsplit('-').next()?.parse::<usize>().ok()?;
    (keys > 0).then(|| format!("key-{}", problem % keys))
}

/// What is sent tells of every alert that it settles, once, and of no other.
fn all_are_named(errand: &Errand) {
    let message = errand.message(TARGET).unwrap();
    let names = |group: &AlertGroup| -> Vec<String> {
        group.alerts.iter().map(|alert| alert.labels["alertname"].clone()).collect()
    };
    let owed: Vec<String> = errand.heads().flat_map(|head| names(&head.group)).collect();
    assert_eq!(names(&message.group), owed);
    assert!(owed.len() <= DIGEST_ALERTS_MAX && owed.iter().collect::<BTreeSet<_>>().len() == owed.len());
    let firing = errand.heads().any(|head| head.action == Action::Trigger);
    assert_eq!(message.action, if firing { Action::Trigger } else { Action::Resolve });
}

fn terms(dice: &mut Dice) -> Terms {
    let pace = Pace {
        tokens: u32::try_from(dice.between(1, 120)).unwrap().try_into().unwrap(),
        per: std::time::Duration::from_secs(60),
        burst: u32::try_from(dice.between(1, 10)).unwrap().try_into().unwrap(),
    };
    let repeat = if dice.percent(30) { Repeat::Forbidden } else { Repeat::Harmless };
    Terms {
        retry: RetryPolicy::default(),
        rate: [Rate::Unlimited, Rate::Whole(pace), Rate::PerKey(pace)][dice.place(3)],
        // A kind that starts something has a thing for each problem.
        digest: repeat == Repeat::Harmless && dice.percent(50),
        concurrency: 1 + dice.place(4),
        repeat,
        send_resolved: true,
        breaker: BreakerPolicy {
            failures: u32::try_from(dice.between(1, 8)).unwrap(),
            open_for: std::time::Duration::from_secs(30),
        },
        fall_after_attempts: None,
    }
}
