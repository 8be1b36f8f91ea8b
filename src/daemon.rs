//! Opens, wires, runs, reloads and drains. The story of one run, from top to bottom.
//!
//! This room owns the real clock, the real dice, signals and the sockets that listen.

mod descriptors;
pub mod failed;
mod listeners;
mod notify;
mod opening;
mod platforms;
mod reload;
mod tls;
mod traces;
mod upkeep;
mod watch;

use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assemble::Base;
use crate::client::{Client, ClientSettings, TimeLimits};
use crate::daemon::failed::Failed;
use crate::daemon::listeners::Given;
use crate::daemon::notify::Supervisor;
use crate::daemon::opening::{Remembered, open_store, read_first, remembered};
use crate::daemon::platforms::ByCourier;
use crate::daemon::reload::{Reloader, left_behind};
use crate::daemon::tls::Certificates;
use crate::deliver::attempt::{Courier, Printer, Voice};
use crate::deliver::fleet::Fleet;
use crate::deliver::patience::Inquiries;
use crate::deliver::purse::Purse;
use crate::deliver::tickets;
use crate::incident::jobs::Runner;
use crate::incident::{budget, escalation, reminding, watch as histograms};
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::server::accept::{self, Limits};
use crate::server::app::App;
use crate::server::budget::Budget;
use crate::server::own;
use crate::server::paths::Door;
use crate::server::shadow::Shadow;
use crate::server::sns::Notary;
use crate::server::state::{Reload, State};
use crate::server::tls::Shown;
use crate::trace::span::Tracer;

/// Time for a certificate or a confirmation of SNS, which waits 15 s for its answer.
const NOTARY_TIME: Duration = Duration::from_secs(7);
/// Time for the last commit when the relay stops.
const CLOSE_TIME: Duration = Duration::from_secs(10);
/// The wall clock.
#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock; everything else is given the time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Runs until SIGTERM or SIGINT, then drains. `candidate` is a configuration that is shown every event
/// and sends nothing; `printer` shows what kind `console` and dry runs say.
///
/// # Errors
/// The configuration has errors, the store cannot be opened, or the address cannot be listened on.
pub async fn serve(config: &Path, candidate: Option<&Path>, printer: Printer) -> Result<(), Failed> {
    run(config, candidate, printer, ClientSettings::default()).await
}

/// The same, with calls made in another way than usual: a test stands in for the world outside.
///
/// # Errors
/// As [`serve`].
pub async fn serve_with(config: &Path, printer: Printer, calls: ClientSettings) -> Result<(), Failed> {
    run(config, None, printer, calls).await
}

async fn run(
    config: &Path,
    candidate: Option<&Path>,
    printer: Printer,
    calls: ClientSettings,
) -> Result<(), Failed> {
    let supervisor = Supervisor::of_this_process();
    let given = Given::to_this_process()?;
    let mut signals = Signals::listen().map_err(Failed::new)?;
    let (rulebook, base, noted) = read_first(config)?;
    let clock: Arc<dyn Clock> = Arc::new(WallClock);
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    metrics.started(clock.now());
    let certificates = Certificates::open(&base, config, &metrics)?;
    let listeners = given.or_own(&base).await?;
    let (store, closing) = tokio::select! {
        opened = open_store(&base, &clock, &metrics, &supervisor) => opened?,
        () = signals.end() => return Ok(()),
    };
    let client = Client::new(base.outbound.over(calls)).map_err(Failed::new)?;
    let notary = Notary::new(client.with_limits(TimeLimits::whole(NOTARY_TIME)).map_err(Failed::new)?);
    let (voice, ear) = Voice::new();
    let (tracer, exporter) = traces::start(&base, &client, &metrics, &clock);
    let courier = Courier {
        client,
        clock: Arc::clone(&clock),
        printer,
        voice: voice.clone(),
        purse: Purse::new(store.clone()),
        inquiries: Inquiries::new(metrics.clone()),
        tracer: tracer.clone(),
    };
    let fleet = Fleet::new(rulebook, store.clone(), courier, metrics.clone(), Arc::new(seed));
    fleet.ensure_loops();
    metrics.config_loaded(clock.now());

    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let shadow = candidate.map(|path| {
        let (shadow, ear) = Shadow::new(path, metrics.clone(), clock.now());
        tasks.spawn(shadow.clone().run(ear, store.clone(), stop.clone()));
        shadow
    });
    let reloader = Arc::new(Reloader {
        config: config.to_owned(),
        base: base.clone(),
        fleet: fleet.clone(),
        store: store.clone(),
        metrics: metrics.clone(),
        clock: Arc::clone(&clock),
        supervisor: supervisor.clone(),
        certificates: certificates.clone(),
        shadow,
        noted: Mutex::new(noted),
        runtime: tokio::runtime::Handle::current(),
    });
    let known = remembered(&store, &fleet.books().current(), clock.now()).await;
    let app = App::new(state(&reloader, notary, tracer, known)?);
    let limits = limits(&base);
    tell_ready(&listeners, &base);
    let open = |(door, listener)| open_door(door, listener, certificates.shown(door), &app, limits, &stop);
    let doors: Vec<JoinHandle<()>> = listeners.into_iter().map(open).collect();
    tasks.spawn(own::run(app.clone(), ear, stop.clone()));
    look_after(&tasks, &app, &reloader, voice, &stop);
    supervisor.ready(&reloader.in_force());
    tasks.spawn(left_behind(fleet.clone(), store.clone()));

    signals.wait(&reloader).await;
    // Connections and deliveries have their time one after the other.
    supervisor.stopping(base.drain * 2 + CLOSE_TIME * 2);
    stop.cancel();
    drop((app, store, reloader));
    drain(doors, tasks, fleet, base.drain).await;
    exporter.finish().await;
    // Connections that were cut may hold a handle a moment longer.
    let _ended = tokio::task::spawn_blocking(move || closing.wait(CLOSE_TIME)).await;
    tracing::info!("stopped");
    Ok(())
}

fn tell_ready(listeners: &[(Door, TcpListener)], base: &Base) {
    let addresses =
        listeners.iter().filter_map(|(_, listener)| Some(listener.local_addr().ok()?.to_string()));
    tracing::info!(listen = addresses.collect::<Vec<_>>().join(", "), store = %base.store.display(), "ready");
}

/// What requests are answered from; `known` is what the store knew of.
fn state(
    reloader: &Arc<Reloader>,
    notary: Notary,
    tracer: Tracer,
    known: Remembered,
) -> Result<State, Failed> {
    let (base, on_order) = (&reloader.base, Arc::clone(reloader));
    let reload: Reload = Arc::new(move || on_order.reload("the admin interface asked for it"));
    Ok(State {
        books: reloader.fleet.books().clone(),
        store: reloader.store.clone(),
        metrics: reloader.metrics.clone(),
        fleet: reloader.fleet.clone(),
        clock: Arc::clone(&reloader.clock),
        active: Mutex::new(known.active),
        expiries: Mutex::new(known.expiries),
        recent: RwLock::new(known.recent),
        beats: Mutex::default(),
        ahead: Default::default(),
        notary,
        dice: Mutex::new(fastrand::Rng::with_seed(seed())),
        budget: Budget::new(base.body_budget),
        complained: AtomicI64::new(0),
        body_time: base.body_timeout,
        reload,
        shadow: reloader.shadow.clone(),
        sources: Mutex::default(),
        tracer,
        paths: App::paths().map_err(Failed::new)?,
    })
}

/// Ends what was told to stop, each in its time: first what takes in, then what sends.
async fn drain(doors: Vec<JoinHandle<()>>, tasks: TaskTracker, fleet: Fleet, limit: Duration) {
    tracing::info!("stopping: no more calls are taken in, what is under way is finished");
    for door in doors {
        let _ended = door.await;
    }
    tasks.close();
    tasks.wait().await;
    fleet.drain(limit).await;
}

/// Starts what goes on beside calls and deliveries, until `stop`.
fn look_after(
    tasks: &TaskTracker,
    app: &App,
    reloader: &Arc<Reloader>,
    voice: Voice,
    stop: &CancellationToken,
) {
    let state = app.state();
    let (store, metrics, clock) = (&state.store, &state.metrics, Arc::clone(&state.clock));
    let tight = Arc::new(Notify::new());
    let books = state.books.clone();
    tasks.spawn(upkeep::prune(store.clone(), books, clock, Arc::clone(&tight), stop.clone()));
    tasks.spawn(upkeep::watch_disk(store.clone(), metrics.clone(), voice, tight, stop.clone()));
    tasks.spawn(escalation::run(
        store.clone(),
        state.books.clone(),
        Arc::clone(&state.clock),
        seed(),
        stop.clone(),
    ));
    follow_tickets(tasks, &state, stop);
    tasks.spawn(runner(&state).run(seed(), stop.clone()));
    let clock = Arc::clone(&state.clock);
    tasks.spawn(histograms::run(store.clone(), metrics.clone(), clock, stop.clone()));
    let (books, clock) = (state.books.clone(), Arc::clone(&state.clock));
    tasks.spawn(budget::run(store.clone(), books, metrics.clone(), clock, stop.clone()));
    tasks.spawn(watch::watch(Arc::clone(reloader), stop.clone()));
    tasks.spawn(reloader.certificates.clone().watch(Arc::clone(&state.clock), stop.clone()));
    tasks.spawn(reloader.supervisor.clone().keep_alive(store.clone(), stop.clone()));
}

/// What moves the jobs of incidents.
fn runner(state: &State) -> Runner<ByCourier> {
    Runner {
        store: state.store.clone(),
        books: state.books.clone(),
        clock: Arc::clone(&state.clock),
        metrics: state.metrics.clone(),
        platforms: ByCourier(state.fleet.courier().clone()),
    }
}

/// Starts what asks after tickets and reminds of them.
fn follow_tickets(tasks: &TaskTracker, state: &State, stop: &CancellationToken) {
    let (store, books, clock) = (&state.store, &state.books, Arc::clone(&state.clock));
    tasks.spawn(tickets::run(
        store.clone(),
        books.clone(),
        state.fleet.courier().clone(),
        state.metrics.clone(),
        seed(),
        stop.clone(),
    ));
    tasks.spawn(reminding::run(store.clone(), books.clone(), clock, seed(), stop.clone()));
}

fn limits(base: &Base) -> Limits {
    Limits {
        header_time: base.header_timeout,
        connections: descriptors::connections(base.connections),
        drain_time: base.drain,
        ..Limits::default()
    }
}

fn open_door(
    door: Door,
    listener: TcpListener,
    shown: Option<Shown>,
    app: &App,
    limits: Limits,
    stop: &CancellationToken,
) -> JoinHandle<()> {
    let metrics = app.state().metrics.clone();
    let app = app.clone();
    let service = move |peer, request| app.clone().answer(door, peer, request);
    tokio::spawn(accept::serve(listener, shown, service, limits, metrics, stop.clone()))
}

/// What people and the service manager order by signal. Heard from the very start: whoever orders a
/// reload too early must not end the relay.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// SIGTERM or SIGINT.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// SIGHUP reloads; SIGTERM and SIGINT end the wait.
    async fn wait(mut self, reloader: &Arc<Reloader>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    let reloader = Arc::clone(reloader);
                    let _done = tokio::task::spawn_blocking(move || reloader.reload("SIGHUP")).await;
                }
            }
        }
    }
}

/// Dice of the operating system.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where dice come from; everything else is given a seed"
)]
fn seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        // Jitter and ids only need to differ, not to be secret.
        Err(_) => WallClock.now().as_nanosecond().unsigned_abs() as u64 ^ u64::from(std::process::id()),
    }
}
