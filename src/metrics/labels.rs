//! The sets of labels that series are told apart by.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;

/// Which version runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Version {
    pub(super) version: String,
}

/// Of one source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfSource {
    pub(super) source: Arc<str>,
}

/// For one reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfReason {
    pub(super) reason: &'static str,
}

/// Calls of a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceResult {
    pub(super) source: Arc<str>,
    pub(super) result: &'static str,
}

/// Alerts of a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceStatus {
    pub(super) source: Arc<str>,
    pub(super) status: &'static str,
}

/// Of one target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfTarget {
    pub(super) target: Arc<str>,
}

/// Deliveries of a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TargetState {
    pub(super) target: Arc<str>,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
}

/// Attempts at a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TargetOutcome {
    pub(super) target: Arc<str>,
    pub(super) kind: &'static str,
    pub(super) outcome: &'static str,
}

/// Waits of a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TargetReason {
    pub(super) target: Arc<str>,
    pub(super) reason: &'static str,
}

/// Templates of a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TargetField {
    pub(super) target: Arc<str>,
    pub(super) field: String,
}

/// Answers to requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PathCode {
    pub(super) path: &'static str,
    pub(super) code: u16,
}
