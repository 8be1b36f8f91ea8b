//! What one call carries: the head of a lane, or the heads of several as one digest. Pure.
//!
//! A digest is worded by the kind like any message: it is a group that holds the alerts of all its
//! lanes, with what they share computed anew and a note that says why they come together.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::alert::{Alert, AlertGroup, common};
use crate::domain::announcement;
use crate::domain::message::{Action, DedupKey, Message, Proposal};
use crate::rulebook::{Rulebook, TargetRule};
use crate::store::boundary::Open;
use crate::store::schedule::Claimed;
use crate::template::view::View;

/// Alerts of one digest, at most. A kind that cannot name so many takes fewer.
pub const DIGEST_ALERTS_MAX: usize = 20;

/// One or several claimed lanes, to be told by one call.
#[derive(Debug, Clone)]
pub struct Errand {
    /// The lane that the call was claimed for.
    pub first: Claimed,
    /// Others that waited with it, for a digest.
    pub along: Vec<Claimed>,
    /// What the vendor limits besides the target, as the kind names it.
    pub key: Option<Arc<str>>,
}

impl Errand {
    /// All lanes of it.
    pub fn claims(&self) -> impl Iterator<Item = &Claimed> {
        std::iter::once(&self.first).chain(&self.along)
    }

    /// What is to be told, lane by lane.
    pub fn heads(&self) -> impl Iterator<Item = &Open> {
        self.claims().filter_map(|claimed| claimed.head.as_ref())
    }

    /// Several lanes share the call.
    pub fn is_digest(&self) -> bool {
        !self.along.is_empty()
    }

    /// What the record of each of its deliveries says of it; empty when it is no digest.
    pub fn remark(&self) -> String {
        match self.first.head.as_ref().filter(|_| self.is_digest()) {
            Some(head) => {
                format!("in the digest {}, one message for {} deliveries", head.uid, self.along.len() + 1)
            }
            None => String::new(),
        }
    }

    /// Whether the head of this lane can still be named beside the others.
    pub fn has_room_for(&self, other: &Claimed) -> bool {
        let alerts: usize = self.heads().chain(&other.head).map(|open| open.group.alerts.len()).sum();
        let mut all = self.heads().chain(&other.head);
        alerts <= DIGEST_ALERTS_MAX && !all.any(|open| announcement::is(&open.group))
    }

    /// The message for this target; `None` when there is nothing to say.
    pub fn message(&self, target: &str) -> Option<Message> {
        let alone = message_of(target, &self.first)?;
        if !self.is_digest() {
            return Some(alone);
        }
        let heads: Vec<&Open> = self.heads().collect();
        let triggers = heads.iter().any(|open| open.action == Action::Trigger);
        let uids: Vec<&str> = heads.iter().map(|open| open.uid.as_str()).collect();
        Some(Message {
            action: if triggers { Action::Trigger } else { Action::Resolve },
            dedup_key: DedupKey::hash(&uids),
            group: Arc::new(merged(&heads)),
            // What the target gave back for one of them is nothing to answer all of them in.
            remote: None,
            may_exist: false,
            begun: None,
            note: Some(note(&heads)),
            proposal: None,
            digest: heads.iter().map(|open| open.key.clone()).collect(),
            accepted_at: heads.iter().map(|open| open.accepted_at).min().unwrap_or(alone.accepted_at),
            ..alone
        })
    }
}

/// What the kind knows of the heads of lanes, before anything is sent.
pub trait Reader {
    /// What the vendor limits besides the target.
    fn key(&self, claimed: &Claimed) -> Option<String>;

    /// Whether it may be told together with others.
    fn joins(&self, claimed: &Claimed) -> bool {
        claimed.state.remote.is_none()
    }

    /// Whether one message names every alert of them.
    fn names_all(&self, _errand: &Errand) -> bool {
        true
    }
}

impl<F: Fn(&Claimed) -> Option<String>> Reader for F {
    fn key(&self, claimed: &Claimed) -> Option<String> {
        self(claimed)
    }
}

/// A target, asked at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// For what stands in messages besides the alerts.
    pub book: &'a Rulebook,
    /// The target.
    pub rule: &'a TargetRule,
    /// When.
    pub now: Timestamp,
}

impl Reader for Asked<'_> {
    fn key(&self, claimed: &Claimed) -> Option<String> {
        self.rule.target.pace_key(&message_of(&self.rule.name, claimed)?)
    }

    /// Not what asks for a person's word either: a digest has nothing to answer it by.
    fn joins(&self, claimed: &Claimed) -> bool {
        message_of(&self.rule.name, claimed).is_some_and(|message| {
            !matches!(message.proposal, Some(Proposal::Made(_))) && self.rule.target.joins(&message)
        })
    }

    fn names_all(&self, errand: &Errand) -> bool {
        errand.message(&self.rule.name).is_some_and(|message| {
            let view = View::of(&message, &self.book.external_url, self.now);
            self.rule.target.names_all(&message, &view.on_call(self.book.on_call(self.now)))
        })
    }
}

fn message_of(target: &str, claimed: &Claimed) -> Option<Message> {
    let open = claimed.head.as_ref()?;
    Some(Message {
        id: open.uid.clone(),
        target: target.to_owned(),
        action: open.action,
        dedup_key: open.key.clone(),
        group: Arc::clone(&open.group),
        remote: claimed.state.remote.clone(),
        may_exist: claimed.state.seen,
        begun: claimed.state.begun.clone(),
        note: open.note.clone(),
        proposal: open.proposal,
        digest: Vec::new(),
        accepted_at: open.accepted_at,
    })
}

/// Why they come together, and what was to be said of some of them besides.
fn note(heads: &[&Open]) -> String {
    let mut note = format!("Digest: {} messages waited for the rate limit", heads.len());
    let own: BTreeSet<&str> = heads.iter().filter_map(|open| open.note.as_deref()).collect();
    own.iter().for_each(|own| note.push_str(&format!("; {own}")));
    note
}

/// One group of all their alerts, each as its own delivery tells it.
fn merged(heads: &[&Open]) -> AlertGroup {
    let groups = || heads.iter().map(|open| &*open.group);
    let alerts: Vec<Alert> = groups().flat_map(|group| group.alerts.iter().cloned()).collect();
    let keys: Vec<&str> = groups().map(|group| group.group_key.as_str()).collect();
    let mut urls: Vec<&str> = groups().map(|group| group.external_url.as_str()).collect();
    urls.dedup();
    AlertGroup {
        source: shared(groups().map(|group| &group.source)),
        group_key: DedupKey::hash(&keys).to_string(),
        receiver: shared(groups().map(|group| &group.receiver)),
        group_labels: common(groups().map(|group| &group.group_labels)),
        common_labels: common(alerts.iter().map(|alert| &alert.labels)),
        common_annotations: common(alerts.iter().map(|alert| &alert.annotations)),
        external_url: if urls.len() == 1 { urls.concat() } else { String::new() },
        truncated: groups().map(|group| group.truncated).sum(),
        reason: String::new(),
        alerts,
        event: Value::Null,
        changes: groups().flat_map(|group| group.changes.iter().cloned()).collect(),
    }
}

/// The text that all have, or all different ones.
fn shared<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    let texts: BTreeSet<&str> = texts.map(String::as_str).filter(|text| !text.is_empty()).collect();
    texts.into_iter().collect::<Vec<_>>().join(", ")
}
