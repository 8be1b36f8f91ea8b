//! relay.yaml as a whole. Everything but `sources`, `route`, `receivers` and `targets` has a
//! default; unknown keys are refused.

use serde::Deserialize;

use crate::config::incidents::{ChangesFile, GateFile, IncidentsFile, PersonFile, RotaFile};
use crate::config::jobs::JobsFile;
use crate::config::network::OutboundFile;
use crate::config::routes::{HeartbeatFile, InhibitFile, ReceiverFile, RouteFile, TimeIntervalFile};
use crate::config::server::{RetentionFile, ServerFile, StoreFile, TemplatesFile};
use crate::config::sources::{EnrichFile, SourceFile};
use crate::config::targets::TargetFile;
use crate::config::traces::TracingFile;
use crate::document::node::{At, Node};

/// The file. Names and references keep their places, for the checks of meaning that follow.
///
/// Beside an error it is good for finding more problems and for nothing else: what was wrong is
/// left out of it, and an empty name stands where one was missing. Such a gap has been told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where and how the relay listens.
    #[serde(default)]
    pub server: ServerFile,
    /// Where accepted alerts are kept.
    #[serde(default)]
    pub store: StoreFile,
    /// Who may send.
    pub sources: Vec<SourceFile>,
    /// What is added to alerts before they are routed, in this order.
    #[serde(default)]
    pub enrich: Vec<EnrichFile>,
    /// Who is told of what.
    pub route: At<RouteFile>,
    /// Names for lists of targets.
    pub receivers: Vec<ReceiverFile>,
    /// The targets as written; [`targets`](File::targets) is made of them.
    #[serde(rename = "targets")]
    pub(super) targets_written: Vec<Node>,
    /// Where messages go.
    #[serde(skip)]
    pub targets: Vec<TargetFile>,
    /// The wording of messages.
    #[serde(default)]
    pub templates: TemplatesFile,
    /// Spans of time that routes name.
    #[serde(default)]
    pub time_intervals: Vec<TimeIntervalFile>,
    /// Which alerts silence which.
    #[serde(default)]
    pub inhibit_rules: Vec<InhibitFile>,
    /// Alerts that must keep coming.
    #[serde(default)]
    pub heartbeats: Vec<HeartbeatFile>,
    /// Problems as people work on them.
    #[serde(default)]
    pub incidents: IncidentsFile,
    /// Repair jobs that may help.
    #[serde(default)]
    pub jobs: JobsFile,
    /// What becomes of changes that pipelines tell of.
    #[serde(default)]
    pub changes: ChangesFile,
    /// Whether a pipeline may deploy now.
    #[serde(default)]
    pub gate: GateFile,
    /// Who can be on call.
    #[serde(default)]
    pub people: Vec<PersonFile>,
    /// Who is on call when.
    #[serde(default)]
    pub rotas: Vec<RotaFile>,
    /// How targets are called.
    #[serde(default)]
    pub outbound: OutboundFile,
    /// How long what is over is kept.
    #[serde(default)]
    pub retention: RetentionFile,
    /// Who is told what became of each event, as spans.
    #[serde(default)]
    pub tracing: TracingFile,
}
