//! End to end: quotas that outlive a kill -9, digests that name everybody, reminders that stay
//! unsaid, and a routing key that is throttled while the other goes on.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]

mod support;

use std::time::Duration;

use serde_json::Value;
use support::fake::{Answer, Fake, Heard};
use support::kinds::{tell, webhook};
use support::relay::Relay;

const QUIET: Duration = Duration::from_secs(2);

/// Alerts go to `it`, the relay's own to `other`, which also stands in for `it`.
fn config(fake: &Fake, it: &str) -> String {
    let url = fake.url();
    format!(
        r#"
server: {{ listen: LISTEN, dedup_window: 10ms }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route:
  receiver: it
  routes: [{{ matchers: ['alertname =~ "AlertRelay.*"'], receiver: other }}]
receivers: [{{ name: it, targets: [it] }}, {{ name: other, targets: [other] }}]
targets:
  - name: it
    webhook: {{ url: "{url}/it" }}
    retry: {{ base: 50ms, cap: 200ms }}
    {it}
  - {{ name: other, webhook: {{ url: "{url}/other" }} }}
"#
    )
}

fn at(fake: &Fake, path: &str) -> Vec<Value> {
    let here = |heard: &Heard| (heard.path == path).then(|| heard.json());
    fake.heard().iter().filter_map(here).collect()
}

/// Names of all alerts of a message, in order.
fn names(message: &Value) -> Vec<String> {
    let name = |alert: &Value| alert["labels"]["alertname"].as_str().unwrap().to_owned();
    message["alerts"].as_array().unwrap().iter().map(name).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to this: {what}");
}

#[tokio::test]
async fn a_quota_is_kept_over_kill_9_and_the_fallback_hears_at_once_what_it_holds_back() {
    let fake = Fake::start(|_| Answer::text(200, ""));
    let quota = "quota: 3/day\n    fallback: { targets: [other], after: 1h }";
    let mut relay = Relay::start(&config(&fake, quota)).await;
    for name in ["a", "b"] {
        tell(&relay, name, true).await;
    }
    until("two calls", || at(&fake, "/it").len() == 2).await;
    relay.kill9();
    relay.start_again().await;
    for name in ["c", "d", "e"] {
        tell(&relay, name, true).await;
    }
    let instead =
        || -> Vec<Value> { at(&fake, "/other").into_iter().filter(|one| names(one)[0].len() == 1).collect() };
    until("the fallback hears of what is over the quota", || instead().len() == 2).await;
    for message in instead() {
        let note = message["note"].as_str().unwrap();
        assert!(note.contains("the quota of 3/day is spent until 20"), "{note}");
    }
    relay.kill9();
    relay.start_again().await;
    tell(&relay, "f", true).await;
    until("and of the next one", || instead().len() == 3).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(at(&fake, "/it").len(), 3, "three calls a day, whatever happens");
    let own = at(&fake, "/other").into_iter().filter(|one| names(one) == ["AlertRelayQuotaSpent"]).count();
    assert_eq!(own, 1, "said once");
}

#[tokio::test]
async fn what_waits_for_the_rate_limit_goes_out_as_one_that_names_all() {
    let fake = Fake::start(|_| Answer::text(200, ""));
    let relay = Relay::start(&config(&fake, "digest: true\n    rate: { limit: 1/s }")).await;
    let told: Vec<String> = (10..40).map(|n| format!("n{n}")).collect();
    for name in &told {
        tell(&relay, name, true).await;
    }
    let heard = || -> Vec<String> { at(&fake, "/it").iter().flat_map(names).collect() };
    until("all are named", || heard().len() == told.len()).await;
    let mut heard = heard();
    heard.sort();
    assert_eq!(heard, told, "each once");
    let messages = at(&fake, "/it");
    assert!(messages.len() <= 8, "{} messages for {} alerts", messages.len(), told.len());
    let notes: Vec<&str> = messages.iter().filter_map(|one| one["note"].as_str()).collect();
    assert!(notes.iter().any(|note| note.starts_with("Digest: ")), "{notes:?}");
}

#[tokio::test]
async fn a_reminder_that_is_not_wanted_is_on_record_with_the_rule() {
    let fake = Fake::start(|_| Answer::text(200, ""));
    let relay = Relay::start(&config(&fake, "reminders: never")).await;
    tell(&relay, "disk", true).await;
    fake.has_heard(1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (_, answer) = relay.post("/hooks/alertmanager", webhook("disk", true).to_string()).await.unwrap();
    let id = serde_json::from_str::<Value>(&answer).unwrap()["id"].as_str().unwrap().to_owned();
    let url = relay.url(&format!("/api/v1/events/{id}"));
    let record = relay.http().get(url).send().await.unwrap().text().await.unwrap();
    assert!(record.contains("unchanged, and the target has reminders: never"), "{record}");
    tell(&relay, "disk", false).await;
    let heard = fake.has_heard(2).await;
    assert_eq!(heard[1].json()["action"], "resolve", "the end is told all the same");
}
