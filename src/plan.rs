//! From alert groups to planned deliveries. Pure: rulebook, groups, active alerts and now come in.
//!
//! Each alert is routed on its own labels; alerts of one group that reach the same target stay
//! together. What becomes of each alert is a [`Fate`], which `explain` shows and the record keeps.

pub mod announce;
pub mod difference;
mod draft;
pub mod side;
pub mod suspected;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::alert::{AlertGroup, Status};
use crate::domain::incident::Draft;
use crate::domain::lane::{AlertClock, Told};
use crate::domain::message::{Action, DedupKey, Message};
use crate::domain::own_alerts;
use crate::domain::reminders::Reminders;
use crate::route::enrich;
use crate::route::inhibit::{Active, AlertKey, is_candidate};
use crate::route::tree::RouteId;
use crate::rulebook::{Former, Per, Rulebook, TargetRule};
use crate::store::event::NewPart;
use crate::template::library::{Fault, Template};
use crate::template::view::View;

/// What is to be kept and sent for one call of a source.
#[derive(Debug, Default)]
pub struct Plan {
    /// The groups, enriched.
    pub groups: Vec<Arc<AlertGroup>>,
    /// The parts for each lane.
    pub parts: Vec<NewPart>,
    /// What became of each alert, in order of groups and alerts.
    pub fates: Vec<Fate>,
    /// Dedup key templates that failed; the default key was used.
    pub faults: Vec<(Arc<str>, Fault)>,
}

/// What routing decided for one alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    /// Index into [`Plan::groups`].
    pub group: usize,
    /// Index into the group's alerts.
    pub alert: usize,
    /// The routes it ended at, each with what came of it.
    pub ends: Vec<End>,
}

/// Where an alert ended.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// The route.
    pub route: RouteId,
    /// Its receiver.
    pub receiver: Arc<str>,
    /// Why it goes no further; `None` when it reaches the receiver's targets.
    pub stopped: Option<String>,
}

impl Plan {
    /// A sentence for each alert that goes nowhere, for the record.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for fate in &self.fates {
            if fate.ends.iter().any(|end| end.stopped.is_none()) {
                continue;
            }
            let why: Vec<&str> = fate.ends.iter().filter_map(|end| end.stopped.as_deref()).collect();
            let print = self.groups.get(fate.group).and_then(|group| group.alerts.get(fate.alert));
            let print = print.map(|alert| alert.fingerprint.to_string()).unwrap_or_default();
            notes.push(format!("alert {print}: {}", why.join("; ")));
        }
        notes
    }
}

/// Drafts the incidents that these parts of one group may open: one a dedup key, whatever the
/// targets that share it. `receivers` adds those that an alert reached.
fn opened<'r>(
    rulebook: &Rulebook,
    group: &AlertGroup,
    parts: &mut [NewPart],
    receivers: impl Fn(usize, &mut Vec<&'r str>),
) {
    if rulebook.incidents.is_none() {
        return;
    }
    let mut drafts: BTreeMap<&DedupKey, (Vec<usize>, Option<Arc<Draft>>)> = BTreeMap::new();
    for part in &*parts {
        let firing = part.alerts.iter().filter(|told| told.clock.status == Status::Firing);
        let (places, _) = drafts.entry(&part.key).or_default();
        places.extend(firing.map(|told| told.place as usize));
    }
    for (places, draft) in drafts.values_mut() {
        places.sort_unstable();
        places.dedup();
        let mut reached = Vec::new();
        places.iter().for_each(|place| receivers(*place, &mut reached));
        reached.sort_unstable();
        reached.dedup();
        *draft = draft::draft(rulebook, group, places, &reached);
    }
    let of_part = |part: &NewPart| drafts.get(&part.key).and_then(|(_, draft)| draft.clone());
    let of_parts: Vec<_> = parts.iter().map(of_part).collect();
    for (part, draft) in parts.iter_mut().zip(of_parts) {
        part.incident = draft;
    }
}

/// Adds to alerts what the rules add before routing.
pub fn enriched(rulebook: &Rulebook, mut groups: Vec<AlertGroup>) -> Vec<AlertGroup> {
    for group in &mut groups {
        enrich::apply(&rulebook.enrich, group);
    }
    groups
}

/// Takes in which of these alerts may now inhibit others. Comes before [`plan`], so that alerts of
/// one call inhibit each other.
pub fn learn(rulebook: &Rulebook, groups: &[AlertGroup], active: &mut Active) {
    let rules = &rulebook.inhibit;
    if rules.is_empty() {
        return;
    }
    for group in groups {
        for alert in group.alerts.iter().filter(|alert| is_candidate(rules, &alert.labels)) {
            let key = AlertKey { source: group.source.clone(), fingerprint: alert.fingerprint };
            active.apply(rules, &key, &alert.labels, alert.status);
        }
    }
}

/// Plans what to tell whom of groups that are [`enriched`].
pub fn plan(rulebook: &Rulebook, groups: Vec<AlertGroup>, active: &Active, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let formers = rulebook.former.current();
    for (index, group) in groups.into_iter().enumerate() {
        let group = Arc::new(group);
        let first = plan.parts.len();
        let mut reached: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
        for (place, alert) in group.alerts.iter().enumerate() {
            let ends = ends_of(rulebook, &alert.labels, alert.status, active, now);
            for end in ends.iter().filter(|end| end.stopped.is_none()) {
                for target in rulebook.receivers.get(&*end.receiver).into_iter().flatten() {
                    let places = reached.entry(target).or_default();
                    if places.last() != Some(&place) {
                        places.push(place);
                    }
                }
            }
            plan.fates.push(Fate { group: index, alert: place, ends });
        }
        plan.groups.push(Arc::clone(&group));
        let over: Vec<usize> =
            (0..group.alerts.len()).filter(|place| group.alerts[*place].status == Status::Resolved).collect();
        for (name, target) in &rulebook.targets {
            if speaks_of(&group, name) {
                continue;
            }
            let places = reached.remove(name).unwrap_or_default();
            if !(places.is_empty() && over.is_empty()) {
                parts_for(rulebook, &Addressee::of(target), index, &places, &over, now, &mut plan);
            }
        }
        let gone = |(name, _): &(&Arc<str>, &Former)| !rulebook.targets.contains_key(*name);
        for (name, former) in formers.iter().filter(gone).filter(|_| !over.is_empty()) {
            for addressee in Addressee::once(name, former) {
                parts_for(rulebook, &addressee, index, &[], &over, now, &mut plan);
            }
        }
        if over.len() < group.alerts.len() {
            let fates = &plan.fates[plan.fates.len() - group.alerts.len()..];
            let ends = |place: usize| fates.get(place).into_iter().flat_map(|fate| &fate.ends);
            opened(rulebook, &group, &mut plan.parts[first..], |place, reached| {
                reached.extend(ends(place).filter(|end| end.stopped.is_none()).map(|end| &*end.receiver));
            });
        }
    }
    plan
}

/// One who may be told.
struct Addressee<'a> {
    name: Arc<str>,
    per: Per,
    dedup_key: Option<&'a Template>,
    reminders: Reminders,
    fall_after: Option<Duration>,
}

impl<'a> Addressee<'a> {
    /// A target that was taken out. How its keys were made is known of this process's own targets; for
    /// others both ways are tried, and a lane that has not heard of the alert ignores it.
    fn once(name: &Arc<str>, former: &'a Former) -> Vec<Addressee<'a>> {
        match &former.rule {
            Some(rule) if former.drains => vec![Addressee::of(rule)],
            Some(rule) => vec![Addressee { fall_after: None, ..Addressee::of(rule) }],
            None => [Per::Group, Per::Alert]
                .map(|per| Addressee {
                    name: Arc::clone(name),
                    per,
                    dedup_key: None,
                    reminders: Reminders::default(),
                    fall_after: None,
                })
                .into(),
        }
    }

    fn of(rule: &'a TargetRule) -> Addressee<'a> {
        Addressee {
            name: Arc::clone(&rule.name),
            per: rule.per,
            dedup_key: rule.dedup_key.as_ref(),
            reminders: rule.reminders,
            fall_after: rule.fallback.as_ref().map(|fallback| fallback.after),
        }
    }
}

/// Plans one group for the targets of one receiver, whatever the routes say.
pub fn plan_for(rulebook: &Rulebook, group: AlertGroup, receiver: &str, now: Timestamp) -> Plan {
    let group = Arc::new(group);
    let places: Vec<usize> = (0..group.alerts.len()).collect();
    let mut plan = Plan { groups: vec![Arc::clone(&group)], ..Plan::default() };
    for name in rulebook.receivers.get(receiver).into_iter().flatten() {
        if let Some(target) = rulebook.targets.get(name) {
            parts_for(rulebook, &Addressee::of(target), 0, &places, &[], now, &mut plan);
        }
    }
    opened(rulebook, &group, &mut plan.parts, |_, reached| reached.push(receiver));
    plan
}

/// The relay's own alert about a sick target must not wait for that target.
fn speaks_of(group: &AlertGroup, target: &str) -> bool {
    group.source == own_alerts::SOURCE
        && group.group_labels.get(own_alerts::ABOUT_TARGET).is_some_and(|about| about == target)
}

/// Where routing takes an alert. Time and inhibition silence what fires; a resolve always passes,
/// because what is open must be closed (a lane that was never opened ignores it).
fn ends_of(
    rulebook: &Rulebook,
    labels: &crate::domain::alert::Labels,
    status: Status,
    active: &Active,
    now: Timestamp,
) -> Vec<End> {
    let firing = status == Status::Firing;
    let inhibited = if firing && !rulebook.inhibit.is_empty() {
        active
            .inhibitor(&rulebook.inhibit, labels)
            .map(|(rule, _)| format!("inhibited by inhibit_rules[{rule}]"))
    } else {
        None
    };
    let end = |id: RouteId| {
        let route = rulebook.tree.route(id);
        let muted = || {
            let open = rulebook.intervals.open(&route.active_intervals, &route.mute_intervals, now);
            open.err().map(|muted| format!("muted: {muted}"))
        };
        let nobody = || {
            let none = rulebook.receivers.get(&*route.receiver).is_none_or(Vec::is_empty);
            none.then(|| format!("receiver {} has no targets", route.receiver))
        };
        let stopped = inhibited.clone().or_else(|| if firing { muted() } else { None }).or_else(nobody);
        End { route: id, receiver: Arc::clone(&route.receiver), stopped }
    };
    rulebook.tree.find(labels).into_iter().map(end).collect()
}

/// The parts of one group for one target. `places` are the alerts that routing brings to it;
/// resolved alerts that it does not bring go along for lanes that have heard of them.
fn parts_for(
    rulebook: &Rulebook,
    target: &Addressee<'_>,
    index: usize,
    places: &[usize],
    over: &[usize],
    now: Timestamp,
    plan: &mut Plan,
) {
    let Some(group) = plan.groups.get(index).cloned() else { return };
    let mut told = Vec::with_capacity(places.len() + over.len());
    told.extend(places.iter().filter_map(|place| tell(&group, *place, false)));
    let in_passing = over.iter().filter(|place| !places.contains(place));
    told.extend(in_passing.filter_map(|place| tell(&group, *place, true)));
    told.sort_by_key(|told| told.place);
    match target.per {
        Per::Group => {
            let key = key_of(rulebook, target, &group, &told, ["group", &group.group_key], now, plan);
            push(target, index, key, told, &group, plan);
        }
        Per::Alert => {
            for told in told {
                let print = told.print.to_string();
                let key = key_of(rulebook, target, &group, &[told], ["alert", &print], now, plan);
                push(target, index, key, vec![told], &group, plan);
            }
        }
    }
}

fn tell(group: &AlertGroup, place: usize, only_if_known: bool) -> Option<Told> {
    let alert = group.alerts.get(place)?;
    let at = u32::try_from(place).ok()?;
    Some(Told { place: at, print: alert.fingerprint, clock: AlertClock::of(alert), only_if_known })
}

fn push(
    target: &Addressee<'_>,
    index: usize,
    key: DedupKey,
    told: Vec<Told>,
    group: &AlertGroup,
    plan: &mut Plan,
) {
    let content = content_of(group, &told);
    plan.parts.push(NewPart {
        target: Arc::clone(&target.name),
        key,
        group: u32::try_from(index).unwrap_or(u32::MAX),
        alerts: told,
        content,
        // A lane of one alert knows all of its alerts, whatever was left out of the group.
        truncated: group.truncated > 0 && target.per == Per::Group,
        reminders: target.reminders,
        fall_after: target.fall_after,
        note: None,
        incident: None,
    });
}

/// The default key hashes source and identity; the operator's template overrides it where it
/// renders to something.
fn key_of(
    rulebook: &Rulebook,
    target: &Addressee<'_>,
    group: &Arc<AlertGroup>,
    told: &[Told],
    [sort, identity]: [&str; 2],
    now: Timestamp,
    plan: &mut Plan,
) -> DedupKey {
    let default = DedupKey::hash(&[&group.source, sort, identity]);
    let Some(template) = target.dedup_key else { return default };
    let places: Vec<u32> = told.iter().map(|told| told.place).collect();
    let message = Message {
        id: String::new(),
        target: target.name.to_string(),
        action: Action::Trigger,
        dedup_key: default.clone(),
        group: if places.len() == group.alerts.len() {
            Arc::clone(group)
        } else {
            Arc::new(group.part(&places))
        },
        remote: None,
        may_exist: false,
        begun: None,
        note: None,
        proposal: None,
        digest: Vec::new(),
        accepted_at: now,
    };
    match template.render(&View::of(&message, &rulebook.external_url, now)) {
        Ok(text) => DedupKey::written(&text).unwrap_or(default),
        Err(fault) => {
            plan.faults.push((Arc::clone(&target.name), fault));
            default
        }
    }
}

fn content_of(group: &AlertGroup, told: &[Told]) -> i64 {
    let mut hasher = DefaultHasher::new();
    for told in told {
        if let Some(alert) = group.alerts.get(told.place as usize) {
            alert.labels.hash(&mut hasher);
            alert.annotations.hash(&mut hasher);
            alert.status.hash(&mut hasher);
        }
    }
    hasher.finish().cast_signed()
}
