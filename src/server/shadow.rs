//! A candidate configuration that is shown every live event, and what it would make of it differently.
//! It sends nothing, and intake never waits for it: what it cannot keep up with is skipped and counted.
//! A candidate with errors is told and looks at nothing until it is mended.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::assemble::reading;
use crate::config::noting::Noting;
use crate::domain::problem::{Place, Problem};
use crate::metrics::Metrics;
use crate::plan::difference::{Change, Example, Sight, Summary, compare};
use crate::plan::side::{Side, example};
use crate::plan::{Plan, learn};
use crate::route::inhibit::Active;
use crate::rulebook::Rulebook;
use crate::store::handle::Store;
use crate::store::orders::Recording;

/// Events that may wait for the candidate, and the bytes of their bodies.
const WAITING_MAX: usize = 1000;
const WAITING_BYTES: usize = 16 << 20;
/// Differences that are shown.
const LATEST_MAX: usize = 100;
/// Events that a candidate learns from at its beginning, and how old they may be.
const LEARN_EVENTS: usize = 20_000;
const LEARN_FOR: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// A candidate; clones share it.
#[derive(Clone)]
pub struct Shadow(Arc<Inner>);

struct Inner {
    path: PathBuf,
    metrics: Metrics,
    waiting: mpsc::Sender<Live>,
    bytes: AtomicUsize,
    /// What was read of the candidate last.
    noted: Mutex<Noting>,
    seen: Mutex<Record>,
}

/// A live event, and what the configuration in force makes of it.
struct Live {
    event: Recording,
    sight: Sight,
}

/// What has been seen since the candidate was read.
#[derive(Default)]
struct Record {
    since: Option<Timestamp>,
    /// The rules, until the task takes them.
    fresh: Option<Arc<Rulebook>>,
    sound: Option<Arc<Rulebook>>,
    problems: Vec<Problem>,
    skipped: u64,
    summary: Summary,
    latest: VecDeque<(Example, Change)>,
    complained: i64,
}

/// What the candidate is shown by.
pub struct Ear(mpsc::Receiver<Live>);

impl Shadow {
    /// Reads the candidate. What is wrong with it is told and is no failure.
    pub fn new(path: &Path, metrics: Metrics, now: Timestamp) -> (Shadow, Ear) {
        let (waiting, ear) = mpsc::channel(WAITING_MAX);
        let noted = Noting::new(crate::config::secrets::ThisMachine::new(path));
        let shadow = Shadow(Arc::new(Inner {
            path: path.to_owned(),
            metrics,
            waiting,
            bytes: AtomicUsize::new(0),
            noted: Mutex::new(noted),
            seen: Mutex::default(),
        }));
        shadow.read_again(now);
        (shadow, Ear(ear))
    }

    /// Reads the candidate again, and begins to count anew.
    pub fn read_again(&self, now: Timestamp) {
        let (noted, ready, mut problems) = match reading::read(&self.0.path) {
            Ok(read) => (read.noted, read.assembled.ready, read.assembled.problems),
            Err((noted, error)) => {
                let what = format!("{} cannot be read: {error}", self.0.path.display());
                (noted, None, vec![Problem::error("", Place::default(), what, "")])
            }
        };
        *self.0.noted.lock().unwrap_or_else(PoisonError::into_inner) = noted;
        let sound = ready.map(|(rulebook, _)| Arc::new(rulebook));
        self.0.metrics.candidate(sound.is_some());
        match &sound {
            Some(_) => {
                tracing::info!(candidate = %self.0.path.display(), "the candidate is shown every event from now on")
            }
            None => {
                problems
                    .iter()
                    .for_each(|problem| tracing::warn!(candidate = %self.0.path.display(), "{problem}"));
                tracing::warn!(candidate = %self.0.path.display(), "the candidate has errors and is shown nothing until it is mended");
            }
        }
        problems.truncate(LATEST_MAX);
        *self.seen() =
            Record { since: Some(now), fresh: sound.clone(), sound, problems, ..Record::default() };
    }

    /// The first of its files that has changed, with a mark of all as they are now.
    pub fn look_again(&self) -> (u64, Option<PathBuf>) {
        self.0.noted.lock().unwrap_or_else(PoisonError::into_inner).look_again()
    }

    /// Whether one of its files is not what was read.
    pub fn has_changed(&self) -> bool {
        self.look_again().1.is_some()
    }

    /// What an event that is being taken in will be shown as; `None` when the candidate has no room.
    pub(super) fn prepare(&self, book: &Rulebook, plan: &Plan, event: Recording) -> Option<Prepared> {
        self.seen().sound.as_ref()?;
        let bytes = event.body.len();
        if self.0.bytes.load(Ordering::Relaxed).saturating_add(bytes) > WAITING_BYTES {
            self.skip();
            return None;
        }
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        let live = Live { sight: Sight::of(book, plan), event };
        Some(Prepared { shadow: self.clone(), bytes, live: Some(live) })
    }

    fn skip(&self) {
        self.seen().skipped += 1;
        self.0.metrics.shadowed("skipped");
    }

    fn seen(&self) -> MutexGuard<'_, Record> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the candidate what comes in, until `stop`.
    pub async fn run(self, mut ear: Ear, store: Store, stop: CancellationToken) {
        let mut side: Option<Side> = None;
        loop {
            let live = tokio::select! {
                () = stop.cancelled() => return,
                live = ear.0.recv() => live,
            };
            let Some(Live { event, sight }) = live else { return };
            self.0.bytes.fetch_sub(event.body.len(), Ordering::Relaxed);
            let fresh = self.seen().fresh.take();
            if let Some(book) = fresh {
                side = Some(begun(&store, book, event.received_at).await);
            }
            if let Some(side) = &mut side {
                let changes = compare(&sight, &side.look(&event));
                self.take(side.book(), &event, changes);
            }
            // Large events must not keep this thread from others.
            tokio::task::yield_now().await;
        }
    }

    fn take(&self, book: &Rulebook, event: &Recording, mut changes: Vec<Change>) {
        self.0.metrics.shadowed(if changes.is_empty() { "same" } else { "different" });
        for change in &mut changes {
            change.alert = book.redactor.clean(&change.alert);
            change.note = book.redactor.clean(&change.note);
        }
        let at = example(event);
        let mut seen = self.seen();
        seen.summary.take(&at, &changes);
        let second = event.received_at.as_second();
        // One line a second: the metrics count them all.
        if let Some(first) = changes.first()
            && std::mem::replace(&mut seen.complained, second) != second
        {
            tracing::info!(
                event = at.event,
                source = at.source,
                alert = first.alert,
                what = first.aspect.as_str(),
                name = first.name,
                turn = first.turn.as_str(),
                note = first.note,
                "the candidate makes something else of this event"
            );
        }
        for change in changes {
            if seen.latest.len() >= LATEST_MAX {
                seen.latest.pop_front();
            }
            seen.latest.push_back((at.clone(), change));
        }
    }

    /// What it would make of what came in since it was read.
    pub(super) fn json(&self) -> Value {
        let seen = self.seen();
        let latest = seen.latest.iter().rev().map(|(at, change)| {
            json!({
                "event": at.event,
                "source": at.source,
                "received_at": format!("{:.0}", at.received_at),
                "alert": change.alert,
                "what": change.aspect.as_str(),
                "name": change.name,
                "turn": change.turn.as_str(),
                "note": change.note,
            })
        });
        json!({
            "candidate": self.0.path.display().to_string(),
            "sound": seen.sound.is_some(),
            "problems": seen.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "since": seen.since.map(|since| format!("{since:.0}")),
            "events": seen.summary.events,
            "different": seen.summary.different,
            "skipped": seen.skipped,
            "changes": summary_json(&seen.summary),
            "latest": latest.collect::<Vec<_>>(),
        })
    }
}

/// An event on its way to the candidate. Dropped, it was not kept after all.
pub(super) struct Prepared {
    shadow: Shadow,
    bytes: usize,
    live: Option<Live>,
}

impl Prepared {
    /// It was kept: the candidate is shown it.
    pub(super) fn show(mut self) {
        let Some(live) = self.live.take() else { return };
        if self.shadow.0.waiting.try_send(live).is_ok() {
            // Whoever receives it gives the bytes back.
            self.bytes = 0;
        } else {
            self.shadow.skip();
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.shadow.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A candidate that knows which alerts fire already.
async fn begun(store: &Store, book: Arc<Rulebook>, now: Timestamp) -> Side {
    let mut active = Active::default();
    if !book.inhibit.is_empty() {
        let since = now.saturating_sub(LEARN_FOR).unwrap_or(Timestamp::UNIX_EPOCH);
        match store.read(move |reader| reader.recent(since, LEARN_EVENTS)).await {
            Ok(groups) => learn(&book, &groups, &mut active),
            Err(error) => tracing::warn!(%error, "the candidate does not know which alerts fire already"),
        }
    }
    Side::new(book, active)
}

/// A summary as the admin interface and `replay-diff` show it.
pub fn summary_json(summary: &Summary) -> Vec<Value> {
    let lines = summary.lines.iter().map(|((aspect, name, turn), line)| {
        let examples = line.examples.iter().map(|at| {
            json!({
                "event": at.event,
                "source": at.source,
                "received_at": format!("{:.0}", at.received_at),
                "alert": at.alert,
                "note": at.note,
            })
        });
        json!({
            "what": aspect.as_str(),
            "name": name,
            "turn": turn.as_str(),
            "alerts": line.alerts,
            "examples": examples.collect::<Vec<_>>(),
        })
    });
    lines.collect()
}
