//! Opens, wires, runs, reloads and drains. The story of one run, from top to bottom.
//!
//! This room owns the real clock, the real dice, signals and the sockets that listen.

mod descriptors;
mod upkeep;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::assemble::{Base, assemble};
use crate::auth::check::Auth;
use crate::client::{Client, ClientSettings, TimeLimits};
use crate::config::secrets::ThisMachine;
use crate::config::show::show;
use crate::deliver::attempt::{Courier, Printer, Voice};
use crate::deliver::fleet::Fleet;
use crate::deliver::purse::Purse;
use crate::domain::problem::{Problem, Severity};
use crate::incident::{escalation, watch};
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::plan::learn;
use crate::route::inhibit::Active;
use crate::rulebook::{Rulebook, Rulebooks};
use crate::server::accept::{self, Limits};
use crate::server::app::App;
use crate::server::budget::Budget;
use crate::server::expiry::Expiries;
use crate::server::own;
use crate::server::paths::Door;
use crate::server::sns::Notary;
use crate::server::state::{Reload, State};
use crate::store::boundary::StoreError;
use crate::store::handle::{self, Closing, Store};
use crate::store::schedule::Caps;

/// Pause before a store on a full disk is tried again.
const FULL_PAUSE: Duration = Duration::from_secs(1);
/// Time for a certificate or a confirmation of SNS, which waits 15 s for its answer.
const NOTARY_TIME: Duration = Duration::from_secs(7);
/// Time for the last commit when the relay stops.
const CLOSE_TIME: Duration = Duration::from_secs(10);
/// Events that are looked through at the start for alerts that inhibit others, and how old they
/// may be: what still fires is told again long before.
const REMEMBER_EVENTS: usize = 20_000;
const REMEMBER_FOR: Duration = Duration::from_secs(24 * 3600);

/// The wall clock.
#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock; everything else is given the time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Why the daemon did not start, or ended: one sentence, with the whole report for a bad file.
#[derive(Debug)]
pub struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn failed(what: impl fmt::Display) -> Failed {
    Failed(what.to_string())
}

/// Runs until SIGTERM or SIGINT, then drains. `printer` shows what kind `console` and dry runs say.
///
/// # Errors
/// The configuration has errors, the store cannot be opened, or the address cannot be listened on.
pub async fn serve(config: &Path, printer: Printer) -> Result<(), Failed> {
    serve_with(config, printer, ClientSettings::default()).await
}

/// The same, with calls made in another way than usual: a test stands in for the world outside.
///
/// # Errors
/// As [`serve`].
pub async fn serve_with(config: &Path, printer: Printer, calls: ClientSettings) -> Result<(), Failed> {
    let (rulebook, base) = read_config(config)?;
    let clock: Arc<dyn Clock> = Arc::new(WallClock);
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    let listener = listen(base.listen).await?;
    let admin_listener = listen_for_admins(&base).await?;
    let (store, closing) = open_store(&base, &clock, &metrics).await?;
    let client = Client::new(calls).map_err(failed)?;
    let notary = Notary::new(client.with_limits(TimeLimits::whole(NOTARY_TIME)).map_err(failed)?);
    let (voice, ear) = Voice::new();
    let own_voice = voice.clone();
    let purse = Purse::new(store.clone());
    let courier = Courier { client, clock: Arc::clone(&clock), printer, voice, purse };
    let fleet = Fleet::new(rulebook, store.clone(), courier, metrics.clone(), Arc::new(seed));
    fleet.ensure_loops();
    metrics.config_loaded(clock.now());

    let stop = CancellationToken::new();
    let (active, expiries) = remembered(&store, fleet.books(), clock.now()).await;
    let reload = reloader(config.to_owned(), &fleet, &metrics, &clock);
    let app = App::new(State {
        books: fleet.books().clone(),
        store: store.clone(),
        metrics: metrics.clone(),
        fleet: fleet.clone(),
        clock: Arc::clone(&clock),
        active: Mutex::new(active),
        expiries: Mutex::new(expiries),
        beats: Mutex::default(),
        ahead: Default::default(),
        notary,
        dice: Mutex::new(fastrand::Rng::with_seed(seed())),
        admin: Auth { bearer: base.admin_tokens.clone(), ..Auth::default() },
        budget: Budget::new(base.body_budget),
        complained: AtomicI64::new(0),
        body_time: base.body_timeout,
        reload: Arc::clone(&reload),
        sources: Mutex::default(),
        paths: App::paths().map_err(failed)?,
    });
    let limits = limits(&base);
    let address = listener.local_addr().map_err(failed)?;
    let first = if admin_listener.is_some() { Door::Senders } else { Door::Whole };
    let mut doors = vec![open_door(first, listener, &app, limits, &stop)];
    doors.extend(admin_listener.map(|listener| open_door(Door::Admin, listener, &app, limits, &stop)));
    let own = tokio::spawn(own::run(app.clone(), ear, stop.clone()));
    let books = fleet.books().clone();
    let tight = Arc::new(Notify::new());
    let pruning = upkeep::prune(store.clone(), books, Arc::clone(&clock), Arc::clone(&tight), stop.clone());
    let pruning = tokio::spawn(pruning);
    let watching = upkeep::watch_disk(store.clone(), metrics.clone(), own_voice, tight, stop.clone());
    let watching = tokio::spawn(watching);
    let stopped = stop.clone();
    let escalating = tokio::spawn(escalation::run(
        store.clone(),
        fleet.books().clone(),
        Arc::clone(&clock),
        seed(),
        stopped,
    ));
    let watching_incidents =
        tokio::spawn(watch::run(store.clone(), metrics.clone(), Arc::clone(&clock), stop.clone()));
    tracing::info!(listen = %address, store = %base.store.display(), "ready");

    wait_for_signals(reload).await.map_err(failed)?;
    tracing::info!("stopping: no more calls are taken in, what is under way is finished");
    stop.cancel();
    for door in doors {
        let _ended = door.await;
    }
    for task in [own, pruning, watching, escalating, watching_incidents] {
        let _ended = task.await;
    }
    fleet.drain(base.drain).await;
    drop((app, fleet, store));
    // Connections that were cut may hold a handle a moment longer.
    let _ended = tokio::task::spawn_blocking(move || closing.wait(CLOSE_TIME)).await;
    tracing::info!("stopped");
    Ok(())
}

fn limits(base: &Base) -> Limits {
    Limits {
        header_time: base.header_timeout,
        connections: descriptors::connections(base.connections),
        drain_time: base.drain,
        ..Limits::default()
    }
}

/// Opens the store. On a disk so full that not even that works it waits for room: senders wait at
/// the door meanwhile, and come again.
async fn open_store(
    base: &Base,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
) -> Result<(Store, Closing), Failed> {
    let mut told = false;
    loop {
        let counted = metrics.clone();
        let on_commit =
            Box::new(move |took: Duration, operations: usize| counted.committed(operations, took));
        let folder = base.store.display();
        match handle::open_embedded(&base.store, Caps::default(), Arc::clone(clock), on_commit) {
            Ok((store, closing, found)) => {
                store.set_limits(base.store_wait, base.keep_free);
                if let Err(error) = store.disk().look(0) {
                    tracing::warn!(%error, "the room on the disk is not known");
                }
                if found.perhaps_sent > 0 {
                    tracing::warn!(
                        "the last run did not end cleanly: what was being sent then counts as perhaps sent"
                    );
                }
                return Ok((store, closing));
            }
            Err(StoreError::DiskFull) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(
                        "the store in {folder} cannot be opened, because its disk is full; nothing can be taken in or delivered before there is room"
                    );
                }
                tokio::time::sleep(FULL_PAUSE).await;
            }
            Err(error) => return Err(failed(format!("the store in {folder} cannot be opened: {error}"))),
        }
    }
}

/// The alerts that inhibit others, and those that end by themselves, as the last run knew them.
async fn remembered(store: &Store, books: &Rulebooks, now: Timestamp) -> (Active, Expiries) {
    let (mut active, mut expiries) = (Active::default(), Expiries::default());
    let book = books.current();
    if book.inhibit.is_empty() && book.sources.values().all(|source| source.kind != "prometheus") {
        return (active, expiries);
    }
    let since = now.saturating_sub(REMEMBER_FOR).unwrap_or(Timestamp::UNIX_EPOCH);
    match store.read(move |reader| reader.recent(since, REMEMBER_EVENTS)).await {
        Ok(groups) => {
            learn(&book, &groups, &mut active);
            expiries.hear(&groups.into_iter().map(Arc::new).collect::<Vec<_>>());
        }
        Err(error) => tracing::warn!(%error, "what was known before the start could not be read"),
    }
    (active, expiries)
}

fn read_config(config: &Path) -> Result<(Rulebook, Base), Failed> {
    let text =
        std::fs::read_to_string(config).map_err(|error| failed(format!("{}: {error}", config.display())))?;
    let assembled = assemble(&text, &ThisMachine::new(config));
    log_warnings(&assembled.problems);
    assembled
        .ready
        .ok_or_else(|| failed(show(&assembled.problems, &config.display().to_string(), &text, false)))
}

fn log_warnings(problems: &[Problem]) {
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Warning) {
        tracing::warn!("{problem}");
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).await.map_err(|error| failed(format!("cannot listen on {address}: {error}")))
}

async fn listen_for_admins(base: &Base) -> Result<Option<TcpListener>, Failed> {
    match base.admin_listen {
        Some(address) => Ok(Some(listen(address).await?)),
        None => Ok(None),
    }
}

fn open_door(
    door: Door,
    listener: TcpListener,
    app: &App,
    limits: Limits,
    stop: &CancellationToken,
) -> JoinHandle<()> {
    let metrics = app.state().metrics.clone();
    let app = app.clone();
    let service = move |peer, request| app.clone().answer(door, peer, request);
    tokio::spawn(accept::serve(listener, service, limits, metrics, stop.clone()))
}

/// SIGHUP reloads; SIGTERM and SIGINT end the wait.
async fn wait_for_signals(reload: Reload) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => {
                let reload = Arc::clone(&reload);
                let _done = tokio::task::spawn_blocking(move || reload()).await;
            }
        }
    }
}

fn reloader(config: PathBuf, fleet: &Fleet, metrics: &Metrics, clock: &Arc<dyn Clock>) -> Reload {
    let (fleet, metrics, clock) = (fleet.clone(), metrics.clone(), Arc::clone(clock));
    let runtime = tokio::runtime::Handle::current();
    Arc::new(move || {
        let refuse = |problems: Vec<Problem>| {
            for problem in &problems {
                tracing::error!("{problem}");
            }
            tracing::error!("the configuration was not reloaded; the old one stays in force");
            metrics.config_refused();
            problems
        };
        let text = std::fs::read_to_string(&config).map_err(|error| {
            refuse(vec![Problem::error("", crate::domain::problem::Place::default(), error.to_string(), "")])
        })?;
        let assembled = assemble(&text, &ThisMachine::new(&config));
        let Some((rulebook, _)) = assembled.ready else { return Err(refuse(assembled.problems)) };
        log_warnings(&assembled.problems);
        let _inside = runtime.enter();
        fleet.books().replace(rulebook);
        fleet.ensure_loops();
        metrics.config_loaded(clock.now());
        tracing::info!("the configuration was reloaded");
        Ok(())
    })
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
