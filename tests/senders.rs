//! End to end: what each sender posts when something fires becomes one PagerDuty incident, and what
//! it posts when that is over closes it. The bodies are those of `tests/sources/`.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]

mod support;

use std::path::Path;
use std::time::Duration;

use alert_relay::domain::lane::{AlertClock, News};
use alert_relay::source::contract::Arrival;
use alert_relay::source::find;
use serde_json::{Value, json};
use support::relay::{self, Relay};
use support::vendor::PagerDuty;
use support::vendor::rules::Action;

const PATIENCE: Duration = Duration::from_secs(20);

/// Kind, what opens, what tells more of the same problem, what closes.
const STORIES: &[(&str, &str, &str, &str)] = &[
    ("alibaba", "metric-alert", "level-moved", "metric-ok"),
    ("alibaba", "system-event", "system-event", "system-event-over"),
    ("cloudevents", "structured-firing", "structured-firing", "structured-resolved"),
    ("datadog", "triggered", "warn-threshold", "recovered"),
    ("datadog", "stock-body", "stock-body", "stock-body-recovered"),
    ("newrelic", "activated", "priority-moved", "closed"),
    ("newrelic", "violation-open", "violation-acknowledged", "violation-closed"),
    ("sns", "alarm", "alarm-no-data", "alarm-ok"),
    ("sns", "alarm-raw", "alarm", "eventbridge-alarm"),
    ("sns", "own-json-firing", "own-json-firing", "own-json-resolved"),
    ("tencent", "metric-alarm", "renamed-machine", "metric-recovered"),
    ("tencent", "event-alarm", "event-alarm", "event-recovered"),
    ("zabbix", "problem", "update-of-a-problem", "recovery"),
    ("zabbix", "problem", "update-of-a-problem", "update-after-the-recovery"),
];

/// Posts a case as its sender does; the answer.
async fn post(relay: &Relay, kind: &str, case: &str) -> Value {
    let folder = Path::new("tests/sources").join(kind).join(case);
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let body = files.into_iter().find(|file| file.file_stem().is_some_and(|name| name == "body")).unwrap();
    let mut request =
        relay.http().post(relay.url(&format!("/hooks/{kind}"))).body(std::fs::read(body).unwrap());
    let headers = std::fs::read_to_string(folder.join("headers.txt")).unwrap_or_default();
    for (name, value) in headers.lines().filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{kind}/{case}: {}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

/// Its older callers send again, three times, what is not answered so.
#[tokio::test]
async fn tencent_is_answered_with_its_session_and_a_zero() {
    let (_pd, relay) = stage().await;
    let answer = post(&relay, "tencent", "metric-alarm").await;
    assert_eq!((&answer["sessionId"], &answer["retCode"]), (&json!("8f2b7c3e5a"), &json!(0)), "{answer}");
    assert_eq!(answer["accepted"], 1, "{answer}");
}

async fn stage() -> (PagerDuty, Relay) {
    let pd = PagerDuty::start().await;
    let kinds: std::collections::BTreeSet<&str> = STORIES.iter().map(|(kind, ..)| *kind).collect();
    let rows: String =
        kinds.iter().map(|kind| format!("  - {{ name: {kind}, kind: {kind}, auth: none }}\n")).collect();
    let config = relay::config(&pd, "").replace("sources:\n", &format!("sources:\n{rows}"));
    let relay = Relay::start(&config).await;
    (pd, relay)
}

#[tokio::test]
async fn every_sender_opens_one_incident_and_closes_it() {
    for (kind, fire, more, over) in STORIES {
        let (pd, relay) = stage().await;
        let story = format!("{kind}: {fire}, {more}, {over}");
        post(&relay, kind, fire).await;
        pd.wait_for(&story, |seen| seen.open() == 1, PATIENCE).await;
        post(&relay, kind, more).await;
        post(&relay, kind, over).await;
        pd.wait_for(&story, |seen| seen.open() == 0, PATIENCE).await;
        pd.stays_quiet(Duration::from_millis(200)).await;
        let incidents = pd.incidents();
        assert_eq!((incidents.len(), incidents[0].opened), (1, 1), "{story}\n{}", pd.ledger());
        assert_eq!(pd.processed(Action::Resolve), 1, "{story}\n{}", pd.ledger());
    }
}

#[test]
fn what_is_told_late_is_known_to_be_older() {
    let clock = |kind: &str, case: &str| {
        let folder = Path::new("tests/sources").join(kind).join(case);
        let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let body =
            files.into_iter().find(|file| file.file_stem().is_some_and(|name| name == "body")).unwrap();
        let body = std::fs::read(body).unwrap();
        let at = "2026-01-02T05:00:00Z".parse().unwrap();
        let arrival = Arrival { source: kind, headers: &[], body: &body, at };
        let groups = (find(kind).unwrap().build)().read(&arrival).unwrap().groups;
        AlertClock::of(&groups[0].alerts[0])
    };
    // The resolves of one's own JSON may bear the time of their firing: whoever posts them says so.
    for (kind, fire, _, over) in STORIES.iter().filter(|(_, fire, ..)| *fire != "own-json-firing") {
        let (fire, over) = (clock(kind, fire), clock(kind, over));
        assert_eq!(News::of(Some(&fire), &over), News::New, "{kind}: the end is no news");
        assert_eq!(News::of(Some(&over), &fire), News::Old, "{kind}: what began it opens it again");
    }
}

#[tokio::test]
async fn what_came_in_headers_is_recorded_and_can_be_replayed() {
    let (_pd, relay) = stage().await;
    for (kind, case) in [("cloudevents", "binary"), ("cloudevents", "binary-bytes"), ("sns", "text-raw")] {
        let id = post(&relay, kind, case).await["id"].clone();
        let asked = json!({ "events": [id], "dry_run": true }).to_string();
        let (status, text) = relay.post("/api/v1/replay", asked).await.unwrap();
        let told: Value = serde_json::from_str(&text).unwrap();
        let event = &told["events"][0];
        assert!(status == 200 && event["passed_over"].is_null(), "{kind}/{case}: {text}");
        assert_eq!(event["deliveries"][0]["action"], "trigger", "{kind}/{case}: {text}");
    }
}
