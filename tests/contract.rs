//! What every kind of target keeps to, whatever it speaks to. Runs over every row of the table of
//! kinds with `tests/targets/<kind>/full.yaml`, which sets everything and holds a canary
//! (`canary…`, or `whsec_…`) in every secret setting, and `contract.yaml`, which says how this
//! service says yes, in what form it takes text, and what ties a resolve to its trigger there.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use alert_relay::domain::exchange::{HeaderText, Reply, Request};
use alert_relay::domain::message::{Action, Message, RemoteRef};
use alert_relay::domain::outcome::Outcome;
use alert_relay::domain::secret::Redactor;
use alert_relay::target::contract::{Kind, Target, Turn, Worded};
use alert_relay::target::{KINDS, find};
use alert_relay::template::escape::Escape;
use alert_relay::template::library::{Language, Library};
use alert_relay::template::view::View;
use manner::{Correlates, Enclosed, Manner, Speaks, Success, manner};
use samples::{build, sample, shown, text};

#[path = "contract/digests.rs"]
mod digests;
#[path = "targets/manner.rs"]
mod manner;
#[path = "contract/questions.rs"]
mod questions;
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

fn view(message: &Message) -> View<'_> {
    View::of(message, "https://relay.example.com", "2026-03-02T03:09:15Z".parse().expect("a time"))
}

fn say(target: &dyn Target, message: &Message) -> Worded {
    target.request(message, &view(message)).expect("sayable")
}

/// What really goes out, secrets and all; forms are decoded.
fn wire(worded: &Worded) -> String {
    match &worded.request {
        Request::Print(_) | Request::Nothing(_) | Request::Mail(_) => worded.request.to_text(),
        Request::Http(request) => {
            let headers = request.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.expose()));
            let body = String::from_utf8(request.body.clone()).expect("a body in UTF-8");
            let is_form = |(_, value): &(String, HeaderText)| value.expose().contains("form-urlencoded");
            let body = if request.headers.iter().any(is_form) { unformed(&body) } else { body };
            format!("{}\n{}\n{body}", request.url.expose(), headers.collect::<String>())
        }
    }
}

fn unformed(body: &str) -> String {
    url::form_urlencoded::parse(body.as_bytes()).map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// Where a first reply leads, or its outcome when it ends the try.
fn judged(target: &dyn Target, message: &Message, replies: &[Reply]) -> Option<Outcome> {
    match target.follow(message, &view(message), replies) {
        Turn::Over(outcome) => Some(outcome),
        Turn::Call(_) => None,
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

/// Later calls of a try are judged as the first is.
#[test]
fn every_status_code_has_an_outcome() {
    let message = message("firing");
    for (kind, _, target) in targets() {
        let Manner { speaks, success, .. } = manner(kind);
        let yes = success.reply();
        let more = judged(&*target, &message, std::slice::from_ref(&yes)).is_none();
        for before in [vec![], vec![yes]].into_iter().take(if more { 2 } else { 1 }) {
            for status in 100..=599 {
                for body in ["", "ok", "{}", "[1]", "{\"errors\": 7}", "\u{0}\u{fffd}<html>"] {
                    let mut replies = before.clone();
                    replies.push(reply(status, &[], body));
                    let Some(outcome) = judged(&*target, &message, &replies) else {
                        assert!(
                            !matches!(status, 100..=199 | 429 | 500..),
                            "{} goes on after {status}",
                            kind.name
                        );
                        continue;
                    };
                    let nth = replies.len();
                    let at = format!("{} {status} {body:?} as reply {nth}: {outcome:?}", kind.name);
                    has_its_class(speaks, status, &outcome, nth, &at);
                }
            }
        }
    }
}

fn has_its_class(speaks: Speaks, status: u16, outcome: &Outcome, nth: usize, at: &str) {
    let allowed: &[&str] = match status {
        200..=299 if speaks == Speaks::Smtp => &["delivered"],
        400..=499 if speaks == Speaks::Smtp => &["retry"],
        500..=599 if speaks == Speaks::Smtp => &["hold", "rejected"],
        _ if speaks == Speaks::Smtp => &["unknown"],
        _ if nth > 1 => &["delivered", "hold", "rejected", "retry", "unknown"],
        501 | 505 => &["hold"],
        429 => &["retry"],
        500..=599 => &["retry", "unknown"],
        100..=199 => &["unknown"],
        200..=299 => &["delivered", "hold", "rejected", "unknown"],
        _ => &["hold", "rejected", "retry", "unknown"],
    };
    assert!(allowed.contains(&outcome.word()), "{at}");
    assert_eq!(outcome.reason().is_empty(), outcome.word() == "delivered", "{at}");
}

#[test]
fn retry_after_is_obeyed_in_full() {
    let message = message("firing");
    for (kind, _, target) in targets().filter(|(kind, ..)| manner(kind).speaks == Speaks::Http) {
        match target.judge(&message, &reply(429, &[("retry-after", "171")], "")) {
            Outcome::Retry { after, whole_target, .. } => {
                assert_eq!(after, Some(Duration::from_secs(171)), "{}", kind.name);
                assert!(whole_target || target.pace_key(&message).is_some(), "{} rests nothing", kind.name);
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
                    let reply = reply(status, &[], &body);
                    seen.push_str(&format!("{:?}", target.judge(&message, &reply)));
                    match target.follow(&message, &view(&message), &[reply]) {
                        Turn::Over(outcome) => seen.push_str(&format!("{outcome:?}")),
                        Turn::Call(step) => seen.push_str(&format!("{:?} {:?}", step.worded, step.keep)),
                    }
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

/// Plays a service that says yes to everything, until the try is over.
fn delivered(target: &dyn Target, message: &Message, success: &Success) -> Option<RemoteRef> {
    let mut replies = vec![success.reply()];
    loop {
        match target.follow(message, &view(message), &replies) {
            Turn::Over(Outcome::Delivered { remote }) => return remote,
            Turn::Over(other) => panic!("{other:?}"),
            Turn::Call(_) => replies.push(success.reply()),
        }
        assert!(replies.len() < 20, "no end");
    }
}

#[test]
fn trigger_and_resolve_share_their_key() {
    for (kind, _, target) in targets() {
        let Manner { success, correlates, .. } = manner(kind);
        let trigger = message("firing");
        let remote = delivered(&*target, &trigger, &success);
        let resolve = Message { action: Action::Resolve, remote, may_exist: true, ..trigger.clone() };
        assert_eq!(target.pace_key(&trigger), target.pace_key(&resolve), "{}", kind.name);
        let key = trigger.dedup_key.as_str();
        let said = wire(&say(&*target, &resolve));
        match correlates {
            Correlates::Key => {
                assert!(wire(&say(&*target, &trigger)).contains(key), "{}: no key in the trigger", kind.name);
                assert!(said.contains(key), "{}: no key in {said}", kind.name);
            }
            Correlates::Remote => {
                let remote = resolve.remote.as_ref().expect("something was given back");
                let name = remote.0.split(' ').next().unwrap_or_default();
                assert!(!name.is_empty() && said.contains(name), "{}: no {name} in {said}", kind.name);
            }
            Correlates::Nothing => {}
        }
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
        let Manner { may_fault, body: form, braces, .. } = manner(kind);
        assert!(worded.faults.iter().all(|fault| may_fault.contains(&fault.field)), "{:?}", worded.faults);
        if let Request::Mail(request) = &worded.request {
            let head = request.letter.head();
            let mut lines = head.iter().map(|(_, value)| *value).chain([request.letter.subject.as_str()]);
            assert!(!lines.any(|line| line.contains(char::is_control)), "{head:?}");
        }
        if let Request::Http(request) = &worded.request {
            assert!(request.headers.iter().all(|(_, value)| !value.expose().contains(['\r', '\n'])));
            if form == Enclosed::Json {
                let body: serde_json::Value =
                    serde_json::from_slice(&request.body).expect("the body is JSON");
                let compiled = "{}:{alertname=\\\\\"DiskFull";
                assert!(body.get("evil").is_none() && !body.to_string().contains(compiled));
            }
            if form == Enclosed::Form {
                let names = unformed(&String::from_utf8_lossy(&request.body));
                assert!(!names.lines().any(|line| line.starts_with("evil=")), "{names}");
            }
        }
        assert!(wire(&worded).contains(&braces), "{}", kind.name);
    }
}

#[test]
fn our_own_wording_always_renders() {
    let messages = SAMPLES.map(message);
    let views = [0, 1, 2, 3, 4].map(|nth| (SAMPLES[nth], view(&messages[nth])));
    for kind in KINDS {
        for language in Language::ALL {
            let library = Library::new(language, Default::default());
            for (builtin, escape) in
                kind.wordings.iter().flat_map(|one| Escape::ALL.map(|escape| (one, escape)))
            {
                let wording = library.wording(builtin, None, escape).expect("it parses");
                for (name, view) in &views {
                    let said = wording.say(view);
                    assert_eq!(said.fault, None, "{}/{} {language:?} {name}", kind.name, builtin.field);
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
        (
            "pagerduty_rest",
            "title",
            "api_key: k\nfrom: a@b.example\nservice_id: P1\ntitle: '{{commonLabels.nope}}'",
        ),
        ("opsgenie", "message", "api_key: k\nmessage: '{{commonLabels.nope}}'"),
        (
            "twilio",
            "body",
            "mode: sms\naccount_sid: AC1\nauth_token: k\nfrom: ops\nto: ['+15550101']\nbody: '{{commonLabels.nope}}'",
        ),
        ("webhook", "body", "url: https://example.com\nbody: '{{commonLabels.nope}}'"),
        ("slack", "header", "bot_token: xoxb-1\nchannel: '#ops'\nheader: '{{commonLabels.nope}}'"),
        ("dingtalk", "text", "access_token: x\ntext: '{{commonLabels.nope}}'"),
        ("feishu", "title", "token: x\ntitle: '{{commonLabels.nope}}'"),
        ("wecom", "text", "key: x\ntext: '{{commonLabels.nope}}'"),
        (
            "email",
            "html",
            "smtp: smtp://localhost\nfrom: a@example.com\nto: [b@example.com]\nhtml: '{{commonLabels.nope}}'",
        ),
        ("console", "text", "text: '{{commonLabels.nope}}'"),
        ("ticket", "subject", "base_url: https://example.com\napi_key: k\nsubject: '{{commonLabels.nope}}'"),
        (
            "jira",
            "description",
            "base_url: https://example.com\ntoken: t\nproject: P\nreopen: never\ndescription: '{{commonLabels.nope}}'",
        ),
        (
            "zendesk",
            "subject",
            "base_url: https://example.com\nemail: e\napi_token: t\nreopen: never\nsubject: '{{commonLabels.nope}}'",
        ),
        (
            "servicenow",
            "short_description",
            "base_url: https://example.com\ntoken: t\nreopen: never\nshort_description: '{{commonLabels.nope}}'",
        ),
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
