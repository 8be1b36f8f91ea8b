//! What holds for any body whatever, of any sender: no panic, the same bytes are read the same way,
//! a refusal has a reason, and what is neither refused nor explained has become an alert.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use alert_relay::domain::alert::Status;
use alert_relay::source::contract::{Arrival, Reading, Source, Unreadable};
use alert_relay::source::json::{JsonPaths, JsonSource};
use alert_relay::source::{SOURCES, find};
use proptest::prelude::*;
use serde_json::{Value, json};

proptest! {
    #[test]
    fn no_bytes_make_a_source_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        holds(&body)?;
    }

    #[test]
    fn no_json_makes_a_source_panic(body in any_body()) {
        holds(body.to_string().as_bytes())?;
    }
}

/// Content types, right and wrong, and the headers that carry a part of the message.
const HEADERS: &[&[(&str, &str)]] = &[
    &[("content-type", "application/json")],
    &[("content-type", "text/plain; charset=utf-8")],
    &[("content-type", "“application/json”")],
    &[
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/a"),
        ("ce-type", "b.firing"),
        ("ce-x", "%zz%00"),
    ],
    &[("x-amz-sns-topic-arn", "arn:aws:sns:eu-west-1:123456789012:alarms"), ("x-amz-sns-message-id", "1")],
];

/// What holds for every body: groups have alerts and know their source, the same bytes say the
/// same, a refusal has a reason.
fn holds(body: &[u8]) -> Result<(), TestCaseError> {
    let paths = JsonPaths {
        alerts: Some("alerts".into()),
        key: Some("labels.alertname".into()),
        status: Some("status".into()),
        ends_at: Some("endsAt".into()),
        ..JsonPaths::default()
    };
    let json: Box<dyn Source> = Box::new(JsonSource::new(&paths).unwrap());
    for source in SOURCES.iter().map(|kind| (kind.build)()).chain([json]) {
        for headers in HEADERS {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let arrival = arrival(&headers, body);
            let first = source.read(&arrival);
            prop_assert_eq!(&first, &source.read(&arrival));
            match first {
                Ok(reading) => {
                    prop_assert!(reading.groups.iter().all(|group| !group.alerts.is_empty()));
                    prop_assert!(reading.groups.iter().all(|group| group.source == "here"));
                    prop_assert!(reading.groups.iter().all(|group| !group.group_key.is_empty()));
                    // Nothing is lost without a word.
                    let told = reading.notes.len() + reading.invalid.len() + reading.groups.len();
                    prop_assert!(told > 0, "{source:?} took {:?} and made nothing of it", body);
                    // What is recorded in place of the body says the same without its headers.
                    if let Some(whole) = reading.whole.as_ref().filter(|_| keeps_its_numbers(body)) {
                        let again = source.read(&Arrival { headers: &[], body: whole, ..arrival });
                        prop_assert_eq!(again.map(|again| again.groups), Ok(reading.groups.clone()));
                    }
                }
                Err(refusal) => prop_assert!(!refusal.why.is_empty()),
            }
        }
    }
    Ok(())
}

/// Whether a JSON body is the same when it is written and read again: some fractions are not.
fn keeps_its_numbers(body: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return true };
    serde_json::from_str(&value.to_string()).is_ok_and(|again: Value| again == value)
}

/// Names that one dialect or another looks for.
const NAMES: &[&str] = &[
    "alerts",
    "status",
    "labels",
    "annotations",
    "alertname",
    "startsAt",
    "endsAt",
    "fingerprint",
    "groupKey",
    "receiver",
    "truncatedAlerts",
    "commonLabels",
    "groupLabels",
    "ruleId",
    "state",
    "evalMatches",
    "tags",
    "df_title",
    "df_status",
    "df_sub_status",
    "df_fault_status",
    "kwargs",
    "df_dimension_tags",
    "df_monitor_checker_id",
    "df_monitor_checker_event_ref",
    "timestamp",
    "é",
    "alert_transition",
    "alert_cycle_key",
    "title",
    "scope",
    "id",
    "current_state",
    "createdAt",
    "targets",
    "event_id",
    "event_value",
    "event_tags",
    "specversion",
    "source",
    "type",
    "subject",
    "time",
    "data",
    "data_base64",
    "Type",
    "TopicArn",
    "Message",
    "SubscribeURL",
    "AlarmName",
    "NewStateValue",
    "Trigger",
    "alarmPolicyInfo",
    "alarmObjInfo",
    "alarmStatus",
    "conditions",
    "dimensions",
    "firstOccurTime",
    "alertState",
    "product",
    "name",
];

/// Words that mean something to one of them, and such as break things.
const WORDS: &[&str] = &[
    "",
    "firing",
    "resolved",
    "ok",
    "info",
    "fault",
    "critical",
    "TestAlert",
    "{\"a\":1}",
    "[1,2]",
    "1.0",
    "Triggered",
    "[Recovered on {a:b}] x",
    "a:b,,:c,d",
    "{a=b, c}",
    "ACTIVATED",
    "{EVENT.ID}",
    "$ALERT_ID",
    "SubscriptionConfirmation",
    "UnsubscribeConfirmation",
    "Notification",
    "https://sns.eu-west-1.amazonaws.com/?x",
    "{\"AlarmName\":\"a\",\"NewStateValue\":\"OK\"}",
    "com.example.alert.resolved",
    "0000-00-00 00:00:00",
    "2026-01-02 11:04:00",
    "{{x}}",
    r"team\.a",
    r"a\",
    "0001-01-01T00:00:00Z",
    "2026-01-02T11:04:05.123456789+08:00",
    "1693034940",
    "9999-12-31T23:59:59Z",
    "cbf29ce484222325",
    "-1",
    "1e999",
    "äöü漢字",
    "\u{0}\u{202e}",
];

/// JSON that looks like a sender's: the right names, with anything in them.
fn any_body() -> impl Strategy<Value = Value> {
    let (name, word) = (prop::sample::select(NAMES), prop::sample::select(WORDS));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 80, 8, move |inner| {
        let object = prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner.clone(), 0..8);
        prop_oneof![
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
            3 => object.prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Bodies that a sender of this kind is known by, with what stands for the text in them.
fn of_kind(kind: &str, text: &str) -> String {
    match kind {
        "datadog" => json!({ "alert_cycle_key": "1", "alert_title": text }).to_string(),
        "newrelic" => json!({ "id": "1", "state": "ACTIVATED", "title": text }).to_string(),
        "zabbix" => json!({ "event_id": "1", "event_value": 1, "event_name": text }).to_string(),
        "cloudevents" => {
            json!({ "specversion": "1.0", "id": "1", "source": "/a", "type": "b", "data": { "title": text } })
                .to_string()
        }
        "sns" => {
            json!({ "Type": "Notification", "TopicArn": "a:b", "Subject": text, "Message": text }).to_string()
        }
        "tencent" => {
            json!({ "alarmStatus": 1, "alarmPolicyInfo": { "conditions": { "metricShowName": text } } })
                .to_string()
        }
        "alibaba" => json!({ "alertState": "ALERT", "alertName": text }).to_string(),
        "guance" => json!({ "df_status": "critical", "df_title": text }).to_string(),
        "prometheus" => json!([{ "labels": { "alertname": text } }]).to_string(),
        "grafana" | "alertmanager" => {
            json!({ "alerts": [{ "status": "firing", "labels": { "alertname": text } }] }).to_string()
        }
        other => unreachable!("{other} has no body here: add one"),
    }
}

#[test]
fn a_long_title_is_kept_whole_and_plain() {
    let title =
        format!("{} {{{{x}}}} ${{y}} </Response> <!channel> \u{202e} \u{1F525}", "磁盘".repeat(100_000));
    for kind in SOURCES {
        let reading = read(kind.name, &[], of_kind(kind.name, &title).as_bytes()).unwrap();
        let alert = &reading.groups[0].alerts[0];
        assert_eq!(alert.status, Status::Firing, "{}", kind.name);
        assert_eq!(alert.labels["alertname"], title, "{} changed the text of its sender", kind.name);
    }
}

#[test]
fn one_bad_byte_in_a_text_loses_no_alert() {
    for kind in SOURCES {
        let body = of_kind(kind.name, "disk ~ full").into_bytes();
        let body: Vec<u8> = body.into_iter().map(|byte| if byte == b'~' { 0xff } else { byte }).collect();
        let reading = read(kind.name, &[], &body).unwrap();
        assert_eq!(reading.groups[0].alerts[0].labels["alertname"], "disk \u{fffd} full", "{}", kind.name);
        assert!(reading.notes[0].contains("not UTF-8"), "{}: {:?}", kind.name, reading.notes);
    }
}

#[test]
fn a_sender_of_another_kind_is_told_so_or_becomes_an_alert() {
    for from in SOURCES {
        for to in SOURCES {
            let body = of_kind(from.name, "Disk full");
            match read(to.name, &[], body.as_bytes()) {
                Ok(reading) => {
                    assert!(!reading.groups.is_empty(), "{} took {} and made nothing", to.name, from.name)
                }
                Err(refusal) => assert!(refusal.why.len() > 20, "{} of {}: {refusal}", to.name, from.name),
            }
        }
    }
}

fn arrival<'a>(headers: &'a [(String, String)], body: &'a [u8]) -> Arrival<'a> {
    Arrival { source: "here", headers, body, at: "2026-01-02T03:04:05Z".parse().unwrap() }
}

fn read(dialect: &str, headers: &[(String, String)], body: &[u8]) -> Result<Reading, Unreadable> {
    (find(dialect).unwrap().build)().read(&arrival(headers, body))
}
