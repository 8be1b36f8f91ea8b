//! Reads what Alertmanager and Grafana write straight into an alert group, without a tree of JSON
//! values in between.
//!
//! Takes the text of a webhook and gives its group. Whatever is not as these two write it (a number
//! where text is due, a field twice, an alert without status) ends it without a result: then
//! `webhook.rs` reads from the beginning, and it alone repairs and finds the words for what is
//! wrong. The tests below let both read the same.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::source::body::{DEPTH_MAX, deeper_than};
use crate::source::{times, webhook};

/// Version 4 of the webhook. `rest` are the keys that nobody knows yet, and Grafana's.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(default)]
    receiver: String,
    status: Option<&'a str>,
    alerts: Vec<Item<'a>>,
    #[serde(default, rename = "groupLabels")]
    group_labels: Labels,
    #[serde(default, rename = "commonLabels")]
    common_labels: Labels,
    #[serde(default, rename = "commonAnnotations")]
    common_annotations: Labels,
    #[serde(default, rename = "externalURL")]
    external_url: String,
    #[serde(rename = "version")]
    _version: Option<&'a str>,
    #[serde(rename = "groupKey")]
    group_key: String,
    #[serde(default, rename = "truncatedAlerts")]
    truncated: u64,
    #[serde(default, rename = "notification_reason")]
    reason: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// One alert of it. Words, times and fingerprints are short-lived text: escapes in them, which
/// nobody writes, are left to the patient reading.
#[derive(Deserialize)]
struct Item<'a> {
    status: &'a str,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(rename = "startsAt")]
    starts_at: Option<&'a str>,
    #[serde(rename = "endsAt")]
    ends_at: Option<&'a str>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
    fingerprint: &'a str,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Reads the body of a webhook from a source of this name; `None` when it takes patience.
pub fn group(source: &str, text: &str) -> Option<AlertGroup> {
    let body: Body<'_> = serde_json::from_str(text).ok()?;
    if let Some(word) = body.status {
        status(word)?;
    }
    if body.alerts.is_empty() || body.group_key.is_empty() || is_deep(&body.rest) {
        return None;
    }
    let items = body.alerts.into_iter();
    let group = AlertGroup {
        source: source.to_owned(),
        group_key: body.group_key,
        receiver: webhook::unquoted(body.receiver),
        group_labels: body.group_labels,
        alerts: items.map(|item| alert(item, &body.common_labels)).collect::<Option<_>>()?,
        common_labels: body.common_labels,
        common_annotations: body.common_annotations,
        external_url: body.external_url,
        truncated: body.truncated,
        reason: body.reason,
        event: webhook::event(body.rest),
        changes: Vec::new(),
    };
    Some(webhook::shared(group))
}

fn alert(item: Item<'_>, common: &Labels) -> Option<Alert> {
    if is_deep(&item.rest) {
        return None;
    }
    let (status, ends_at) = (status(item.status)?, time(item.ends_at)?);
    Some(Alert {
        status,
        labels: webhook::named(item.labels, common.get("alertname")),
        annotations: item.annotations,
        starts_at: time(item.starts_at)?,
        ends_at: ends_at.filter(|_| status == Status::Resolved),
        generator_url: item.generator_url,
        fingerprint: Fingerprint::parse(item.fingerprint)?,
        extra: item.rest,
    })
}

fn status(word: &str) -> Option<Status> {
    [Status::Firing, Status::Resolved].into_iter().find(|status| status.as_str() == word)
}

/// The time that is written there, which may be none at all.
fn time(text: Option<&str>) -> Option<Option<Timestamp>> {
    text.map_or(Some(None), |text| times::read_text(text).ok())
}

/// Half of what is allowed, and so within it wherever it stands in the body.
fn is_deep(rest: &Map<String, Value>) -> bool {
    rest.values().any(|value| deeper_than(value, DEPTH_MAX / 2))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;
    use crate::source::body;
    use crate::source::contract::Arrival;
    use crate::source::notes::Notes;

    /// What the patient reading makes of it, if it has nothing to say about it.
    fn patiently(text: &str) -> Option<AlertGroup> {
        let arrival =
            Arrival { source: "am", headers: &[], body: text.as_bytes(), at: Timestamp::UNIX_EPOCH };
        let mut notes = Notes::default();
        let Value::Object(map) = body::parse(text).ok()? else { return None };
        let group = webhook::group(&arrival, map, &mut notes).ok()?;
        group.filter(|_| notes.into_lines().is_empty())
    }

    /// Names and bodies of the samples of a dialect, as far as they are text.
    fn samples(dialect: &str) -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources").join(dialect);
        let cases = fs::read_dir(folder).unwrap().map(|case| case.unwrap().path());
        let named = |case: &Path| case.file_name().unwrap().to_str().unwrap().to_owned();
        cases
            .filter_map(|case| Some((named(&case), fs::read_to_string(case.join("body.json")).ok()?)))
            .collect()
    }

    #[test]
    fn both_read_the_samples_alike() {
        let mut quick = Vec::new();
        for (name, text) in ["alertmanager", "grafana"].iter().flat_map(|dialect| samples(dialect)) {
            if let Some(group) = group("am", &text) {
                assert_eq!(Some(group), patiently(&text), "{name}");
                quick.push(name);
            }
        }
        for name in ["firing", "resolved", "every-field-of-0.34", "mixed-group", "keys-nobody-knows-yet"] {
            assert!(quick.iter().any(|have| have == name), "{name} takes patience: only {quick:?} do not");
        }
    }

    /// Fields as they are written, in any order.
    type Fields = Vec<(&'static str, String)>;

    fn written(fields: &Fields) -> String {
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", pairs.join(", "))
    }

    /// What senders may put where something else belongs.
    fn odd() -> impl Strategy<Value = String> {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let values = [
            "null",
            "true",
            "0",
            "7",
            "-1",
            "1.0",
            "-0",
            "1e400",
            "18446744073709551616",
            "{}",
            "[]",
            "[{}]",
            r#""""#,
            r#"" ""#,
            r#""firing""#,
            r#""RESOLVED""#,
            r#""ok""#,
            r#"" resolved""#,
            r#""fir\u0069ng""#,
            r#""0123456789ABCDEF""#,
            r#""x\\.y""#,
            r#""é\ud83d\ude00""#,
            r#""\ud800""#,
            r#""{\"a\":\"b\"}""#,
            r#"{"a":"b"}"#,
            r#"{"a":"b","a":null}"#,
            r#"{"a":"b","a":"c"}"#,
            r#"{"":""}"#,
            r#"{"a":1}"#,
            r#"{"alertname":"X"}"#,
            r#"{"firing":null}"#,
            r#""2026-01-02T03:04:05Z""#,
            r#""1693034940""#,
            r#"[{"labels":{"a":"b"}}]"#,
            r#"{"a":[1,-2,3.5,{"b":null}]}"#,
        ];
        let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        values.extend([20, 33, 62, 63, 64, 130].map(deep));
        select(values)
    }

    /// These fields with some of them taken away, put elsewhere, or said otherwise or once more.
    fn spoiled(fields: Fields) -> impl Strategy<Value = Fields> {
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).chain(["orgId", "Status", "a"]).collect();
        let more = prop::collection::vec((select(names), odd(), any::<Index>()), 0..3);
        let less = prop::collection::vec(any::<Index>(), 0..2);
        (Just(fields).prop_shuffle(), more, less).prop_map(|(mut fields, more, less)| {
            for place in less {
                fields.remove(place.index(fields.len()));
            }
            for (name, value, place) in more {
                fields.insert(place.index(fields.len() + 1), (name, value));
            }
            fields
        })
    }

    fn item() -> impl Strategy<Value = Fields> {
        let fields = [
            ("status", r#""resolved""#),
            ("labels", r#"{"b": "\"1\"", "a": "日本"}"#),
            ("annotations", r#"{"summary": "x"}"#),
            ("startsAt", r#""2026-01-02T03:04:05.123456789+08:00""#),
            ("endsAt", r#""0001-01-01T00:00:00Z""#),
            ("generatorURL", r#""http://p/graph""#),
            ("fingerprint", r#""0123456789abcdef""#),
        ];
        spoiled(fields.map(|(name, value)| (name, value.to_owned())).into())
    }

    fn text() -> impl Strategy<Value = String> {
        let body = |items: Vec<Fields>| {
            let items: Vec<String> = items.iter().map(written).collect();
            let fields = [
                ("version", r#""4""#),
                ("groupKey", r#""{}:{a=\"b\"}""#),
                ("truncatedAlerts", "2"),
                ("status", r#""firing""#),
                ("receiver", r#""team\\.core""#),
                ("groupLabels", r#"{"a": "b"}"#),
                ("commonLabels", r#"{"alertname": "Down"}"#),
                ("commonAnnotations", "{}"),
                ("externalURL", r#""http://am:9093""#),
                ("notification_reason", r#""new alerts""#),
                ("routeLabels", r#"{"tier": "gold"}"#),
                ("alerts", &format!("[{}]", items.join(", "))),
            ];
            spoiled(fields.map(|(name, value)| (name, value.to_owned())).into())
        };
        let whole = prop::collection::vec(item(), 0..3).prop_flat_map(body);
        (whole, select(vec!["", " \n", "x", "{}"])).prop_map(|(fields, end)| written(&fields) + end)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn both_read_the_same(text in text()) {
            if let Some(group) = group("am", &text) {
                prop_assert_eq!(Some(group), patiently(&text), "{}", text);
            }
        }
    }
}
