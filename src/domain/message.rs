//! What a target is asked to say.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::domain::alert::AlertGroup;

/// PagerDuty's three words, used for every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Something is wrong, or what is wrong has changed.
    Trigger,
    /// A person has taken it.
    Acknowledge,
    /// It is over.
    Resolve,
}

impl Action {
    /// `trigger`, `acknowledge` or `resolve`.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Trigger => "trigger",
            Action::Acknowledge => "acknowledge",
            Action::Resolve => "resolve",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What makes all messages about one problem the same problem, at the relay and at the target.
///
/// Trigger, acknowledge and resolve of a problem always share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupKey(String);

impl DedupKey {
    /// Longest key that every target takes (PagerDuty `dedup_key`: 255 characters).
    pub const CHARS_MAX: usize = 255;

    /// The default key: SHA-256 over the parts, in hex. Parts are length-prefixed, so that
    /// `("a", "bc")` and `("ab", "c")` differ.
    pub fn hash(parts: &[&str]) -> DedupKey {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        let hash: [u8; 32] = hasher.finalize().into();
        let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| match digit {
            0..10 => char::from(b'0' + digit),
            _ => char::from(b'a' + digit - 10),
        });
        let mut hex = String::with_capacity(2 * hash.len());
        hex.extend(digits);
        DedupKey(hex)
    }

    /// A key that the operator's template wrote. Blank is no key; one too long for any target is
    /// replaced by its hash, so that it stays distinct.
    pub fn written(text: &str) -> Option<DedupKey> {
        let text = text.trim();
        match text.chars().count() {
            0 => None,
            1..=Self::CHARS_MAX => Some(DedupKey(text.to_owned())),
            _ => Some(DedupKey::hash(&[text])),
        }
    }

    /// The key as targets see it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a target gave back for a trigger, or what must be remembered until its resolve: ticket
/// id, Slack channel and ts, name of the credential used. Its form belongs to the kind, but its
/// first word (up to a blank) is what the service calls the thing by in callbacks. It never holds a
/// secret, because it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemoteRef(pub String);

/// Row id of a run of a job, and its name outside.
pub type JobId = i64;

/// What a message says about a job of its incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposal {
    /// This run waits for a person's word.
    Made(JobId),
    /// None does any more.
    Settled,
}

impl Proposal {
    /// As a number, for rows: 0 for none any more.
    pub fn number(self) -> JobId {
        match self {
            Proposal::Made(job) => job,
            Proposal::Settled => 0,
        }
    }

    /// Reads what [`Proposal::number`] wrote.
    pub fn of(number: JobId) -> Proposal {
        if number == 0 { Proposal::Settled } else { Proposal::Made(number) }
    }
}

/// One thing to say to one target.
#[derive(Debug, Clone)]
pub struct Message {
    /// Stable over all attempts of one delivery: the idempotency handle of targets that take one.
    pub id: String,
    /// Name of the configured target.
    pub target: String,
    /// What to do there.
    pub action: Action,
    /// Which problem it is about.
    pub dedup_key: DedupKey,
    /// The alerts, as this target's receiver gets them.
    pub group: Arc<AlertGroup>,
    /// What the target gave back earlier in this lane.
    pub remote: Option<RemoteRef>,
    /// An earlier message of this lane may have opened something there that no resolve has closed.
    /// Without a `remote`, a kind that can must look it up before it creates anything.
    pub may_exist: bool,
    /// Of a service that must never be told twice: the id of an earlier message of this lane (or of
    /// this very one) that was about to be sent, and nobody knows how that ended.
    pub begun: Option<String>,
    /// A sentence to add to the text, such as why this message comes by a fallback.
    pub note: Option<String>,
    /// What it says about a job; `None`: nothing has changed about that.
    pub proposal: Option<Proposal>,
    /// Of a digest: the keys of all problems that it tells. Its own `dedup_key` is then of no lane, so
    /// nothing may come back by that. Empty: it is about `dedup_key` alone.
    pub digest: Vec<DedupKey>,
    /// When the relay accepted the alert.
    pub accepted_at: Timestamp,
}

impl Message {
    /// It tells of several problems at once.
    pub fn is_digest(&self) -> bool {
        !self.digest.is_empty()
    }

    /// What it is about: one key, or those of a digest.
    pub fn keys(&self) -> &[DedupKey] {
        if self.is_digest() { &self.digest } else { std::slice::from_ref(&self.dedup_key) }
    }
}
