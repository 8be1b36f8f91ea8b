//! A ticket that a target opened and that is followed until it is closed, or what it was opened for is
//! over: what a finding means, when it is asked after next, and when somebody is reminded. Pure.

use std::time::Duration;

use crate::domain::incident::State;
use crate::domain::signal::Event;

/// A ticket that does not move is asked after less and less often, but never less often than this.
pub const ASK_MAX: Duration = Duration::from_secs(30 * 60);
/// By how much the pause may be shorter or longer, so that tickets of one moment part ways.
const JITTER: f64 = 0.25;
/// What has not moved for so long is asked after a part of that time later.
const PATIENCE: u32 = 16;
/// The first question comes soon: it finds the state that a ticket is made in.
const FIRST: Duration = Duration::from_secs(15);
/// Reminders of one ticket.
pub const REMINDERS_MAX: u32 = 3;
/// Questions in a row that find no ticket, after which it is not asked after any more.
pub const LOST_MAX: u32 = 3;

/// Whether a ticket is still followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Work on it goes on.
    Open,
    /// Somebody closed it there.
    Closed,
    /// What it was opened for is over.
    Over,
    /// It cannot be found any more.
    Lost,
}

impl Phase {
    /// All of them, in the order of their numbers.
    pub const ALL: [Phase; 4] = [Phase::Open, Phase::Closed, Phase::Over, Phase::Lost];

    /// One word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Open => "open",
            Phase::Closed => "closed",
            Phase::Over => "over",
            Phase::Lost => "lost",
        }
    }
}

/// What is known of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whether it is followed.
    pub phase: Phase,
    /// The service's word for its state; empty: not known yet.
    pub state: String,
}

/// What a finding is, beside what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Known already, by whatever way.
    None,
    /// The state in which it was made: known from now on, and no news.
    First,
    /// It moved.
    Moved,
    /// It was closed.
    Closed,
}

/// How a finding came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The service told of it, because it changed.
    Pushed,
    /// It was asked.
    Asked,
}

/// What it means that a ticket was found in this state. Pushed and asked for, or told twice, the same
/// is news once.
pub fn news(known: &Known, way: Way, event: Event, state: &str) -> News {
    match (event, known.phase) {
        (_, Phase::Over) => News::None,
        (Event::TicketClosed, Phase::Closed) => News::None,
        (Event::TicketClosed, _) => News::Closed,
        (Event::TicketMoved, Phase::Open) if known.state.is_empty() && way == Way::Asked => News::First,
        (Event::TicketMoved, Phase::Open) if same(&known.state, state) => News::None,
        (Event::TicketMoved, _) => News::Moved,
        _ => News::None,
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// The pause before the next question: `every` while it is young, longer the longer it has stood
/// still. `dice` is evenly drawn from `0.0..1.0`.
pub fn pause(every: Duration, stood_still: Duration, dice: f64) -> Duration {
    let pause = (stood_still / PATIENCE).clamp(every, ASK_MAX.max(every));
    pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * dice.clamp(0.0, 1.0))
}

/// The pause before the first question.
pub fn first_pause(every: Duration, dice: f64) -> Duration {
    pause(every.min(FIRST), Duration::ZERO, dice)
}

/// What is to be done about a ticket that is due for a reminder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reminder {
    /// Somebody is reminded.
    Send,
    /// Not now: somebody has the incident; it is looked at again after the same time.
    Later,
    /// Never again.
    Never,
}

/// Whether somebody is to be reminded of a ticket: it stands where it stood when it was made, and
/// nobody has acknowledged its incident.
pub fn reminder(phase: Phase, has_moved: bool, reminded: u32, incident: State) -> Reminder {
    match incident {
        _ if phase != Phase::Open || has_moved || reminded >= REMINDERS_MAX => Reminder::Never,
        State::Detected => Reminder::Send,
        State::Acknowledged | State::Mitigated => Reminder::Later,
        State::Resolved | State::Reviewed | State::Closed => Reminder::Never,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERY: Duration = Duration::from_secs(120);

    fn known(phase: Phase, state: &str) -> Known {
        Known { phase, state: state.into() }
    }

    #[test]
    fn the_first_state_that_is_asked_for_is_no_news_and_one_that_is_told_is() {
        let new = known(Phase::Open, "");
        assert_eq!(news(&new, Way::Asked, Event::TicketMoved, "New"), News::First);
        assert_eq!(news(&new, Way::Pushed, Event::TicketMoved, "In Progress"), News::Moved);
        assert_eq!(news(&new, Way::Asked, Event::TicketClosed, "Done"), News::Closed);
    }

    #[test]
    fn what_was_pushed_is_no_news_when_it_is_asked_for_and_the_other_way_round() {
        for way in [Way::Pushed, Way::Asked] {
            let taken = known(Phase::Open, "In Progress");
            assert_eq!(news(&taken, way, Event::TicketMoved, "in progress"), News::None);
            assert_eq!(news(&taken, way, Event::TicketMoved, "Waiting"), News::Moved);
            assert_eq!(news(&taken, way, Event::TicketClosed, "Done"), News::Closed);
            let closed = known(Phase::Closed, "Done");
            assert_eq!(news(&closed, way, Event::TicketClosed, "Won't do"), News::None);
            assert_eq!(news(&closed, way, Event::TicketMoved, "Done"), News::Moved, "opened again");
            let over = known(Phase::Over, "Done");
            assert_eq!(news(&over, way, Event::TicketClosed, "Done"), News::None, "we closed it ourselves");
        }
    }

    #[test]
    fn what_stands_still_is_asked_after_less_often_and_at_least_every_half_hour() {
        let still = |minutes: u64| pause(EVERY, Duration::from_secs(minutes * 60), 0.5).as_secs();
        assert_eq!([0, 10, 64, 160, 480, 100_000].map(still), [120, 120, 240, 600, 1800, 1800]);
        let rare = Duration::from_secs(7200);
        assert_eq!(pause(rare, Duration::ZERO, 0.5), rare, "as rarely as the operator wants");
        assert_eq!(first_pause(EVERY, 0.5).as_secs(), 15);
    }

    #[test]
    fn nobody_is_reminded_of_what_somebody_has() {
        let open = |moved, reminded, state| reminder(Phase::Open, moved, reminded, state);
        assert_eq!(open(false, 0, State::Detected), Reminder::Send);
        assert_eq!(open(false, REMINDERS_MAX - 1, State::Detected), Reminder::Send);
        assert_eq!(open(false, REMINDERS_MAX, State::Detected), Reminder::Never);
        assert_eq!(open(true, 0, State::Detected), Reminder::Never, "it was taken up");
        assert_eq!(open(false, 0, State::Acknowledged), Reminder::Later);
        assert_eq!(open(false, 0, State::Resolved), Reminder::Never);
        assert_eq!(reminder(Phase::Closed, false, 0, State::Detected), Reminder::Never);
    }

    proptest! {
        #[test]
        fn pauses_stay_within_their_bounds(every in 1_u64..100_000, still in 0_u64..10_000_000, dice in 0.0..1.0) {
            let (every, still) = (Duration::from_secs(every), Duration::from_secs(still));
            let pause = pause(every, still, dice);
            prop_assert!(pause >= every.mul_f64(0.74) && pause <= ASK_MAX.max(every).mul_f64(1.26));
        }

        /// Whatever is found in whatever order and by whatever way: between two closings there is a
        /// move, and the same finding twice in a row is news once at most.
        #[test]
        fn the_same_is_news_once(findings in prop::collection::vec((any::<bool>(), any::<bool>(), 0_u8..3), 0..40)) {
            let mut now = known(Phase::Open, "");
            for (pushed, closes, state) in findings {
                let way = if pushed { Way::Pushed } else { Way::Asked };
                let event = if closes { Event::TicketClosed } else { Event::TicketMoved };
                let state = format!("state {state}");
                let what = news(&now, way, event, &state);
                prop_assert!(what != News::Closed || now.phase == Phase::Open);
                if what != News::None {
                    now = known(if closes { Phase::Closed } else { Phase::Open }, &state);
                }
                for again in [Way::Pushed, Way::Asked] {
                    prop_assert_eq!(news(&now, again, event, &state), News::None);
                }
            }
        }
    }
}
