//! Nobody has acknowledged: others are told.
//!
//! Times are kept with the incident, so that they outlive the process; a step and its deliveries are
//! one commit, so that it is made once, whatever happens. [`step`] decides, purely; [`run`] looks
//! once a second.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::alert::{Alert, AlertGroup};
use crate::domain::incident::{Level, Step};
use crate::domain::lane::{AlertClock, Told};
use crate::domain::message::DedupKey;
use crate::domain::reminders::Reminders;
use crate::pace::clock::Clock;
use crate::rulebook::{Rulebook, Rulebooks};
use crate::store::boundary::StoreError;
use crate::store::event::{NewEvent, NewPart};
use crate::store::handle::Store;
use crate::store::incidents::{Due, Escalating};

/// How often it is looked for what has come due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Steps made in one go.
const STEPS_MAX: usize = 64;

/// Levels whose escalations do not wait for the end of a quiet time.
pub fn awake(book: &Rulebook, now: Timestamp) -> Vec<Level> {
    let rules = book.incidents.iter().flat_map(|rules| &rules.quiet);
    let quiet: Vec<Level> = rules
        .filter(|quiet| book.intervals.open(&quiet.during, &[], now).is_ok())
        .flat_map(|quiet| quiet.levels.iter().copied())
        .collect();
    Level::ALL.into_iter().filter(|level| !quiet.contains(level)).collect()
}

/// The step that is due, with whom it tells.
pub fn step(book: &Rulebook, due: &Due, uid: Uuid, now: Timestamp) -> Escalating {
    let waited = spoken(now.duration_since(due.escalation.since).unsigned_abs());
    let nobody = format!("nobody has acknowledged for {waited}");
    let next = due.escalation.steps.get(due.escalation.made);
    let (targets, names) = next.map(|step| whom(book, step, now)).unwrap_or_default();
    let bare = |said: String| Escalating { id: due.id, due: due.due, at: now, said, event: None };
    let Some(group) = &due.group else {
        return bare(format!(
            "{nobody}; what it is about is past its retention, so others could not be told"
        ));
    };
    if targets.is_empty() {
        return bare(format!("{nobody}; nobody is left to tell: {}", names.join(", ")));
    }
    let note = format!("Escalated: {nobody} (incident {}, {})", due.id, due.level);
    let event = NewEvent {
        uid,
        source: group.source.clone(),
        received_at: now,
        body: Vec::new(),
        window: Duration::ZERO,
        groups: vec![Arc::clone(group)],
        parts: targets.iter().map(|target| part(book, target, &due.key, group, &note)).collect(),
        notes: vec![format!("escalation of incident {}", due.id)],
    };
    let said = format!("{nobody}; told: {}", names.join(", "));
    Escalating { event: Some(Box::new(event)), ..bare(said) }
}

/// The targets of a step that are there, and how they are called on the time line.
fn whom(book: &Rulebook, step: &Step, now: Timestamp) -> (Vec<Arc<str>>, Vec<String>) {
    let (mut targets, mut names): (Vec<Arc<str>>, Vec<String>) = (Vec::new(), Vec::new());
    let mut add = |target: &Arc<str>, name: String| {
        let is_there = book.targets.contains_key(target);
        if is_there && !targets.contains(target) {
            targets.push(Arc::clone(target));
        }
        names.push(if is_there { name } else { format!("{name}, which is not configured any more") });
    };
    for target in &step.targets {
        add(target, target.to_string());
    }
    if let Some(rota) = &step.rota {
        match book.rotas.get(rota).and_then(|known| known.at(&book.intervals, now)) {
            Some(person) => {
                for target in book.people.get(person).into_iter().flatten() {
                    add(target, format!("{person} by {target} (on call, {rota})"));
                }
            }
            None => names.push(format!("nobody is on call by {rota}")),
        }
    }
    (targets, names)
}

/// What one target is told of an incident besides what routes say.
pub(super) fn part(
    book: &Rulebook,
    target: &Arc<str>,
    key: &DedupKey,
    group: &AlertGroup,
    note: &str,
) -> NewPart {
    let told = |(place, alert): (u32, &Alert)| Told {
        place,
        print: alert.fingerprint,
        clock: AlertClock::of(alert),
        only_if_known: false,
    };
    let fallback = book.targets.get(target).and_then(|rule| rule.fallback.as_ref());
    NewPart {
        target: Arc::clone(target),
        key: key.clone(),
        group: 0,
        alerts: (0..).zip(&group.alerts).map(told).collect(),
        content: 0,
        truncated: group.truncated > 0,
        reminders: Reminders::Every,
        fall_after: fallback.map(|fallback| fallback.after),
        note: Some(note.to_owned()),
        incident: None,
    }
}

/// `20 min`
pub(super) fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// Makes steps as they come due, until `stop`.
pub async fn run(store: Store, books: Rulebooks, clock: Arc<dyn Clock>, seed: u64, stop: CancellationToken) {
    let mut dice = fastrand::Rng::with_seed(seed);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let book = books.current();
        if book.incidents.is_none() {
            continue;
        }
        if let Err(error) = look(&store, &book, clock.now(), &mut dice).await {
            tracing::error!(%error, "an escalation could not be made; trying again");
        }
    }
}

async fn look(
    store: &Store,
    book: &Rulebook,
    now: Timestamp,
    dice: &mut fastrand::Rng,
) -> Result<(), StoreError> {
    let levels = awake(book, now);
    let due = store.read(move |reader| reader.escalations(now, &levels, STEPS_MAX)).await?;
    for due in due {
        let mut random = [0; 10];
        dice.fill(&mut random);
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let uid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let step = step(book, &due, uid, now);
        tracing::warn!(incident = due.id, said = step.said, "escalated");
        store.escalate(step).await?;
    }
    Ok(())
}
