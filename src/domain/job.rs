//! A job of an incident: one run of a repair script, from its proposal to its end. Pure.
//!
//! `proposed > approved > starting > running > succeeded | failed`, and ways out of each. What is to be
//! done about a run at a time is told by [`todo()`]; whether it may start at all, by `rails.rs`.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::message::{JobId, RemoteRef};

/// Bytes of output that are kept of a run: its end, where errors stand.
pub const OUTPUT_BYTES: usize = 64 * 1024;
/// Pause before the platform is asked for the first time.
const ASK_FIRST: Duration = Duration::from_secs(2);
/// Longest pause between two questions.
const ASK_CAP: Duration = Duration::from_secs(30);
/// A run that does not end although it is cancelled is left to a person after so long.
const STOP_WITHIN: Duration = Duration::from_secs(3600);

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Somebody is asked.
    Proposed,
    /// It is to be started.
    Approved,
    /// The platform is being told.
    Starting,
    /// The platform has it.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended badly, took too long, or could not be started.
    Failed,
    /// It was called back.
    Cancelled,
    /// Somebody said no.
    Declined,
    /// Nobody said anything in time.
    Expired,
    /// It may not be started now.
    Refused,
    /// Everything was done but the start.
    Rehearsed,
    /// Nobody knows whether it runs, or how it ended.
    Unknown,
}

impl State {
    /// All of them; rows hold the place in it.
    pub const ALL: [State; 12] = [
        State::Proposed,
        State::Approved,
        State::Starting,
        State::Running,
        State::Succeeded,
        State::Failed,
        State::Cancelled,
        State::Declined,
        State::Expired,
        State::Refused,
        State::Rehearsed,
        State::Unknown,
    ];

    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Proposed => "proposed",
            State::Approved => "approved",
            State::Starting => "starting",
            State::Running => "running",
            State::Succeeded => "succeeded",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Declined => "declined",
            State::Expired => "expired",
            State::Refused => "refused",
            State::Rehearsed => "rehearsed",
            State::Unknown => "unknown",
        }
    }

    /// Something is still going to happen to it.
    pub fn is_active(self) -> bool {
        self <= State::Running
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a run is called back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It took too long.
    Timeout,
    /// Its incident is over.
    Over,
}

/// A run, as far as it decides about what comes next.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Which.
    pub id: JobId,
    /// Of which incident.
    pub incident: i64,
    /// By which rule.
    pub rule: String,
    /// The target that starts it.
    pub target: String,
    /// Where it stands.
    pub state: State,
    /// When it is looked at again: the end of a proposal, the next question.
    pub due: Timestamp,
    /// When it has taken too long, once it runs.
    pub deadline: Option<Timestamp>,
    /// It is being called back.
    pub stop: Option<Stop>,
    /// The end of its incident calls it back.
    pub stops_when_over: bool,
    /// What the platform calls it.
    pub remote: Option<RemoteRef>,
    /// Questions so far.
    pub asked: u32,
    /// What it has written is known.
    pub has_output: bool,
}

/// What is to be done about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Todo {
    /// Nothing yet.
    Wait,
    /// The time of the proposal is over, or its incident is.
    Expire,
    /// Start it.
    Start,
    /// What has not been started need not be.
    Withdraw,
    /// From now on it is called back.
    Stop(Stop),
    /// Ask the platform how it stands.
    Ask,
    /// Tell the platform to end it, and ask.
    Cancel,
    /// It did not end although it was called back: a person must look.
    GiveUp,
    /// Draw the conclusions of its end.
    Close,
}

/// What is to be done about a run whose conclusions have not been drawn.
pub fn todo(run: &Run, incident_is_open: bool, now: Timestamp) -> Todo {
    match run.state {
        State::Proposed if !incident_is_open || now >= run.due => Todo::Expire,
        State::Approved if !incident_is_open => Todo::Expire,
        State::Approved => Todo::Start,
        State::Starting if !incident_is_open && run.stop.is_none() => Todo::Withdraw,
        State::Running => running(run, incident_is_open, now),
        State::Proposed | State::Starting => Todo::Wait,
        _ => Todo::Close,
    }
}

fn running(run: &Run, incident_is_open: bool, now: Timestamp) -> Todo {
    let is_late = run.deadline.is_some_and(|deadline| now >= deadline);
    let is_too_late = |deadline: Timestamp| now.duration_since(deadline).unsigned_abs() >= STOP_WITHIN;
    match run.stop {
        None if is_late => Todo::Stop(Stop::Timeout),
        None if !incident_is_open && run.stops_when_over => Todo::Stop(Stop::Over),
        Some(_) if is_late && run.deadline.is_some_and(is_too_late) => Todo::GiveUp,
        _ if now < run.due => Todo::Wait,
        Some(stop) if run.stops_when_over || stop == Stop::Timeout => Todo::Cancel,
        _ => Todo::Ask,
    }
}

/// When it is asked again, after so many questions.
pub fn next_question(now: Timestamp, asked: u32) -> Timestamp {
    let pause = ASK_FIRST.saturating_mul(3_u32.saturating_pow(asked.min(8))) / 2_u32.pow(asked.min(8));
    now.saturating_add(pause.min(ASK_CAP)).unwrap_or(Timestamp::MAX)
}

/// The end of an output that is too long, from the beginning of a line where there is one.
pub fn end_of(output: &str, bytes: usize) -> &str {
    if output.len() <= bytes {
        return output;
    }
    let from = output.len() - bytes;
    let from = (from..=output.len()).find(|at| output.is_char_boundary(*at)).unwrap_or(output.len());
    let rest = &output[from..];
    match rest.find('\n') {
        Some(line) if line + 1 < rest.len() => &rest[line + 1..],
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn run(state: State) -> Run {
        Run {
            id: 3,
            incident: 12,
            rule: "restart".into(),
            target: "repair".into(),
            state,
            due: at(100),
            deadline: None,
            stop: None,
            stops_when_over: true,
            remote: None,
            asked: 0,
            has_output: false,
        }
    }

    #[test]
    fn each_state_has_its_next_step() {
        for (state, open, now, expected) in [
            (State::Proposed, true, 99, Todo::Wait),
            (State::Proposed, true, 100, Todo::Expire),
            (State::Proposed, false, 0, Todo::Expire),
            (State::Approved, true, 0, Todo::Start),
            (State::Approved, false, 0, Todo::Expire),
            (State::Starting, true, 1_000, Todo::Wait),
            (State::Starting, false, 0, Todo::Withdraw),
            (State::Running, true, 99, Todo::Wait),
            (State::Running, true, 100, Todo::Ask),
            (State::Running, false, 0, Todo::Stop(Stop::Over)),
            (State::Succeeded, true, 0, Todo::Close),
            (State::Unknown, false, 0, Todo::Close),
        ] {
            assert_eq!(todo(&run(state), open, at(now)), expected, "{state} {open} {now}");
        }
    }

    #[test]
    fn what_takes_too_long_is_called_back_until_it_is_over_or_a_person_must_look() {
        let mut late = Run { deadline: Some(at(300)), ..run(State::Running) };
        assert_eq!(todo(&late, true, at(300)), Todo::Stop(Stop::Timeout));
        late.stop = Some(Stop::Timeout);
        assert_eq!(todo(&late, true, at(301)), Todo::Cancel);
        late.due = at(310);
        assert_eq!(todo(&late, true, at(309)), Todo::Wait);
        assert_eq!(todo(&late, true, at(300 + 3_600)), Todo::GiveUp);
        // What is left alone at the end of its incident is followed all the same.
        let left = Run { stops_when_over: false, stop: Some(Stop::Over), ..run(State::Running) };
        assert_eq!(todo(&left, false, at(100)), Todo::Ask);
    }

    #[test]
    fn questions_become_rarer_up_to_a_limit() {
        let pauses: Vec<i64> = (0..9).map(|asked| next_question(at(0), asked).as_millisecond()).collect();
        assert_eq!(pauses[..4], [2_000, 3_000, 4_500, 6_750]);
        assert!(pauses.is_sorted() && pauses[8] == 30_000, "{pauses:?}");
        assert_eq!(next_question(at(0), u32::MAX), at(30));
    }

    #[test]
    fn of_an_output_that_is_too_long_the_last_whole_lines_are_kept() {
        for (bytes, expected) in [(12, "one\ntwo\n三\n"), (11, "two\n三\n"), (5, "三\n"), (3, "\n"), (0, "")]
        {
            assert_eq!(end_of("one\ntwo\n三\n", bytes), expected, "{bytes}");
        }
        assert_eq!(end_of("a long line", 4), "line");
    }

    proptest! {
        #[test]
        fn the_end_of_an_output_is_its_end_and_fits(output in "[a-z磁\n]{0,60}", bytes in 0usize..80) {
            let end = end_of(&output, bytes);
            prop_assert!(output.ends_with(end) && end.len() <= bytes);
            prop_assert!(output.len() > bytes || end == output);
        }
    }
}
