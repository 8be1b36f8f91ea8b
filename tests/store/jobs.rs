//! Jobs on real SQLite: whatever is proposed, approved, started, told and repeated in whatever order,
//! the guard rails hold and nothing is started twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use alert_relay::domain::delivery::State as Sent;
use alert_relay::domain::incident::Draft;
use alert_relay::domain::job::{State, Stop};
use alert_relay::domain::message::{Action, DedupKey, RemoteRef};
use alert_relay::domain::rails::{Limits, Rails};
use alert_relay::store::boundary::{LaneState, Settled, Settlement};
use alert_relay::store::event::NewEvent;
use alert_relay::store::handle::Store;
use alert_relay::store::hearing::Cast;
use alert_relay::store::incidents::{Act, Acting};
use alert_relay::store::jobs::{Asked, Closing, JobFilter, JobMove, JobRecord, JobStep, OpenRun, Proposal};
use alert_relay::store::orders::{Filter, Order, What};
use uuid::Uuid;

use crate::ground::{alert, at, event, group, part};
use crate::open;

const LIMITS: Limits =
    Limits { parallel: 2, per_hour: 5, approve_within: Duration::from_secs(600), dry_run: false };
const RAILS: Rails = Rails { cooldown: Duration::from_secs(900), limits: LIMITS };
const RULES: [&str; 3] = ["restart", "clean", "fail over"];

/// A store, dice, and a clock that is moved by hand.
struct World {
    store: Store,
    dice: fastrand::Rng,
    now: i64,
    uid: u128,
}

impl World {
    fn uid(&mut self) -> Uuid {
        self.uid += 0x1000;
        Uuid::from_u128(self.uid)
    }

    fn order(&mut self, id: i64, act: Act) -> Order {
        let acting = Acting { id, act, note: String::new(), cast: Arc::new(Cast::default()) };
        let what = What::Incident(acting);
        Order { who: "ann".into(), at: at(self.now), uid: self.uid(), what, still: None }
    }

    /// Makes a step, now and then twice.
    async fn make(&mut self, what: JobMove) {
        let times = if self.dice.u8(0..4) == 0 { 2 } else { 1 };
        for _ in 0..times {
            let (uid, cast) = (self.uid(), Arc::new(Cast::default()));
            let step = JobStep { at: at(self.now), uid, cast, what: what.clone() };
            self.store.move_job(step).await.unwrap();
        }
    }

    async fn opens(&mut self, name: &str, service: &str) {
        let draft = Draft {
            service: service.into(),
            title: name.into(),
            jobs: RULES.iter().map(|rule| Arc::from(*rule)).collect(),
            ..Draft::default()
        };
        let group = group(name, vec![alert(name, self.now, None)]);
        let mut event = event(self.uid().as_u128(), at(self.now), &["chat"], &[group]);
        event.parts[0].incident = Some(Arc::new(draft));
        self.store.accept(event).await.unwrap();
    }

    async fn jobs(&self) -> Vec<JobRecord> {
        let filter = JobFilter { limit: 10_000, ..JobFilter::default() };
        self.store.read(move |reader| reader.jobs(&filter)).await.unwrap()
    }

    async fn open_runs(&self) -> Vec<OpenRun> {
        self.store.read(|reader| reader.open_runs(1000)).await.unwrap()
    }

    async fn propose(&mut self) {
        let within = Duration::from_secs(1800);
        let plans = self.store.read(move |reader| reader.due_plans(within, 100)).await.unwrap();
        for plan in plans {
            let incident = plan.about.incident;
            let untried = RULES.iter().find(|rule| !plan.tried.iter().any(|tried| tried == **rule));
            let what = match untried.filter(|_| plan.is_open && !plan.is_busy) {
                None => JobMove::Rest(incident),
                Some(rule) => JobMove::Propose(Box::new(Proposal {
                    incident,
                    rule: Arc::from(*rule),
                    target: "repair".into(),
                    stops_when_over: true,
                    approve_until: self.dice.bool().then(|| at(self.now + 600_000)),
                    timeout: 300,
                    change: None,
                    rails: RAILS,
                    known: String::new(),
                })),
            };
            self.make(what).await;
        }
    }

    fn start(&mut self, open: &OpenRun) -> JobMove {
        let group = open.about.group.clone().unwrap();
        let mut part = part("repair", 0, &group);
        part.key = DedupKey::written(&format!("{} job {}", open.about.key, open.run.id)).unwrap();
        let uid = self.uid();
        let event = NewEvent { parts: vec![part], ..event(uid.as_u128(), at(self.now), &[], &[group]) };
        let event = NewEvent { body: Vec::new(), window: Duration::ZERO, ..event };
        JobMove::Start { run: open.run.id, rails: RAILS, event: Ok(Box::new(event)) }
    }

    /// The platform takes what it is owed, refuses it, or is never heard of again.
    async fn settles(&mut self) {
        let lanes = self.store.read(|reader| reader.due_lanes("repair", 100)).await.unwrap();
        for lane in lanes {
            let work = self.store.read(move |reader| Ok(reader.lane_work(&[(lane.lane, 0)], 9))).await;
            let work = work.unwrap().remove(0).1.unwrap();
            let Some(head) = work.open.first() else { continue };
            let (state, after) = match self.dice.u8(0..6) {
                0 => (Sent::Dead, LaneState::default()),
                1 => (Sent::Dead, LaneState { begun: Some(head.uid.clone()), ..LaneState::default() }),
                _ => {
                    let remote = Some(RemoteRef(format!("run-{}", head.id)));
                    (Sent::Delivered, LaneState { seen: true, remote, begun: None })
                }
            };
            let settled = Settled { id: head.id, state, reason: "r".into(), by: None, attempt: None };
            let settlement = Settlement {
                epoch: 0,
                lane: lane.lane,
                settled: vec![settled],
                due: at(self.now),
                after,
                now: at(self.now),
                fall_now: false,
                given_up: None,
                tells: None,
                follows: None,
            };
            self.store.settle(settlement).await.unwrap();
        }
    }

    async fn moves(&mut self) {
        let runs = self.open_runs().await;
        let Some(open) = self.dice.choice(&runs).cloned() else { return };
        let id = open.run.id;
        let what = match (open.run.state, self.dice.u8(0..5)) {
            (State::Proposed, 0) => JobMove::Expire(id, "late"),
            (State::Proposed, 1..) => {
                let (yes, job) = (self.dice.u8(0..5) > 0, Some(id));
                let order =
                    self.order(open.run.incident, if yes { Act::Approve(job) } else { Act::Decline(job) });
                let _late = self.store.manage(order).await.unwrap();
                return;
            }
            (State::Approved, _) => self.start(&open),
            (State::Starting, 0) => JobMove::Withdraw(id),
            (State::Running, 0) => JobMove::Stop(id, Stop::Timeout),
            (State::Running, how) => {
                let ended_well = [None, Some(true), Some(false)][usize::from(how) % 3];
                JobMove::Asked(id, Box::new(Asked { ended_well, ..Asked::default() }))
            }
            (state, _) if !state.is_active() => JobMove::Close(Box::new(Closing {
                run: id,
                state,
                output: String::new(),
                event: None,
                resolves: state == State::Succeeded && self.dice.bool(),
                goes_on: true,
            })),
            // A step that was meant for another state changes nothing.
            _ => self.start(&open),
        };
        self.make(what).await;
    }

    /// What must hold at every moment.
    async fn check(&self, started: &mut BTreeMap<i64, i64>) {
        let jobs = self.jobs().await;
        let under_way = jobs.iter().filter(|job| matches!(job.state, State::Starting | State::Running));
        assert!(under_way.count() <= LIMITS.parallel as usize, "{jobs:#?}");
        let hour_ago = at(self.now - 3_600_000);
        let lately = jobs.iter().filter(|job| job.started_at.is_some_and(|at| at > hour_ago)).count();
        assert!(lately <= LIMITS.per_hour as usize, "{jobs:#?}");
        for job in jobs {
            let Some(at) = job.started_at.map(|at| at.as_millisecond()) else { continue };
            assert_eq!(*started.entry(job.id).or_insert(at), at, "started once: {job:?}");
        }
    }

    /// Between two starts of a rule for a service lies its rest.
    async fn rests_were_kept(&self) {
        let mut last: BTreeMap<(String, String), i64> = BTreeMap::new();
        for job in self.jobs().await.iter().rev() {
            let Some(at) = job.started_at.map(|at| at.as_millisecond()) else { continue };
            let story = self.store.read({
                let id = job.incident;
                move |reader| reader.story(id)
            });
            let service = story.await.unwrap().unwrap().incident.service;
            if let Some(before) = last.insert((job.rule.clone(), service), at) {
                let rest = i64::try_from(RAILS.cooldown.as_millis()).unwrap();
                assert!((at - before).abs() >= rest, "{job:?}");
            }
        }
    }
}

#[tokio::test]
async fn whatever_happens_in_whatever_order_the_rails_hold_and_nothing_starts_twice() {
    for seed in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let (store, _closing, _) = open(folder.path()).unwrap();
        let mut world = World { store, dice: fastrand::Rng::with_seed(seed), now: 0, uid: 0 };
        let mut started = BTreeMap::new();
        for step in 0..250 {
            world.now += world.dice.i64(1_000..90_000);
            match world.dice.u8(0..10) {
                0 => {
                    let service = if world.dice.bool() { "checkout" } else { "cart" };
                    world.opens(&format!("alert {step}"), service).await;
                }
                1 | 2 => world.propose().await,
                3 | 4 => world.settles().await,
                _ => world.moves().await,
            }
            world.check(&mut started).await;
        }
        assert!(started.len() > 3, "seed {seed} came to nothing: {:#?}", world.jobs().await);
        world.rests_were_kept().await;
        one_start_a_run(&world).await;
    }
}

/// Every start is one delivery to the platform, in a lane of its own.
async fn one_start_a_run(world: &World) {
    let filter = Filter { target: Some("repair".into()), limit: 10_000, ..Filter::default() };
    let page = world.store.read(move |reader| reader.deliveries(&filter)).await.unwrap();
    let triggers: Vec<&str> = page
        .0
        .iter()
        .filter(|delivery| delivery.action == Action::Trigger)
        .map(|delivery| delivery.key.as_str())
        .collect();
    let unique: BTreeSet<&str> = triggers.iter().copied().collect();
    assert_eq!(unique.len(), triggers.len(), "{triggers:?}");
    let started = world.jobs().await.iter().filter(|job| job.started_at.is_some()).count();
    assert_eq!(triggers.len(), started);
}
