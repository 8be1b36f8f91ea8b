//! Any JSON: the user says by path where identity, status, labels and texts stand.
//!
//! Covers senders that differ in nothing but that (GCP Monitoring, Pingdom, Site24x7, Graylog …)
//! and those with a payload template. Each alert is a group of its own, known by `key`, so fire
//! and recovery find each other. `event` is the alert as it came: the body, or its item of the
//! list. Paths are checked when the source is built, not when a body comes in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::alert::{AlertGroup, Labels, Status};
use crate::source::body;
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::event::Single;
use crate::source::fields;
use crate::source::notes::{At, Notes, kind_of};
use crate::source::path::Path;
use crate::source::{times, webhook};

/// Where things stand in the body, in the user's words ([`Path`] says how paths are written).
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JsonPaths {
    /// A list of alerts; the body itself is one alert (or a list of them) without it.
    pub alerts: Option<String>,
    /// What stays the same from fire to recovery. Without it the mapped labels are the identity.
    pub key: Option<String>,
    /// The word that says whether it fires.
    pub status: Option<String>,
    /// Words at `status` that mean firing; empty: all that do not mean resolved.
    pub firing: Vec<String>,
    /// Words at `status` that mean resolved; empty: all that do not mean firing, and if that is
    /// empty too, the usual words ([`RESOLVED`]).
    pub resolved: Vec<String>,
    /// Becomes the label `severity`.
    pub severity: Option<String>,
    /// Becomes the annotation `summary`, and the label `alertname` if `labels` names none.
    pub title: Option<String>,
    /// Becomes the annotation `description`.
    pub description: Option<String>,
    /// Becomes the link of the alert.
    pub url: Option<String>,
    /// When it began.
    pub starts_at: Option<String>,
    /// When it ended; decides the status of an alert that has no word for it.
    pub ends_at: Option<String>,
    /// Labels, by name.
    pub labels: BTreeMap<String, String>,
    /// Annotations, by name.
    pub annotations: BTreeMap<String, String>,
}

/// Words that mean resolved when the user lists none.
pub const RESOLVED: &[&str] = &[
    "resolved",
    "ok",
    "closed",
    "recovered",
    "recovery",
    "normal",
    "up",
    "cleared",
    "inactive",
    "canceled",
    "cancelled",
];

/// A path that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFault {
    /// Which setting: `key`, `labels.host`.
    pub setting: String,
    /// What is wrong and what to write instead.
    pub why: String,
}

/// The dialect of one user.
#[derive(Debug, Clone)]
pub struct JsonSource {
    alerts: Option<Path>,
    key: Option<Path>,
    status: Option<Path>,
    firing: Vec<String>,
    resolved: Vec<String>,
    severity: Option<Path>,
    title: Option<Path>,
    description: Option<Path>,
    url: Option<Path>,
    starts_at: Option<Path>,
    ends_at: Option<Path>,
    labels: Vec<(String, Path)>,
    annotations: Vec<(String, Path)>,
}

impl JsonSource {
    /// Checks and compiles the paths.
    ///
    /// # Errors
    /// Every path that is none, or that there is nothing to know an alert by.
    pub fn new(paths: &JsonPaths) -> Result<JsonSource, Vec<PathFault>> {
        let mut faults = Vec::new();
        let source = JsonSource::compile(paths, &mut faults);
        if paths.key.is_none() && paths.labels.is_empty() {
            let why = "missing, and there are no labels either; \
                       name the path of what stays the same from fire to recovery";
            faults.push(PathFault { setting: "key".to_owned(), why: why.to_owned() });
        }
        if faults.is_empty() { Ok(source) } else { Err(faults) }
    }

    fn compile(paths: &JsonPaths, faults: &mut Vec<PathFault>) -> JsonSource {
        let mut parse = |setting: &str, written: &str| {
            Path::parse(written)
                .map_err(|why| faults.push(PathFault { setting: setting.to_owned(), why }))
                .ok()
        };
        let mut one = |setting: &str, written: &Option<String>| parse(setting, written.as_deref()?);
        let (alerts, key, status) =
            (one("alerts", &paths.alerts), one("key", &paths.key), one("status", &paths.status));
        let (severity, title) = (one("severity", &paths.severity), one("title", &paths.title));
        let (description, url) = (one("description", &paths.description), one("url", &paths.url));
        let (starts_at, ends_at) = (one("starts_at", &paths.starts_at), one("ends_at", &paths.ends_at));
        let mut all = |room: &str, map: &BTreeMap<String, String>| {
            let pairs = map.iter();
            pairs.filter_map(|(k, v)| Some((k.clone(), parse(&format!("{room}.{k}"), v)?))).collect()
        };
        JsonSource {
            labels: all("labels", &paths.labels),
            annotations: all("annotations", &paths.annotations),
            firing: lowered(&paths.firing),
            resolved: lowered(&paths.resolved),
            alerts,
            key,
            status,
            severity,
            title,
            description,
            url,
            starts_at,
            ends_at,
        }
    }

    /// The list of alerts, and whether it is one: a body without it is a single alert.
    fn items<'v>(&self, body: &'v Value) -> Result<(&'v [Value], bool), Unreadable> {
        let Some(path) = &self.alerts else {
            return Ok(body.as_array().map_or((std::slice::from_ref(body), false), |items| (items, true)));
        };
        let refused = |what: &str| {
            let why = format!("{what} where `alerts` says that a list of alerts is");
            body::refused(At::Key(&At::Body, path.as_str()), &why)
        };
        match path.find(body, body) {
            Some(Value::Array(items)) => Ok((items, true)),
            Some(other) => Err(refused(kind_of(other))),
            None => Err(refused("nothing")),
        }
    }

    /// One alert; `None`, with a note, when its status neither opens nor closes.
    fn group(
        &self,
        arrival: &Arrival<'_>,
        spot: Spot<'_>,
        notes: &mut Notes,
    ) -> Result<Option<AlertGroup>, Unreadable> {
        let mut labels = spot.pairs(&self.labels);
        let group_key = match &self.key {
            Some(path) => spot.text(path).ok_or_else(|| {
                body::refused(
                    spot.at,
                    &format!("nothing at `{path}`, the path of `key`, so it has no identity"),
                )
            })?,
            None if labels.is_empty() => {
                return Err(body::refused(spot.at, "nothing at any path of `labels`, so it has no identity"));
            }
            None => webhook::written(&labels),
        };
        let mut annotations = spot.pairs(&self.annotations);
        let title = self.title.as_ref().and_then(|path| spot.text(path));
        let fill = |room: &mut Labels, name: &str, text: Option<String>| {
            if let Some(text) = text {
                room.entry(name.to_owned()).or_insert(text);
            }
        };
        fill(&mut labels, "severity", self.severity.as_ref().and_then(|path| spot.text(path)));
        fill(&mut labels, "alertname", title.clone());
        fill(&mut annotations, "summary", title);
        fill(&mut annotations, "description", self.description.as_ref().and_then(|path| spot.text(path)));
        let ends_at = spot.time(self.ends_at.as_ref(), notes);
        let Some(status) = self.status(spot, ends_at, arrival.at) else {
            notes.add(spot.at, "its status neither opens nor closes, left out");
            return Ok(None);
        };
        let single = Single {
            group_key,
            status,
            labels,
            annotations,
            group_labels: Labels::new(),
            starts_at: spot.time(self.starts_at.as_ref(), notes),
            ends_at,
            url: self.url.as_ref().and_then(|path| spot.text(path)).unwrap_or_default(),
            event: spot.alert.clone(),
        };
        Ok(Some(single.group(arrival.source)))
    }

    /// `None` for a word that is in neither of the user's two lists.
    fn status(&self, spot: Spot<'_>, ends_at: Option<Timestamp>, now: Timestamp) -> Option<Status> {
        let Some(word) = self.status.as_ref().and_then(|path| spot.text(path)) else {
            let ended = ends_at.is_some_and(|end| end <= now);
            return Some(if ended { Status::Resolved } else { Status::Firing });
        };
        let word = word.trim().to_lowercase();
        let (firing, resolved) = (self.firing.contains(&word), self.resolved.contains(&word));
        match (firing, resolved, self.firing.is_empty(), self.resolved.is_empty()) {
            (true, ..) => Some(Status::Firing),
            (_, true, ..) => Some(Status::Resolved),
            (_, _, true, true) if RESOLVED.contains(&word.as_str()) => Some(Status::Resolved),
            (_, _, true, _) => Some(Status::Firing),
            (_, _, false, true) => Some(Status::Resolved),
            (_, _, false, false) => None,
        }
    }
}

impl Source for JsonSource {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let body = body::json(arrival.body, &mut notes)?;
        let (items, is_list) = self.items(&body)?;
        let list = At::Key(&At::Body, self.alerts.as_ref().map(Path::as_str).unwrap_or_default());
        if items.is_empty() {
            notes.say("the list of alerts is empty");
        }
        let mut groups = Vec::with_capacity(items.len());
        let mut first_refusal = None;
        for (index, alert) in items.iter().enumerate() {
            let at = if is_list { At::Index(&list, index) } else { At::Body };
            match self.group(arrival, Spot { body: &body, alert, at }, &mut notes) {
                Ok(group) => groups.extend(group),
                Err(refusal) => {
                    notes.add(at, &format!("{}, left out", refusal.why));
                    first_refusal.get_or_insert(refusal);
                }
            }
        }
        match first_refusal {
            Some(refusal) if groups.is_empty() => Err(refusal),
            _ => Ok(Reading { groups, notes: notes.into_lines(), ..Reading::default() }),
        }
    }
}

/// One alert and what is around it.
#[derive(Clone, Copy)]
struct Spot<'a> {
    body: &'a Value,
    alert: &'a Value,
    at: At<'a>,
}

impl Spot<'_> {
    /// The text at a path; empty is absent.
    fn text(&self, path: &Path) -> Option<String> {
        let value = path.find(self.body, self.alert)?;
        fields::text(value.clone()).filter(|text| !text.trim().is_empty())
    }

    fn pairs(&self, paths: &[(String, Path)]) -> Labels {
        paths.iter().filter_map(|(name, path)| Some((name.clone(), self.text(path)?))).collect()
    }

    fn time(&self, path: Option<&Path>, notes: &mut Notes) -> Option<Timestamp> {
        let path = path?;
        times::read(path.find(self.body, self.alert)?).unwrap_or_else(|what| {
            notes.add(At::Key(&self.at, path.as_str()), what);
            None
        })
    }
}

fn lowered(words: &[String]) -> Vec<String> {
    words.iter().map(|word| word.trim().to_lowercase()).collect()
}
