//! What tickets tell, and what is told at them, as statements of the writer's transaction: what a
//! finding means for its incident, and reminders.

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use crate::domain::life::Happening;
use crate::domain::message::Action;
use crate::domain::response::Listeners;
use crate::domain::signal::{Event, Signal, Subject};
use crate::domain::ticket::{Known, News, Phase, REMINDERS_MAX, Reminder, Way, news, reminder};
use crate::store::boundary::{Done, Fresh, StoreError};
use crate::store::follows::Reminding;
use crate::store::hearing::Hearing;
use crate::store::rows;
use crate::store::sqlite::engine;
use crate::store::sqlite_accept::Accept;
use crate::store::sqlite_casebook::{Case, Casebook, Line};
use crate::store::sqlite_follows::{Followed, Follows};
use crate::store::sqlite_telling::{Occasion, Teller, Telling};

/// What a signal means, beside what is known of tickets.
#[derive(Debug)]
pub struct Meaning {
    /// What follows from it, as from a signal of this kind.
    pub event: Event,
    /// It tells what is known: nothing follows, and the time line shows it already.
    pub is_known: bool,
    ticket: Option<Followed>,
    /// The incident is over by it.
    ends: bool,
}

/// Reads a signal. All but those of tickets mean what they say.
pub fn meaning(
    transaction: &Transaction<'_>,
    hearing: &Hearing,
    signal: &Signal,
    case: Option<&Case>,
    key: Option<&str>,
) -> Result<Meaning, StoreError> {
    let mut meaning = Meaning { event: signal.event, is_known: false, ticket: None, ends: false };
    let (Event::TicketMoved | Event::TicketClosed, Subject::Remote(name), Some(key)) =
        (signal.event, &signal.about, key)
    else {
        return Ok(meaning);
    };
    let follows = Follows(transaction);
    meaning.ticket = follows.named(&hearing.target, name)?;
    let is_news =
        |ticket: &Followed| news(&ticket.known, Way::Pushed, signal.event, &signal.text) != News::None;
    if !meaning.ticket.as_ref().is_none_or(is_news) {
        meaning.is_known = true;
        return Ok(meaning);
    }
    if signal.event == Event::TicketMoved {
        return Ok(meaning);
    }
    if is_our_doing(transaction, &hearing.target, key)? {
        meaning.is_known = true;
    } else if let Some(case) = case.filter(|case| case.life.state.is_open())
        && hearing.cast.ends(&hearing.target)
        && !follows.goes_on_elsewhere(case.id, key)?
    {
        meaning.ends = true;
        meaning.event = Event::Resolved;
    }
    Ok(meaning)
}

/// Whether the relay itself is closing the ticket: its service may tell of that before the relay has
/// written it down.
fn is_our_doing(transaction: &Transaction<'_>, target: &str, key: &str) -> Result<bool, StoreError> {
    transaction
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM deliveries d WHERE d.lane = l.id AND d.state < 2 AND d.action = ?3)
             FROM lanes l WHERE l.id = (SELECT lane FROM keyed WHERE key = ?1 AND target = ?2)",
        )
        .and_then(|mut query| {
            query.query_row(params![key, target, rows::action_number(Action::Resolve)], |row| row.get(0))
        })
        .map_err(engine)
}

impl Meaning {
    /// Keeps how the ticket stands now, and ends the incident where the rule says so.
    pub fn keep(
        &self,
        book: Casebook<'_>,
        case: Option<&mut Case>,
        (target, signal): (&str, &Signal),
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(ticket) = &self.ticket {
            let phase = if signal.event == Event::TicketClosed { Phase::Closed } else { Phase::Open };
            let known = Known { phase, state: signal.text.clone() };
            Follows(book.0).stands(ticket.id, &known, &signal.who, at)?;
        }
        if let Some(case) = case.filter(|_| self.ends) {
            let who = if signal.who.is_empty() { "somebody" } else { signal.who.as_str() };
            let text = format!("its ticket was closed: {}", signal.text);
            let line = Line { kind: "resolved", who, target, text: &text };
            // What is open may always end.
            let _moved = book.happen(case, Happening::Resolved(who), at, line)?;
        }
        Ok(())
    }
}

/// Makes a reminder, unless it was made already or nobody need be reminded: the comment at the ticket
/// and what others are told are one with the mark that it was made.
pub fn remind(accept: &mut Accept<'_>, reminding: &Reminding) -> Result<Done, StoreError> {
    let (follows, book) = (Follows(accept.transaction), Casebook(accept.transaction));
    let nobody = || Ok(Done::Told(Vec::new()));
    let Some(ticket) = follows.one(reminding.id)?.filter(|ticket| ticket.remind_at == Some(reminding.due))
    else {
        return nobody();
    };
    let Some(case) = book.case(ticket.incident)? else {
        follows.reminded(ticket.id, None, false)?;
        return nobody();
    };
    let next = reminding.at.checked_add(reminding.again).ok();
    match reminder(ticket.known.phase, ticket.has_moved, ticket.reminded, case.life.state) {
        Reminder::Never => follows.reminded(ticket.id, None, false)?,
        Reminder::Later => follows.reminded(ticket.id, next, false)?,
        Reminder::Send => {
            follows.reminded(ticket.id, next.filter(|_| ticket.reminded + 1 < REMINDERS_MAX), true)?;
            let line =
                Line { kind: "reminded", target: &ticket.target, text: &reminding.said, ..Line::default() };
            book.write(case.id, reminding.at, line)?;
            let mut fresh = comment(accept, &ticket, reminding)?;
            if let Done::Told(others) = accept.told(reminding.event.as_deref())? {
                fresh.extend(others);
            }
            return Ok(Done::Told(fresh));
        }
    }
    nobody()
}

fn comment(
    accept: &mut Accept<'_>,
    ticket: &Followed,
    reminding: &Reminding,
) -> Result<Vec<Fresh>, StoreError> {
    let mut rows = Teller { transaction: accept.transaction, next: &mut accept.next };
    let Some(lane) = rows.lane(ticket.lane)?.filter(|lane| lane.state.seen) else { return Ok(Vec::new()) };
    // Past its retention there is nothing to say beside the reminder, which others are told.
    let Some(group) = rows.last_told(&lane)? else { return Ok(Vec::new()) };
    let source = group.source.clone();
    let telling =
        Telling { action: Action::Trigger, group, note: Some(reminding.note.clone()), proposal: None };
    let note = format!("reminder of ticket {}", ticket.name);
    let occasion =
        Occasion { uid: reminding.uid, at: reminding.at, source: &source, note: &note, reason: &note };
    rows.tell(occasion, vec![(ticket.lane, lane, telling)])
}
