//! The command line as people meet it: every case runs the real binary in `tests/cli/` and must give
//! the standard output, standard error and exit code of `tests/cli/<case>.txt`. `UPDATE_GOLDEN=1`
//! writes those anew: then read them, because what is written is what is, not what is right.
#![expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN is asked of the environment")]
#![expect(clippy::disallowed_macros, reason = "a test says what it leaves out")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]

#[path = "cli/manner.rs"]
mod manner;
#[path = "cli/page.rs"]
mod page;
#[path = "cli/sending.rs"]
mod sending;
mod support;
#[path = "cli/trying.rs"]
mod trying;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Name, words after `alert-relay`, standard input.
const CASES: &[(&str, &[&str], &str)] = &[
    ("help", &["--help"], ""),
    ("help_short", &["-h"], ""),
    ("help_serve", &["serve", "--help"], ""),
    ("help_check", &["check", "--help"], ""),
    ("help_explain", &["explain", "--help"], ""),
    ("help_test", &["test", "--help"], ""),
    ("help_send", &["send", "--help"], ""),
    ("help_import", &["import", "--help"], ""),
    ("help_schema", &["schema", "--help"], ""),
    ("help_completions", &["completions", "--help"], ""),
    ("help_man", &["man", "--help"], ""),
    ("help_queue", &["queue", "--help"], ""),
    ("help_queue_retry", &["queue", "retry", "--help"], ""),
    ("help_queue_replay", &["queue", "replay", "--help"], ""),
    ("help_incident", &["incident", "--help"], ""),
    ("help_incident_resolve", &["incident", "resolve", "--help"], ""),
    ("help_report", &["report", "--help"], ""),
    ("help_gate", &["gate", "--help"], ""),
    ("gate_nobody_there", &["gate", "--service", "checkout", "--url", "http://127.0.0.1:1"], ""),
    ("incident_nobody_there", &["incident", "ack", "1", "--url", "http://127.0.0.1:1"], ""),
    ("nothing_said", &[], ""),
    ("usage_unknown_command", &["chekc"], ""),
    ("usage_unknown_option", &["check", "--conf", "good.yaml"], ""),
    ("usage_no_source", &["explain", "--config", "good.yaml", "firing.json"], ""),
    ("usage_bad_time", &["explain", "--source", "am", "--at", "03:00", "firing.json"], ""),
    ("usage_bad_header", &["explain", "--source", "am", "--header", "text/plain", "firing.json"], ""),
    ("usage_replay_what", &["queue", "replay"], ""),
    ("usage_not_a_delivery", &["queue", "show", "0192-abcd"], ""),
    ("queue_nobody_there", &["queue", "list", "--url", "http://127.0.0.1:1"], ""),
    ("queue_bad_url", &["queue", "audit", "--url", "localhost:9095"], ""),
    ("usage_bad_level", &["serve", "--log-level", "a=b=c"], ""),
    ("serve_no_config", &["serve", "--config", "nowhere.yaml"], ""),
    ("serve_bad_config", &["serve", "--config", "bad.yaml", "--log-level", "off"], ""),
    ("usage_bad_shell", &["completions", "tcsh"], ""),
    ("usage_bad_label", &["send", "--target", "pager", "--label", "service"], ""),
    ("send_unknown_target", &["send", "--config", "good.yaml", "--target", "pagr"], ""),
    ("send_no_secrets", &["send", "--config", "good.yaml", "--target", "pager", "--no-secrets"], ""),
    ("send_bad_config", &["send", "--config", "bad.yaml", "--target", "pager"], ""),
    ("test_bad_config", &["test", "--config", "bad.yaml", "."], ""),
    ("test_no_folder", &["test", "--config", "good.yaml", "nowhere"], ""),
    ("import_no_file", &["import", "nowhere.yml"], ""),
    ("import_not_one", &["import", "good.yaml"], ""),
    ("import_stdin", &["import", "-"], "route: { receiver: a }\nreceivers: [{ name: a }]\n"),
    ("man_no_folder", &["man", "--output", "good.yaml/man1"], ""),
    ("test_no_config_json", &["test", "--config", "nowhere.yaml", "--json", "."], ""),
    ("send_bad_config_json", &["send", "--config", "bad.yaml", "--target", "pager", "--json"], ""),
    ("send_unknown_target_json", &["send", "--config", "good.yaml", "--target", "pagr", "--json"], ""),
    (
        "explain_no_config_json",
        &["explain", "--config", "nowhere.yaml", "--source", "am", "--json", "-"],
        "{}",
    ),
    ("gate_nobody_there_json", &["gate", "--service", "a", "--url", "http://127.0.0.1:1", "--json"], ""),
    ("incident_nobody_there_json", &["incident", "list", "--url", "http://127.0.0.1:1", "--json"], ""),
    ("replay_diff_no_file", &["replay-diff", "--config", "good.yaml", "--against", "nowhere.yaml"], ""),
    ("usage_unknown_state", &["queue", "list", "--state", "deaad"], ""),
    ("help_queue_list", &["queue", "list", "--help"], ""),
    ("schema_no_folder", &["schema", "--output", "nowhere/schema.json"], ""),
    ("check_good", &["check", "--config", "good.yaml"], ""),
    ("check_good_json", &["check", "--config", "good.yaml", "--json"], ""),
    ("check_warning", &["check", "--config", "warning.yaml"], ""),
    ("check_bad", &["check", "--config", "bad.yaml"], ""),
    ("check_bad_json", &["check", "--config", "bad.yaml", "--json"], ""),
    ("check_no_file", &["check", "--config", "nowhere.yaml"], ""),
    ("check_no_file_json", &["check", "--config", "nowhere.yaml", "--json"], ""),
    ("check_folder", &["check", "--config", "."], ""),
    ("check_default_config", &["check"], ""),
    ("check_secrets_missing", &["check", "--config", "secrets.yaml"], ""),
    ("check_no_secrets", &["check", "--config", "secrets.yaml", "--no-secrets"], ""),
    ("explain_stdin_at_night", &explain("push", "2026-08-01T03:00:00+08:00"), PUSHED),
    ("explain_stdin_by_day", &explain("push", "2026-08-01T11:00:00+08:00"), PUSHED),
    (
        "explain_json",
        &["explain", "--config", "good.yaml", "--source", "push", "--at", AT, "--json", "-"],
        PUSHED,
    ),
    ("explain_ended", &explain("push", AT), ENDED),
    ("explain_template_fails", &explain("push", AT), r#"[{"labels": {"alertname": "Odd", "team": "odd"}}]"#),
    ("explain_secret_in_alert", &explain("am", AT), SECRETIVE),
    ("explain_no_alert", &explain("push", AT), "[]"),
    (
        "explain_header",
        &[
            "explain",
            "--config",
            "good.yaml",
            "--source",
            "guance",
            "--at",
            AT,
            "--header",
            "Content-Type: text/plain",
            "-",
        ],
        "Disk full\nnode-7 has no space left",
    ),
    ("explain_unreadable", &explain("am", AT), "{\"alerts\": [\n  {\"labels\": }]}"),
    ("explain_not_this_source", &explain("am", AT), "[1, 2]"),
    ("explain_empty", &explain("am", AT), ""),
    ("explain_too_large", &explain("push", AT), TOO_LARGE),
    ("explain_unknown_source", &explain("amm", AT), "{}"),
    ("explain_no_payload", &["explain", "--config", "good.yaml", "--source", "am", "nowhere.json"], ""),
    ("explain_bad_config", &["explain", "--config", "bad.yaml", "--source", "am", "-"], "{}"),
    ("explain_no_config", &["explain", "--config", "nowhere.yaml", "--source", "am", "-"], "{}"),
];

const AT: &str = "2026-08-01T02:00:00Z";

const fn explain<'a>(source: &'a str, at: &'a str) -> [&'a str; 8] {
    ["explain", "--config", "good.yaml", "--source", source, "--at", at, "-"]
}

const PUSHED: &str = r#"[
  {"labels": {"alertname": "DiskFull", "team": "db", "severity": "warning", "instance": "db-1"},
   "annotations": {"summary": "db-1 is nearly full"}, "startsAt": "2026-07-31T18:00:00Z"},
  {"labels": {"alertname": "Nobody", "team": "none"}}
]"#;

const ENDED: &str = r#"[{"labels": {"alertname": "DiskFull", "team": "db"},
  "startsAt": "2026-07-31T18:00:00Z", "endsAt": "2026-07-31T19:00:00Z"}]"#;

/// A token of this configuration in a label, and an escape sequence.
const SECRETIVE: &str = r#"{"version": "4", "groupKey": "k", "alerts": [{"status": "firing",
  "labels": {"alertname": "Leak", "token": "am-token-1234", "paint": "\u001b[31mred"}}]}"#;

/// More than the 2 KiB that good.yaml allows.
const TOO_LARGE: &str =
    concat!(include_str!("cli/good.yaml"), include_str!("cli/good.yaml"), include_str!("cli/good.yaml"));

fn run(words: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
        .args(words)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Not every case reads it.
    let _unread = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn told(words: &[&str], output: &Output) -> String {
    format!(
        "$ alert-relay {}\nexit code {}\n── stdout ──\n{}── stderr ──\n{}",
        words.join(" "),
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    )
}

#[test]
fn every_case_answers_as_expected() {
    let update = std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1");
    let mut wrong = Vec::new();
    for (name, words, stdin) in CASES {
        let told = told(words, &run(words, stdin));
        let path = format!("{}/tests/cli/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if update {
            fs::write(&path, &told).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != told {
            wrong.push(format!("{name} answers:\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_expected_answer_is_left_without_its_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_answer = path.extension().is_some_and(|extension| extension == "txt");
        assert!(!is_answer || CASES.iter().any(|(case, ..)| *case == name), "{name}.txt has no case");
    }
}

#[test]
fn a_reader_that_goes_early_is_no_failure() {
    let words = explain("push", AT);
    let mut child = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
        .args(words)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Gone before there is a payload, so before anything is written.
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(PUSHED.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn no_answer_holds_a_secret_or_commands_a_terminal() {
    for (name, words, stdin) in CASES {
        let output = run(words, stdin);
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8_lossy(&stream);
            for secret in ["am-token-1234", "0123456789abcdef0123456789abcdef", "hook-secret", "\u{1b}"] {
                assert!(!text.contains(secret), "{name}: {text}");
            }
        }
    }
}
