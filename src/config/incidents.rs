//! Shapes of `incidents`, `rotas` and `people`: how bad an incident is, whose it is, what belongs to
//! it, and who is on call.

use serde::Deserialize;

use crate::config::units::Duration;
use crate::document::node::At;

/// What fires again so soon after its end is the same incident.
pub const REOPEN_WITHIN: Duration = Duration::from_secs(30 * 60);
/// From so many reopenings on an incident is flapping.
pub const FLAPPING_FROM: u32 = 3;
/// How young an incident must be for another of the same root to join it.
pub const MERGE_WITHIN: Duration = Duration::from_secs(10 * 60);

/// How long before an incident a change may lie that is shown with it.
pub const CHANGES_WITHIN: Duration = Duration::from_secs(30 * 60);

/// `incidents`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentsFile {
    /// Whether problems are kept as incidents at all.
    pub enabled: bool,
    /// How bad: the first that matches. Where none does: a label `level`, `priority` or `severity`
    /// that says P0, P1 or P2; else P1 for what is critical and P2 for the rest.
    pub levels: Vec<LevelFile>,
    /// Labels that say whose it is: the first that has a value.
    pub owner: Vec<String>,
    /// Labels that say what hurts.
    pub service: Vec<String>,
    /// Labels that say where.
    pub environment: Vec<String>,
    /// What fires again so soon after its end is the same incident; a day at most.
    pub reopen_within: At<Duration>,
    /// From so many reopenings on it is flapping: whoever took it keeps it, and nobody else is told
    /// again. 0: never.
    pub flapping_from: u32,
    /// What belongs to the same root.
    pub merge: Vec<At<MergeFile>>,
    /// How long before an incident a change may lie that is shown with it.
    pub changes_within: Duration,
    /// How tickets are followed.
    pub tickets: TicketsFile,
    /// When others are not to be told: an escalation waits for the end of these times.
    pub quiet: Vec<QuietFile>,
}

impl Default for IncidentsFile {
    fn default() -> IncidentsFile {
        let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        IncidentsFile {
            enabled: true,
            levels: Vec::new(),
            owner: labels(&["owner", "team"]),
            service: labels(&["service", "app", "job"]),
            environment: labels(&["environment", "env"]),
            reopen_within: At { value: REOPEN_WITHIN, place: Default::default() },
            flapping_from: FLAPPING_FROM,
            merge: Vec::new(),
            changes_within: CHANGES_WITHIN,
            tickets: TicketsFile::default(),
            quiet: Vec::new(),
        }
    }
}

/// `tickets`: those that targets opened are followed until they are closed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TicketsFile {
    /// How often the service is asked how a ticket stands while that is young; less and less often
    /// when it stands still, at least every 30 min. 0: never, it tells by callbacks.
    pub every: At<Duration>,
    /// What follows when a person closes a ticket.
    pub on_closed: OnClosed,
    /// A ticket that nobody has taken for so long is commented with a reminder, again after the same
    /// time, three times at most. 0: never.
    pub remind_after: At<Duration>,
    /// Who is reminded besides: names of targets.
    pub remind: Vec<At<String>>,
}

/// How often a ticket is asked after.
pub const TICKETS_EVERY: Duration = Duration::from_secs(2 * 60);
/// When somebody is reminded.
pub const REMIND_AFTER: Duration = Duration::from_secs(2 * 3600);

impl Default for TicketsFile {
    fn default() -> TicketsFile {
        let at = |value| At { value, place: Default::default() };
        TicketsFile {
            every: at(TICKETS_EVERY),
            on_closed: OnClosed::Resolve,
            remind_after: at(REMIND_AFTER),
            remind: Vec::new(),
        }
    }
}

/// What follows when a person closes a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnClosed {
    /// The incident is over, at every target.
    #[default]
    Resolve,
    /// It stands on the time line.
    Note,
}

/// An element of `levels`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelFile {
    /// `P0`, `P1` or `P2`.
    pub level: At<String>,
    /// All must match.
    pub matchers: Vec<At<String>>,
}

/// An element of `merge`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeFile {
    /// For which alerts; all when left out.
    #[serde(default)]
    pub matchers: Vec<At<String>>,
    /// Labels that must have the same values; one that is empty joins nothing.
    pub equal: Vec<At<String>>,
    /// How young the incident must be that others join.
    #[serde(default = "merge_within")]
    pub within: Duration,
}

fn merge_within() -> Duration {
    MERGE_WITHIN
}

/// An element of `quiet`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietFile {
    /// For incidents of these levels.
    pub levels: Vec<At<String>>,
    /// During these times.
    pub time_intervals: Vec<At<String>>,
}

/// `changes`: what becomes of changes that pipelines tell of.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChangesFile {
    /// Who is told of them.
    pub forward: Vec<ForwardFile>,
}

/// An element of `forward`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardFile {
    /// PagerDuty targets: they show a change beside their incidents and call nobody.
    pub targets: At<Vec<At<String>>>,
    /// Of which changes, by `service`, `environment`, `kind`, `who` and `source`: all must match; of all
    /// when left out.
    #[serde(default)]
    pub matchers: Vec<At<String>>,
}

/// `gate`: whether a pipeline may deploy now.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateFile {
    /// An open incident of one of these levels denies for its service.
    pub levels: Vec<At<String>>,
    /// When nothing is to be deployed.
    pub freeze: Vec<FreezeFile>,
    /// How long services may be down before nothing more is deployed to them.
    pub budget: Vec<BudgetFile>,
}

impl Default for GateFile {
    fn default() -> GateFile {
        let level = |word: &str| At { value: word.to_owned(), place: Default::default() };
        GateFile { levels: vec![level("P0"), level("P1")], freeze: Vec::new(), budget: Vec::new() }
    }
}

/// An element of `freeze`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeFile {
    /// What it is called in the answer.
    pub name: At<String>,
    /// During these times.
    pub time_intervals: Vec<At<String>>,
    /// For these services; for all when left out.
    #[serde(default)]
    pub services: Vec<String>,
    /// In these environments; in all when left out.
    #[serde(default)]
    pub environments: Vec<String>,
}

/// An element of `budget`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetFile {
    /// Of each of these services by itself.
    pub services: Vec<At<String>>,
    /// Percent of the window in which it is to be well, as in 99.9.
    pub objective: At<f64>,
    /// How far back is looked; 90 days at most.
    #[serde(default = "a_month")]
    pub window: At<Duration>,
    /// What counts: incidents of these levels.
    #[serde(default = "serious")]
    pub levels: Vec<At<String>>,
}

fn a_month() -> At<Duration> {
    At { value: Duration::from_days(30), place: Default::default() }
}

fn serious() -> Vec<At<String>> {
    ["P0", "P1"].map(|word| At { value: word.to_owned(), place: Default::default() }).into()
}

/// An element of `people`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonFile {
    /// Their name in rotas and texts.
    pub name: At<String>,
    /// Where they are reached.
    pub targets: Vec<At<String>>,
}

/// An element of `rotas`: who is on call when.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotaFile {
    /// Its name in `escalate` and in texts.
    pub name: At<String>,
    /// Time zone by its IANA name, as in `Asia/Shanghai`; UTC when left out.
    #[serde(default)]
    pub location: Option<At<String>>,
    /// Who takes turns; where several have somebody, the later one counts.
    pub layers: Vec<LayerFile>,
    /// Who stands in for them.
    #[serde(default)]
    pub overrides: Vec<OverrideFile>,
}

/// An element of `layers`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerFile {
    /// In order of their turns.
    pub people: Vec<At<String>>,
    /// When the first turn begins, by the clock of the place, as in `2026-01-05T09:00`; every turn
    /// begins at that time of the day.
    pub starts: At<String>,
    /// How long a turn lasts: whole days, as in `7d`.
    #[serde(default = "a_week")]
    pub every: At<Duration>,
    /// Only during these times; always when left out.
    #[serde(default)]
    pub time_intervals: Vec<At<String>>,
}

fn a_week() -> At<Duration> {
    At { value: Duration::from_days(7), place: Default::default() }
}

/// An element of `overrides`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideFile {
    /// Who.
    pub person: At<String>,
    /// From when, by the clock of the place, as in `2026-02-17T09:00`.
    pub from: At<String>,
    /// Until when.
    pub until: At<String>,
}
