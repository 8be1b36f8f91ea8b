//! Jobs of incidents as the runner moves them and as people see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::alert::AlertGroup;
use crate::domain::change::Change;
use crate::domain::incident::Level;
use crate::domain::job::{Run, State, Stop};
use crate::domain::message::{DedupKey, JobId};
use crate::domain::rails::{Rails, Record};
use crate::store::event::NewEvent;
use crate::store::hearing::Cast;
use crate::store::incidents::IncidentId;

/// One step, made unless it was made already or need not be made any more.
#[derive(Debug, Clone)]
pub struct JobStep {
    /// When.
    pub at: Timestamp,
    /// Id of the event that is made of it; those of further ones are made of this one.
    pub uid: Uuid,
    /// What the targets can be told.
    pub cast: Arc<Cast>,
    /// What.
    pub what: JobMove,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum JobMove {
    /// Nothing is left to be proposed for this incident, until there is news of it.
    Rest(IncidentId),
    /// The next job, unless the guard rails are against it.
    Propose(Box<Proposal>),
    /// What was approved is started, if the guard rails allow it now.
    Start {
        /// Which.
        run: JobId,
        /// What it is measured by.
        rails: Rails,
        /// What the platform is told; `None`: it cannot be told, and why.
        event: Result<Box<NewEvent>, String>,
    },
    /// Nobody said anything in time, or it need not be any more: why.
    Expire(JobId, &'static str),
    /// What may not have been started yet need not be.
    Withdraw(JobId),
    /// From now on it is called back.
    Stop(JobId, Stop),
    /// The platform was asked.
    Asked(JobId, Box<Asked>),
    /// It did not end, and a person must look.
    GiveUp(JobId),
    /// The conclusions of its end.
    Close(Box<Closing>),
}

/// A job that is proposed.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// For which incident.
    pub incident: IncidentId,
    /// By which rule.
    pub rule: Arc<str>,
    /// The target that starts it.
    pub target: Arc<str>,
    /// The end of its incident calls it back.
    pub stops_when_over: bool,
    /// A person has to say yes until then; `None`: nobody has to.
    pub approve_until: Option<Timestamp>,
    /// Seconds that it may run.
    pub timeout: u32,
    /// The change that it is about.
    pub change: Option<Change>,
    /// What it is measured by.
    pub rails: Rails,
    /// What is known of it, as in `succeeded 9 of 10 times`; may be empty.
    pub known: String,
}

/// What an inquiry gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Asked {
    /// It runs on (`None`), or ended well or badly.
    pub ended_well: Option<bool>,
    /// The platform's word for its state; empty when it did not answer.
    pub word: String,
    /// What it has written; empty when that is not known.
    pub output: String,
    /// Why there is no answer; empty when there is one.
    pub trouble: String,
    /// It was not asked, and is not to be before then.
    pub not_before: Option<Timestamp>,
}

/// The conclusions of an end.
#[derive(Debug, Clone)]
pub struct Closing {
    /// Of which run.
    pub run: JobId,
    /// The state that they are drawn from: another one there means that it has moved.
    pub state: State,
    /// What it has written, where that was learnt just now.
    pub output: String,
    /// Who gets the output.
    pub event: Option<Box<NewEvent>>,
    /// Its success ends the incident.
    pub resolves: bool,
    /// The next job may be proposed.
    pub goes_on: bool,
}

/// A run whose conclusions have not been drawn, with what belongs to it.
#[derive(Debug, Clone)]
pub struct OpenRun {
    /// The run.
    pub run: Run,
    /// Its incident goes on.
    pub incident_is_open: bool,
    /// What is told of its incident.
    pub about: About,
    /// The change that it is about.
    pub change: Option<Change>,
    /// Who said yes; empty: nobody had to.
    pub who: String,
    /// The platform's word for its state, or why it ended as it did.
    pub reason: String,
    /// What it has written.
    pub output: String,
}

/// What is known of the incident.
#[derive(Debug, Clone)]
pub struct About {
    /// Which.
    pub incident: IncidentId,
    /// Its dedup key.
    pub key: DedupKey,
    /// How bad.
    pub level: Level,
    /// One line.
    pub title: String,
    /// What hurts.
    pub service: String,
    /// Where.
    pub environment: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// What was told last of it; `None` when that is past its retention.
    pub group: Option<Arc<AlertGroup>>,
}

/// An incident for which it is to be looked what comes next.
#[derive(Debug, Clone)]
pub struct DuePlan {
    /// The incident.
    pub about: About,
    /// It goes on.
    pub is_open: bool,
    /// Rules that are for its labels.
    pub rules: Vec<String>,
    /// Rules that were tried.
    pub tried: Vec<String>,
    /// One is proposed, or under way.
    pub is_busy: bool,
    /// What the rules came to so far.
    pub records: BTreeMap<String, Record>,
    /// Changes of its service, the latest first.
    pub changes: Vec<Change>,
}

/// A run as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    /// Its number.
    pub id: JobId,
    /// Of which incident.
    pub incident: IncidentId,
    /// By which rule.
    pub rule: String,
    /// The target that starts it.
    pub target: String,
    /// Where it stands.
    pub state: State,
    /// When it was proposed.
    pub proposed_at: Timestamp,
    /// Who said yes or no; empty: nobody.
    pub who: String,
    /// When its start was promised.
    pub started_at: Option<Timestamp>,
    /// When the platform had it.
    pub running_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What the platform calls it; may be empty.
    pub remote: String,
    /// The platform's word for its state; may be empty.
    pub word: String,
    /// Why it ended as it did; may be empty.
    pub reason: String,
    /// What it has written, secrets starred; may be empty.
    pub output: String,
}

/// Which runs are asked for, newest first; what is left out does not matter.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Of this incident.
    pub incident: Option<IncidentId>,
    /// By this rule.
    pub rule: Option<String>,
    /// At most so many.
    pub limit: usize,
}
