//! What a template sees of a message: Alertmanager's data under its names, and what the relay adds.
//!
//! Takes a message, the relay's address and the time; shared by all fields of a target. Alert text goes in as data and is never compiled. The full list of names stands in
//! [`View::of`]; a name that is not in it is an error in a template (strict mode).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use handlebars::Context;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::domain::alert::{Alert, AlertGroup, Labels, Status};
use crate::domain::change::Suspect;
use crate::domain::message::{DedupKey, Message};
use crate::template::severity::Severity;

/// Everything that a template finds at the top level, in every message; [`View::of`] explains it.
pub const NAMES: [&str; 33] = [
    "acceptedAt",
    "action",
    "alerts",
    "changes",
    "commonAnnotations",
    "commonLabels",
    "counts",
    "dedupKey",
    "digest",
    "event",
    "externalURL",
    "firing",
    "groupKey",
    "groupLabels",
    "id",
    "link",
    "note",
    "notification_reason",
    "now",
    "onCall",
    "receiver",
    "relayURL",
    "resolved",
    "severity",
    "severityRaw",
    "source",
    "startedAt",
    "status",
    "target",
    "title",
    "truncatedAlerts",
    "version",
    "where",
];

/// What Alertmanager writes for a time that is not known (yet): the zero time of Go.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// Labels that say where it hurts, from the wide to the narrow.
const PLACES: [&str; 8] = ["cluster", "region", "namespace", "service", "host", "instance", "pod", "device"];

/// At most this many of [`PLACES`] are named.
const PLACES_MAX: usize = 3;

/// Labels that may say how bad it is.
const SEVERITY_LABELS: [&str; 3] = ["severity", "level", "priority"];

/// Names of [`NAMES`] that are left out where nobody asks for them: they say again what `firing` and
/// `resolved` say, or are as large as the sender makes them.
pub(super) const OF_THE_WHOLE: [&str; 2] = ["alerts", "event"];

/// The data of one message, shared by all fields. Built when first asked for, as far as it is asked
/// for.
pub struct View {
    message: Message,
    external_url: String,
    on_call: BTreeMap<String, String>,
    severity: Severity,
    now: Timestamp,
    /// All but [`OF_THE_WHOLE`].
    lean: OnceLock<Context>,
    whole: OnceLock<Context>,
}

impl View {
    /// Shows a message. `external_url` is the relay's own address and may be empty.
    ///
    /// As Alertmanager: `version`, `receiver`, `status`, `alerts` (`status`, `labels`,
    /// `annotations`, `startsAt`, `endsAt`, `generatorURL`, `fingerprint`, and what else the source
    /// said), `groupLabels`, `commonLabels`, `commonAnnotations`, `externalURL`, `groupKey`,
    /// `truncatedAlerts`, `notification_reason`. Added: `firing` and `resolved` (the alerts of that
    /// status), `counts.firing`, `counts.resolved`, `counts.total`, `event` (the raw body of sources
    /// that say more), `source`, `action`, `dedupKey`, `digest` (of a message that tells
    /// of several problems: the key of each; `dedupKey` is empty then), `id`, `target`, `note`,
    /// `relayURL`, `acceptedAt`, `startedAt`, `now`, `onCall` (who is on call, by rota), `changes` (what was changed
    /// shortly before: `kind`, `service`, `environment`, `what`, `who`, `link`, `at`, `before`), `severity` (one of four words), `severityRaw`, `title`,
    /// `where`, `link`. What is unknown is an empty text. An alert without a start began when it
    /// was accepted, at the latest.
    pub fn of(message: &Message, external_url: &str, now: Timestamp) -> View {
        View {
            severity: worst(&message.group).0,
            message: message.clone(),
            external_url: external_url.to_owned(),
            on_call: BTreeMap::new(),
            now,
            lean: OnceLock::new(),
            whole: OnceLock::new(),
        }
    }

    /// With who is on call now, by the name of the rota: a template finds it as `onCall`.
    pub fn on_call(self, on_call: BTreeMap<String, String>) -> View {
        View { on_call, ..self }
    }

    /// What handlebars renders, with or without [`OF_THE_WHOLE`].
    pub(super) fn context(&self, whole: bool) -> &Context {
        let made = if whole { &self.whole } else { self.whole.get().map_or(&self.lean, |_| &self.whole) };
        made.get_or_init(|| Context::from(self.shown(whole)))
    }

    fn shown(&self, whole: bool) -> Value {
        let View { message, external_url, on_call, now, .. } = self;
        let group = &*message.group;
        let alerts = |status: Option<Status>| -> Vec<Value> {
            let wanted =
                group.alerts.iter().filter(|alert| status.is_none_or(|status| alert.status == status));
            wanted.map(|alert| shown(alert, message.accepted_at)).collect()
        };
        let (firing, resolved) = (alerts(Some(Status::Firing)), alerts(Some(Status::Resolved)));
        let mut data = json!({
            "version": "4",
            "receiver": group.receiver,
            "status": group.status().as_str(),
            "externalURL": group.external_url,
            "groupKey": group.group_key,
            "truncatedAlerts": group.truncated,
            "notification_reason": group.reason,
            "counts": { "firing": firing.len(), "resolved": resolved.len(), "total": group.alerts.len() },
            "source": group.source,
            "action": message.action.as_str(),
            // That of a digest is of no lane: nobody must answer by it.
            "dedupKey": if message.is_digest() { "" } else { message.dedup_key.as_str() },
            "digest": message.digest.iter().map(DedupKey::as_str).collect::<Vec<_>>(),
            "id": message.id,
            "target": message.target,
            "note": message.note.as_deref().unwrap_or_default(),
            "relayURL": external_url,
            "acceptedAt": message.accepted_at.to_string(),
            "startedAt": started(group).unwrap_or(message.accepted_at).to_string(),
            "now": now.to_string(),
            "onCall": on_call,
            "severity": self.severity.as_str(),
            "severityRaw": worst(group).1,
            "title": title(group),
            "where": place(group),
            "link": link(message, external_url),
        });
        // Moved in, not serialised again: these can be large.
        for (name, value) in [
            ("changes", group.changes.iter().map(suspect).collect()),
            ("groupLabels", set(&group.group_labels)),
            ("commonLabels", set(&group.common_labels)),
            ("commonAnnotations", set(&group.common_annotations)),
            ("firing", Value::Array(firing)),
            ("resolved", Value::Array(resolved)),
        ] {
            data[name] = value;
        }
        if whole {
            data["alerts"] = Value::Array(alerts(None));
            data["event"] = group.event.clone();
        }
        data
    }

    /// The whole of it, for targets that pass values on as they are.
    pub fn data(&self) -> &Value {
        self.context(true).data()
    }

    /// A value of the top level; `Null` when there is none of this name.
    pub fn value(&self, name: &str) -> &Value {
        &self.context(OF_THE_WHOLE.contains(&name)).data()[name]
    }

    /// A text of the top level (`title`, `link`, `startedAt` …); empty when it is something else.
    pub fn text(&self, name: &str) -> &str {
        self.value(name).as_str().unwrap_or_default()
    }

    /// The most severe firing alert's severity; of all alerts when none fires.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The time that was given.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A sentence that needs no template: `[firing:2] DiskFull on db-1`.
    pub fn plain(&self) -> String {
        let count = &self.value("counts")[self.text("status")];
        format!("[{}:{count}] {}", self.text("status"), self.text("title"))
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("severity", &self.severity)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

fn shown(alert: &Alert, accepted_at: Timestamp) -> Value {
    let mut shown: Map<String, Value> = alert.extra.clone();
    let ends_at = alert.ends_at.map_or_else(|| NO_TIME.to_owned(), |at| at.to_string());
    for (name, value) in [
        ("status", Value::from(alert.status.as_str())),
        ("labels", set(&alert.labels)),
        ("annotations", set(&alert.annotations)),
        ("startsAt", alert.starts_at.unwrap_or(accepted_at).to_string().into()),
        ("endsAt", ends_at.into()),
        ("generatorURL", alert.generator_url.as_str().into()),
        ("fingerprint", alert.fingerprint.to_string().into()),
    ] {
        shown.insert(name.to_owned(), value);
    }
    Value::Object(shown)
}

fn suspect(suspect: &Suspect) -> Value {
    let change = &suspect.change;
    json!({
        "kind": change.sort.as_str(),
        "service": change.service,
        "environment": change.environment,
        // One line of a list; a commit's message has several.
        "what": in_one_line(&change.title),
        "who": change.who,
        "link": if is_web(&change.link) { change.link.as_str() } else { "" },
        "at": change.at.to_string(),
        "before": spoken(suspect.before),
    })
}

/// As people say it: `40 s`, `4 min`, `3 h`.
fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

fn set(labels: &Labels) -> Value {
    labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

/// The alerts that matter now: the firing ones, or all when it is over.
fn relevant(group: &AlertGroup) -> impl Iterator<Item = &Alert> {
    let any = group.alerts.iter().any(|alert| alert.status == Status::Firing);
    group.alerts.iter().filter(move |alert| !any || alert.status == Status::Firing)
}

fn worst(group: &AlertGroup) -> (Severity, &str) {
    let mut first = "";
    let mut worst: Option<(Severity, &str)> = None;
    for word in relevant(group).filter_map(severity_word) {
        if first.is_empty() {
            first = word;
        }
        match Severity::parse(word) {
            Some(severity) if worst.is_none_or(|(known, _)| severity > known) => {
                worst = Some((severity, word))
            }
            _ => {}
        }
    }
    worst.unwrap_or((Severity::ASSUMED, first))
}

fn severity_word(alert: &Alert) -> Option<&String> {
    SEVERITY_LABELS.iter().find_map(|name| alert.labels.get(*name))
}

fn started(group: &AlertGroup) -> Option<Timestamp> {
    relevant(group).filter_map(|alert| alert.starts_at).min()
}

/// One line that says what it is about: the summary of the worst alert, else its name and what the
/// group shares; with `(+2)` when two more are in the same state.
pub fn title(group: &AlertGroup) -> String {
    const ANNOTATIONS: [&str; 4] = ["summary", "title", "message", "description"];
    let line = |annotations: &Labels| {
        let text =
            ANNOTATIONS.iter().find_map(|name| annotations.get(*name).filter(|text| !text.trim().is_empty()));
        text.map(|text| in_one_line(text))
    };
    let rank = |alert: &Alert| {
        severity_word(alert).and_then(|word| Severity::parse(word)).unwrap_or(Severity::ASSUMED)
    };
    // `max_by_key` would give the last of equals; the sender's order is kept instead.
    let worst = relevant(group).reduce(|worst, alert| if rank(alert) > rank(worst) { alert } else { worst });
    let of_worst = worst.and_then(|alert| line(&alert.annotations));
    let text = line(&group.common_annotations).or(of_worst).unwrap_or_else(|| {
        let name = worst
            .and_then(|alert| alert.labels.get("alertname"))
            .or_else(|| group.group_labels.get("alertname"));
        let others = group.group_labels.iter().filter(|(label, _)| *label != "alertname");
        let mut words: Vec<String> = name.into_iter().cloned().collect();
        words.extend(others.map(|(label, value)| format!("{label}={value}")));
        if words.is_empty() { format!("{} {}", group.source, group.group_key) } else { words.join(" ") }
    });
    match relevant(group).count() {
        0 | 1 => text,
        more => format!("{text} (+{})", more - 1),
    }
}

fn in_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Where: values of the narrowest well-known labels that all alerts share.
fn place(group: &AlertGroup) -> String {
    let values = PLACES.iter().filter_map(|name| group.common_labels.get(*name));
    let mut values: Vec<&str> = values.map(String::as_str).filter(|value| !value.is_empty()).collect();
    values.dedup();
    values.drain(..values.len().saturating_sub(PLACES_MAX));
    values.join(" / ")
}

/// The page to open first: what produced the alert, else the sender's, else the relay's. What produced
/// one of a digest is not the page of the others.
fn link<'a>(message: &'a Message, external_url: &'a str) -> &'a str {
    let group = &*message.group;
    let produced = relevant(group).filter(|_| !message.is_digest()).map(|alert| alert.generator_url.as_str());
    let all = produced.chain([group.external_url.as_str(), external_url]);
    all.into_iter().find(|url| is_web(url)).unwrap_or_default()
}

/// An absolute address that a browser may open; anything else must not become a link.
pub fn is_web(url: &str) -> bool {
    let has = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (has("https://") || has("http://")) && !url.contains(|c: char| c.is_control() || c.is_whitespace())
}
