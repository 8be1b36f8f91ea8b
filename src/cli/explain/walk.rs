//! The walk of a payload through the rulebook, recorded: enrich, route, plan.
//!
//! The same rooms decide as in the daemon; only the store is missing. Its place is taken by lanes
//! that are all open and know no alert, so that every resolve is worded. Gives an [`Explanation`],
//! of which every text is safe to show: secrets starred, control characters replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::explain::wording::{RequestShown, ThenShown, Wording, request, sentence, shown};
use crate::domain::alert::{Alert, AlertGroup, Labels};
use crate::domain::lane::{Admission, Incoming, LaneFacts, admit};
use crate::domain::message::{Action, Message};
use crate::plan::{Fate, Plan, enriched, learn, plan};
use crate::route::explain::Verdict;
use crate::route::inhibit::Active;
use crate::rulebook::Rulebook;
use crate::source::contract::Reading;
use crate::store::event::NewPart;

/// Everything that would become of a payload. Groups, alerts and deliveries count from 1.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// Name of the source.
    pub source: String,
    /// Its kind.
    pub kind: String,
    /// The time that was taken for now.
    pub at: String,
    /// What the source passed over or repaired.
    pub notes: Vec<String>,
    /// Alerts that the sender must mend; they are left out.
    pub invalid: Vec<String>,
    /// The groups that were read.
    pub groups: Vec<GroupShown>,
    /// What would be sent.
    pub deliveries: Vec<DeliveryShown>,
    /// Targets that hear of a resolved alert if they were told of it before, whatever routes say.
    pub resolved_also_to: BTreeSet<String>,
}

/// A group.
#[derive(Debug, Serialize)]
pub struct GroupShown {
    /// Its key at the sender.
    pub key: String,
    /// Firing or resolved.
    pub status: String,
    /// Alerts that the sender left out.
    pub truncated: u64,
    /// Its alerts.
    pub alerts: Vec<AlertShown>,
}

/// An alert, and its way through the route tree.
#[derive(Debug, Serialize)]
pub struct AlertShown {
    /// Firing or resolved.
    pub status: String,
    /// Its identity.
    pub fingerprint: String,
    /// Its labels, enriched.
    pub labels: Labels,
    /// Names of the labels that enrichment added or changed.
    pub enriched: Vec<String>,
    /// The routes that were considered.
    pub routes: Vec<StepShown>,
    /// Where it ends.
    pub ends: Vec<EndShown>,
}

/// A route that was considered.
#[derive(Debug, Serialize)]
pub struct StepShown {
    /// Its path in the configuration.
    pub route: String,
    /// Its line there.
    pub line: u32,
    /// The root is 0.
    pub depth: usize,
    /// `matched`, `no match` or `not asked`.
    pub verdict: &'static str,
    /// Why.
    pub why: String,
    /// Whether the alert ends here.
    pub ends_here: bool,
}

/// Where an alert ends.
#[derive(Debug, Serialize)]
pub struct EndShown {
    /// Path of the route.
    pub route: String,
    /// Its receiver.
    pub receiver: String,
    /// The receiver's targets.
    pub targets: Vec<String>,
    /// Why it goes no further; nothing when it reaches the targets.
    pub stopped: Option<String>,
}

/// A delivery that would be made.
#[derive(Debug, Serialize)]
pub struct DeliveryShown {
    /// Name of the target.
    pub target: String,
    /// Its kind.
    pub kind: &'static str,
    /// `trigger` or `resolve`.
    pub action: &'static str,
    /// What makes trigger and resolve the same problem.
    pub dedup_key: String,
    /// Which group.
    pub group: usize,
    /// Which alerts of it.
    pub alerts: Vec<u32>,
    /// The target shows requests and sends none.
    pub dry_run: bool,
    /// Why nothing is sent; nothing when the request is.
    pub not_sent: Option<String>,
    /// Templates that failed; the built-in ones stand in their place.
    pub faults: Vec<String>,
    /// What is sent.
    pub request: Option<RequestShown>,
    /// What follows, where that only asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<ThenShown>,
}

/// Walks what a source read through the rulebook.
pub fn explanation(
    book: &Rulebook,
    source: &str,
    kind: &str,
    reading: Reading,
    at: Timestamp,
) -> Explanation {
    let before: Vec<Vec<Labels>> = reading
        .groups
        .iter()
        .map(|group| group.alerts.iter().map(|alert| alert.labels.clone()).collect())
        .collect();
    let groups = enriched(book, reading.groups);
    let mut active = Active::default();
    learn(book, &groups, &mut active);
    let plan = plan(book, groups, &active, at);
    let mut fates = plan.fates.iter();
    let mut groups = Vec::new();
    for (group, before) in plan.groups.iter().zip(&before) {
        let alerts = group.alerts.iter().zip(before).zip(fates.by_ref());
        groups.push(GroupShown {
            key: shown(&book.redactor, &group.group_key),
            status: group.status().to_string(),
            truncated: group.truncated,
            alerts: alerts.map(|((alert, before), fate)| alert_shown(book, alert, before, fate)).collect(),
        });
    }
    let mut deliveries = Vec::new();
    let mut resolved_also_to = BTreeSet::new();
    for part in &plan.parts {
        let hears = book.targets.get(&part.target).is_some_and(|rule| rule.send_resolved);
        if hears && part.alerts.iter().any(|told| told.only_if_known) {
            resolved_also_to.insert(part.target.to_string());
        }
        if part.alerts.iter().any(|told| !told.only_if_known) {
            deliveries.extend(delivery(book, &plan, part, deliveries.len() + 1, at));
        }
    }
    let all_shown = |lines: &[String]| lines.iter().map(|line| shown(&book.redactor, line)).collect();
    Explanation {
        source: source.to_owned(),
        kind: kind.to_owned(),
        at: at.to_string(),
        notes: all_shown(&reading.notes),
        invalid: all_shown(&reading.invalid),
        groups,
        deliveries,
        resolved_also_to,
    }
}

fn alert_shown(book: &Rulebook, alert: &Alert, before: &Labels, fate: &Fate) -> AlertShown {
    let text = |text: &str| shown(&book.redactor, text);
    let route = |id| book.tree.route(id);
    let steps = book.tree.explain(&alert.labels).into_iter().map(|step| StepShown {
        route: route(step.route).path.clone(),
        line: route(step.route).place.line,
        depth: step.depth,
        verdict: match step.verdict {
            Verdict::Matched => "matched",
            Verdict::NotMatched => "no match",
            Verdict::NotReached => "not asked",
        },
        why: text(step.why.strip_prefix("not reached: ").unwrap_or(&step.why)),
        ends_here: step.result,
    });
    let ends = fate.ends.iter().map(|end| EndShown {
        route: route(end.route).path.clone(),
        receiver: end.receiver.to_string(),
        targets: book.receivers.get(&*end.receiver).into_iter().flatten().map(ToString::to_string).collect(),
        stopped: end.stopped.clone(),
    });
    let is_new = |name: &&String| alert.labels.get(*name) != before.get(*name);
    AlertShown {
        status: alert.status.to_string(),
        fingerprint: alert.fingerprint.to_string(),
        labels: alert
            .labels
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect::<BTreeMap<_, _>>(),
        enriched: alert.labels.keys().filter(is_new).map(|name| text(name)).collect(),
        routes: steps.collect(),
        ends: ends.collect(),
    }
}

/// Words one delivery, as the target's loop would.
fn delivery(
    book: &Rulebook,
    plan: &Plan,
    part: &NewPart,
    number: usize,
    at: Timestamp,
) -> Option<DeliveryShown> {
    let rule = book.targets.get(&part.target)?;
    let group = plan.groups.get(part.group as usize)?;
    let mut lane = LaneFacts { seen: true, ..LaneFacts::default() };
    let incoming = Incoming {
        alerts: &part.alerts,
        content: part.content,
        truncated: part.truncated,
        now: at,
        window: book.dedup_window,
        reminders: part.reminders,
    };
    let Admission::Enqueue { action, alerts } = admit(&mut lane, &incoming) else { return None };
    let message = Message {
        id: format!("explain-{number}"),
        target: rule.name.to_string(),
        action,
        dedup_key: part.key.clone(),
        group: told(group, &alerts),
        remote: None,
        may_exist: false,
        begun: None,
        note: None,
        proposal: None,
        digest: Vec::new(),
        accepted_at: at,
    };
    let of_key = plan.faults.iter().filter(|(target, _)| *target == part.target);
    let mut faults: Vec<String> = of_key.map(|(_, fault)| sentence(book, fault)).collect();
    let Wording { request, then, not_sent } = if action == Action::Resolve && !rule.send_resolved {
        Wording { not_sent: Some("the target has send_resolved: false".to_owned()), ..Wording::default() }
    } else {
        request(book, rule, &message, at, &mut faults)
    };
    faults.dedup();
    Some(DeliveryShown {
        target: rule.name.to_string(),
        kind: rule.kind,
        action: action.as_str(),
        dedup_key: shown(&book.redactor, part.key.as_str()),
        group: part.group as usize + 1,
        alerts: alerts.iter().map(|place| place + 1).collect(),
        dry_run: rule.dry_run,
        not_sent,
        faults,
        request,
        then,
    })
}

/// The group as a delivery tells it.
fn told(group: &Arc<AlertGroup>, alerts: &[u32]) -> Arc<AlertGroup> {
    if alerts.len() == group.alerts.len() { Arc::clone(group) } else { Arc::new(group.part(alerts)) }
}
