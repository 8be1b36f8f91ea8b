//! Nobody has taken a ticket: its assignee is reminded by a comment there, and whom the configuration
//! names by a message.
//!
//! As with escalations, times are kept with the ticket, and a reminder and what is sent of it are one
//! commit with the mark that it was made. [`reminding`] words it, purely; [`run`] looks every few
//! seconds.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::incident::escalation::{awake, part, spoken};
use crate::pace::clock::Clock;
use crate::rulebook::{Rulebook, Rulebooks, TicketRules};
use crate::store::boundary::StoreError;
use crate::store::event::NewEvent;
use crate::store::follows::{Pending, Reminding};
use crate::store::handle::Store;

/// How often it is looked for what has come due.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Reminders made in one go.
const REMINDERS_MAX: usize = 64;

/// The reminder that is due. `uids` name the events of the comment and of what others are told.
pub fn reminding(
    book: &Rulebook,
    rules: &TicketRules,
    pending: &Pending,
    uids: [Uuid; 2],
    now: Timestamp,
) -> Reminding {
    let waited = spoken(now.duration_since(pending.since).unsigned_abs());
    let ticket = pending.name();
    let about = format!("incident {}, {}", pending.incident, pending.level);
    let assignee = match pending.who.as_str() {
        "" => "Reminder".to_owned(),
        who => format!("Reminder for {who}"),
    };
    let others: Vec<&Arc<str>> =
        rules.remind.iter().filter(|target| book.targets.contains_key(*target)).collect();
    let event = pending.group.as_ref().filter(|_| !others.is_empty()).map(|group| {
        let note = format!(
            "Reminder: ticket {ticket} ({}) has not been taken up for {waited} ({about})",
            pending.target
        );
        Box::new(NewEvent {
            uid: uids[1],
            source: group.source.clone(),
            received_at: now,
            body: Vec::new(),
            window: Duration::ZERO,
            groups: vec![Arc::clone(group)],
            parts: others.iter().map(|target| part(book, target, &pending.key, group, &note)).collect(),
            notes: vec![format!("reminder of ticket {ticket}")],
        })
    });
    let told = others.iter().map(|target| target.to_string());
    let told: Vec<String> = std::iter::once("the ticket itself".to_owned()).chain(told).collect();
    Reminding {
        id: pending.id,
        due: pending.due,
        at: now,
        again: rules.remind_after,
        uid: uids[0],
        note: format!("{assignee}: this has not been taken up for {waited} ({about})"),
        said: format!("{ticket} has not been taken up for {waited}; told: {}", told.join(", ")),
        event,
    }
}

/// Reminds as it comes due, until `stop`.
pub async fn run(store: Store, books: Rulebooks, clock: Arc<dyn Clock>, seed: u64, stop: CancellationToken) {
    let mut dice = fastrand::Rng::with_seed(seed);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let book = books.current();
        let Some(rules) = book.incidents.as_ref().map(|rules| &rules.tickets) else { continue };
        if rules.remind_after.is_zero() {
            continue;
        }
        if let Err(error) = look(&store, &book, rules, clock.now(), &mut dice).await {
            tracing::error!(%error, "nobody could be reminded of a ticket; trying again");
        }
    }
}

async fn look(
    store: &Store,
    book: &Rulebook,
    rules: &TicketRules,
    now: Timestamp,
    dice: &mut fastrand::Rng,
) -> Result<(), StoreError> {
    let levels = awake(book, now);
    let due = store.read(move |reader| reader.pending(now, &levels, REMINDERS_MAX)).await?;
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    for pending in due {
        let uids = [(); 2].map(|()| {
            let mut random = [0; 10];
            dice.fill(&mut random);
            uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
        });
        store.remind(reminding(book, rules, &pending, uids, now)).await?;
    }
    Ok(())
}
