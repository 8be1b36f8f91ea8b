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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::incident::Belongs;

    const POLICY: Policy = Policy { reopen_within: Duration::from_secs(60), flapping_from: 2 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn opened() -> Incident {
        Incident::open(Level::P1, "db".into(), at(0))
    }

    /// Lets this happen, second by second; gives the state after each move, or why it was refused.
    fn course(moves: &[Happening<'_>]) -> (Incident, Vec<String>) {
        let mut incident = opened();
        let mut told = Vec::new();
        for (second, what) in (1..).zip(moves) {
            match happen(&incident, *what, at(second)) {
                Ok((next, _)) => {
                    incident = next;
                    told.push(incident.state.to_string());
                }
                Err(illegal) => told.push(illegal.0),
            }
        }
        (incident, told)
    }

    #[test]
    fn a_whole_life() {
        let (incident, told) = course(&[
            Happening::Acknowledged("ann"),
            Happening::Mitigated("ann"),
            Happening::Over,
            Happening::Reviewed("bob"),
            Happening::Closed("bob"),
        ]);
        assert_eq!(told, ["acknowledged", "mitigated", "resolved", "reviewed", "closed"]);
        let times = [
            incident.acknowledged_at,
            incident.mitigated_at,
            incident.resolved_at,
            incident.reviewed_at,
            incident.closed_at,
        ];
        assert_eq!(times, [1, 2, 3, 4, 5].map(|second| Some(at(second))));
        assert_eq!(incident.acknowledged_by, "ann");
    }

    #[test]
    fn what_the_life_cycle_does_not_know_is_refused_with_a_sentence() {
        for (moves, expected) in [
            (vec![Happening::Closed("ann")], "the incident is detected: it goes on; resolve it first"),
            (
                vec![Happening::Over, Happening::Closed("ann")],
                "the incident is a P1: it is reviewed before it is closed; review it first",
            ),
            (
                vec![Happening::Over, Happening::Acknowledged("ann")],
                "the incident is resolved: there is nothing left to take",
            ),
            (
                vec![Happening::Reviewed("ann")],
                "the incident is detected: it is reviewed when it is over; resolve it first",
            ),
            (
                vec![
                    Happening::Rated(Level::P2),
                    Happening::Over,
                    Happening::Closed(""),
                    Happening::Fired(Level::P0, POLICY),
                ],
                "the incident is closed; what fires now is a new one",
            ),
        ] {
            assert_eq!(course(&moves).1.last().map(String::as_str), Some(expected), "{moves:?}");
        }
    }

    #[test]
    fn what_is_known_changes_nothing_and_nothing_follows() {
        let (taken, _) = course(&[Happening::Acknowledged("ann")]);
        let again = happen(&taken, Happening::Acknowledged("bob"), at(9)).unwrap();
        assert_eq!(again, (taken.clone(), &[][..]), "the first who took it has it");
        let (over, _) = course(&[Happening::Over]);
        for what in [Happening::Over, Happening::Resolved("ann")] {
            assert_eq!(happen(&over, what, at(9)).unwrap(), (over.clone(), &[][..]));
        }
    }

    #[test]
    fn what_comes_back_must_be_taken_again_until_it_flaps() {
        let back = Happening::Fired(Level::P2, POLICY);
        let (incident, told) = course(&[
            Happening::Acknowledged("ann"),
            Happening::Over,
            back,
            Happening::Acknowledged("bob"),
            Happening::Over,
            back,
        ]);
        assert_eq!(told[2], "detected");
        assert_eq!(told[5], "acknowledged", "it flaps: bob keeps it");
        assert_eq!((incident.acknowledged_by.as_str(), incident.acknowledged_at), ("bob", Some(at(1))));
        assert_eq!((incident.reopened, incident.level, incident.resolved_at), (2, Level::P1, None));
    }

    #[test]
    fn what_fires_soon_after_the_end_is_the_same_and_later_it_is_not() {
        let (over, _) = course(&[Happening::Over]);
        for (second, expected) in [(0, Belongs::Returns), (61, Belongs::Returns), (62, Belongs::New)] {
            assert_eq!(over.takes(POLICY.reopen_within, at(second)), expected, "{second}");
        }
        assert_eq!(opened().takes(Duration::ZERO, at(1_000_000)), Belongs::GoesOn);
    }

    fn any_happening() -> impl Strategy<Value = Happening<'static>> {
        prop::sample::select(vec![
            Happening::Fired(Level::P0, POLICY),
            Happening::Fired(Level::P2, POLICY),
            Happening::Over,
            Happening::Acknowledged("ann"),
            Happening::Unacknowledged("ann"),
            Happening::Mitigated("bob"),
            Happening::Resolved("bob"),
            Happening::Reviewed("bob"),
            Happening::Closed("bob"),
            Happening::Assigned("team"),
            Happening::Rated(Level::P1),
        ])
    }

    proptest! {
        /// Whatever happens in whatever order: times and states agree, the timers run exactly while
        /// nobody has it, and the same told twice in a row is told once (but for what comes back).
        #[test]
        fn every_course_is_sound(moves in prop::collection::vec(any_happening(), 0..40)) {
            let mut incident = opened();
            let mut armed = true;
            for (second, what) in (1..).zip(moves) {
                let Ok((next, effects)) = happen(&incident, what, at(second)) else { continue };
                for effect in effects {
                    match effect {
                        Effect::Arm => armed = true,
                        Effect::Disarm => armed = false,
                        Effect::TellTaken => prop_assert!(!next.acknowledged_by.is_empty()),
                        Effect::TellOver => prop_assert!(incident.state.is_open()),
                    }
                }
                prop_assert_eq!(armed, next.state == State::Detected, "{:?}", next);
                prop_assert_eq!(next.resolved_at.is_some(), !next.state.is_open());
                prop_assert_eq!(next.closed_at.is_some(), next.state == State::Closed);
                prop_assert_eq!(next.opened_at, at(0));
                prop_assert!(next.reopened >= incident.reopened);
                let only_named = Incident { owner: next.owner.clone(), level: next.level, ..incident.clone() };
                prop_assert!(incident.state != State::Closed || next == only_named);
                let again = happen(&next, what, at(second + 1));
                prop_assert!(matches!(again, Ok((ref same, [])) if *same == next) || again.is_err(), "{:?}", again);
                incident = next;
            }
        }
    }
}
