//! The life of an incident, pure: what may happen to it, and what follows.
//!
//! `detected > acknowledged > mitigated > resolved > reviewed > closed`. A move that the life cycle
//! does not know is refused with a sentence; one that tells what is known already changes nothing,
//! so late and repeated signals are harmless.

use jiff::Timestamp;

use crate::domain::incident::{Incident, Level, Policy, State};

/// What may happen to it. Names of people may be empty where nobody said who it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening<'a> {
    /// An alert of it fires, as bad as this; by the rules.
    Fired(Level, Policy),
    /// All its alerts are over.
    Over,
    /// A person took it.
    Acknowledged(&'a str),
    /// A person gave it back.
    Unacknowledged(&'a str),
    /// A person says that it hurts no longer.
    Mitigated(&'a str),
    /// A person says that it is over.
    Resolved(&'a str),
    /// A person has looked at it afterwards.
    Reviewed(&'a str),
    /// A person wants it closed.
    Closed(&'a str),
    /// A person made it somebody's.
    Assigned(&'a str),
    /// A person says how bad it is.
    Rated(Level),
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// From now on it counts until others are told.
    Arm,
    /// Nobody else need be told.
    Disarm,
    /// All targets hear that it is taken.
    TellTaken,
    /// All targets hear that it is over.
    TellOver,
}

/// The move cannot be made: a sentence with the cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Illegal(pub String);

/// What becomes of an incident. Told what is known it changes nothing and nothing follows.
///
/// # Errors
/// [`Illegal`]: the life cycle does not know this move; nothing changes.
pub fn happen(
    incident: &Incident,
    what: Happening<'_>,
    at: Timestamp,
) -> Result<(Incident, &'static [Effect]), Illegal> {
    let mut next = incident.clone();
    let state = incident.state;
    let effects: &'static [Effect] = match what {
        Happening::Fired(level, _) if state.is_open() => {
            next.level = incident.level.min(level);
            &[]
        }
        Happening::Fired(level, policy) if state != State::Closed => {
            next.level = incident.level.min(level);
            back(&mut next, policy)
        }
        Happening::Fired(..) => return refuse("is closed; what fires now is a new one"),
        Happening::Over if state.is_open() => over(&mut next, at),
        Happening::Over => &[],
        Happening::Acknowledged(who) => match state {
            State::Detected => {
                take(&mut next, who, at);
                &[Effect::Disarm, Effect::TellTaken]
            }
            State::Acknowledged | State::Mitigated => &[],
            _ => return refuse_in(state, "there is nothing left to take"),
        },
        Happening::Unacknowledged(_) => match state {
            State::Acknowledged => {
                next.state = State::Detected;
                next.acknowledged_by.clear();
                &[Effect::Arm]
            }
            State::Detected => &[],
            _ => return refuse_in(state, "it cannot be given back"),
        },
        Happening::Mitigated(who) => match state {
            State::Detected | State::Acknowledged => {
                let was_taken = state == State::Acknowledged;
                if !was_taken {
                    take(&mut next, who, at);
                }
                next.state = State::Mitigated;
                next.mitigated_at = Some(at);
                if was_taken { &[] } else { &[Effect::Disarm, Effect::TellTaken] }
            }
            State::Mitigated => &[],
            _ => return refuse_in(state, "there is nothing left to mitigate"),
        },
        Happening::Resolved(_) if state.is_open() => {
            over(&mut next, at);
            &[Effect::Disarm, Effect::TellOver]
        }
        Happening::Resolved(_) => &[],
        Happening::Reviewed(_) => match state {
            State::Resolved => {
                next.state = State::Reviewed;
                next.reviewed_at = Some(at);
                &[]
            }
            State::Reviewed | State::Closed => &[],
            _ => return refuse_in(state, "it is reviewed when it is over; resolve it first"),
        },
        Happening::Closed(_) => close(&mut next, at)?,
        Happening::Assigned(owner) => {
            next.owner = owner.to_owned();
            &[]
        }
        Happening::Rated(level) => {
            next.level = level;
            &[]
        }
    };
    Ok((next, effects))
}

fn take(next: &mut Incident, who: &str, at: Timestamp) {
    next.state = State::Acknowledged;
    next.acknowledged_by = who.to_owned();
    next.acknowledged_at = next.acknowledged_at.or(Some(at));
}

/// What flaps stays with whoever has it.
fn back(next: &mut Incident, policy: Policy) -> &'static [Effect] {
    (next.mitigated_at, next.resolved_at, next.reviewed_at) = (None, None, None);
    next.reopened += 1;
    if policy.is_flapping(next.reopened) && !next.acknowledged_by.is_empty() {
        next.state = State::Acknowledged;
        return &[];
    }
    next.state = State::Detected;
    next.acknowledged_by.clear();
    &[Effect::Arm]
}

fn over(next: &mut Incident, at: Timestamp) -> &'static [Effect] {
    next.state = State::Resolved;
    next.resolved_at = Some(at);
    &[Effect::Disarm]
}

/// What was bad is looked at before it is forgotten.
fn close(next: &mut Incident, at: Timestamp) -> Result<&'static [Effect], Illegal> {
    match next.state {
        State::Closed => Ok(&[]),
        State::Reviewed => {
            next.state = State::Closed;
            next.closed_at = Some(at);
            Ok(&[])
        }
        State::Resolved if next.level == Level::P2 => {
            next.state = State::Closed;
            next.closed_at = Some(at);
            Ok(&[])
        }
        State::Resolved => {
            refuse(&format!("is a {}: it is reviewed before it is closed; review it first", next.level))
        }
        state => refuse_in(state, "it goes on; resolve it first"),
    }
}

fn refuse<T>(why: &str) -> Result<T, Illegal> {
    Err(Illegal(format!("the incident {why}")))
}

fn refuse_in<T>(state: State, why: &str) -> Result<T, Illegal> {
    refuse(&format!("is {state}: {why}"))
}
