//! Shapes and words in, JSON Schema (draft 7) out.

use std::collections::{BTreeMap, BTreeSet};

use alert_relay::config::{network, pacing, server, targets};
use serde_json::{Map, Value, json};

use crate::probe::Shape;
use crate::words::Words;

/// Any text may be put in from outside instead.
const REFERENCE: &str = r".*\$\{.*";

/// Forms that the reader names, with their patterns.
const FORMS: &[(&str, &str, &str, &str)] = &[
    (
        "a duration",
        "duration",
        r"0|([0-9]+ ?(nanos|nsecs?|ns|usecs?|us|millis|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|wks?|wk|w|years?|yrs?|yr|y) ?)+",
        "A length of time: 30s, 5m, 24h, 7d, 1h30m; 0 for none.",
    ),
    (
        "a rate",
        "rate",
        r"[1-9][0-9]* ?/ ?(s|sec|second|min|minute|h|hour|d|day)",
        "So many in a time: 1/s, 120/min, 20/h, 20/day.",
    ),
    ("a size", "size", r"0|[0-9]+ ?([KkMmGgTt]([Ii])?)?[Bb]", "Bytes: 512KiB, 4MiB, 10GiB, 100MB."),
    ("an address", "address", r".+:[0-9]{1,5}", "Address and port: 127.0.0.1:9095, 0.0.0.0:9095, [::]:9095."),
    (
        "a network",
        "network",
        r"[0-9a-fA-F.:]+(/[0-9]{1,3})?",
        "A network or one address: 10.0.0.0/8, 192.0.2.7, 2001:db8::/32.",
    ),
    (
        "every, never",
        "reminders",
        r"every|never|0|([0-9]+ ?[a-z]+ ?)+",
        "every, never, or once in a time such as 4h.",
    ),
];

/// What holds where nothing is said, from the code.
fn defaults() -> BTreeMap<&'static str, Value> {
    let text = |value: &dyn ToString| Value::from(value.to_string());
    BTreeMap::from([
        ("server.listen", text(&network::LISTEN)),
        ("server.body_limit", text(&server::BODY_LIMIT)),
        ("server.body_budget", text(&server::BODY_BUDGET)),
        ("server.store_wait", text(&server::STORE_WAIT)),
        ("server.dedup_window", text(&server::DEDUP_WINDOW)),
        ("server.connections", server::CONNECTIONS.into()),
        ("server.drain", text(&server::DRAIN)),
        ("server.header_timeout", text(&server::HEADER_TIMEOUT)),
        ("server.body_timeout", text(&server::BODY_TIMEOUT)),
        ("store.path", server::STORE_PATH.into()),
        ("store.keep_free", text(&server::KEEP_FREE)),
        ("retention.events", text(&server::KEEP_EVENTS)),
        ("retention.deliveries", text(&server::KEEP_EVENTS)),
        ("retention.incidents", text(&server::KEEP_INCIDENTS)),
        ("retention.disk_limit", text(&server::DISK_LIMIT)),
        ("templates.language", "en".into()),
        ("route.continue", false.into()),
        ("targets[].per", "group".into()),
        ("targets[].dedup_key", "".into()),
        ("targets[].concurrency", targets::CONCURRENCY.into()),
        ("targets[].send_resolved", true.into()),
        ("targets[].dry_run", false.into()),
        ("targets[].timeout", text(&pacing::TIMEOUT)),
        ("targets[].retry.base", text(&pacing::RETRY_BASE)),
        ("targets[].retry.factor", pacing::RETRY_FACTOR.into()),
        ("targets[].breaker.failures", pacing::BREAKER_FAILURES.into()),
        ("targets[].breaker.open_for", text(&pacing::BREAKER_OPEN_FOR)),
    ])
}

pub struct Draft<'a> {
    pub words: &'a Words,
    /// Keys that are missing in a page that runs all the same, by path: there is another way.
    pub optional: BTreeSet<(String, String)>,
    /// Keys of which nothing is said, by path.
    pub silent: Vec<String>,
}

impl Draft<'_> {
    /// `path` is written with `[]` for every element.
    pub fn of(&mut self, shape: &Shape, kind: &str, path: &str) -> Value {
        match shape {
            Shape::Any => json!({}),
            Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
            Shape::Form(form) => {
                let known = FORMS.iter().find(|(start, ..)| form.starts_with(start));
                let (_, name, ..) =
                    known.unwrap_or_else(|| panic!("what is {form:?}? tell tests/schema/draft.rs"));
                json!({ "$ref": format!("#/definitions/{name}") })
            }
            Shape::Words(words) => json!({ "enum": words }),
            Shape::Bool => json!({ "type": "boolean" }),
            Shape::Whole(from, None) => json!({ "type": "integer", "minimum": from }),
            Shape::Whole(from, Some(to)) => json!({ "type": "integer", "minimum": from, "maximum": to }),
            Shape::Number => json!({ "type": "number" }),
            Shape::List(of) => {
                json!({ "type": ["array", "null"], "items": self.of(of, kind, &format!("{path}[]")) })
            }
            Shape::MapOf(of) => {
                let of = self.of(of, kind, &format!("{path}.*"));
                json!({ "type": ["object", "null"], "additionalProperties": of })
            }
            Shape::Struct(keys, required) => self.record(keys, required, kind, path),
            Shape::OneOf(keys) => {
                let properties = self.properties(keys, kind, path);
                json!({
                    "type": "object", "properties": properties, "additionalProperties": false,
                    "minProperties": 1, "maxProperties": 1,
                })
            }
            Shape::Again(outer) => json!({ "$ref": format!("#/definitions/{outer}") }),
            Shape::Either(shapes) => {
                let shapes: Vec<Value> = shapes.iter().map(|shape| self.of(shape, kind, path)).collect();
                json!({ "anyOf": shapes })
            }
        }
    }

    pub fn record(
        &mut self,
        keys: &BTreeMap<String, Shape>,
        required: &[String],
        kind: &str,
        path: &str,
    ) -> Value {
        let properties = self.properties(keys, kind, path);
        let required: Vec<&String> = required
            .iter()
            .filter(|key| !self.optional.contains(&(path.to_owned(), (*key).clone())))
            .collect();
        let sort = if required.is_empty() { json!(["object", "null"]) } else { json!("object") };
        let mut record = json!({ "type": sort, "properties": properties, "additionalProperties": false });
        if !required.is_empty() {
            record["required"] = json!(required);
        }
        record
    }

    fn properties(&mut self, keys: &BTreeMap<String, Shape>, kind: &str, path: &str) -> Map<String, Value> {
        let defaults = defaults();
        let names: BTreeSet<String> = keys.keys().cloned().collect();
        let mut properties = Map::new();
        for (key, shape) in keys {
            let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let mut of = self.of(shape, kind, &inner);
            // Beside a `$ref` draft 7 reads nothing else.
            if of.get("$ref").is_some() {
                of = json!({ "allOf": [of] });
            }
            match self.words.of(kind, &names, key) {
                Some(said) => of["description"] = said.into(),
                None if kind.is_empty() => self.silent.push(inner.clone()),
                None => {
                    self.silent.push(inner.clone());
                    of["description"] = format!("See docs/targets/{kind}.md.").into();
                }
            }
            if let Some(default) = defaults.get(inner.as_str()) {
                of["default"] = default.clone();
            }
            properties.insert(key.clone(), of);
        }
        properties
    }
}

/// The forms that several places share.
pub fn definitions() -> Value {
    let of = |(_, name, pattern, about): &(&str, &str, &str, &str)| {
        let text = json!({ "type": "string", "pattern": format!("^ *({pattern}|{REFERENCE}) *$") });
        let form = if pattern.contains("0|") { json!({ "anyOf": [text, { "const": 0 }] }) } else { text };
        let mut form = form;
        form["description"] = (*about).into();
        ((*name).to_owned(), form)
    };
    Value::Object(FORMS.iter().map(of).collect())
}
