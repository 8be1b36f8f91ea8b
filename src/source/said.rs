//! What an object of no known dialect says of an alert, by the names that most systems give things.
//!
//! For senders that carry anybody's data (CloudEvents, SNS): the envelope is known, what is in it is
//! not. Takes a JSON object, gives what was found; nothing in it must be there. A body whose names
//! are others needs a source of kind `json`, where its user says by path what stands where.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::alert::{Labels, Status};
use crate::source::event::{by_plain_name, first, labels_in, time, word};
use crate::source::json::RESOLVED;
use crate::source::notes::Notes;

/// Words that mean firing.
pub const FIRING: &[&str] = &[
    "firing",
    "fired",
    "alerting",
    "alarm",
    "alert",
    "open",
    "opened",
    "active",
    "activated",
    "triggered",
    "raised",
    "problem",
    "down",
    "failed",
    "failing",
    "started",
];

/// What was found; empty or `None` where nothing was.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Said {
    /// Whether it fires; `None` also for a word that nobody knows.
    pub status: Option<Status>,
    /// What fire and recovery share.
    pub key: String,
    /// How bad it is, as the sender says it.
    pub severity: String,
    /// In one line.
    pub title: String,
    /// At length.
    pub description: String,
    /// Link.
    pub url: String,
    /// The object `labels` or `tags`.
    pub labels: Labels,
    /// The object `annotations`.
    pub annotations: Labels,
    /// When it began.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
}

impl Said {
    /// Reads an object.
    pub fn of(object: &Map<String, Value>, notes: &mut Notes) -> Said {
        let fields = by_plain_name(object, |_| false);
        let plain = |names: &[&str]| {
            let texts = names.iter().filter(|name| !fields.get(**name).is_some_and(Value::is_object));
            first(&fields, &texts.copied().collect::<Vec<_>>())
        };
        let said = word(&fields, &["status", "state", "alertstatus", "alertstate", "currentstate"]);
        let status = of_word(&said);
        if status.is_none() && !said.is_empty() {
            notes.say("its status is neither a word for firing nor one for resolved");
        }
        Said {
            status,
            key: plain(&[
                "dedupkey",
                "deduplicationkey",
                "alertkey",
                "incidentkey",
                "fingerprint",
                "incidentid",
            ]),
            severity: plain(&["severity", "level", "priority"]),
            title: plain(&["title", "summary", "alertname", "name", "subject"]),
            description: plain(&["description", "message", "details", "text", "body"]),
            url: plain(&["url", "link", "generatorurl", "externalurl"]),
            labels: ["tags", "labels"].iter().flat_map(|name| labels_in(fields.get(*name))).collect(),
            annotations: labels_in(fields.get("annotations")),
            starts_at: time(&fields, &["startsat", "startedat", "starttime"], notes),
            ends_at: time(&fields, &["endsat", "endedat", "endtime", "resolvedat"], notes),
        }
    }
}

/// The status that a word means; `None` for one that nobody knows.
pub fn of_word(word: &str) -> Option<Status> {
    if RESOLVED.contains(&word) {
        Some(Status::Resolved)
    } else {
        FIRING.contains(&word).then_some(Status::Firing)
    }
}
