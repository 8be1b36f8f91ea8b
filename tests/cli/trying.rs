//! `alert-relay test`: the life of a case, from nothing to agreed to broken.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const CONFIG: &str = r#"
sources: [{ name: am, kind: prometheus, auth: none }, { name: other, kind: alertmanager, auth: none }]
route: { receiver: chat, routes: [{ matchers: ['team = "db"'], receiver: pager }] }
receivers: [{ name: chat, targets: [screen] }, { name: pager, targets: [hook] }]
targets:
  - { name: screen, console: { text: "{{status}} {{title}}" } }
  - { name: hook, webhook: { url: "${HOOK_URL:-https://example.com/in/hook-secret}", body: '{"title": {{json title}}}' } }
"#;

const PAYLOAD: &str = r#"[{"labels": {"alertname": "DiskFull", "team": "db"}, "annotations": {"summary": "full"},
  "startsAt": "2026-07-31T18:00:00Z"}]"#;

fn put(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn test(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
        .args(["test", "--config", "relay.yaml", "cases"])
        .args(words)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    let both = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(both).unwrap())
}

#[test]
fn a_case_is_written_agreed_to_broken_by_a_change_and_agreed_to_again() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    put(here, "relay.yaml", CONFIG);
    put(here, "cases/disk/payload.json", PAYLOAD);
    put(here, "cases/disk/case.yaml", "source: am\nat: 2026-07-31T19:00:00Z\n");
    let (code, told) = test(here, &[]);
    assert_eq!(code, Some(1));
    assert!(told.contains("disk: there is no expected.txt; write it with --update"), "{told}");
    let (code, told) = test(here, &["--update"]);
    assert_eq!((code, told.contains("1 updated")), (Some(0), true), "{told}");
    let expected = fs::read_to_string(here.join("cases/disk/expected.txt")).unwrap();
    assert!(expected.contains("> pager: hook") && expected.contains("POST ***"), "{expected}");
    assert!(!expected.contains("hook-secret"), "{expected}");
    assert_eq!(test(here, &[]).0, Some(0));
    // Lines that move and routes that are added elsewhere change nothing.
    let moved = CONFIG.replace("routes: [", "routes: [{ matchers: ['team = \"web\"'], receiver: chat }, ");
    put(here, "relay.yaml", &format!("# a comment\n\n{moved}"));
    assert_eq!(test(here, &[]).0, Some(0));
    // A change of what is sent does.
    put(here, "relay.yaml", &CONFIG.replace("{\"title\"", "{\"subject\""));
    let (code, told) = test(here, &[]);
    assert_eq!(code, Some(1));
    assert!(
        told.contains("-    \"title\": \"full\"") && told.contains("+    \"subject\": \"full\""),
        "{told}"
    );
    assert!(told.contains("1 case: 0 as expected, 1 not") && !told.contains('\u{1b}'), "{told}");
    let (code, json) = test(here, &["--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &json["good"], &json["cases"][0]["result"]),
        (Some(1), &json!(false), &json!("differs"))
    );
    assert_eq!(test(here, &["--update"]).0, Some(0));
    assert_eq!(test(here, &["--no-secrets"]).0, Some(0));
}

#[test]
fn an_update_remembers_the_time_that_it_took_for_now() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    put(here, "relay.yaml", CONFIG);
    put(here, "cases/a/payload.json", PAYLOAD);
    put(here, "cases/a/case.yaml", "source: am");
    assert_eq!(test(here, &["--update"]).0, Some(0));
    let about = fs::read_to_string(here.join("cases/a/case.yaml")).unwrap();
    assert!(about.starts_with("source: am\nat: 20") && about.ends_with("Z\n"), "{about}");
    assert_eq!(test(here, &[]).0, Some(0));
}

#[test]
fn what_a_source_refuses_is_an_outcome_like_another() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    put(here, "relay.yaml", CONFIG);
    put(here, "cases/a/payload.txt", "not JSON");
    put(here, "cases/a/case.yaml", "{ source: am, at: 2026-07-31T19:00:00Z }");
    assert_eq!(test(here, &["--update"]).0, Some(0));
    let expected = fs::read_to_string(here.join("cases/a/expected.txt")).unwrap();
    assert!(expected.contains("the source am (prometheus) cannot read it: "), "{expected}");
    assert_eq!(test(here, &[]).0, Some(0));
}

#[test]
fn what_keeps_a_case_from_being_tried_is_said_with_the_cure() {
    let at = "at: 2026-07-31T19:00:00Z";
    for (files, said) in [
        (vec![], "cases does not exist; name the folder"),
        (vec![("cases/readme.md", "")], "cases holds no case; make a folder for each"),
        (vec![("cases/payload.json", PAYLOAD)], "cases is itself a case; name the folder around it"),
        (vec![("cases/a/case.yaml", "source: am")], "a: it has no payload; put the body"),
        (vec![("cases/a/payload.json", PAYLOAD), ("cases/a/payload.txt", "")], "a: it has several payloads"),
        (
            vec![("cases/a/payload.json", PAYLOAD), ("cases/a/case.yaml", at)],
            "does not say which source it comes to",
        ),
        (
            vec![("cases/a/payload.json", PAYLOAD), ("cases/a/case.yaml", "source: am")],
            "what to take for now",
        ),
        (
            vec![
                ("cases/a/payload.json", PAYLOAD),
                ("cases/a/case.yaml", "{ source: ma, at: 2026-07-31T19:00:00Z }"),
            ],
            "no source named `ma`; ",
        ),
        (
            vec![("cases/a/payload.json", PAYLOAD), ("cases/a/case.yaml", "sorce: am")],
            "did you mean `source`",
        ),
        (vec![("cases/a/payload.json", PAYLOAD), ("cases/a/case.yaml", "at: noon")], "`at` is no time"),
        (vec![("cases/a/payload.json", PAYLOAD), ("cases/a/case.yaml", "a: [")], "case.yaml:"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "relay.yaml", CONFIG);
        for (file, text) in &files {
            put(folder.path(), file, text);
        }
        let (code, told) = test(folder.path(), &[]);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(said), "{said}\n{told}");
    }
}
