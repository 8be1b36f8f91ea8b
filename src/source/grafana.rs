//! Grafana: contact points of unified alerting (8 and later) and the channels before 9.
//!
//! Unified bodies are Alertmanager's shape with version "1" and more keys: those of an alert
//! (`panelURL`, `values` …) go to `Alert::extra`, those of the body (`orgId`, `title` …) to
//! `event`. Legacy bodies become one alert, known by organisation and rule. Whether a signature
//! must be there, in which header and how old it may be, the server decides.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::fields::Object;
use crate::source::notes::{At, Notes};
use crate::source::{body, webhook};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Grafana;

impl Source for Grafana {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let map = body::object(arrival.body, &mut notes)?;
        let group = if is_legacy(&map) {
            legacy(arrival, map, &mut notes)
        } else {
            let mut group = webhook::group(arrival, map, &mut notes)?;
            if let Some(test) = group.as_mut().filter(|group| is_test(group)) {
                // Its group key holds the time of the test: each would open a problem of its own.
                test.group_key = webhook::derived_key(&test.group_labels, &test.alerts);
                notes.say("a test notification of Grafana: all of them count as one problem");
            }
            group
        };
        Ok(Reading { groups: group.into_iter().collect(), notes: notes.into_lines(), ..Reading::default() })
    }
}

/// Whether `given_hex` is the HMAC-SHA256 of the body under this secret, compared in constant
/// time. With a timestamp header configured in Grafana, the signed text is the value of that
/// header, a colon, and the body as received. An empty secret matches nothing.
pub fn signature_matches(secret: &[u8], body: &[u8], timestamp: Option<&str>, given_hex: &str) -> bool {
    let (Some(given), false) = (unhex(given_hex.trim()), secret.is_empty()) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    if let Some(timestamp) = timestamp {
        mac.update(timestamp.as_bytes());
        mac.update(b":");
    }
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Option<Vec<u8>> = text.as_bytes().iter().map(nibble).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The test button of a contact point sends this one alert.
fn is_test(group: &AlertGroup) -> bool {
    let label = |alert: &Alert, name, value| alert.labels.get(name).is_some_and(|have| have == value);
    let mut alerts = group.alerts.iter();
    alerts.any(|alert| label(alert, "alertname", "TestAlert") && label(alert, "instance", "Grafana"))
}

fn is_legacy(map: &Map<String, Value>) -> bool {
    let has = |name| map.contains_key(name);
    !has("alerts") && (has("ruleId") || has("ruleName") || has("evalMatches"))
}

/// A body of Grafana before 9. `None`, with a note, for states that neither open nor close.
fn legacy(arrival: &Arrival<'_>, map: Map<String, Value>, notes: &mut Notes) -> Option<AlertGroup> {
    let event = Value::Object(map.clone());
    let mut body = Object::new(At::Body, map);
    let state = body.text("state").to_ascii_lowercase();
    let status = match state.as_str() {
        "ok" => Status::Resolved,
        "pending" | "paused" => {
            notes.say(format!("state {state}: nothing is opened or closed"));
            return None;
        }
        "alerting" | "no_data" => Status::Firing,
        _ => {
            notes.add(At::Key(&At::Body, "state"), "not a state that Grafana has, taken for alerting");
            Status::Firing
        }
    };
    let (org, rule, name) = (body.text("orgId"), body.text("ruleId"), body.text("ruleName"));
    let identity = Labels::from([
        ("org_id".to_owned(), org),
        ("rule_id".to_owned(), if rule.is_empty() { name.clone() } else { rule }),
    ]);
    let mut labels = body.labels("tags", notes);
    labels.extend(identity.clone());
    labels.insert("alertname".to_owned(), name);
    labels.retain(|_, value| !value.is_empty());
    let mut annotations = Labels::from([
        ("summary".to_owned(), body.text("title")),
        ("description".to_owned(), body.text("message")),
    ]);
    annotations.retain(|_, value| !value.is_empty());
    let generator_url = body.text("ruleUrl");
    let keep = ["evalMatches", "imageUrl", "dashboardId", "panelId"];
    let extra = keep.into_iter().filter_map(|name| Some((name.to_owned(), body.take(name)?))).collect();
    // The tags of a rule may be edited while it fires: they are no part of its identity.
    let alert = Alert {
        status,
        labels,
        annotations,
        starts_at: None,
        ends_at: None,
        generator_url,
        fingerprint: Fingerprint::of(&identity),
        extra,
    };
    let group_key = webhook::written(&identity);
    Some(AlertGroup { group_labels: identity, event, ..AlertGroup::of_one(arrival.source, group_key, alert) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"relay secret";
    const BODY: &[u8] = b"{\"status\":\"firing\"}\n";
    // printf '{"status":"firing"}\n' | openssl dgst -sha256 -hmac 'relay secret'
    const OF_BODY: &str = "61bda715495ec2b1fde79c6045fd90ef3407852b77f6e6cf60923e8db15c0d22";
    // printf '1767323045:{"status":"firing"}\n' | openssl dgst -sha256 -hmac 'relay secret'
    const OF_BOTH: &str = "64093aee60f2016071a5cac81681add5d0ecd810afc93ed2a870a03f2ca31650";

    #[test]
    fn a_signature_is_over_the_body_or_over_time_and_body() {
        assert!(signature_matches(SECRET, BODY, None, OF_BODY));
        assert!(signature_matches(SECRET, BODY, None, &OF_BODY.to_uppercase()));
        assert!(signature_matches(SECRET, BODY, Some("1767323045"), OF_BOTH));
    }

    #[test]
    fn any_other_signature_is_refused() {
        assert!(!signature_matches(SECRET, BODY, None, OF_BOTH));
        assert!(!signature_matches(SECRET, BODY, Some("1767323046"), OF_BOTH));
        assert!(!signature_matches(b"other", BODY, None, OF_BODY));
        assert!(!signature_matches(SECRET, b"{}", None, OF_BODY));
        for bad in ["", "0", "zz", &OF_BODY[..62], &format!("{OF_BODY}00"), "+1"] {
            assert!(!signature_matches(SECRET, BODY, None, bad), "{bad:?}");
        }
    }

    #[test]
    fn an_empty_secret_matches_nothing() {
        // HMAC-SHA256 of the empty text under the empty key, which anybody can compute.
        let known = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        assert!(!signature_matches(b"", b"", None, known));
    }
}
