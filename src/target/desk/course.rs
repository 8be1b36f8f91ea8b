//! The course of events of a ticket, the same for all systems: looked up or made once, commented
//! when there is news, closed when all is over, opened again or made anew when it comes back.
//!
//! A kind lends it hands ([`Desk`]); what is decided here knows no API. The order inside a try is
//! chosen so that it can be made again whole: questions first, then what may be done twice, the
//! comment last.

use std::fmt;

use jiff::Timestamp;

use crate::domain::exchange::{HttpRequest, Reply};
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::secret::Redactor;
use crate::target::contract::{Turn, Unsayable, Worded};
use crate::target::desk::memory::{Memory, Way};
use crate::target::desk::rules::{OnResolve, Rules};
use crate::target::desk::talk::{Said, Talk, again, heed, heed_maker};
use crate::target::verdict::{by_status, cleaned, sentence};
use crate::template::view::View;

/// Why nothing can be said of a ticket.
const UNKNOWN: &str = "the id of the ticket is not known (its making was never answered) and it cannot be \
                       searched for: see to it by hand, and set `look_up`";

/// A ticket as the service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// By which the service names it in callbacks.
    pub id: String,
    /// By which people name it; may be empty.
    pub name: String,
    /// Whether work goes on.
    pub phase: Phase,
    /// What the service calls that.
    pub state: String,
    /// When it was made, where the service says so.
    pub made: Option<Timestamp>,
    /// When it last changed, where the service says so.
    pub changed: Option<Timestamp>,
}

/// Whether work on a ticket goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It does.
    Open,
    /// It has ended, and can go on.
    Closed,
    /// It has ended for good: the service lets nobody change it any more.
    Sealed,
}

/// What is to be done to a ticket that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Its state is to change.
    pub step: Option<Move>,
    /// It got worse.
    pub priority: bool,
    /// It is to be commented. By default no: what is closed may have been commented before.
    pub comment: bool,
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Work begins anew.
    Reopen,
    /// Somebody has taken it.
    Acknowledge,
    /// All is over.
    Close,
}

/// What a look-up gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// This system, as it is set up, cannot be searched.
    Cannot,
    /// There is no ticket of this problem.
    Nothing,
    /// This is the one: the latest that is open, else the latest.
    Found(Ticket),
}

/// What came of making a ticket.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// A ticket.
    Ticket(Ticket),
    /// The service says that there is one already.
    Twice(Reply),
}

/// A ticket, and who is to work on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The ticket.
    pub ticket: Ticket,
    /// As the service names them; may be empty.
    pub assignee: String,
}

/// The hands of a kind.
pub trait Desk: fmt::Debug {
    /// The operator's rules.
    fn rules(&self) -> &Rules;

    /// Stars secrets in replies.
    fn redactor(&self) -> &Redactor;

    /// Searches for the ticket of the message's problem.
    fn look_up(&self, talk: &mut Talk<'_>) -> Said<Search>;

    /// Reads a ticket; `None` when it is gone.
    fn read(&self, talk: &mut Talk<'_>, id: &str) -> Said<Option<Ticket>>;

    /// Makes one; `before` is a ticket that it follows on.
    fn make(&self, talk: &mut Talk<'_>, before: Option<&str>) -> Said<Made>;

    /// The ticket in the answer to `make`; `None` when there is none in it.
    fn made(&self, reply: &Reply) -> Option<Ticket>;

    /// Asks how a ticket stands.
    fn ask(&self, id: &str) -> HttpRequest;

    /// The answer to `ask`; `None` when there is no ticket in it.
    fn told(&self, reply: &Reply) -> Option<Told>;

    /// Changes one. [`Said`] holds `false` when it is gone.
    fn change(&self, talk: &mut Talk<'_>, ticket: &Ticket, change: &Change) -> Said<bool>;

    /// Whether a change of state and its comment are two calls here.
    fn comments_apart(&self) -> bool {
        false
    }

    /// What a 4xx of this service means.
    fn refused(&self, reply: &Reply) -> Outcome {
        by_status(reply)
    }
}

/// The end of a try at a reply that the kind has no use for.
pub fn refusal<T>(desk: &dyn Desk, reply: &Reply) -> Said<T> {
    Err(Turn::Over(meant(desk, reply)))
}

/// What a reply means that the kind has no use for.
pub fn meant(desk: &dyn Desk, reply: &Reply) -> Outcome {
    match reply.status {
        200..=299 => not_theirs(reply),
        409 => again(reply, "there is one already, or somebody else is changing it"),
        _ => desk.refused(reply),
    }
}

/// A 2xx that is not what this service answers.
pub fn not_theirs(reply: &Reply) -> Outcome {
    Outcome::Hold { reason: sentence(reply, "this is not the answer of a ticket system: check base_url") }
}

/// Of several tickets of one problem, the one to go on with: the latest that is open, else the
/// latest.
pub fn latest(tickets: impl Iterator<Item = Ticket>) -> Search {
    let order = |ticket: &Ticket| (ticket.phase == Phase::Open, ticket.made.or(ticket.changed));
    // Of equals the first: services sort the newest first when they sort at all.
    let chosen = tickets.reduce(|best, next| if order(&next) > order(&best) { next } else { best });
    chosen.map_or(Search::Nothing, Search::Found)
}

/// What comes after the replies so far.
pub fn turn(desk: &dyn Desk, message: &Message, view: &View, replies: &[Reply]) -> Turn {
    let mut talk = Talk::new(message, view, replies, desk.redactor());
    let ended = match message.action {
        Action::Trigger => trigger(desk, &mut talk),
        Action::Acknowledge => acknowledge(desk, &mut talk),
        Action::Resolve => resolve(desk, &mut talk),
    };
    match ended {
        Ok(remote) => Turn::Over(Outcome::Delivered { remote }),
        Err(turn) => turn,
    }
}

/// The first request of a try.
///
/// # Errors
/// There is nothing to call.
pub fn request(desk: &dyn Desk, message: &Message, view: &View) -> Result<Worded, Unsayable> {
    match turn(desk, message, view, &[]) {
        Turn::Call(step) => Ok(step.worded),
        Turn::Over(outcome) => Err(Unsayable(outcome.reason().to_owned())),
    }
}

/// The answer to a look-up of what was never opened, which is what a first trigger gets.
pub fn finds_nothing(message: &Message, body: &str) -> Option<Reply> {
    let reply = Reply { status: 200, body: body.as_bytes().to_vec(), ..Reply::default() };
    Some(reply).filter(|_| message.action == Action::Trigger)
}

/// One reply by itself.
pub fn judge(desk: &dyn Desk, message: &Message, reply: &Reply) -> Outcome {
    let reply = &*cleaned(reply, desk.redactor());
    let is_new = message.action == Action::Trigger && message.remote.is_none();
    let heeded = if is_new { heed_maker(reply) } else { heed(reply) };
    if let Err(Turn::Over(outcome)) = heeded {
        return outcome;
    }
    match reply.status {
        200..=299 if !is_new => Outcome::Delivered { remote: message.remote.clone() },
        200..=299 => match desk.made(reply) {
            Some(ticket) => {
                let view = View::of(message, "", message.accepted_at);
                Outcome::Delivered { remote: Some(told(&ticket, message, &view).remote()) }
            }
            None => not_theirs(reply),
        },
        _ => meant(desk, reply),
    }
}

/// Whether this target has anything to say of an action.
pub fn says(rules: &Rules, action: Action) -> bool {
    match action {
        Action::Trigger => true,
        Action::Acknowledge => rules.on_acknowledge,
        Action::Resolve => rules.on_resolve != OnResolve::None,
    }
}

fn told(ticket: &Ticket, message: &Message, view: &View) -> Memory {
    Memory::of(&ticket.id, &ticket.name, view.severity(), message)
}

/// The ticket of this problem: the one that is remembered, else the one that is found.
fn find(desk: &dyn Desk, talk: &mut Talk<'_>, memory: Option<&Memory>) -> Said<Search> {
    if let Some(memory) = memory.filter(|memory| memory.way != Way::Replaced) {
        return Ok(desk.read(talk, &memory.id)?.map_or(Search::Nothing, Search::Found));
    }
    match desk.look_up(talk) {
        Ok(Search::Found(ticket)) if memory.is_some_and(|old| old.id == ticket.id) => Ok(Search::Nothing),
        // It was only to see whether an old one could be opened again: no reason to make none.
        Err(Turn::Over(Outcome::Hold { .. } | Outcome::Rejected { .. })) if !talk.message.may_exist => {
            Ok(Search::Nothing)
        }
        found => found,
    }
}

fn remembered(message: &Message) -> Option<Memory> {
    message.remote.as_ref().and_then(Memory::read)
}

fn trigger(desk: &dyn Desk, talk: &mut Talk<'_>) -> Said<Option<RemoteRef>> {
    let message = talk.message;
    let memory = remembered(message);
    // What was never opened and is never opened again need not be searched for.
    let may_be_there = memory.is_some() || message.may_exist || desk.rules().reopen.is_some();
    let found = if may_be_there { find(desk, talk, memory.as_ref())? } else { Search::Nothing };
    match (found, memory) {
        (Search::Found(ticket), memory) => go_on(desk, talk, &ticket, memory.as_ref()),
        (Search::Nothing | Search::Cannot, Some(memory)) => instead(desk, talk, &memory),
        (Search::Nothing | Search::Cannot, None) => make(desk, talk, None),
    }
}

/// Goes on with a ticket that is there, if it can; else there is a new one.
fn go_on(
    desk: &dyn Desk,
    talk: &mut Talk<'_>,
    ticket: &Ticket,
    memory: Option<&Memory>,
) -> Said<Option<RemoteRef>> {
    let (message, rules) = (talk.message, desk.rules());
    let now = told(ticket, message, talk.view);
    let memory = memory.filter(|memory| memory.id == ticket.id);
    let has_news = match memory {
        // What the relay itself has set about closing is on again.
        Some(was) => {
            was.way == Way::Closing
                || was.news != now.news
                || was.severity != now.severity
                || message.note.is_some()
        }
        // An earlier try made it of this very message, and its answer was lost.
        None => ticket.made.is_none_or(|made| made < message.accepted_at),
    };
    if !has_news {
        return Ok(Some(now.remote()));
    }
    let is_worse = memory.and_then(|was| was.severity).is_some_and(|was| now.severity > Some(was));
    let is_open = ticket.phase == Phase::Open;
    let change = Change {
        step: (!is_open).then_some(Move::Reopen),
        priority: is_worse && rules.update_priority,
        comment: true,
    };
    let can_go_on = is_open || may_reopen(ticket, rules, message.accepted_at);
    match (can_go_on && desk.change(talk, ticket, &change)?, memory) {
        (true, _) => Ok(Some(now.remote())),
        (false, Some(memory)) => instead(desk, talk, memory),
        (false, None) => make(desk, talk, Some(&ticket.id)),
    }
}

/// A new ticket in place of a remembered one. Should its answer be lost, the next try must not go
/// back to the old one.
fn instead(desk: &dyn Desk, talk: &mut Talk<'_>, old: &Memory) -> Said<Option<RemoteRef>> {
    talk.keep(Memory { way: Way::Replaced, ..old.clone() }.remote());
    make(desk, talk, Some(&old.id))
}

/// A ticket that was found ended is opened again when that was not long ago.
fn may_reopen(ticket: &Ticket, rules: &Rules, now: Timestamp) -> bool {
    let (Some(within), Some(changed)) = (rules.reopen, ticket.changed) else { return false };
    ticket.phase == Phase::Closed && now.duration_since(changed).as_secs() <= within.as_secs() as i64
}

fn make(desk: &dyn Desk, talk: &mut Talk<'_>, before: Option<&str>) -> Said<Option<RemoteRef>> {
    let ticket = match desk.make(talk, before)? {
        Made::Ticket(ticket) => ticket,
        Made::Twice(reply) => match desk.look_up(talk)? {
            Search::Found(ticket) => ticket,
            Search::Nothing | Search::Cannot => {
                return Err(Turn::Over(again(&reply, "there is one already, and it is not yet found")));
            }
        },
    };
    Ok(Some(told(&ticket, talk.message, talk.view).remote()))
}

fn acknowledge(desk: &dyn Desk, talk: &mut Talk<'_>) -> Said<Option<RemoteRef>> {
    if !desk.rules().on_acknowledge {
        return unsaid("`on_acknowledge: none`: tickets are not told who has taken the problem");
    }
    let memory = remembered(talk.message);
    let ticket = match find(desk, talk, memory.as_ref())? {
        Search::Found(ticket) => ticket,
        Search::Nothing => return Ok(None),
        Search::Cannot => return unsaid(UNKNOWN),
    };
    if ticket.phase == Phase::Open {
        let change = Change { step: Some(Move::Acknowledge), comment: true, ..Change::default() };
        desk.change(talk, &ticket, &change)?;
    }
    // What was last told of alerts stays as it was.
    let memory = memory.filter(|memory| memory.id == ticket.id);
    Ok(Some(memory.unwrap_or_else(|| told(&ticket, talk.message, talk.view)).remote()))
}

fn resolve(desk: &dyn Desk, talk: &mut Talk<'_>) -> Said<Option<RemoteRef>> {
    let step = match desk.rules().on_resolve {
        OnResolve::None => return unsaid("`on_resolve: none`: tickets are closed by people"),
        OnResolve::Comment => None,
        OnResolve::Close => Some(Move::Close),
    };
    let memory = remembered(talk.message);
    let ticket = match find(desk, talk, memory.as_ref())? {
        Search::Found(ticket) => ticket,
        Search::Nothing => return Ok(None),
        Search::Cannot => return unsaid(UNKNOWN),
    };
    let known = memory.filter(|memory| memory.id == ticket.id);
    let known = known.unwrap_or_else(|| told(&ticket, talk.message, talk.view));
    let step = match (ticket.phase, step) {
        (Phase::Open, Some(step)) => {
            // Should it be closed and the comment fail, it is found closed, and not by a person.
            if desk.comments_apart() {
                talk.keep(Memory { way: Way::Closing, ..known }.remote());
            }
            Some(step)
        }
        // A person was faster.
        (Phase::Closed | Phase::Sealed, _) if known.way != Way::Closing => return Ok(None),
        _ => None,
    };
    desk.change(talk, &ticket, &Change { step, comment: true, ..Change::default() })?;
    Ok(None)
}

fn unsaid<T>(why: &str) -> Said<T> {
    Err(Turn::Over(Outcome::Rejected { reason: why.to_owned() }))
}
