//! What every kind of target keeps to, whatever it speaks to. Runs over every row of the table of
//! kinds with `tests/targets/<kind>/full.yaml`, which sets everything and holds a canary
//! (`canary…`, or `whsec_…`) in every secret setting.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use alert_relay::domain::exchange::{Reply, Request};
use alert_relay::domain::message::{Action, Message};
use alert_relay::domain::outcome::Outcome;
use alert_relay::domain::secret::Redactor;
use alert_relay::target::contract::{Kind, Target, Worded};
use alert_relay::target::{KINDS, find};
use alert_relay::template::escape::Escape;
use alert_relay::template::library::{Language, Library};
use alert_relay::template::view::View;
use samples::{build, sample, shown, text};

#[allow(dead_code, reason = "shared with the other drivers")]
mod samples;

const SAMPLES: [&str; 5] = ["firing", "mixed", "resolved", "bare", "guance"];

/// Every kind with the text of its full settings and a target built from it.
fn targets() -> impl Iterator<Item = (&'static Kind, String, Box<dyn Target>)> {
    KINDS.iter().map(|kind| {
        let settings = text(&PathBuf::from(format!("tests/targets/{}/full.yaml", kind.name)));
        let made = build(kind, &settings, Language::En).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert!(made.warnings.is_empty(), "{}: {:?}", kind.name, made.warnings);
        (*kind, settings, made.target)
    })
}

fn message(name: &str) -> Message {
    sample(&Path::new("tests/samples/messages").join(format!("{name}.json"))).message
}

fn view(message: &Message) -> View {
    View::of(message, "https://relay.example.com", "2026-03-02T03:09:15Z".parse().expect("a time"))
}

fn say(target: &dyn Target, message: &Message) -> Worded {
    target.request(message, &view(message)).expect("sayable")
}

/// What really goes out, secrets and all.
fn wire(worded: &Worded) -> String {
    match &worded.request {
        Request::Print(text) => text.clone(),
        Request::Http(request) => {
            let headers = request.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.expose()));
            let body = String::from_utf8(request.body.clone()).expect("a body in UTF-8");
            format!("{}\n{}\n{body}", request.url.expose(), headers.collect::<String>())
        }
    }
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Reply { status, headers, body: body.as_bytes().to_vec() }
}

#[test]
fn the_table_names_each_kind_once() {
    for kind in KINDS {
        assert_eq!(find(kind.name).map(|found| found.about), Some(kind.about));
        assert!(kind.wordings.iter().all(|builtin| builtin.kind == kind.name));
    }
    assert!(find("no-such-kind").is_none());
}

#[test]
fn every_status_code_has_an_outcome() {
    let message = message("firing");
    for (kind, _, target) in targets() {
        for status in 100..=599 {
            for body in ["", "ok", "{}", "[1]", "{\"errors\": 7}", "\u{0}\u{fffd}<html>"] {
                let outcome = target.judge(&message, &reply(status, &[], body));
                let at = format!("{} {status} {body:?}: {outcome:?}", kind.name);
                match status {
                    501 | 505 => assert_eq!(outcome.word(), "hold", "{at}"),
                    500..=599 | 429 => assert_eq!(outcome.word(), "retry", "{at}"),
                    100..=199 => assert_eq!(outcome.word(), "unknown", "{at}"),
                    200..=299 => assert!(["delivered", "hold", "rejected"].contains(&outcome.word()), "{at}"),
                    _ => assert!(!matches!(outcome, Outcome::Delivered { .. }), "{at}"),
                }
                assert_eq!(outcome.reason().is_empty(), outcome.word() == "delivered", "{at}");
            }
        }
    }
}

#[test]
fn retry_after_is_obeyed_in_full() {
    let message = message("firing");
    for (kind, _, target) in targets() {
        match target.judge(&message, &reply(429, &[("retry-after", "171")], "")) {
            Outcome::Retry { after, whole_target, .. } => {
                assert_eq!((after, whole_target), (Some(Duration::from_secs(171)), true), "{}", kind.name);
            }
            other => panic!("{}: {other:?}", kind.name),
        }
    }
}

#[test]
fn no_secret_is_ever_seen() {
    for (kind, settings, target) in targets() {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let canaries: Vec<&str> = settings
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| line.split(|c| !is_part(c)))
            .filter(|word| word.starts_with("canary") || word.starts_with("whsec_"))
            .collect();
        assert_eq!(canaries.is_empty(), target.secrets().is_empty(), "{}", kind.name);
        let mut seen = format!("{target:?}");
        for name in SAMPLES {
            let message = message(name);
            let worded = target.request(&message, &view(&message));
            seen.push_str(&format!("{worded:?}\n{}", shown(&*target, &worded)));
            seen.push_str(&format!("{:?}", target.pace_key(&message)));
            for status in [200, 202, 302, 400, 401, 403, 404, 413, 429, 500] {
                let errors = serde_json::json!({ "message": settings, "errors": canaries });
                let across_the_cut = (0..40).map(|shift| "x".repeat(270 + shift) + &canaries.concat());
                for body in across_the_cut.chain([canaries.join(" "), errors.to_string()]) {
                    seen.push_str(&format!("{:?}", target.judge(&message, &reply(status, &[], &body))));
                }
            }
        }
        for canary in &canaries {
            // Nor its first half, which a cut may leave.
            assert!(!seen.contains(&canary[..12]), "{}: {canary} can be seen in {seen}", kind.name);
        }
        let known = Redactor::new(target.secrets()).clean(&canaries.join(" "));
        assert!(!known.contains("canary") && !known.contains("whsec_"), "{}: {known}", kind.name);
    }
}

#[test]
fn the_same_message_gives_the_same_request() {
    for (kind, settings, target) in targets() {
        let again = build(kind, &settings, Language::En).expect("it was built before").target;
        for name in SAMPLES {
            let message = message(name);
            assert_eq!(
                say(&*target, &message).request,
                say(&*again, &message).request,
                "{} {name}",
                kind.name
            );
            assert_eq!(target.pace_key(&message), again.pace_key(&message));
        }
    }
}

#[test]
fn trigger_and_resolve_share_their_key() {
    for (kind, _, target) in targets() {
        let trigger = message("firing");
        let delivered = target.judge(&trigger, &reply(202, &[], "{}"));
        let Outcome::Delivered { remote } = delivered else { panic!("{}: {delivered:?}", kind.name) };
        let resolve = Message { action: Action::Resolve, remote, ..trigger.clone() };
        for message in [&trigger, &resolve] {
            let wire = wire(&say(&*target, message));
            assert!(wire.contains(message.dedup_key.as_str()), "{}: no key in {wire}", kind.name);
        }
        assert_eq!(target.pace_key(&trigger), target.pace_key(&resolve), "{}", kind.name);
    }
}

#[test]
fn oversize_text_is_cut_between_characters() {
    for (kind, _, target) in targets() {
        for piece in ["磁", "👩‍👩‍👧‍👦", "e\u{301}", "\"\\\n"] {
            let mut message = message("firing");
            let mut group = (*message.group).clone();
            let alert = &mut group.alerts[0];
            for text in [alert.labels.get_mut("service"), alert.annotations.get_mut("summary")] {
                *text.expect("a text") = piece.repeat(30_000);
            }
            group.common_labels = group.alerts[0].labels.clone();
            group.common_annotations = group.alerts[0].annotations.clone();
            message.group = group.into();
            let wire = wire(&say(&*target, &message));
            assert!(!wire.contains('\u{fffd}'), "{}: a character was torn", kind.name);
            if kind.name == "pagerduty" {
                assert!(wire.len() < 513_000, "{} bytes", wire.len());
            }
        }
    }
}

#[test]
fn alert_text_stays_text() {
    const EVIL: &str = "{{groupKey}} {{> x}} \"}, \"evil\": {\"a\": \"\r\nEvil: 1\r\n\r\n";
    for (kind, _, target) in targets() {
        let mut message = message("firing");
        let mut group = (*message.group).clone();
        let alert = &mut group.alerts[0];
        for text in alert.labels.values_mut().chain(alert.annotations.values_mut()) {
            *text = EVIL.to_owned();
        }
        group.common_labels = group.alerts[0].labels.clone();
        group.common_annotations = group.alerts[0].annotations.clone();
        group.alerts[0].generator_url = format!("https://x.example/{EVIL}");
        message.group = group.into();
        let worded = say(&*target, &message);
        assert!(worded.faults.iter().all(|fault| fault.field == "routing_key_name"), "{:?}", worded.faults);
        if let Request::Http(request) = &worded.request {
            assert!(request.headers.iter().all(|(_, value)| !value.expose().contains(['\r', '\n'])));
            let body: serde_json::Value = serde_json::from_slice(&request.body).expect("the body is JSON");
            assert!(body.get("evil").is_none() && !body.to_string().contains("{}:{alertname=\\\\\"DiskFull"));
        }
        assert!(wire(&worded).contains("{{groupKey}}"), "{}", kind.name);
    }
}

#[test]
fn our_own_wording_always_renders() {
    for kind in KINDS {
        for language in Language::ALL {
            let library = Library::new(language, Default::default());
            for builtin in kind.wordings {
                for name in SAMPLES {
                    for escape in Escape::ALL {
                        let wording = library.wording(builtin, None, escape).expect("it parses");
                        let said = wording.say(&view(&message(name)));
                        assert_eq!(said.fault, None, "{}/{} {language:?} {name}", kind.name, builtin.field);
                    }
                }
            }
        }
    }
}

#[test]
fn a_broken_template_never_swallows_a_message() {
    for (kind, field, broken) in [
        (
            "pagerduty",
            "summary",
            "routing_key: R0000000000000000000000000000001\nsummary: '{{commonLabels.nope}}'",
        ),
        ("webhook", "body", "url: https://example.com\nbody: '{{commonLabels.nope}}'"),
        ("console", "text", "text: '{{commonLabels.nope}}'"),
    ] {
        let kind = find(kind).expect("a kind");
        let target = build(kind, broken, Language::Zh).expect("it parses").target;
        for name in SAMPLES {
            let mut message = message(name);
            message.action = Action::Trigger;
            let worded = say(&*target, &message);
            assert_eq!(worded.faults.len(), 1, "{} {name}: {:?}", kind.name, worded.faults);
            assert_eq!(worded.faults[0].field, field);
            assert!(!wire(&worded).trim().is_empty());
        }
    }
}
