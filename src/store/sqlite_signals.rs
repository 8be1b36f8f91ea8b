//! Signals as statements of the writer's transaction: each is kept once, together with what follows
//! from it or not at all.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::domain::response::respond;
use crate::domain::signal::{Event, Signal, Subject};
use crate::domain::ticket::{News, Way, news};
use crate::store::boundary::{Done, Fresh, StoreError};
use crate::store::follows::{Answer, Asked};
use crate::store::hearing::{Heard, Hearing, SignalFilter, SignalRecord};
use crate::store::incidents::IncidentId;
use crate::store::rows::{self, millis};
use crate::store::sqlite::{Ids, engine};
use crate::store::sqlite_acts::{Told, capital, carry_out, heard, standings};
use crate::store::sqlite_casebook::{Casebook, Line};
use crate::store::sqlite_chat::{Word, heed};
use crate::store::sqlite_follows::Follows;
use crate::store::sqlite_runs;
use crate::store::sqlite_telling::Teller;
use crate::store::sqlite_tickets::meaning;

/// Keeps the signals of one callback.
pub fn hear(transaction: &Transaction<'_>, hearing: &Hearing, next: &mut Ids) -> Result<Done, StoreError> {
    let mut ear = Ear { rows: Teller { transaction, next }, hearing, heard: Heard::default() };
    let mut fresh = Vec::new();
    for (uid, signal) in &hearing.signals {
        fresh.extend(ear.signal(*uid, signal)?);
    }
    ear.heard.deliveries = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
    Ok(Done::Heard(ear.heard, fresh))
}

/// Keeps what asking after a ticket came to; what is news is heard like what its service tells.
pub fn asked(transaction: &Transaction<'_>, asked: &Asked, next: &mut Ids) -> Result<Done, StoreError> {
    let follows = Follows(transaction);
    let nothing = Done::Heard(Heard::default(), Vec::new());
    let Some(ticket) = follows.one(asked.id)?.filter(|ticket| ticket.ask_at == Some(asked.due)) else {
        return Ok(nothing);
    };
    let (event, state, who) = match &asked.answer {
        Answer::Untold => {
            follows.asked(ticket.id, asked.next, None)?;
            return Ok(nothing);
        }
        Answer::Nothing(why) => {
            if follows.missed(&ticket, asked.next, asked.at)? {
                let line = Line { kind: "ticket_lost", target: &ticket.target, text: why, ..Line::default() };
                Casebook(transaction).write(ticket.incident, asked.at, line)?;
            }
            return Ok(nothing);
        }
        Answer::Found { event, state, who } => (*event, state, who),
    };
    follows.asked(ticket.id, asked.next, Some(who))?;
    match news(&ticket.known, Way::Asked, event, state) {
        News::None => Ok(nothing),
        News::First => follows.begins(ticket.id, state).map(|()| nothing),
        News::Moved | News::Closed => {
            let signal = Signal {
                id: format!("asked-{}-{}", ticket.id, ticket.news + 1),
                about: Subject::Remote(ticket.name),
                event,
                who: who.clone(),
                text: state.clone(),
                at: asked.at,
            };
            let target = ticket.target.into();
            let signals = vec![(asked.uid, signal)];
            hear(transaction, &Hearing { target, signals, at: asked.at, cast: Arc::clone(&asked.cast) }, next)
        }
    }
}

struct Ear<'a> {
    rows: Teller<'a>,
    hearing: &'a Hearing,
    heard: Heard,
}

impl Ear<'_> {
    fn signal(&mut self, uid: uuid::Uuid, signal: &Signal) -> Result<Vec<Fresh>, StoreError> {
        let key = self.key_of(&signal.about)?;
        let book = Casebook(self.rows.transaction);
        let mut case = key.as_deref().map_or(Ok(None), |key| book.of_key(key))?;
        let keys = match (&case, &key) {
            (Some(case), Some(key)) => {
                let mut keys = book.keys(case)?;
                if !keys.contains(key) {
                    keys.push(key.clone());
                }
                keys
            }
            (_, key) => key.iter().cloned().collect(),
        };
        let mut standing = Vec::new();
        for key in &keys {
            standing.extend(standings(&self.rows, key)?);
        }
        let meaning = meaning(self.rows.transaction, self.hearing, signal, case.as_ref(), key.as_deref())?;
        let mut response = respond(meaning.event, &self.hearing.target, &standing, &*self.hearing.cast);
        response.is_echo |= meaning.is_known;
        if !self.keep(signal, key.as_deref().unwrap_or_default(), response.is_echo)? {
            return Ok(Vec::new());
        }
        self.heard.kept += 1;
        self.heard.echoes += u32::from(response.is_echo && key.is_some());
        if key.is_none() {
            self.heard.unknown += 1;
            return Ok(Vec::new());
        }
        if meaning.is_known {
            return Ok(Vec::new());
        }
        if let Some(case) = &mut case {
            if matches!(signal.event, Event::Approved | Event::Declined) {
                return self.word(case.id, uid, signal);
            }
            let place = (key.as_deref().unwrap_or_default(), &*self.hearing.target);
            // The end of a run that a rule started has a line of its own.
            if !sqlite_runs::heard(book.0, place, signal.event, &signal.text, self.hearing.at)? {
                heard(book, case, &self.hearing.target, signal, self.hearing.at)?;
            }
        }
        meaning.keep(book, case.as_mut(), (&self.hearing.target, signal), self.hearing.at)?;
        let note = sentence(signal, &self.hearing.target);
        carry_out(&mut self.rows, &keys, &response, Told { uid, at: self.hearing.at, note: &note })
    }

    /// What comes late, or was said before, is kept with the signals and moves nothing.
    fn word(
        &mut self,
        incident: IncidentId,
        uid: uuid::Uuid,
        signal: &Signal,
    ) -> Result<Vec<Fresh>, StoreError> {
        let Ok(job) = signal.text.parse() else { return Ok(Vec::new()) };
        let who = if signal.who.is_empty() { "somebody" } else { signal.who.as_str() };
        let yes = signal.event == Event::Approved;
        let word = Word { incident, job: Some(job), yes, who, note: "", place: &self.hearing.target };
        let heeded = heed(&mut self.rows, &word, &self.hearing.cast, (uid, self.hearing.at))?;
        self.heard.echoes += u32::from(heeded.is_err());
        Ok(heeded.unwrap_or_default())
    }

    /// False when this signal was kept before.
    fn keep(&self, signal: &Signal, key: &str, is_echo: bool) -> Result<bool, StoreError> {
        self.rows
            .transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO signals(target, sid, key, event, who, text, at, heard_at, echo)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    &*self.hearing.target,
                    signal.id,
                    key,
                    signal.event.as_str(),
                    signal.who,
                    signal.text,
                    millis(signal.at),
                    millis(self.hearing.at),
                    is_echo,
                ])
            })
            .map(|changed| changed > 0)
            .map_err(engine)
    }

    /// The dedup key that the signal speaks of, if a lane of this target has it.
    fn key_of(&self, about: &Subject) -> Result<Option<String>, StoreError> {
        let target = &*self.hearing.target;
        let transaction = self.rows.transaction;
        let found = match about {
            Subject::Key(key) => transaction
                .prepare_cached("SELECT key FROM keyed WHERE key = ?1 AND target = ?2")
                .and_then(|mut query| query.query_row([key.as_str(), target], |row| row.get(0)).optional()),
            // The first word of what the target gave back: `!` follows the blank in ASCII. The index leaves
            // out fingerprints, and is used only if each side says so.
            Subject::Remote(name) => transaction
                .prepare_cached(
                    "SELECT key FROM lanes WHERE target = ?2
                     AND (remote = ?1 AND remote NOT GLOB 'key:????????????????'
                       OR remote > ?1 || ' ' AND remote < ?1 || '!' AND remote NOT GLOB 'key:????????????????')
                     ORDER BY touched_at DESC LIMIT 1",
                )
                .and_then(|mut query| query.query_row([name.as_str(), target], |row| row.get(0)).optional()),
        };
        found.map_err(engine)
    }
}

/// `Acknowledged by alice (slack-ops)`, for the text of what follows and for the record.
fn sentence(signal: &Signal, target: &str) -> String {
    let who = if signal.who.is_empty() { "somebody" } else { signal.who.as_str() };
    match signal.event {
        Event::Missed if signal.text.is_empty() => format!("{who} was not reached ({target})"),
        Event::Missed => format!("{who} was not reached: {} ({target})", signal.text),
        // What follows is told of it only where it ends the incident.
        Event::TicketClosed => format!("Resolved by {who}, whose ticket was closed ({target})"),
        event => format!("{} by {who} ({target})", capital(event.as_str())),
    }
}

/// Signals, newest first.
pub fn signals(connection: &Connection, filter: &SignalFilter) -> rusqlite::Result<Vec<SignalRecord>> {
    let mut query = connection.prepare_cached(
        "SELECT id, target, key, event, who, text, at, heard_at, echo FROM signals
         WHERE (?1 IS NULL OR target = ?1) AND (?2 IS NULL OR key = ?2) AND (?3 IS NULL OR id < ?3)
         ORDER BY id DESC LIMIT ?4",
    )?;
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let record = |row: &rusqlite::Row<'_>| {
        Ok(SignalRecord {
            id: row.get(0)?,
            target: row.get(1)?,
            key: row.get(2)?,
            event: row.get(3)?,
            who: row.get(4)?,
            text: row.get(5)?,
            at: rows::time(row.get(6)?),
            heard_at: rows::time(row.get(7)?),
            echo: row.get(8)?,
        })
    };
    query.query_map(params![filter.target, filter.key, filter.before, limit], record)?.collect()
}

/// Forgets old signals; returns how many went.
pub fn prune(transaction: &Transaction<'_>, before: i64, limit: u32) -> rusqlite::Result<u32> {
    let gone = transaction
        .prepare_cached(
            "DELETE FROM signals WHERE id IN (SELECT id FROM signals WHERE heard_at < ?1 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![before, limit])?;
    Ok(u32::try_from(gone).unwrap_or(u32::MAX))
}
