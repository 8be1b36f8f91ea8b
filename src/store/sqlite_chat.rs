//! What people hear of the jobs of an incident, and what they say: one message a chat, at the end of the lane that
//! the incident was opened with there.

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::message::{Action, JobId, Proposal};
use crate::store::boundary::{Fresh, StoreError};
use crate::store::hearing::Cast;
use crate::store::incidents::{Acting, IncidentId};
use crate::store::orders::{Order, Ordered};
use crate::store::sqlite_acts::{Told, standings};
use crate::store::sqlite_casebook::Casebook;
use crate::store::sqlite_runs::{decided, named};
use crate::store::sqlite_telling::{Occasion, Outcome, Teller, Telling, refuse, unknown};

/// Makes the id of an event that follows from another of the id of that one.
const FOLLOWS: u128 = 0x0100_0000_0000_0000;

/// Tells every chat that is open for this incident. What is over is not talked about.
pub fn tell_chats(
    rows: &mut Teller<'_>,
    incident: IncidentId,
    cast: &Cast,
    told: Told<'_>,
    proposal: Proposal,
) -> Result<Vec<Fresh>, StoreError> {
    let book = Casebook(rows.transaction);
    let Some(case) = book.case(incident)?.filter(|case| case.life.state.is_open()) else {
        return Ok(Vec::new());
    };
    let mut heard: Vec<String> = Vec::new();
    let mut tellings = Vec::new();
    for key in book.keys(&case)? {
        for standing in standings(rows, &key)? {
            let talks = cast.0.get(&standing.target).is_some_and(|part| part.talks);
            if !talks || !standing.is_open || heard.contains(&standing.target) {
                continue;
            }
            let Some(lane) = rows.lane(standing.lane)? else { continue };
            // Without its alerts there is nothing to show beside the sentence.
            let Some(group) = rows.last_told(&lane)? else { continue };
            heard.push(standing.target);
            let note = Some(told.note.to_owned());
            let telling = Telling { action: Action::Trigger, group, note, proposal: Some(proposal) };
            tellings.push((standing.lane, lane, telling));
        }
    }
    if tellings.is_empty() {
        return Ok(Vec::new());
    }
    let uid = Uuid::from_u128(told.uid.as_u128() ^ FOLLOWS);
    let source = tellings.first().map(|(_, _, telling)| telling.group.source.clone()).unwrap_or_default();
    rows.tell(
        Occasion { uid, at: told.at, source: &source, note: told.note, reason: "about a job" },
        tellings,
    )
}

/// What somebody says about a job, here or at a service.
pub struct Word<'a> {
    pub incident: IncidentId,
    /// The one that is proposed, where it is not named.
    pub job: Option<JobId>,
    pub yes: bool,
    pub who: &'a str,
    pub note: &'a str,
    /// Where it was said; empty: here.
    pub place: &'a str,
}

/// Keeps it and tells every chat; the sentence inside says why it changes nothing.
pub fn heed(
    rows: &mut Teller<'_>,
    word: &Word<'_>,
    cast: &Cast,
    (uid, at): (Uuid, Timestamp),
) -> Result<Result<Vec<Fresh>, String>, StoreError> {
    let Word { incident, job, yes, who, note, place } = *word;
    let run = match decided(rows.transaction, incident, job, (yes, who, note), at)? {
        Ok(run) => run,
        Err(why) => return Ok(Err(why)),
    };
    let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
    let said = if yes { "Approved" } else { "Declined" };
    let note = format!("{said} by {who}{place}: {}", named(&run));
    tell_chats(rows, incident, cast, Told { uid, at, note: &note }, Proposal::Settled).map(Ok)
}

/// The same as an order of a person.
pub fn word_about(
    rows: &mut Teller<'_>,
    order: &Order,
    acting: &Acting,
    job: Option<JobId>,
    yes: bool,
) -> Outcome {
    let word = Word { incident: acting.id, job, yes, who: &order.who, note: &acting.note, place: "" };
    if Casebook(rows.transaction).case(acting.id)?.is_none() {
        return Ok(Err(unknown("incident", acting.id)));
    }
    match heed(rows, &word, &acting.cast, (order.uid, order.at))? {
        Ok(fresh) => Ok(Ok((Ordered { delivery: 0, at_once: true }, fresh))),
        Err(why) => refuse(&why),
    }
}
