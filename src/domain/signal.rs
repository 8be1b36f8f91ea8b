//! What a service or a person at a service told us about something that we told them.
//!
//! A callback is read into signals by the kind that knows its form; what follows from them is
//! decided elsewhere.

use std::fmt;

use jiff::Timestamp;

use crate::domain::message::DedupKey;

/// Which of our problems it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The service gave our key back.
    Key(DedupKey),
    /// The service's own name for it: the first word of the remote ref (ticket id, call sid, run id).
    Remote(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Key(key) => write!(f, "key {key}"),
            Subject::Remote(name) => write!(f, "remote {name}"),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A person has taken it.
    Acknowledged,
    /// A person gave it back.
    Unacknowledged,
    /// A person says that it is over.
    Resolved,
    /// A person says that it is not over after all.
    Reopened,
    /// A person wrote something.
    Commented,
    /// A ticket moved; the text names its state.
    TicketMoved,
    /// A ticket was closed.
    TicketClosed,
    /// A job moved; the text names its state.
    JobMoved,
    /// A job ended well.
    JobSucceeded,
    /// A job ended badly, or was cancelled.
    JobFailed,
    /// A person says yes to a job; the text is its number.
    Approved,
    /// A person says no to it.
    Declined,
    /// A person was reached (picked up, read).
    Reached,
    /// A person was not reached (busy, no answer, not delivered).
    Missed,
}

impl Event {
    /// All of them, for tables and filters.
    pub const ALL: [Event; 14] = [
        Event::Acknowledged,
        Event::Unacknowledged,
        Event::Resolved,
        Event::Reopened,
        Event::Commented,
        Event::TicketMoved,
        Event::TicketClosed,
        Event::JobMoved,
        Event::JobSucceeded,
        Event::JobFailed,
        Event::Approved,
        Event::Declined,
        Event::Reached,
        Event::Missed,
    ];

    /// One word for logs, rows and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Acknowledged => "acknowledged",
            Event::Unacknowledged => "unacknowledged",
            Event::Resolved => "resolved",
            Event::Reopened => "reopened",
            Event::Commented => "commented",
            Event::TicketMoved => "ticket_moved",
            Event::TicketClosed => "ticket_closed",
            Event::JobMoved => "job_moved",
            Event::JobSucceeded => "job_succeeded",
            Event::JobFailed => "job_failed",
            Event::Approved => "approved",
            Event::Declined => "declined",
            Event::Reached => "reached",
            Event::Missed => "missed",
        }
    }

    /// Reads what [`Event::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.as_str() == text)
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Unique at this target: the service's own id of the event, or a hash of what makes it one.
    /// The same again is a repeat.
    pub id: String,
    /// About what.
    pub about: Subject,
    /// What.
    pub event: Event,
    /// Who, as the service names them; may be empty.
    pub who: String,
    /// A comment, a state, a reason; may be empty.
    pub text: String,
    /// When, by the service's clock where it says so.
    pub at: Timestamp,
}
