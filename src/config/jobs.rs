//! Shape of `jobs`: which repair jobs may help against which alerts, and the guard rails of all.

use serde::Deserialize;

use crate::config::units::Duration;
use crate::document::node::At;

/// Runs at once.
pub const PARALLEL: u32 = 3;
/// Starts within an hour.
pub const PER_HOUR: u32 = 10;
/// How long a proposal waits for a yes.
pub const APPROVE_WITHIN: Duration = Duration::from_secs(30 * 60);
/// How long the same service has rest from a rule.
pub const COOLDOWN: Duration = Duration::from_secs(15 * 60);
/// How long a run may take.
pub const TIMEOUT: Duration = Duration::from_secs(300);

/// `jobs`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobsFile {
    /// When which job is proposed or started.
    pub rules: Vec<JobRuleFile>,
    /// Runs at once, over all rules.
    pub parallel: At<u32>,
    /// Starts within an hour, over all rules.
    pub per_hour: At<u32>,
    /// How long a proposal waits for a yes.
    pub approve_within: Duration,
    /// Do everything but the start, and say so on the time line.
    pub dry_run: bool,
}

impl Default for JobsFile {
    fn default() -> JobsFile {
        let number = |value| At { value, place: Default::default() };
        JobsFile {
            rules: Vec::new(),
            parallel: number(PARALLEL),
            per_hour: number(PER_HOUR),
            approve_within: APPROVE_WITHIN,
            dry_run: false,
        }
    }
}

/// An element of `rules`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRuleFile {
    /// Its name on the time line, in commands and in statistics.
    pub name: At<String>,
    /// For which alerts: all must match; for all alerts when left out.
    #[serde(default)]
    pub matchers: Vec<At<String>>,
    /// The target that starts it, of a kind that starts jobs.
    pub target: At<String>,
    /// In these environments; in all when left out.
    #[serde(default)]
    pub environments: Vec<String>,
    /// For incidents of these levels; of all when left out.
    #[serde(default)]
    pub levels: Vec<At<String>>,
    /// Only when a change of one of these kinds was made to the same service shortly before.
    #[serde(default)]
    pub after_change: Vec<At<String>>,
    /// A person has to say yes first.
    #[serde(default = "yes")]
    pub approval: bool,
    /// How long the same service in the same environment has rest from it.
    #[serde(default = "cooldown")]
    pub cooldown: Duration,
    /// What its success means: `note` on the time line, or `resolve` the incident.
    #[serde(default)]
    pub on_success: Option<At<String>>,
    /// Ticket targets that get the output when it fails.
    #[serde(default)]
    pub on_failure: Vec<At<String>>,
    /// What the end of the incident means for a run: `cancel`, or `leave` it to its end.
    #[serde(default)]
    pub on_resolve: Option<At<String>>,
    /// How long a run may take before it is cancelled.
    #[serde(default = "timeout")]
    pub timeout: At<Duration>,
}

fn yes() -> bool {
    true
}

fn cooldown() -> Duration {
    COOLDOWN
}

fn timeout() -> At<Duration> {
    At { value: TIMEOUT, place: Default::default() }
}
