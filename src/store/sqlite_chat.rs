//! Telling the people of an incident about its jobs: one message a chat, at the end of the lane that
//! the incident was opened with there.

use rusqlite::Transaction;
use uuid::Uuid;

use crate::domain::message::{Action, Proposal};
use crate::store::boundary::{Fresh, StoreError};
use crate::store::hearing::Cast;
use crate::store::incidents::IncidentId;
use crate::store::sqlite::Ids;
use crate::store::sqlite_acts::{Told, standings};
use crate::store::sqlite_casebook::Casebook;
use crate::store::sqlite_telling::{Occasion, Teller, Telling};

/// Makes the id of an event that follows from another of the id of that one.
const FOLLOWS: u128 = 0x0100_0000_0000_0000;

/// Tells every chat that is open for this incident. What is over is not talked about.
pub fn tell_chats(
    transaction: &Transaction<'_>,
    next: &mut Ids,
    incident: IncidentId,
    cast: &Cast,
    told: Told<'_>,
    proposal: Proposal,
) -> Result<Vec<Fresh>, StoreError> {
    let book = Casebook(transaction);
    let Some(case) = book.case(incident)?.filter(|case| case.life.state.is_open()) else {
        return Ok(Vec::new());
    };
    let mut rows = Teller { transaction, next };
    let mut heard: Vec<String> = Vec::new();
    let mut tellings = Vec::new();
    for key in book.keys(&case)? {
        for standing in standings(&rows, &key)? {
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
