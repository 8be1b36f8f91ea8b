//! Incidents as people ask for them and what they order; and what falls due.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::alert::AlertGroup;
use crate::domain::incident::{Escalation, Incident, Level, State};
use crate::domain::message::{DedupKey, JobId};
use crate::store::event::NewEvent;
use crate::store::follows::TicketRecord;
use crate::store::hearing::Cast;

/// Row id of an incident, and its name outside; ascending in order of opening.
pub type IncidentId = i64;

/// An incident as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentRecord {
    /// Its number.
    pub id: IncidentId,
    /// The dedup key that it was opened with.
    pub key: String,
    /// Where it stands, and when it came there.
    pub life: Incident,
    /// One line.
    pub title: String,
    /// What hurts; may be empty.
    pub service: String,
    /// Where; may be empty.
    pub environment: String,
    /// The source that told of it.
    pub source: String,
    /// When the condition began, as far as the sender said.
    pub started_at: Option<Timestamp>,
    /// When anything last happened to it.
    pub touched_at: Timestamp,
    /// News that came of it.
    pub news: u32,
    /// When others are told unless somebody acknowledges.
    pub escalate_at: Option<Timestamp>,
}

/// One thing that happened, on the time line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// One word: `opened`, `alert`, `delivered`, `dead`, `expired`, `escalated`, `acknowledged`,
    /// `commented` …
    pub kind: String,
    /// Who did it; empty: nobody, or nobody knows.
    pub who: String,
    /// The target where it happened; may be empty.
    pub target: String,
    /// The rest.
    pub text: String,
}

/// An incident with all that happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// The incident.
    pub incident: IncidentRecord,
    /// Dedup keys, the first being the one that it was opened with.
    pub keys: Vec<String>,
    /// In order.
    pub timeline: Vec<Entry>,
    /// Tickets that were opened for it, in order.
    pub tickets: Vec<TicketRecord>,
}

/// What is counted of an incident, with what ran by itself for it. Borrowed from where it is read: a
/// report is about many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure<'a> {
    /// What it is called.
    pub title: &'a str,
    /// What it is about.
    pub service: &'a str,
    /// Who took it; empty: nobody.
    pub acknowledged_by: &'a str,
    /// Where it stands.
    pub state: State,
    /// How bad it is.
    pub level: Level,
    /// When the condition began, as far as the sender said.
    pub started_at: Option<Timestamp>,
    /// When the relay knew.
    pub opened_at: Timestamp,
    /// When the first person was told.
    pub notified_at: Option<Timestamp>,
    /// When it was taken.
    pub acknowledged_at: Option<Timestamp>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// News that came of it.
    pub news: u32,
    /// How often it came back.
    pub reopened: u32,
    /// When the first job was started for it.
    pub automated_at: Option<Timestamp>,
    /// Whether its last job ended well; `None`: no end is known.
    pub job_ended_well: Option<bool>,
    /// A ticket was opened for it.
    pub has_ticket: bool,
}

/// Which incidents are asked for, newest first; what is left out does not matter.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    /// In one of these states.
    pub states: Vec<State>,
    /// Of one of these levels.
    pub levels: Vec<Level>,
    /// Of this service.
    pub service: Option<String>,
    /// Whose.
    pub owner: Option<String>,
    /// Opened with this dedup key.
    pub key: Option<String>,
    /// Opened at this time or later.
    pub since: Option<Timestamp>,
    /// Opened before this time.
    pub until: Option<Timestamp>,
    /// Older than this one.
    pub before: Option<IncidentId>,
    /// At most so many.
    pub limit: usize,
}

/// Which changes are asked for, the latest first; what is left out does not matter.
#[derive(Debug, Clone, Default)]
pub struct ChangeFilter {
    /// Of this service.
    pub service: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// At this time or before.
    pub until: Option<Timestamp>,
    /// At most so many.
    pub limit: usize,
}

/// What people do with an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Take it, everywhere.
    Acknowledge,
    /// Give it back.
    Unacknowledge,
    /// It hurts no longer.
    Mitigate,
    /// It is over, everywhere.
    Resolve,
    /// It was looked at afterwards.
    Review,
    /// Nothing will happen to it any more.
    Close,
    /// Make it somebody's.
    Assign(String),
    /// Say how bad it is.
    Rate(Level),
    /// Write on its time line.
    Note,
    /// Say yes to a job: to this one, or to the one that is proposed.
    Approve(Option<JobId>),
    /// Say no to it.
    Decline(Option<JobId>),
}

impl Act {
    /// One word for the audit.
    pub fn word(&self) -> &'static str {
        match self {
            Act::Acknowledge => "acknowledge",
            Act::Unacknowledge => "unacknowledge",
            Act::Mitigate => "mitigate",
            Act::Resolve => "resolve_incident",
            Act::Review => "review",
            Act::Close => "close",
            Act::Assign(_) => "assign",
            Act::Rate(_) => "rate",
            Act::Note => "note",
            Act::Approve(_) => "approve",
            Act::Decline(_) => "decline",
        }
    }
}

/// Something that a person does with an incident.
#[derive(Debug, Clone)]
pub struct Acting {
    /// Which.
    pub id: IncidentId,
    /// What.
    pub act: Act,
    /// A sentence for the time line; may be empty.
    pub note: String,
    /// What the targets can be told.
    pub cast: Arc<Cast>,
}

impl PartialEq for Acting {
    fn eq(&self, other: &Acting) -> bool {
        (self.id, &self.act, &self.note) == (other.id, &other.act, &other.note)
    }
}

impl Eq for Acting {}

/// An escalation whose time has come.
#[derive(Debug, Clone)]
pub struct Due {
    /// Of which incident.
    pub id: IncidentId,
    /// How bad that is.
    pub level: Level,
    /// When it was due.
    pub due: Timestamp,
    /// Its steps.
    pub escalation: Escalation,
    /// The dedup key.
    pub key: DedupKey,
    /// What was told last of it; `None` when that is past its retention.
    pub group: Option<Arc<AlertGroup>>,
}

/// A step of an escalation, to be made unless somebody has acknowledged meanwhile.
#[derive(Debug, Clone)]
pub struct Escalating {
    /// Of which incident.
    pub id: IncidentId,
    /// The time that was due: another one there means that it was made already.
    pub due: Timestamp,
    /// When.
    pub at: Timestamp,
    /// A sentence for the time line.
    pub said: String,
    /// What is told; `None` when nobody can be told anything.
    pub event: Option<Box<NewEvent>>,
}
