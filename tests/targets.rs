//! Golden cases of every kind: `tests/targets/<kind>/<case>/` holds `settings.yaml`, `message.json`
//! and what comes of them: `request.txt` (secrets starred, faults below) and, for some,
//! `replies.yaml` with outcomes. Settings that are refused have `problems.txt` instead.
//!
//! Where a try may take several calls, `dialogues.yaml` plays the service, reply after reply, and
//! `dialogues.txt` holds what is sent in between and how it ends. What the service posts by itself
//! stands in `callbacks.yaml`, what is heard of it in `callbacks.txt`; what it answers when it is asked
//! how things stand, in `inquiries.yaml` and `inquiries.txt`.
//!
//! `UPDATE_GOLDEN=1` rewrites the `.txt` files; read them before you commit them.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN is read from the environment")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use alert_relay::domain::exchange::{Reply, Request};
use alert_relay::domain::message::{Action, Message};
use alert_relay::domain::outcome::Outcome;
use alert_relay::domain::problem::Severity;
use alert_relay::target::contract::{Kind, Target};
use alert_relay::target::{KINDS, find};
use alert_relay::template::library::Language;
use alert_relay::template::view::View;
use samples::{build, sample, shown, text};

#[path = "targets/callbacks.rs"]
mod callbacks;
#[path = "targets/dialogues.rs"]
mod dialogues;
#[path = "targets/inquiries.rs"]
mod inquiries;
#[path = "targets/logins.rs"]
mod logins;
#[allow(dead_code, reason = "shared with the other drivers")]
mod samples;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    outcome: String,
    #[serde(default)]
    reason: String,
    after: Option<u64>,
    remote: Option<String>,
}

#[test]
fn every_case_of_every_kind() {
    let mut wrong = Vec::new();
    for kind in KINDS {
        let folder = Path::new("tests/targets").join(kind.name);
        let mut cases: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{} has no cases: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_dir())
            .collect();
        cases.sort();
        assert!(cases.len() >= 3, "{} has too few cases", kind.name);
        for case in cases {
            run(kind, &case, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n\n{}", wrong.len(), wrong.join("\n"));
}

/// What a case is about is told by its message, or where that is a matter of its words by its name.
#[test]
fn every_kind_has_a_case_for_all_that_can_be_said_and_all_that_may_be_in_it() {
    let mut missing = Vec::new();
    for kind in KINDS {
        let mut have = BTreeSet::new();
        for entry in fs::read_dir(Path::new("tests/targets").join(kind.name)).expect("cases") {
            let case = entry.expect("an entry").path();
            let Ok(message) = fs::read_to_string(case.join("message.json")) else { continue };
            let message: serde_json::Value = serde_json::from_str(&message).expect("JSON");
            let may_exist = message["may_exist"].as_bool().unwrap_or(message["remote"].is_string());
            have.insert(match message["action"].as_str().unwrap_or("trigger") {
                "trigger" if may_exist => "update".to_owned(),
                action => action.to_owned(),
            });
            let name = case.file_name().expect("a name").to_string_lossy().into_owned();
            have.extend(name.split('_').map(str::to_owned));
        }
        for wanted in ["trigger", "update", "acknowledge", "resolve", "oversize", "unicode", "injection"] {
            if !have.contains(wanted) {
                missing.push(format!("{}: {wanted}", kind.name));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

fn run(kind: &Kind, case: &Path, wrong: &mut Vec<String>) {
    let settings = text(&case.join("settings.yaml"));
    let message = case.join("message.json");
    let sample = message.exists().then(|| sample(&message));
    let language = sample.as_ref().map_or(Language::En, |sample| sample.language);
    match build(kind, &settings, language) {
        Ok(made) => {
            let sample = sample.expect("message.json beside good settings");
            let (message, view) = (&sample.message, sample.view());
            let mut got: String =
                made.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
            assert!(made.warnings.iter().all(|warning| warning.severity == Severity::Warning));
            got.push_str(&shown(&*made.target, &made.target.request(message, &view)));
            compare(&case.join("request.txt"), &got, wrong);
            judge(&*made.target, message, case, wrong);
            dialogues::compare_all(&*made.target, message, &view, case, wrong);
            callbacks::compare_all(&*made.target, case, wrong);
            inquiries::compare_all(&*made.target, case, wrong);
        }
        Err(problems) => {
            let got: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
            compare(&case.join("problems.txt"), &got, wrong);
        }
    }
}

fn compare(path: &Path, got: &str, wrong: &mut Vec<String>) {
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
        fs::write(path, got).expect("a writable folder");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if got != expected {
        wrong.push(format!("{}\n--- expected\n{expected}--- got\n{got}", path.display()));
    }
}

fn judge(target: &dyn Target, message: &Message, case: &Path, wrong: &mut Vec<String>) {
    let path = case.join("replies.yaml");
    if !path.exists() {
        return;
    }
    let exchanges: Vec<Exchange> = serde_yaml::from_str(&text(&path)).expect("replies");
    for Exchange { status, headers, body, outcome, reason, after, remote } in exchanges {
        let reply = Reply { status, headers: headers.into_iter().collect(), body: body.into_bytes() };
        let got = target.judge(message, &reply);
        let (got_after, got_remote) = match &got {
            Outcome::Retry { after, .. } => (after.map(|wait| wait.as_secs()), None),
            Outcome::Delivered { remote } => (None, remote.as_ref().map(|remote| remote.0.clone())),
            _ => (None, None),
        };
        if (got.word(), got.reason(), got_after, &got_remote) != (&*outcome, &*reason, after, &remote) {
            wrong.push(format!("{}: {status} gave {got:?}", path.display()));
        }
    }
}

/// The golden cases star the keys; this looks at them.
#[test]
fn pagerduty_says_everything_about_a_problem_with_the_key_that_opened_it() {
    let kind = find("pagerduty").expect("a kind");
    let case = Path::new("tests/targets/pagerduty/key_by_name");
    let target = build(kind, &text(&case.join("settings.yaml")), Language::En).expect("good settings").target;
    let key = |message: &Message, view: &View| {
        let Request::Http(request) = target.request(message, view).expect("sayable").request else {
            panic!()
        };
        let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
        body["routing_key"].as_str().expect("a key").to_owned()
    };
    let chosen = sample(&case.join("message.json"));
    let mut message = chosen.message.clone();
    assert_eq!(
        key(&message, &chosen.view()),
        "R000000000000000000000000000000a",
        "chosen by the label `team`"
    );
    let accepted = Reply { status: 202, ..Reply::default() };
    let Outcome::Delivered { remote: Some(opened_with) } = target.judge(&message, &accepted) else {
        panic!()
    };

    let resolved = sample(Path::new("tests/samples/messages/resolved.json"));
    message.action = Action::Resolve;
    message.group = resolved.message.group.clone();
    let view = resolved.view();
    assert_eq!(key(&message, &view), "R0000000000000000000000000000001", "the label is gone");
    message.remote = Some(opened_with);
    assert_eq!(key(&message, &view), "R000000000000000000000000000000a", "and the key remembered");
    let retired = "tests/targets/pagerduty/resolve_with_retired_key/message.json";
    message.remote = sample(Path::new(retired)).message.remote;
    assert_eq!(key(&message, &view), "R0000000000000000000000000000000", "out of use, not forgotten");
}
