//! A lane: the deliveries of one target and dedup key, strictly in order.
//!
//! [`admit`] decides, purely, what news an arriving part brings to its lane: this is what tames a
//! pair of Alertmanagers that tell the same story out of step. What of a lane still needs sending
//! is decided in `fold.rs`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::alert::{Alert, Fingerprint, Status};
use crate::domain::message::Action;
use crate::domain::reminders::Reminders;

/// The logical time of one alert: when the episode began, whether it is over, when it ended.
///
/// `starts` is `None` where the sender has no such notion; then arrival order is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertClock {
    /// Start of the episode.
    pub starts: Option<Timestamp>,
    /// Firing or resolved.
    pub status: Status,
    /// End of the episode; `None` while it fires, or when the sender did not say.
    pub ends: Option<Timestamp>,
}

impl AlertClock {
    /// Reads the clock of an alert, to the millisecond: that is what a store keeps, and a clock
    /// that came back from the store must equal the one that went in.
    pub fn of(alert: &Alert) -> AlertClock {
        let whole = |time: Option<Timestamp>| {
            time.map(|time| Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time))
        };
        AlertClock { starts: whole(alert.starts_at), status: alert.status, ends: whole(alert.ends_at) }
    }
}

/// How an incoming alert relates to what the lane knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A later state.
    New,
    /// The state that is known.
    Same,
    /// An earlier state: it arrived late and must not undo the later one.
    Old,
}

impl News {
    /// Compares by (start, firing before resolved, end).
    ///
    /// One exception: a resolve whose end lies after the known start closes a firing episode even
    /// when its own start is earlier, because Alertmanager moves `startsAt` back when it merges
    /// alerts, and a resolve that is thrown away would leave a page open for ever.
    pub fn of(known: Option<&AlertClock>, incoming: &AlertClock) -> News {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let Some(known) = known else { return News::New };
        let (Some(was), Some(is)) = (known.starts, incoming.starts) else {
            return if known.status == incoming.status && known.ends == incoming.ends {
                News::Same
            } else {
                News::New
            };
        };
        match (known.status, incoming.status) {
            (Status::Firing, Status::Resolved) => {
                let closes = is >= was || incoming.ends.is_none_or(|end| end >= was);
                if closes { News::New } else { News::Old }
            }
            (Status::Resolved, Status::Firing) => {
                if is > was {
                    News::New
                } else {
                    News::Old
                }
            }
            (Status::Firing, Status::Firing) => match is.cmp(&was) {
                Greater => News::New,
                Equal | Less => News::Same,
            },
            (Status::Resolved, Status::Resolved) => match (is, incoming.ends).cmp(&(was, known.ends)) {
                Greater => News::New,
                Equal => News::Same,
                Less => News::Old,
            },
        }
    }
}

/// The clocks of all alerts that a lane has heard of.
pub type Clocks = BTreeMap<Fingerprint, AlertClock>;

/// What the store remembers of a lane when something arrives for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneFacts {
    /// Last known state of each alert.
    pub clocks: Clocks,
    /// The target may have seen a trigger that no resolve has followed.
    pub seen: bool,
    /// Deliveries still owed.
    pub waiting: u32,
    /// Hash over what the last admitted part said, to tell a repeat from a change of wording.
    pub content: i64,
    /// When the last part was admitted.
    pub admitted_at: Timestamp,
}

/// One alert of an arriving part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Its place in the group.
    pub place: u32,
    /// Its identity.
    pub print: Fingerprint,
    /// Its logical time.
    pub clock: AlertClock,
    /// Routing does not bring it to this target (any more). It is a resolve, and of interest only
    /// if this lane has heard of the alert: a resolve goes wherever its trigger went.
    pub only_if_known: bool,
}

/// What arrives for a lane.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The alerts of this part.
    pub alerts: &'a [Told],
    /// Hash over what it says: labels, annotations, status.
    pub content: i64,
    /// The sender left alerts out, so it can never mean that all is over.
    pub truncated: bool,
    /// When it arrived.
    pub now: Timestamp,
    /// A repeat within this time of the last news is the same news told twice.
    pub window: std::time::Duration,
    /// What of later repeats is told.
    pub reminders: Reminders,
}

/// What becomes of an arriving part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It becomes a delivery.
    Enqueue {
        /// Trigger or resolve: decided over all alerts of the lane, not only those in this part.
        action: Action,
        /// Places in the group of the alerts to tell of: stale ones are left out.
        alerts: Vec<u32>,
    },
    /// The same news within the window (the other Alertmanager of a pair): recorded, not sent.
    Duplicate,
    /// What is known goes on, and the target does not want to hear it again: recorded, not sent.
    Reminder,
    /// Older than what is known: recorded, not sent.
    Stale,
    /// A resolve of something that was never opened: recorded, not sent.
    NothingOpen,
    /// Only resolves of alerts that this lane has never heard of: not even recorded.
    NotConcerned,
}

/// Decides what an arriving part means for its lane and brings the lane's clocks up to date.
///
/// Order of rules: what is of no concern is passed over; what is wholly old is stale; what is
/// wholly known and came a moment ago is a duplicate; what fires on, is told already and is not
/// wanted again is a reminder that stays unsaid; everything else is news.
/// Whether all is over is decided over every alert that the lane knows: one that is absent from
/// this part and fired when last heard of still fires.
pub fn admit(lane: &mut LaneFacts, incoming: &Incoming<'_>) -> Admission {
    let concerns = |told: &&Told| !told.only_if_known || lane.clocks.contains_key(&told.print);
    let concerning: Vec<&Told> = incoming.alerts.iter().filter(concerns).collect();
    if concerning.is_empty() {
        return Admission::NotConcerned;
    }
    let mut alerts: Vec<u32> = Vec::with_capacity(concerning.len());
    let mut anything_new = false;
    for told in concerning {
        match News::of(lane.clocks.get(&told.print), &told.clock) {
            News::New => {
                lane.clocks.insert(told.print, told.clock);
                anything_new = true;
                alerts.push(told.place);
            }
            News::Same => alerts.push(told.place),
            News::Old => {}
        }
    }
    if alerts.is_empty() {
        return Admission::Stale;
    }
    forget_what_is_long_over(&mut lane.clocks, incoming.now);
    let passed = incoming.now.duration_since(lane.admitted_at).unsigned_abs();
    let told_before = !anything_new && lane.content == incoming.content;
    if told_before && passed <= incoming.window {
        return Admission::Duplicate;
    }
    let firing = incoming.truncated || lane.clocks.values().any(|clock| clock.status == Status::Firing);
    let open = lane.seen || lane.waiting > 0;
    // What was given up is not open: its reminder is the next chance to tell it.
    if told_before && firing && open && !incoming.reminders.allow(passed) {
        return Admission::Reminder;
    }
    if incoming.content != 0 {
        lane.content = incoming.content;
    }
    lane.admitted_at = incoming.now;
    match (firing, open) {
        (true, _) => Admission::Enqueue { action: Action::Trigger, alerts },
        (false, true) => Admission::Enqueue { action: Action::Resolve, alerts },
        (false, false) => Admission::NothingOpen,
    }
}

/// How long the end of an alert is remembered, so that a late peer cannot open it again.
const MEMORY_OF_THE_RESOLVED: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

fn forget_what_is_long_over(clocks: &mut Clocks, now: Timestamp) {
    clocks.retain(|_, clock| {
        clock.status == Status::Firing
            || clock.ends.is_none_or(|end| now.duration_since(end).unsigned_abs() < MEMORY_OF_THE_RESOLVED)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn clock(starts: i64, ends: Option<i64>) -> AlertClock {
        let status = if ends.is_some() { Status::Resolved } else { Status::Firing };
        AlertClock { starts: Some(at(starts)), status, ends: ends.map(at) }
    }

    fn told(print: u64, clock: AlertClock) -> Told {
        Told { place: 0, print: Fingerprint(print), clock, only_if_known: false }
    }

    fn tell(lane: &mut LaneFacts, starts: i64, ends: Option<i64>, now: i64) -> Admission {
        remind(lane, starts, ends, now, Reminders::Every)
    }

    fn remind(
        lane: &mut LaneFacts,
        starts: i64,
        ends: Option<i64>,
        now: i64,
        reminders: Reminders,
    ) -> Admission {
        let alerts = [told(1, clock(starts, ends))];
        let incoming = Incoming {
            alerts: &alerts,
            content: ends.unwrap_or(-1),
            truncated: false,
            now: at(now),
            window: std::time::Duration::from_secs(60),
            reminders,
        };
        let admission = admit(lane, &incoming);
        if let Admission::Enqueue { action, .. } = admission {
            lane.seen = action == Action::Trigger;
        }
        admission
    }

    fn sends(action: Action) -> Admission {
        Admission::Enqueue { action, alerts: vec![0] }
    }

    #[test]
    fn a_pair_that_tells_the_story_out_of_step_tells_it_once() {
        let lane = &mut LaneFacts::default();
        assert_eq!(tell(lane, 0, None, 1), sends(Action::Trigger));
        assert_eq!(tell(lane, 0, Some(20), 21), sends(Action::Resolve));
        assert_eq!(tell(lane, 0, None, 22), Admission::Stale, "the slower peer still says firing");
        assert_eq!(tell(lane, 0, Some(20), 40), Admission::Duplicate);
        assert_eq!(tell(lane, 50, None, 51), sends(Action::Trigger), "a new episode is news");
    }

    #[test]
    fn a_reminder_after_the_window_is_sent_and_a_repeat_within_it_is_not() {
        let lane = &mut LaneFacts::default();
        assert_eq!(tell(lane, 0, None, 0), sends(Action::Trigger));
        assert_eq!(tell(lane, 0, None, 60), Admission::Duplicate);
        assert_eq!(tell(lane, 0, None, 61), sends(Action::Trigger));
    }

    #[test]
    fn what_goes_on_unchanged_is_told_as_often_as_the_target_wants() {
        let hour = 3600;
        let told = |reminders, hours: &[i64]| -> Vec<Admission> {
            let lane = &mut LaneFacts::default();
            hours.iter().map(|at| remind(lane, 0, None, at * hour, reminders)).collect()
        };
        let sent = || sends(Action::Trigger);
        assert_eq!(told(Reminders::Never, &[0, 1, 99]), [sent(), Admission::Reminder, Admission::Reminder]);
        let every_four = Reminders::Once(std::time::Duration::from_secs(4 * 3600));
        assert_eq!(
            told(every_four, &[0, 1, 3, 4, 7, 8]),
            [sent(), Admission::Reminder, Admission::Reminder, sent(), Admission::Reminder, sent()]
        );
        assert_eq!((every_four.to_string().as_str(), Reminders::Never.to_string().as_str()), ("4h", "never"));
    }

    #[test]
    fn news_ends_and_what_never_arrived_are_no_reminders() {
        let lane = &mut LaneFacts::default();
        assert_eq!(remind(lane, 0, None, 0, Reminders::Never), sends(Action::Trigger));
        assert_eq!(remind(lane, 90, None, 100, Reminders::Never), sends(Action::Trigger), "a new episode");
        lane.seen = false;
        assert_eq!(remind(lane, 90, None, 200, Reminders::Never), sends(Action::Trigger), "it was given up");
        assert_eq!(remind(lane, 90, Some(300), 300, Reminders::Never), sends(Action::Resolve));
    }

    #[test]
    fn the_same_story_told_again_is_told_and_changes_no_mind() {
        let lane = &mut LaneFacts::default();
        tell(lane, 0, None, 0);
        let alerts = [told(1, clock(0, None))];
        let again = Incoming {
            alerts: &alerts,
            content: 0,
            truncated: false,
            now: at(1000),
            window: std::time::Duration::ZERO,
            reminders: Reminders::Never,
        };
        assert_eq!(admit(lane, &again), sends(Action::Trigger));
        assert_eq!(remind(lane, 0, None, 2000, Reminders::Never), Admission::Reminder);
    }

    #[test]
    fn a_resolve_of_something_never_opened_opens_nothing() {
        assert_eq!(tell(&mut LaneFacts::default(), 0, Some(5), 6), Admission::NothingOpen);
    }

    #[test]
    fn a_resolve_with_an_earlier_start_still_closes() {
        let lane = &mut LaneFacts::default();
        tell(lane, 10, None, 10);
        assert_eq!(tell(lane, 5, Some(30), 30), sends(Action::Resolve));
    }

    #[test]
    fn an_absent_alert_is_not_resolved() {
        let lane = &mut LaneFacts::default();
        tell(lane, 0, None, 0);
        let alerts = [told(2, clock(0, Some(100)))];
        let incoming = Incoming {
            alerts: &alerts,
            content: 7,
            truncated: false,
            now: at(101),
            window: std::time::Duration::ZERO,
            reminders: Reminders::Every,
        };
        assert_eq!(admit(lane, &incoming), sends(Action::Trigger), "alert 1 was firing when last heard of");
    }

    #[test]
    fn a_route_that_no_longer_reaches_a_target_still_brings_its_resolve() {
        let in_passing = |lane: &mut LaneFacts, ends: i64| {
            let alerts = [Told { only_if_known: true, ..told(1, clock(0, Some(ends))) }];
            let incoming = Incoming {
                alerts: &alerts,
                content: 7,
                truncated: false,
                now: at(500),
                window: std::time::Duration::ZERO,
                reminders: Reminders::Every,
            };
            admit(lane, &incoming)
        };
        assert_eq!(in_passing(&mut LaneFacts::default(), 9), Admission::NotConcerned);
        let mut lane = LaneFacts::default();
        tell(&mut lane, 0, None, 0);
        assert_eq!(in_passing(&mut lane, 9), sends(Action::Resolve));
    }
}
