//! What a template sees of a message: Alertmanager's data under its names, and what the relay adds.
//!
//! Takes a message, the relay's address and the time; shared by all fields of a target. Alert text
//! goes in as data and is never compiled. The full list of names stands in [`View::of`]; a name that
//! is not in it is an error in a template (strict mode). Nothing is made before it is asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use handlebars::Context;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::domain::alert::{Labels, Status};
use crate::domain::message::Message;
use crate::template::headline::{link, place, started, title, worst};
use crate::template::seen::{Alerts, Seen};
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

/// Names of [`NAMES`] that the engine gets only where somebody asks for them: they say again what
/// `firing` and `resolved` say, or are as large as the sender makes them.
pub(super) const OF_THE_WHOLE: [&str; 2] = ["alerts", "event"];

/// What JSON of the whole message leaves out: what it shows twice (`firing` and `resolved` are parts
/// of `alerts`) and what would make two attempts differ (`now`).
pub(super) const LEFT_OUT: [&str; 3] = ["firing", "now", "resolved"];

/// The data of one message, shared by all fields.
pub struct View<'a> {
    message: &'a Message,
    external_url: &'a str,
    on_call: BTreeMap<String, String>,
    severity: Severity,
    /// The sender's word for it.
    severity_word: &'a str,
    now: Timestamp,
    /// What the engine renders, once it is needed: all but [`OF_THE_WHOLE`].
    lean: OnceLock<Context>,
    whole: OnceLock<Context>,
}

impl<'a> View<'a> {
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
    pub fn of(message: &'a Message, external_url: &'a str, now: Timestamp) -> View<'a> {
        let (severity, severity_word) = worst(&message.group);
        View {
            message,
            external_url,
            on_call: BTreeMap::new(),
            severity,
            severity_word,
            now,
            lean: OnceLock::new(),
            whole: OnceLock::new(),
        }
    }

    /// With who is on call now, by the name of the rota: a template finds it as `onCall`.
    pub fn on_call(self, on_call: BTreeMap<String, String>) -> View<'a> {
        View { on_call, ..self }
    }

    /// A value of the top level; `None` when there is none of this name.
    pub fn value(&self, name: &str) -> Option<Seen<'_>> {
        let message = self.message;
        let group = &*message.group;
        let accepted_at = message.accepted_at;
        let alerts = |status| Seen::Alerts(Alerts { group, status, accepted_at });
        Some(match name {
            "version" => "4".into(),
            "receiver" => (&group.receiver).into(),
            "status" => group.status().as_str().into(),
            "externalURL" => (&group.external_url).into(),
            "groupKey" => (&group.group_key).into(),
            "groupLabels" => Seen::Labels(&group.group_labels),
            "commonLabels" => Seen::Labels(&group.common_labels),
            "commonAnnotations" => Seen::Labels(&group.common_annotations),
            "truncatedAlerts" => Seen::Number(group.truncated),
            "notification_reason" => (&group.reason).into(),
            "alerts" => alerts(None),
            "firing" => alerts(Some(Status::Firing)),
            "resolved" => alerts(Some(Status::Resolved)),
            "counts" => Seen::Counts(group),
            "event" => (&group.event).into(),
            "source" => (&group.source).into(),
            "action" => message.action.as_str().into(),
            // That of a digest is of no lane: nobody must answer by it.
            "dedupKey" => if message.is_digest() { "" } else { message.dedup_key.as_str() }.into(),
            "digest" => Seen::Keys(&message.digest),
            "id" => (&message.id).into(),
            "target" => (&message.target).into(),
            "note" => message.note.as_deref().unwrap_or_default().into(),
            "relayURL" => self.external_url.into(),
            "acceptedAt" => Seen::Time(accepted_at),
            "startedAt" => Seen::Time(started(group).unwrap_or(accepted_at)),
            "now" => Seen::Time(self.now),
            "onCall" => Seen::Labels(&self.on_call),
            "changes" => Seen::Changes(&group.changes),
            "severity" => self.severity.as_str().into(),
            "severityRaw" => self.severity_word.into(),
            "title" => Seen::Text(title(group)),
            "where" => Seen::Text(place(group)),
            "link" => link(group, message.is_digest(), self.external_url).into(),
            _ => return None,
        })
    }

    /// What handlebars renders, with or without [`OF_THE_WHOLE`].
    pub(super) fn context(&self, whole: bool) -> &Context {
        let made = if whole { &self.whole } else { self.whole.get().map_or(&self.lean, |_| &self.whole) };
        made.get_or_init(|| {
            let names = NAMES.into_iter().filter(|name| whole || !OF_THE_WHOLE.contains(name));
            let values = names.filter_map(|name| Some((name.to_owned(), self.value(name)?.into_json())));
            Context::from(Value::Object(values.collect::<Map<String, Value>>()))
        })
    }

    /// The whole of it, as JSON.
    pub fn data(&self) -> &Value {
        self.context(true).data()
    }

    /// A text of the top level (`title`, `link`, `startedAt` …); empty when it is something else.
    pub fn text(&self, name: &str) -> Cow<'_, str> {
        self.value(name).and_then(Seen::into_text).unwrap_or_default()
    }

    /// The changes that may be behind it.
    pub fn changes(&self) -> impl Iterator<Item = Seen<'a>> {
        self.message.group.changes.iter().map(Seen::Change)
    }

    /// The labels that all alerts share.
    pub fn common_labels(&self) -> &'a Labels {
        &self.message.group.common_labels
    }

    /// An annotation that all alerts share, without blanks around it; empty when there is none.
    pub fn annotation(&self, name: &str) -> &'a str {
        self.message.group.common_annotations.get(name).map(|text| text.trim()).unwrap_or_default()
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
        let status = self.text("status");
        let count = Seen::Counts(&self.message.group).get(&status);
        let count = count.as_ref().map(Seen::written).unwrap_or_default();
        format!("[{status}:{count}] {}", self.text("title"))
    }
}

/// The whole message, without what `LEFT_OUT` names.
impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = NAMES.into_iter().filter(|name| !LEFT_OUT.contains(name));
        serializer.collect_map(names.filter_map(|name| Some((name, self.value(name)?))))
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("severity", &self.severity)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
