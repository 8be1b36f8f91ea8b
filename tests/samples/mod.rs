//! Messages and targets for tests, from files: short JSON with a default for everything.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use it, and in them a broken sample is a bug"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alert_relay::document::parse::parse;
use alert_relay::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status, common};
use alert_relay::domain::change::{Change, Sort, Suspect};
use alert_relay::domain::message::{Action, DedupKey, Message, RemoteRef};
use alert_relay::domain::secret::Redactor;
use alert_relay::target::contract::{Built, Kind, Target, Unsayable, Worded, Workshop};
use alert_relay::template::library::{Language, Library};
use alert_relay::template::view::View;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// A message and what belongs to saying it.
pub struct Sample {
    pub message: Message,
    pub language: Language,
    external_url: String,
    now: Timestamp,
}

impl Sample {
    pub fn view(&self) -> View<'_> {
        View::of(&self.message, &self.external_url, self.now)
    }
}

pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn sample(path: &Path) -> Sample {
    let json: Value = serde_json::from_str(&text(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let word = |name: &str, usual: &str| json[name].as_str().unwrap_or(usual).to_owned();
    let action = match word("action", "trigger").as_str() {
        "trigger" => Action::Trigger,
        "acknowledge" => Action::Acknowledge,
        "resolve" => Action::Resolve,
        other => panic!("{other}"),
    };
    let message = Message {
        id: word("id", "01978f3e-0000-7000-8000-000000000001"),
        target: word("target", "sample"),
        action,
        dedup_key: DedupKey::written(&word("dedup_key", "sample-dedup-key")).expect("a dedup key"),
        group: Arc::new(group(&json["group"])),
        remote: json["remote"].as_str().map(|text| RemoteRef(text.into())),
        may_exist: json["may_exist"].as_bool().unwrap_or(json["remote"].is_string()),
        begun: json["begun"].as_str().map(str::to_owned),
        note: json["note"].as_str().map(str::to_owned),
        proposal: None,
        digest: json["digest"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|key| DedupKey::written(key.as_str()?))
            .collect(),
        accepted_at: word("accepted_at", "2026-03-02T03:04:10Z").parse().expect("a time"),
    };
    let now = word("now", "2026-03-02T03:09:15Z").parse().expect("a time");
    let language = Language::parse(&word("language", "en")).expect("a language");
    Sample { message, language, external_url: word("external_url", "https://relay.example.com"), now }
}

fn group(json: &Value) -> AlertGroup {
    let word = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let mut alerts: Vec<Alert> = json["alerts"].as_array().expect("alerts").iter().map(alert).collect();
    if let Some(times) = json["times"].as_u64() {
        let first = alerts[0].clone();
        alerts.extend((1..times).map(|n| {
            let mut more = first.clone();
            more.labels.insert("instance".into(), format!("node-{n:04}.example.com"));
            more.fingerprint = Fingerprint::of(&more.labels);
            more
        }));
    }
    AlertGroup {
        source: json["source"].as_str().unwrap_or("alertmanager").to_owned(),
        group_key: word("groupKey"),
        receiver: word("receiver"),
        group_labels: labels(&json["groupLabels"]),
        common_labels: common(alerts.iter().map(|alert| &alert.labels)),
        common_annotations: common(alerts.iter().map(|alert| &alert.annotations)),
        external_url: word("externalURL"),
        truncated: json["truncatedAlerts"].as_u64().unwrap_or(0),
        reason: String::new(),
        alerts,
        event: json["event"].clone(),
        changes: json["changes"].as_array().into_iter().flatten().map(suspect).collect(),
    }
}

fn suspect(json: &Value) -> Suspect {
    let word = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let change = Change {
        id: word("title"),
        sort: Sort::parse(&word("kind")).expect("a kind"),
        service: word("service"),
        environment: word("environment"),
        title: word("title"),
        who: word("who"),
        link: word("link"),
        at: word("at").parse().expect("a time"),
    };
    let before = Duration::from_secs(json["before"].as_u64().expect("seconds"));
    Suspect { change, before, weight: 1.0 }
}

fn alert(json: &Value) -> Alert {
    let time = |name: &str| json[name].as_str().map(|text| text.parse().expect("a time"));
    let labels_of = labels(&json["labels"]);
    Alert {
        status: if json["status"] == "resolved" { Status::Resolved } else { Status::Firing },
        fingerprint: Fingerprint::of(&labels_of),
        labels: labels_of,
        annotations: labels(&json["annotations"]),
        starts_at: time("startsAt"),
        ends_at: time("endsAt"),
        generator_url: json["generatorURL"].as_str().unwrap_or_default().to_owned(),
        extra: json["extra"].as_object().cloned().unwrap_or_else(Map::new),
    }
}

fn labels(json: &Value) -> Labels {
    let pairs = json.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect()
}

/// Builds a target from the text of its settings.
pub fn build(kind: &Kind, settings: &str, language: Language) -> Built {
    let library = Library::new(language, BTreeMap::new());
    let settings = parse(settings).map_err(|problem| vec![problem])?;
    let path = format!("targets[0].{}", kind.name);
    (kind.build)(&Workshop {
        target: "sample",
        path: &path,
        settings: &settings,
        templates: &library,
        external_url: "https://relay.example.com",
    })
}

/// A request as people see it: text with secrets starred, and the faults below.
pub fn shown(target: &dyn Target, worded: &Result<Worded, Unsayable>) -> String {
    let worded = match worded {
        Ok(worded) => worded,
        Err(Unsayable(why)) => return format!("unsayable: {why}\n"),
    };
    let mut text = worded.request.to_text();
    text.push('\n');
    for fault in &worded.faults {
        text.push_str(&format!("\nfault in {}: {}\n", fault.field, fault.what));
    }
    Redactor::new(target.secrets()).clean(&text)
}
