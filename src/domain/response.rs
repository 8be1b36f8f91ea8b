//! What follows from a signal: which lanes of the same problem are told what. Pure.
//!
//! A state that the relay knows already is an echo of its own action, or a late repeat: it is
//! recorded and nothing follows, so two services that both report every change cannot talk in
//! circles.

use crate::domain::message::Action;
use crate::domain::signal::Event;

/// One lane of the problem that a signal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Row id.
    pub lane: i64,
    /// Its target.
    pub target: String,
    /// Something is open at the target, or is about to be.
    pub is_open: bool,
    /// Somebody has taken it.
    pub is_acknowledged: bool,
}

/// What follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The relay knew already.
    pub is_echo: bool,
    /// Whether the open lanes count as taken from now on; `None`: as before.
    pub acknowledged: Option<bool>,
    /// What to tell whom.
    pub tell: Vec<(i64, Action)>,
}

/// What is known of the targets that may be told.
pub trait Listeners {
    /// Whether this target has a word for this action.
    fn says(&self, target: &str, action: Action) -> bool;
    /// Whether this target wants to hear what was said right there.
    fn mirrors(&self, target: &str) -> bool;
    /// Whether the incident is over when a ticket of this target is closed.
    fn ends(&self, _target: &str) -> bool {
        false
    }
}

/// Decides what follows from what was heard at `origin`. `lanes` are all lanes of the problem.
pub fn respond(event: Event, origin: &str, lanes: &[Standing], listeners: &dyn Listeners) -> Response {
    let open = || lanes.iter().filter(|lane| lane.is_open);
    let hears = |lane: &&Standing, action: Action| {
        listeners.says(&lane.target, action) && (lane.target != origin || listeners.mirrors(&lane.target))
    };
    match event {
        Event::Acknowledged => {
            let is_echo = open().all(|lane| lane.is_acknowledged);
            let fresh = open().filter(|lane| !lane.is_acknowledged && hears(lane, Action::Acknowledge));
            let tell = fresh.map(|lane| (lane.lane, Action::Acknowledge)).collect();
            Response { is_echo, acknowledged: (!is_echo).then_some(true), tell }
        }
        Event::Unacknowledged => {
            let is_echo = !open().any(|lane| lane.is_acknowledged);
            Response { is_echo, acknowledged: (!is_echo).then_some(false), tell: Vec::new() }
        }
        // The origin is told as well: a second resolve harms nobody, and the lane is closed by it.
        Event::Resolved => {
            let tell: Vec<_> = open().map(|lane| (lane.lane, Action::Resolve)).collect();
            Response { is_echo: tell.is_empty(), acknowledged: None, tell }
        }
        // Whoever has it need not be reached any more.
        Event::Missed => {
            let missed = open().filter(|lane| lane.target == origin && !lane.is_acknowledged);
            let tell = missed.map(|lane| (lane.lane, Action::Trigger)).collect();
            Response { tell, ..Response::default() }
        }
        Event::Reopened
        | Event::Commented
        | Event::TicketMoved
        | Event::TicketClosed
        | Event::JobMoved
        | Event::JobSucceeded
        | Event::JobFailed
        | Event::Approved
        | Event::Declined
        | Event::Reached => Response::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `robot` has no word for an acknowledgement, `slack` shows what was said there.
    struct Cast;

    impl Listeners for Cast {
        fn says(&self, target: &str, action: Action) -> bool {
            !(target == "robot" && action == Action::Acknowledge)
        }

        fn mirrors(&self, target: &str) -> bool {
            target == "slack"
        }
    }

    const TARGETS: [&str; 3] = ["pager", "slack", "robot"];

    fn lanes(open: [bool; 3], acknowledged: bool) -> Vec<Standing> {
        let lane = |n: usize| Standing {
            lane: n as i64,
            target: TARGETS[n].into(),
            is_open: open[n],
            is_acknowledged: acknowledged,
        };
        (0..3).map(lane).collect()
    }

    #[test]
    fn an_acknowledgement_is_told_to_all_who_can_say_it_and_shown_where_it_was_given() {
        let heard = |origin: &str| respond(Event::Acknowledged, origin, &lanes([true; 3], false), &Cast);
        let ack = |lanes: &[i64]| lanes.iter().map(|lane| (*lane, Action::Acknowledge)).collect::<Vec<_>>();
        assert_eq!(heard("slack").tell, ack(&[0, 1]));
        assert_eq!(heard("pager").tell, ack(&[1]), "the pager knows it already");
        assert_eq!(heard("pager").acknowledged, Some(true));
    }

    #[test]
    fn what_is_known_already_is_an_echo_and_nothing_follows() {
        for (event, lanes) in [
            (Event::Acknowledged, lanes([true; 3], true)),
            (Event::Unacknowledged, lanes([true; 3], false)),
            (Event::Resolved, lanes([false; 3], false)),
            (Event::Acknowledged, Vec::new()),
        ] {
            let response = respond(event, "pager", &lanes, &Cast);
            assert_eq!(response, Response { is_echo: true, ..Response::default() }, "{event:?}");
        }
    }

    #[test]
    fn a_resolve_closes_what_is_open_everywhere() {
        let response = respond(Event::Resolved, "slack", &lanes([true, true, false], true), &Cast);
        assert_eq!(response.tell, [(0, Action::Resolve), (1, Action::Resolve)]);
    }

    #[test]
    fn who_was_missed_is_told_again_there_unless_somebody_has_it() {
        let missed = |acknowledged| respond(Event::Missed, "robot", &lanes([true; 3], acknowledged), &Cast);
        assert_eq!(missed(false).tell, [(2, Action::Trigger)]);
        assert_eq!(missed(true).tell, []);
    }
}
