//! What a service posts by itself: `callbacks.yaml` holds the calls, `callbacks.txt` what was heard.

use std::collections::BTreeMap;
use std::path::Path;

use alert_relay::domain::secret::Redactor;
use alert_relay::target::contract::{Callback, Heard, Target};
use alert_relay::target::find;
use alert_relay::template::library::Language;

use crate::compare;
use crate::samples::{build, text};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    name: String,
    #[serde(default = "usual_url")]
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    now: String,
}

fn usual_url() -> String {
    "https://relay.example.com/callbacks/sample".into()
}

pub fn compare_all(target: &dyn Target, case: &Path, wrong: &mut Vec<String>) {
    let path = case.join("callbacks.yaml");
    if !path.exists() {
        return;
    }
    let calls: Vec<Call> = serde_yaml::from_str(&text(&path)).expect("callbacks");
    let mut got = String::new();
    for call in calls {
        let headers: Vec<(String, String)> = call.headers.into_iter().collect();
        let heard = target.callback(&Callback {
            url: &call.url,
            headers: &headers,
            body: call.body.as_bytes(),
            now: call.now.parse().expect("a time"),
        });
        got.push_str(&format!("== {}\n", call.name));
        match heard {
            Ok(Heard { signals, answer }) => {
                for signal in signals {
                    got.push_str(&format!(
                        "{} of {} by {:?} at {} (id {}): {:?}\n",
                        signal.event.as_str(),
                        signal.about,
                        signal.who,
                        signal.at,
                        signal.id,
                        signal.text
                    ));
                }
                got.push_str(&format!("answer {:?}: {}\n\n", answer.content_type, answer.body));
            }
            Err(refusal) => got.push_str(&format!("{refusal:?}\n\n")),
        }
    }
    compare(&case.join("callbacks.txt"), &Redactor::new(target.secrets()).clean(&got), wrong);
}

/// The ids of the signals that a target of this kind, as its case `callbacks` sets it up, hears of a call
/// that comes at that time.
fn ids(kind: &str, headers: &[(&str, &str)], body: &str, now: &str) -> Vec<String> {
    let case = Path::new("tests/targets").join(kind).join("callbacks");
    let settings = text(&case.join("settings.yaml"));
    let kind = find(kind).expect("a kind");
    let target = build(kind, &settings, Language::En).expect("good settings").target;
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let now = now.parse().expect("a time");
    let call = Callback { url: &usual_url(), headers: &headers, body: body.as_bytes(), now };
    let heard = target.callback(&call).expect("a proven call");
    heard.signals.into_iter().map(|signal| signal.id).collect()
}

/// Jira signs the body and not the headers: whoever has caught a call must not make news of it by
/// another identifier. Jira's own retries bring the same body.
#[test]
fn a_call_of_jira_is_known_by_what_is_signed() {
    let path = "tests/targets/jira/callbacks/callbacks.yaml";
    let calls: Vec<Call> = serde_yaml::from_str(&text(Path::new(path))).expect("callbacks");
    let at = |call: &Call, identifier: &str| {
        let signature = call.headers["x-hub-signature"].as_str();
        let headers = [("x-hub-signature", signature), ("x-atlassian-webhook-identifier", identifier)];
        ids("jira", &headers, &call.body, &call.now)
    };
    let (closed, moved) = (&calls[0], &calls[1]);
    assert_eq!(at(closed, "w-1").len(), 1);
    assert_eq!(at(closed, "w-1"), at(closed, "w-2"), "caught, and sent once more");
    assert_ne!(at(closed, "w-1"), at(moved, "w-1"), "another body");
}

/// Closed, opened again and closed again are three calls, of which the first and the last may be the
/// same to the byte.
#[test]
fn a_call_that_bears_neither_id_nor_time_is_news_again_a_minute_later() {
    let token = [("authorization", "Bearer token-0123456789abcdef")];
    for (kind, bare, dated) in [
        (
            "ticket",
            r#"{"ticket":{"id":17,"status":"solved"}}"#,
            &[
                r#"{"event_id":"e-1","ticket":{"id":17,"status":"solved"}}"#,
                r#"{"at":"2026-03-02T03:30:00Z","ticket":{"id":17,"status":"solved"}}"#,
                r#"{"ticket":{"id":17,"status":"solved","updated_at":"2026-03-02T03:30:00Z"}}"#,
            ] as &[&str],
        ),
        (
            "servicenow",
            r#"{"sys_id":"9d385017c611228701d22104cc95c371","state":"6"}"#,
            &[r#"{"sys_id":"9d385017c611228701d22104cc95c371","state":"6","at":"2026-03-02 03:30:00"}"#],
        ),
    ] {
        let at = |body: &str, now: &str| ids(kind, &token, body, now);
        let first = at(bare, "2026-03-02T03:31:00Z");
        assert_eq!(first, at(bare, "2026-03-02T03:31:59Z"), "{kind}: a repeat of the same minute");
        assert_ne!(first, at(bare, "2026-03-02T03:32:00Z"), "{kind}: closed once more");
        for body in dated {
            let first = at(body, "2026-03-02T03:31:00Z");
            assert_eq!(first, at(body, "2026-03-02T09:00:00Z"), "{kind}: a late repeat of {body}");
        }
    }
}
