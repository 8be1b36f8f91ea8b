//! What came of saying one thing to a target.

use serde::Serialize;

use crate::cli::explain::wording::{RequestShown, ThenShown};
use crate::domain::message::{Action, DedupKey};
use crate::rulebook::TargetRule;

/// What came of one action.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    pub(super) target: String,
    pub(super) kind: &'static str,
    pub(super) action: &'static str,
    pub(super) dedup_key: String,
    /// `delivered`, `retry`, `hold`, `rejected` or `unknown`; `not sent` without a call.
    pub(super) outcome: &'static str,
    /// Why, one sentence; empty when delivered.
    pub(super) reason: String,
    /// HTTP status, or that of the mail server; 0 without an answer.
    pub(super) status: u16,
    /// Start of the answer.
    pub(super) answer: String,
    pub(super) took_ms: u64,
    pub(super) calls: u32,
    /// What a target of kind console, or with `dry_run: true`, prints.
    pub(super) printed: String,
    /// With `--dry-run`: what would be sent first.
    pub(super) request: Option<RequestShown>,
    /// What would follow, where that only asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) then: Option<ThenShown>,
}

impl Said {
    /// Before anything was said.
    pub(super) fn nothing(rule: &TargetRule, action: Action) -> Said {
        Said {
            target: rule.name.to_string(),
            kind: rule.kind,
            action: action.as_str(),
            dedup_key: key(rule).to_string(),
            outcome: "not sent",
            reason: String::new(),
            status: 0,
            answer: String::new(),
            took_ms: 0,
            calls: 0,
            printed: String::new(),
            request: None,
            then: None,
        }
    }
}

/// The same for every test of a target: what one opens, another can close.
pub(super) fn key(rule: &TargetRule) -> DedupKey {
    let text = format!("alert-relay-test-{}", rule.name);
    DedupKey::written(&text).unwrap_or_else(|| DedupKey::hash(&[&text]))
}
