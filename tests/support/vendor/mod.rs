//! A PagerDuty that can be scripted: real HTTP on 127.0.0.1, the checks and answers of Events API
//! v2, incidents by (routing key, dedup key), every request on record, faults on command. It lives
//! on a thread of its own, so a test that blocks does not stop it. There is no REST API here.
#![allow(dead_code, reason = "each user takes its own part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]
#![allow(clippy::disallowed_methods, reason = "a stage prop with a real clock")]

pub mod dice;
pub mod ledger;
pub mod rules;
pub mod script;
mod server;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ledger::{Call, Incident, Ledger};
use rules::Action;
use script::{Chaos, Fault, Script};
use tokio::sync::watch;

/// The routing key that a fresh [`PagerDuty`] knows.
pub const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

/// What the server thread and the test share.
pub struct Stage {
    pub began: Instant,
    pub ledger: Mutex<Ledger>,
    pub script: Mutex<Script>,
}

/// Whether the vendor listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    Off,
    Gone,
}

/// A running fake PagerDuty; gone when dropped.
pub struct PagerDuty {
    address: SocketAddr,
    stage: Arc<Stage>,
    power: watch::Sender<Power>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl PagerDuty {
    /// On a free port of 127.0.0.1, knowing [`ROUTING_KEY`].
    pub async fn start() -> PagerDuty {
        PagerDuty::start_on("127.0.0.1:0".parse().unwrap())
    }

    /// On an address of your choice.
    pub fn start_on(address: SocketAddr) -> PagerDuty {
        let listener = std::net::TcpListener::bind(address).expect("the fake PagerDuty cannot listen");
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let stage = Arc::new(Stage {
            began: Instant::now(),
            ledger: Mutex::new(Ledger::default()),
            script: Mutex::new(Script::new(ROUTING_KEY)),
        });
        let (power, switch) = watch::channel(Power::On);
        let inside = Arc::clone(&stage);
        let thread = std::thread::spawn(move || server::run(listener, &inside, switch));
        PagerDuty { address, stage, power, thread: Some(thread) }
    }

    /// For `base_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    // What it shall do.

    /// Another routing key that is known from now on.
    pub fn know(&self, routing_key: &str) {
        self.script().routing_keys.insert(routing_key.to_owned());
    }

    /// The next request that no earlier call of this has claimed meets this fault.
    pub fn next(&self, fault: Fault) {
        self.script().queue.push_back(fault);
    }

    /// The next request is answered with this status and not processed.
    pub fn fail_next(&self, status: u16) {
        self.next(Fault::status(status));
    }

    /// Every request meets this fault, until [`PagerDuty::calm`].
    pub fn always(&self, fault: Fault) {
        self.script().steady = Some(fault);
    }

    /// Every request whose body holds one of these words is answered with this status, until
    /// [`PagerDuty::calm`].
    pub fn poison(&self, words: &[&str], status: u16) {
        self.script().poison = Some((words.iter().map(|word| (*word).to_owned()).collect(), status));
    }

    /// Random faults from a seed, until [`PagerDuty::calm`].
    pub fn chaos(&self, chaos: Chaos) {
        self.script().chaos = Some(chaos);
    }

    /// Every answer takes this long; the request counts as in progress meanwhile.
    pub fn latency(&self, latency: Duration) {
        self.script().latency = latency;
    }

    /// As the real one: at most so many events a routing key in a rolling window, then 429.
    pub fn limit(&self, events: usize, window: Duration) {
        self.script().limit = Some((events, window));
    }

    /// No faults from now on.
    pub fn calm(&self) {
        let mut script = self.script();
        script.queue.clear();
        script.steady = None;
        script.chaos = None;
        script.poison = None;
    }

    /// Nobody listens any more: connections are refused, open ones reset.
    pub fn go_down(&self) {
        self.power.send_replace(Power::Off);
    }

    /// Listens again, on the same port.
    pub fn come_back(&self) {
        self.power.send_replace(Power::On);
    }

    // What it saw.

    /// Everything it knows; keep the guard short, the vendor waits for it.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.stage.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Since it was started, as [`Call::at`] counts.
    pub fn age(&self) -> Duration {
        self.stage.began.elapsed()
    }

    /// Every request in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.ledger().calls.clone()
    }

    /// Every incident, open or not, by routing key and dedup key.
    pub fn incidents(&self) -> Vec<Incident> {
        self.ledger().incidents.values().cloned().collect()
    }

    /// How many events of an action were processed.
    pub fn processed(&self, action: Action) -> usize {
        self.ledger().events().filter(|event| event.action == action).count()
    }

    /// Waits until the ledger is as wanted.
    ///
    /// # Panics
    /// With `what` and the incidents and last calls, when it is not within `patience`.
    #[track_caller]
    pub fn wait_for(
        &self,
        what: &str,
        wanted: impl Fn(&Ledger) -> bool,
        patience: Duration,
    ) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let until = Instant::now() + patience;
            while !wanted(&self.ledger()) {
                if Instant::now() > until {
                    panic!("{place}: waited {patience:?} for {what}; PagerDuty saw\n{}", self.ledger());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// That the ledger stays as it is now, over `time`: no request more.
    #[track_caller]
    pub fn stays_quiet(&self, time: Duration) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let before = self.ledger().calls.len();
            tokio::time::sleep(time).await;
            let ledger = self.ledger();
            assert!(
                ledger.calls.len() == before,
                "{place}: more calls within {time:?}; PagerDuty saw\n{ledger}"
            );
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.stage.script.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for PagerDuty {
    fn drop(&mut self) {
        self.power.send_replace(Power::Gone);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
