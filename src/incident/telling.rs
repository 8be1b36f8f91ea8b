//! What a platform is told when a job starts, and a ticket when it failed. Pure.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::alert::{Alert, AlertGroup};
use crate::domain::change::Change;
use crate::domain::job::end_of;
use crate::domain::lane::{AlertClock, Told};
use crate::domain::message::DedupKey;
use crate::domain::rails::Rule;
use crate::domain::reminders::Reminders;
use crate::rulebook::Rulebook;
use crate::store::event::{NewEvent, NewPart};
use crate::store::jobs::OpenRun;

/// Bytes of an output that go into a ticket.
const TICKET_BYTES: usize = 4000;

/// The start of a run: a delivery in a lane of its own, so that the same target may start another one
/// for the same incident. The change that it is about stands in the common annotations.
///
/// # Errors
/// It cannot be started: a sentence.
pub fn start(
    book: &Rulebook,
    rule: &Rule,
    open: &OpenRun,
    uid: Uuid,
    now: Timestamp,
) -> Result<NewEvent, String> {
    let Some(group) = &open.about.group else {
        return Err("what it is about is past its retention".to_owned());
    };
    if !book.targets.contains_key(&rule.target) {
        return Err(format!("there is no target {} any more", rule.target));
    }
    let run = &open.run;
    let mut group = AlertGroup::clone(group);
    let about = [
        ("incident", run.incident.to_string()),
        ("job", run.id.to_string()),
        ("job_rule", run.rule.clone()),
        ("job_approved_by", open.who.clone()),
    ];
    let of_change = open.change.iter().flat_map(annotations);
    for (name, value) in about.into_iter().chain(of_change).filter(|(_, value)| !value.is_empty()) {
        group.common_annotations.insert(name.to_owned(), value);
    }
    let group = Arc::new(group);
    let key = format!("{} job {}", open.about.key, run.id);
    let key = DedupKey::written(&key).unwrap_or_else(|| open.about.key.clone());
    let by = if open.who.is_empty() { String::new() } else { format!(", approved by {}", open.who) };
    let note = format!("Job {} of incident {} by rule {}{by}", run.id, run.incident, run.rule);
    let parts = vec![part(&rule.target, key, &group, Some(note.clone()))];
    Ok(event(uid, group, parts, note, now))
}

/// The change as templates find it.
fn annotations(change: &Change) -> [(&'static str, String); 6] {
    [
        ("change_id", change.id.clone()),
        ("change_kind", change.sort.as_str().to_owned()),
        ("change_title", change.title.clone()),
        ("change_who", change.who.clone()),
        ("change_link", change.link.clone()),
        ("change_at", change.at.to_string()),
    ]
}

/// The output of a run that failed, for the tickets of its incident; `None`: nobody gets it.
pub fn failure(
    book: &Rulebook,
    rule: &Rule,
    open: &OpenRun,
    output: &str,
    uid: Uuid,
    now: Timestamp,
) -> Option<NewEvent> {
    let group = open.about.group.as_ref().filter(|_| open.incident_is_open)?;
    let run = &open.run;
    let mut note = format!("Job {} ({}, by {}) failed", run.id, run.rule, run.target);
    if !open.reason.is_empty() {
        note.push_str(&format!(": {}", open.reason));
    }
    match end_of(output.trim_end(), TICKET_BYTES) {
        "" => note.push_str("; it has written nothing that is known"),
        end if end.len() < output.trim_end().len() => note.push_str(&format!("\n\n…\n{end}")),
        end => note.push_str(&format!("\n\n{end}")),
    }
    let told = rule.on_failure.iter().filter(|target| book.targets.contains_key(*target));
    let parts: Vec<NewPart> =
        told.map(|target| part(target, open.about.key.clone(), group, Some(note.clone()))).collect();
    let why = format!("failure of job {} of incident {}", run.id, run.incident);
    (!parts.is_empty()).then(|| event(uid, Arc::clone(group), parts, why, now))
}

fn event(uid: Uuid, group: Arc<AlertGroup>, parts: Vec<NewPart>, note: String, now: Timestamp) -> NewEvent {
    NewEvent {
        uid,
        source: group.source.clone(),
        received_at: now,
        body: Vec::new(),
        window: Duration::ZERO,
        groups: vec![group],
        parts,
        notes: vec![note],
    }
}

fn part(target: &Arc<str>, key: DedupKey, group: &AlertGroup, note: Option<String>) -> NewPart {
    let told = |(place, alert): (u32, &Alert)| Told {
        place,
        print: alert.fingerprint,
        clock: AlertClock::of(alert),
        only_if_known: false,
    };
    NewPart {
        target: Arc::clone(target),
        key,
        group: 0,
        alerts: (0..).zip(&group.alerts).map(told).collect(),
        content: 0,
        truncated: group.truncated > 0,
        reminders: Reminders::Every,
        fall_after: None,
        note,
        incident: None,
    }
}
