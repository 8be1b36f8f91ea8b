//! What an incident is: a problem from its first alert until nobody has to think of it any more, at
//! all targets together. What may happen to it is told in `life.rs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Something is wrong and nobody has taken it.
    Detected,
    /// A person has taken it.
    Acknowledged,
    /// It hurts no longer, and its cause is still there.
    Mitigated,
    /// It is over.
    Resolved,
    /// It was looked at afterwards.
    Reviewed,
    /// Nothing will happen to it any more.
    Closed,
}

impl State {
    /// All of them, in the order of a life.
    pub const ALL: [State; 6] = [
        State::Detected,
        State::Acknowledged,
        State::Mitigated,
        State::Resolved,
        State::Reviewed,
        State::Closed,
    ];

    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Detected => "detected",
            State::Acknowledged => "acknowledged",
            State::Mitigated => "mitigated",
            State::Resolved => "resolved",
            State::Reviewed => "reviewed",
            State::Closed => "closed",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// It goes on.
    pub fn is_open(self) -> bool {
        self < State::Resolved
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad it is. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Level {
    /// The business stands still.
    P0,
    /// Something essential is impaired.
    P1,
    /// It hurts in one place.
    #[default]
    P2,
}

impl Level {
    /// All of them, the worst first.
    pub const ALL: [Level; 3] = [Level::P0, Level::P1, Level::P2];

    /// `P0`, `P1` or `P2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::P0 => "P0",
            Level::P1 => "P1",
            Level::P2 => "P2",
        }
    }

    /// Reads it in either case.
    pub fn parse(word: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(word.trim()))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who is told as well when nobody acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// So long after the incident began.
    pub after: Duration,
    /// These targets.
    pub targets: Vec<Arc<str>>,
    /// And the targets of whoever is on call then, by this rota.
    pub rota: Option<Arc<str>>,
}

/// What is known of an incident when it opens, of the alerts and the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// How bad.
    pub level: Level,
    /// One line.
    pub title: String,
    /// What hurts; may be empty.
    pub service: String,
    /// Where: production, staging; may be empty.
    pub environment: String,
    /// Whose it is; may be empty.
    pub owner: String,
    /// When the condition began, as far as the sender said.
    pub started_at: Option<Timestamp>,
    /// What it shares with others of the same root: joins an incident that has the same and was
    /// opened within this time.
    pub root: Option<(String, Duration)>,
    /// Who is told when nobody acknowledges, by time.
    pub steps: Vec<Step>,
    /// Rules for jobs that may help, by name.
    pub jobs: Vec<Arc<str>>,
    /// What goes for all of them.
    pub policy: Policy,
}

/// Rules of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// What fires again so soon after its end is the same incident.
    pub reopen_within: Duration,
    /// From so many reopenings on it is flapping: whoever took it keeps it, and nobody else is
    /// told again; 0: never.
    pub flapping_from: u32,
}

impl Policy {
    /// Whether one that came back so often is flapping.
    pub fn is_flapping(&self, reopened: u32) -> bool {
        self.flapping_from > 0 && reopened >= self.flapping_from
    }
}

/// What the life cycle knows of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Where it stands.
    pub state: State,
    /// How bad.
    pub level: Level,
    /// Whose it is; may be empty.
    pub owner: String,
    /// Who took it; empty while nobody has.
    pub acknowledged_by: String,
    /// When it was opened, first of all.
    pub opened_at: Timestamp,
    /// When somebody was first told.
    pub notified_at: Option<Timestamp>,
    /// When it was first taken.
    pub acknowledged_at: Option<Timestamp>,
    /// When it hurt no longer.
    pub mitigated_at: Option<Timestamp>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// When it was looked at afterwards.
    pub reviewed_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// How often it came back.
    pub reopened: u32,
}

/// Whether what fires belongs to an incident that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belongs {
    /// It goes on.
    GoesOn,
    /// It has come back.
    Returns,
    /// That one is history.
    New,
}

impl Incident {
    /// One that was just opened.
    pub fn open(level: Level, owner: String, at: Timestamp) -> Incident {
        Incident {
            state: State::Detected,
            level,
            owner,
            acknowledged_by: String::new(),
            opened_at: at,
            notified_at: None,
            acknowledged_at: None,
            mitigated_at: None,
            resolved_at: None,
            reviewed_at: None,
            closed_at: None,
            reopened: 0,
        }
    }

    /// Whether what fires at this time is this incident.
    pub fn takes(&self, within: Duration, at: Timestamp) -> Belongs {
        if self.state.is_open() {
            return Belongs::GoesOn;
        }
        let since = self.resolved_at.map(|over| at.duration_since(over));
        let is_soon = since.is_some_and(|since| !since.is_positive() || since.unsigned_abs() <= within);
        if self.state != State::Closed && is_soon { Belongs::Returns } else { Belongs::New }
    }
}

/// What of an escalation is still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// From when its times count.
    pub since: Timestamp,
    /// Steps that were made.
    pub made: usize,
    /// All of them, by time.
    pub steps: Vec<Step>,
}

impl Escalation {
    /// When the next step is due; `None` when all are made.
    pub fn due(&self) -> Option<Timestamp> {
        let step = self.steps.get(self.made)?;
        Some(self.since.saturating_add(step.after).unwrap_or(Timestamp::MAX))
    }
}
