//! What the relay says of itself: sick targets, dead letters, failing templates, missing
//! heartbeats. They are alerts like any other, of the source `alert-relay`, and go through the
//! same routes, but never to the target that they speak of.
//!
//! [`Teller`] decides, purely, what is news; `daemon` runs it and feeds what it says to the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Map;

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};

/// Name of the source that the relay's own alerts carry; no configured source may have it.
pub const SOURCE: &str = "alert-relay";

/// Label that names the target an alert speaks of; it is never sent there.
pub const ABOUT_TARGET: &str = "target";

/// An alert that says something once (a dead letter) is taken back when nothing of the kind has
/// happened for this long.
const QUIET_AFTER: Duration = Duration::from_secs(3600);

/// Something that a person should know about the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// The breaker of a target has opened, or its credentials are refused.
    TargetSick {
        /// Which.
        target: String,
        /// One sentence.
        reason: String,
    },
    /// It works again.
    TargetWell {
        /// Which.
        target: String,
    },
    /// A delivery was given up or refused for good.
    DeadLetter {
        /// At which target.
        target: String,
        /// One sentence.
        reason: String,
    },
    /// A template of the operator failed; the built-in wording was sent.
    TemplateFailing {
        /// Of which target.
        target: String,
        /// Which field, and what handlebars said.
        reason: String,
    },
    /// The quota of a target is spent: what it would be told waits for the next day.
    QuotaSpent {
        /// Which.
        target: String,
        /// Whose quota: a number; empty: that of the target as a whole.
        key: String,
        /// One sentence.
        reason: String,
        /// When there is a new one.
        until: Timestamp,
    },
    /// An alert that must keep coming has not come.
    HeartbeatMissing {
        /// Name of the heartbeat.
        name: String,
        /// One sentence.
        reason: String,
    },
    /// It has come again.
    HeartbeatBack {
        /// Name of the heartbeat.
        name: String,
    },
    /// Alerts are refused, because the disk is nearly full.
    DiskLow {
        /// One sentence.
        reason: String,
    },
    /// There is room again.
    DiskFine,
}

impl Own {
    /// Which alert it is about: name, severity, and the thing it is about with its label.
    fn subject(&self) -> (&'static str, &'static str, Option<(&'static str, &str)>) {
        match self {
            Own::TargetSick { target, .. } | Own::TargetWell { target } => {
                ("AlertRelayTargetSick", "critical", Some((ABOUT_TARGET, target)))
            }
            Own::DeadLetter { target, .. } => {
                ("AlertRelayDeadLetters", "critical", Some((ABOUT_TARGET, target)))
            }
            Own::TemplateFailing { target, .. } => {
                ("AlertRelayTemplateFailing", "warning", Some((ABOUT_TARGET, target)))
            }
            Own::QuotaSpent { target, .. } => {
                ("AlertRelayQuotaSpent", "critical", Some((ABOUT_TARGET, target)))
            }
            Own::HeartbeatMissing { name, .. } | Own::HeartbeatBack { name } => {
                ("AlertRelayHeartbeatMissing", "critical", Some(("heartbeat", name)))
            }
            Own::DiskLow { .. } | Own::DiskFine => ("AlertRelayDiskLow", "critical", None),
        }
    }

    /// What is wrong, and a sentence about it; `None` when it is over.
    fn trouble(&self) -> Option<(String, &str)> {
        Some(match self {
            Own::TargetSick { target, reason } => (format!("alert-relay cannot reach {target}"), reason),
            Own::DeadLetter { target, reason } => {
                (format!("alert-relay gave up on a delivery to {target}"), reason)
            }
            Own::TemplateFailing { target, reason } => (format!("a template of {target} fails"), reason),
            Own::QuotaSpent { target, reason, .. } => {
                (format!("{target} is told no more: its quota is spent"), reason)
            }
            Own::HeartbeatMissing { name, reason } => (format!("heartbeat {name} is missing"), reason),
            Own::DiskLow { reason } => {
                ("alert-relay takes no alerts in: the disk is nearly full".into(), reason)
            }
            Own::TargetWell { .. } | Own::HeartbeatBack { .. } | Own::DiskFine => return None,
        })
    }

    /// When what is said once, without a word when it is over, is taken back.
    fn ends_by_itself(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Own::DeadLetter { .. } | Own::TemplateFailing { .. } => {
                Some(now.saturating_add(QUIET_AFTER).unwrap_or(Timestamp::MAX))
            }
            Own::QuotaSpent { until, .. } => Some(*until),
            _ => None,
        }
    }
}

/// Remembers what has been said, so that each thing is said once and taken back once.
#[derive(Debug, Default)]
pub struct Teller {
    firing: BTreeMap<Labels, Told>,
    /// What has been heard of since the start. What has not may have been told before it, and is
    /// taken back when it turns out to be well.
    heard: BTreeSet<Labels>,
}

#[derive(Debug)]
struct Told {
    since: Timestamp,
    /// When it is taken back, for what ends by itself.
    ends: Option<Timestamp>,
    annotations: Labels,
}

impl Teller {
    /// Takes in what happened; returns the alert to be sent, if it is news.
    pub fn hear(&mut self, own: &Own, now: Timestamp) -> Option<AlertGroup> {
        let (name, severity, about) = own.subject();
        let mut labels =
            Labels::from([("alertname".into(), name.into()), ("severity".into(), severity.into())]);
        if let Some((label, thing)) = about {
            labels.insert(label.into(), thing.into());
        }
        if let Own::QuotaSpent { key, .. } = own
            && !key.is_empty()
        {
            labels.insert("quota".into(), key.clone());
        }
        let first = self.heard.insert(labels.clone());
        let Some((summary, description)) = own.trouble() else {
            return match self.firing.remove(&labels) {
                Some(told) => Some(group(labels, told.annotations, Some(told.since), Some(now))),
                None if first => Some(group(labels, Labels::new(), None, Some(now))),
                None => None,
            };
        };
        let ends = own.ends_by_itself(now);
        if let Some(told) = self.firing.get_mut(&labels) {
            told.ends = ends;
            return None;
        }
        let annotations =
            Labels::from([("summary".into(), summary), ("description".into(), description.to_owned())]);
        self.firing.insert(labels.clone(), Told { since: now, ends, annotations: annotations.clone() });
        Some(group(labels, annotations, Some(now), None))
    }

    /// Takes back what has been quiet for long enough.
    pub fn settle(&mut self, now: Timestamp) -> Vec<AlertGroup> {
        let is_over = |told: &Told| told.ends.is_some_and(|ends| ends <= now);
        let over: Vec<Labels> =
            self.firing.iter().filter(|(_, told)| is_over(told)).map(|(labels, _)| labels.clone()).collect();
        over.into_iter()
            .filter_map(|labels| {
                let told = self.firing.remove(&labels)?;
                Some(group(labels, told.annotations, Some(told.since), Some(now)))
            })
            .collect()
    }
}

fn group(
    labels: Labels,
    annotations: Labels,
    since: Option<Timestamp>,
    ends_at: Option<Timestamp>,
) -> AlertGroup {
    let fingerprint = Fingerprint::of(&labels);
    let alert = Alert {
        status: if ends_at.is_some() { Status::Resolved } else { Status::Firing },
        labels: labels.clone(),
        annotations,
        starts_at: since,
        ends_at,
        generator_url: String::new(),
        fingerprint,
        extra: Map::new(),
    };
    let group_key = fingerprint.to_string();
    AlertGroup { group_labels: labels, ..AlertGroup::of_one(SOURCE, group_key, alert) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn sick(reason: &str) -> Own {
        Own::TargetSick { target: "pager".into(), reason: reason.into() }
    }

    #[test]
    fn each_thing_is_said_once_and_taken_back_once() {
        let mut teller = Teller::default();
        let fires = teller.hear(&sick("refused"), at(0)).unwrap();
        assert_eq!(fires.status(), Status::Firing);
        assert_eq!(fires.common_labels["target"], "pager");
        assert_eq!(teller.hear(&sick("refused again"), at(5)), None);
        let ends = teller.hear(&Own::TargetWell { target: "pager".into() }, at(60)).unwrap();
        assert_eq!((ends.status(), ends.group_key), (Status::Resolved, fires.group_key));
        assert_eq!(teller.hear(&Own::TargetWell { target: "pager".into() }, at(61)), None);
    }

    #[test]
    fn what_was_told_before_a_restart_is_taken_back_after_it() {
        let mut teller = Teller::default();
        let well = Own::TargetWell { target: "pager".into() };
        assert_eq!(teller.hear(&well, at(0)).unwrap().status(), Status::Resolved);
        assert_eq!(teller.hear(&well, at(1)), None);
    }

    #[test]
    fn a_spent_quota_is_told_once_for_each_number_and_taken_back_the_next_day() {
        let mut teller = Teller::default();
        let spent = |key: &str| Own::QuotaSpent {
            target: "phone".into(),
            key: key.into(),
            reason: "spent".into(),
            until: at(50_000),
        };
        let told = teller.hear(&spent("+15550100"), at(0)).unwrap();
        assert_eq!(
            (told.common_labels["target"].as_str(), &told.common_labels["quota"][..]),
            ("phone", "+15550100")
        );
        assert_eq!(teller.hear(&spent("+15550100"), at(9000)), None);
        assert!(teller.hear(&spent("+15550101"), at(9000)).is_some());
        assert_eq!(teller.settle(at(49_999)), []);
        assert_eq!(teller.settle(at(50_000)).len(), 2);
    }

    #[test]
    fn dead_letters_are_taken_back_after_an_hour_without_a_new_one() {
        let mut teller = Teller::default();
        let dead = Own::DeadLetter { target: "pager".into(), reason: "400".into() };
        assert!(teller.hear(&dead, at(0)).is_some());
        assert!(teller.hear(&dead, at(3000)).is_none());
        assert_eq!(teller.settle(at(3700)), []);
        assert_eq!(teller.settle(at(6600)).len(), 1);
        assert_eq!(teller.settle(at(9999)), []);
    }
}
