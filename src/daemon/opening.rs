//! What is opened before the relay takes anything in: its configuration, its store, and what the last
//! run left behind in both.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::assemble::Base;
use crate::assemble::reading::{self, Reading};
use crate::config::noting::Noting;
use crate::config::show::show;
use crate::daemon::failed::Failed;
use crate::daemon::notify::Supervisor;
use crate::domain::announcement;
use crate::domain::change::{REMEMBERED_MAX, Recent};
use crate::domain::problem::{Problem, Severity};
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::plan::learn;
use crate::route::inhibit::Active;
use crate::rulebook::Rulebook;
use crate::server::expiry::Expiries;
use crate::store::boundary::StoreError;
use crate::store::handle::{self, Closing, Store};
use crate::store::incidents::ChangeFilter;
use crate::store::schedule::Caps;

/// Pause before a store on a full disk is tried again, and how long the service manager is told that
/// it may take until it hears of us again.
const FULL_PAUSE: Duration = Duration::from_secs(1);
const FULL_PATIENCE: Duration = Duration::from_secs(30);
/// Events that are looked through for alerts that inhibit others, and how old they may be: what
/// still fires is told again long before.
const REMEMBER_EVENTS: usize = 20_000;
const REMEMBER_FOR: Duration = Duration::from_secs(24 * 3600);

/// Reads the configuration at the start, when only a sound one will do.
///
/// # Errors
/// The whole report.
pub fn read_first(config: &Path) -> Result<(Rulebook, Base, Noting), Failed> {
    let name = config.display().to_string();
    let Reading { text, assembled, noted } =
        reading::read(config).map_err(|(_, error)| Failed::new(format!("{name}: {error}")))?;
    log_warnings(&assembled.problems);
    let ready = assembled.ready.ok_or_else(|| show(&assembled.problems, &name, &text, false));
    let (rulebook, base) = ready.map_err(Failed::new)?;
    Ok((rulebook, base, noted))
}

/// Logs those of the problems that are warnings.
pub fn log_warnings(problems: &[Problem]) {
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Warning) {
        tracing::warn!("{problem}");
    }
}

/// Opens the store. On a disk so full that not even that works it waits for room: senders wait at
/// the door meanwhile, and come again.
///
/// # Errors
/// It cannot be opened for another reason.
pub async fn open_store(
    base: &Base,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
    supervisor: &Supervisor,
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
                supervisor.takes(FULL_PATIENCE, "waiting for room on the full disk of the store");
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(
                        "the store in {folder} cannot be opened, because its disk is full; nothing can be taken in or delivered before there is room"
                    );
                }
                tokio::time::sleep(FULL_PAUSE).await;
            }
            Err(error) => {
                return Err(Failed::new(format!("the store in {folder} cannot be opened: {error}")));
            }
        }
    }
}

/// What the store knows that calls are answered by.
#[derive(Default)]
pub struct Remembered {
    /// Alerts that inhibit others by the rules.
    pub active: Active,
    /// Alerts that end by themselves.
    pub expiries: Expiries,
    /// What was changed lately.
    pub recent: Recent,
}

/// Reads it.
pub async fn remembered(store: &Store, book: &Rulebook, now: Timestamp) -> Remembered {
    let (active, expiries) = remembered_alerts(store, book, now).await;
    let mut recent = Recent::default();
    let latest = ChangeFilter { limit: REMEMBERED_MAX, ..ChangeFilter::default() };
    match store.read(move |reader| reader.changes(&latest)).await {
        Ok(changes) => changes.into_iter().rev().for_each(|change| recent.learn(change)),
        Err(error) => tracing::warn!(%error, "what was changed before the start could not be read"),
    }
    Remembered { active, expiries, recent }
}

async fn remembered_alerts(store: &Store, book: &Rulebook, now: Timestamp) -> (Active, Expiries) {
    let (mut active, mut expiries) = (Active::default(), Expiries::default());
    if book.inhibit.is_empty() && book.sources.values().all(|source| source.kind != "prometheus") {
        return (active, expiries);
    }
    let since = now.saturating_sub(REMEMBER_FOR).unwrap_or(Timestamp::UNIX_EPOCH);
    match store.read(move |reader| reader.recent(since, REMEMBER_EVENTS)).await {
        Ok(mut groups) => {
            // What was changed is no alert, whatever its labels say.
            groups.retain(|group| !announcement::is(group));
            learn(book, &groups, &mut active);
            expiries.hear(&groups.into_iter().map(Arc::new).collect::<Vec<_>>());
        }
        Err(error) => tracing::warn!(%error, "what was known before the start could not be read"),
    }
    (active, expiries)
}
