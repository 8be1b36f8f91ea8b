//! The target's engine and the real store on disk, driven second by second; problems that begin,
//! go on and end by the dice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alert_relay::deliver::engine::{Engine, Step};
use alert_relay::deliver::errand::Errand;
use alert_relay::deliver::resolution::{Resolution, Terms, Tried};
use alert_relay::domain::delivery::{RetryPolicy, State};
use alert_relay::domain::message::Action;
use alert_relay::domain::outcome::Outcome;
use alert_relay::pace::breaker::BreakerPolicy;
use alert_relay::pace::bucket::{Pace, Rate};
use alert_relay::store::boundary::{Done, Engine as _, Op, Rescue, Why};
use alert_relay::store::reader::Reader;
use alert_relay::store::retention::Retention;
use alert_relay::store::schedule::{Caps, Claimed, Schedule};
use alert_relay::store::sqlite::Place;
use alert_relay::store::sqlite_read::SqliteReader;
use alert_relay::store::sqlite_write::SqliteEngine;
use alert_relay::target::contract::Repeat;
use rusqlite::Connection;

use crate::dice::Dice;
use crate::ground::{at, news};

const TARGET: &str = "pager";
const EACH: usize = 64;
/// How long a trigger may wait before the fallback is told.
pub const FALL_AFTER: i64 = 5 * 60_000;
/// How long what is over is kept.
const KEEP: i64 = 10 * 60_000;
/// Steps of forgetting each minute.
const PRUNE_STEPS: usize = 200;
const PRUNE_ROWS: u32 = 2000;

/// A problem as the sender knows it.
#[derive(Debug, Clone, Copy, Default)]
struct Problem {
    fires: bool,
    began: i64,
}

/// One call that the vendor took.
pub struct Sent {
    problem: String,
    action: Action,
    /// The sender would say the same at that moment.
    pub was_true: bool,
}

pub struct World {
    pub is_down: bool,
    pub sent: Vec<Sent>,
    place: Arc<Place>,
    file: std::path::PathBuf,
    engine: SqliteEngine,
    reader: SqliteReader,
    schedule: Schedule,
    target: Engine,
    dice: Dice,
    now: i64,
    events: u128,
    problems: BTreeMap<String, Problem>,
    names: Vec<String>,
    open: BTreeSet<String>,
    /// When the fallback was told, measured from the trigger that waited longest.
    fallbacks: Vec<i64>,
}

impl World {
    pub fn new(folder: &Path, lanes: usize) -> World {
        let place = Arc::new(Place::take(folder).unwrap());
        let (connection, found) = place.writer().unwrap();
        let names: Vec<String> = (0..lanes).map(|n| format!("problem-{n}")).collect();
        World {
            is_down: false,
            sent: Vec::new(),
            file: folder.join("alert-relay.db"),
            engine: SqliteEngine::new(connection, found).unwrap(),
            reader: SqliteReader::new(place.reader().unwrap(), 0),
            place,
            schedule: Schedule::new(Caps::default()),
            target: Engine::new(1),
            dice: Dice::new(1),
            now: 0,
            events: 0,
            problems: names.iter().map(|name| (name.clone(), Problem::default())).collect(),
            names,
            open: BTreeSet::new(),
            fallbacks: Vec::new(),
        }
    }

    /// Second by second with so many alerts in each (0: in steps of five seconds with one), at the
    /// end without any for a moment, so that what goes well is through.
    pub fn runs_until(&mut self, end: i64, rate: i64) {
        let step = if rate == 0 { 5000 } else { 1000 };
        while self.now < end {
            self.now += step;
            if self.now <= end - 2 * step {
                self.hear(rate.max(1));
            }
            self.pass();
        }
    }

    /// No alert comes for so long.
    pub fn calms_down(&mut self, length: i64) {
        let end = self.now + length;
        while self.now < end {
            self.now += 1000;
            self.pass();
        }
    }

    fn pass(&mut self) {
        self.work();
        self.tell_fallbacks();
        if self.now % 60_000 == 0 {
            self.forget();
        }
    }

    fn hear(&mut self, rate: i64) {
        let mut batch = Vec::new();
        for _ in 0..rate {
            let name = self.names[self.dice.place(self.names.len())].clone();
            let problem = self.problems.get_mut(&name).unwrap();
            // It begins, goes on, or ends.
            match (problem.fires, self.dice.percent(40)) {
                (false, _) => *problem = Problem { fires: true, began: self.now },
                (true, true) => problem.fires = false,
                (true, false) => {}
            }
            let ends = (!problem.fires).then_some(self.now);
            self.events += 1;
            let mut event = news(self.events, self.now, TARGET, &name, problem.began, ends);
            event.window = Duration::ZERO;
            event.parts[0].fall_after = Some(Duration::from_millis(FALL_AFTER.unsigned_abs()));
            batch.push(Op::Accept(Box::new(event)));
        }
        for done in self.engine.apply(&batch).unwrap() {
            let Done::Accepted(_, fresh) = done.unwrap() else { panic!("an answer to something else") };
            fresh.into_iter().for_each(|fresh| self.schedule.push(fresh));
        }
    }

    fn work(&mut self) {
        let terms = terms();
        loop {
            match self.target.step(&mut self.schedule, &terms, at(self.now), &|_: &Claimed| None) {
                Step::Wait(_) | Step::Defer { .. } => return,
                Step::Aside { .. } => {}
                Step::Send(errand) => self.call(&errand, &terms),
                Step::Settle(resolution) => self.write(vec![*resolution]),
                Step::Load(lanes) => {
                    for (lane, work) in self.reader.lane_work(&lanes, EACH) {
                        self.schedule.loaded(lane, work.unwrap());
                    }
                }
                Step::Refill { limit, mark } => {
                    let lanes = self.reader.due_lanes(TARGET, limit).unwrap();
                    self.schedule.refilled(&lanes, mark);
                }
            }
        }
    }

    fn call(&mut self, errand: &Errand, terms: &Terms) {
        let outcome = if self.is_down {
            Outcome::Retry { reason: "no connection".into(), after: None, whole_target: false }
        } else {
            for head in errand.heads() {
                let name = head.key.as_str().to_owned();
                let fires = self.problems[&name].fires;
                match head.action {
                    Action::Resolve => drop(self.open.remove(&name)),
                    Action::Trigger | Action::Acknowledge => drop(self.open.insert(name.clone())),
                }
                let was_true = match head.action {
                    Action::Resolve => !fires || self.owes_more(errand),
                    Action::Trigger | Action::Acknowledge => fires,
                };
                self.sent.push(Sent { problem: name, action: head.action, was_true });
            }
            Outcome::delivered()
        };
        let tried = Tried { outcome, calls: 1, ..Tried::nothing(at(self.now)) };
        let ended = self.target.tried(errand, tried, terms, at(self.now));
        self.write(ended.resolutions);
    }

    /// A resolve that is still owed may come right before the trigger of the next episode.
    fn owes_more(&mut self, errand: &Errand) -> bool {
        let lane = (errand.first.lane, errand.first.head.as_ref().unwrap().id);
        let work = self.reader.lane_work(&[lane], EACH).remove(0).1.unwrap();
        !work.open.is_empty()
    }

    fn write(&mut self, resolutions: Vec<Resolution>) {
        let settle = |one: &Resolution| Op::Settle(Arc::new(one.settlement.clone()));
        let batch: Vec<Op> = resolutions.iter().map(settle).collect();
        for done in self.engine.apply(&batch).unwrap() {
            done.unwrap();
        }
        for Resolution { settlement, done, tried } in resolutions {
            let dead = settlement.settled.iter().any(|settled| settled.state == State::Dead);
            assert!(!dead, "nothing is given up in a day");
            self.schedule.release(settlement.lane, &done, tried, settlement.due, settlement.after);
        }
    }

    fn tell_fallbacks(&mut self) {
        loop {
            let lanes = self.reader.falling(TARGET, at(self.now), EACH).unwrap();
            for lane in &lanes {
                let work = self.reader.lane_work(&[(*lane, 0)], EACH).remove(0).1.unwrap();
                let trigger = work.open.last().filter(|last| last.action == Action::Trigger);
                if let Some(open) = trigger {
                    let waited = at(self.now).duration_since(open.accepted_at).as_millis();
                    self.fallbacks.push(i64::try_from(waited).unwrap());
                }
                let told = Rescue { lane: *lane, why: Why::Fallen, event: None };
                self.engine.apply(&[Op::Rescue(Box::new(told))]).unwrap();
            }
            if lanes.len() < EACH {
                return;
            }
        }
    }

    fn forget(&mut self) {
        let before = at(self.now - KEEP);
        let retention = Retention {
            events_before: before,
            lanes_before: before,
            audit_before: before,
            used_max: u64::MAX,
            give_back: false,
            rows_max: PRUNE_ROWS,
        };
        for _ in 0..PRUNE_STEPS {
            let done = self.engine.apply(&[Op::Prune(retention)]).unwrap().remove(0).unwrap();
            if !matches!(done, Done::Pruned(rows) if rows >= PRUNE_ROWS) {
                return;
            }
        }
    }

    /// What the vendor has open is what fires.
    pub fn vendor_knows_what_is(&self) -> bool {
        let fires = |(name, problem): (&String, &Problem)| problem.fires.then(|| name.clone());
        let firing: BTreeSet<String> = self.problems.iter().filter_map(fires).collect();
        !firing.is_empty() && firing == self.open
    }

    /// Deliveries that wait, and the most of one lane, as the rows have it.
    pub fn waiting(&self) -> (i64, i64) {
        let rows = Connection::open(&self.file).unwrap();
        let sum = "SELECT coalesce(sum(n), 0), coalesce(max(n), 0) FROM
                   (SELECT count(*) AS n FROM deliveries WHERE state < 2 GROUP BY lane)";
        rows.query_row(sum, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    /// What the fullest lane owes: id, action and attempts of each.
    pub fn fullest(&self) -> Vec<(i64, i64, i64)> {
        let rows = Connection::open(&self.file).unwrap();
        let owed = "SELECT id, action, attempts FROM deliveries WHERE state < 2 AND lane =
                    (SELECT lane FROM deliveries WHERE state < 2 GROUP BY lane ORDER BY count(*) DESC LIMIT 1)";
        let mut query = rows.prepare(owed).unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Deliveries in memory.
    pub fn held(&self) -> usize {
        self.schedule.held()
    }

    /// How often the fallback was told, and the longest that a trigger had waited by then.
    pub fn fallbacks(&self) -> (usize, i64) {
        (self.fallbacks.len(), self.fallbacks.iter().copied().max().unwrap_or(0))
    }

    /// Lanes whose time is past and whose fallback has not been told.
    pub fn untold_fallbacks(&mut self) -> usize {
        self.reader.falling(TARGET, at(self.now), usize::MAX >> 1).unwrap().len()
    }

    pub fn most_sent_of_a_lane_since(&self, first: usize) -> usize {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for sent in &self.sent[first..] {
            *counts.entry(&sent.problem).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    }
}

fn terms() -> Terms {
    let pace = Pace {
        tokens: 6000.try_into().unwrap(),
        per: Duration::from_secs(60),
        burst: 100.try_into().unwrap(),
    };
    Terms {
        retry: RetryPolicy::default(),
        rate: Rate::Whole(pace),
        concurrency: 8,
        repeat: Repeat::Harmless,
        send_resolved: true,
        digest: false,
        breaker: BreakerPolicy { failures: 5, open_for: Duration::from_secs(30) },
        fall_after_attempts: None,
    }
}
