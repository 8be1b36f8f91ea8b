//! relay.example.yaml is the reference manual: it must run with nothing configured, name every key
//! there is, and still be right where it is commented out. What `explain` says of it is kept in
//! `tests/explain/`; `UPDATE_GOLDEN=1` writes that anew: then read it.
#![expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN is asked of the environment")]

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use alert_relay::assemble::{Assembled, assemble};
use alert_relay::config::secrets::{Lenient, World};
use alert_relay::domain::problem::Severity;
use regex::Regex;

const EXAMPLE: &str = include_str!("../relay.example.yaml");

/// A machine on which nothing is set, and the one table that the example names.
struct Bare;

impl World for Bare {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn beside(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("services.csv") => Ok("service,team\ncheckout,shop\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn told(assembled: &Assembled) -> Vec<String> {
    assembled.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_loads_with_nothing_configured() {
    let assembled = assemble(EXAMPLE, &Bare);
    assert_eq!(told(&assembled), Vec::<String>::new());
    let (book, base) = assembled.ready.unwrap();
    assert_eq!((base.listen.to_string(), base.store.to_str()), ("127.0.0.1:9095".to_owned(), Some("./data")));
    for (name, target) in &book.targets {
        assert!(target.dry_run || target.kind == "console", "{name} would call somebody");
    }
}

#[test]
fn a_machine_that_knows_no_secret_finds_nothing_wrong_with_it() {
    let default = Regex::new(r":-[^}]*\}").unwrap();
    let without_defaults = default.replace_all(EXAMPLE, "}");
    assert!(default.find_iter(EXAMPLE).count() > 20 && !without_defaults.contains(":-"));
    for text in [EXAMPLE, without_defaults.as_ref()] {
        assert_eq!(told(&assemble(text, &Lenient(&Bare))), Vec::<String>::new(), "{text}");
    }
    // What is commented out is of as many kinds; only what this version does not act on is told.
    let setting = Regex::new(r"(?m)^( *)#([a-z-])").unwrap();
    let assembled = assemble(&setting.replace_all(&without_defaults, "$1$2"), &Lenient(&Bare));
    let told = told(&assembled).into_iter().filter(|line| !line.contains("does not act on it"));
    assert_eq!(told.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn the_defaults_that_the_example_shows_are_the_defaults() {
    let without_server = Regex::new(r"(?s)\nserver:.*?\nstore:").unwrap().replace(EXAMPLE, "\nstore:");
    let without_retention = Regex::new(r"(?s)\nretention:.*").unwrap().replace(&without_server, "\n");
    assert!(!without_retention.contains("body_limit") && !without_retention.contains("disk_limit"));
    let (shown, shown_base) = assemble(EXAMPLE, &Bare).ready.unwrap();
    let (bare, bare_base) = assemble(&without_retention, &Bare).ready.unwrap();
    assert_eq!(shown_base, bare_base);
    assert_eq!((shown.body_limit, shown.dedup_window), (bare.body_limit, bare.dedup_window));
    assert_eq!(shown.keep_events, bare.keep_events);
}

#[test]
fn what_is_commented_out_is_right_as_well() {
    let setting = Regex::new(r"(?m)^( *)#([a-z-])").unwrap();
    let uncommented = setting.replace_all(EXAMPLE, "$1$2");
    assert!(uncommented.matches("\n").count() > 150 && setting.find_iter(EXAMPLE).count() > 30);
    let assembled = assemble(&uncommented, &Bare);
    let errors: Vec<String> = assembled
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error || !problem.what.contains("does not act on it"))
        .map(ToString::to_string)
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

/// One file with an unknown key in every shape there is: the problems list the known keys.
const ASKING: &str = r#"
zzz: 1
server: { zzz: 1, tls: { cert: c, key: k, zzz: 1 }, admin: { tokens: [{ token: t, zzz: 1 }], zzz: 1 } }
outbound: { zzz: 1 }
store: { zzz: 1 }
templates: { zzz: 1 }
retention: { zzz: 1 }
sources:
  - { name: a, kind: json, zzz: 1, auth: { zzz: 1, basic: { username: u, password: p, zzz: 1 }, hmac: { header: h, secret: s, zzz: 1 }, sns: { zzz: 1 } }, json: { zzz: 1 } }
enrich:
  - { zzz: 1 }
  - { lookup: { file: f, key: k, zzz: 1 } }
  - { severity: { from: f, map: {}, zzz: 1 } }
route: { zzz: 1 }
receivers: [{ name: r, targets: [], zzz: 1, escalate: [{ after: 1m, targets: [], zzz: 1 }] }]
incidents: { zzz: 1, levels: [{ level: P0, matchers: [], zzz: 1 }], merge: [{ equal: [a], zzz: 1 }], quiet: [{ levels: [], time_intervals: [], zzz: 1 }] }
gate: { zzz: 1, freeze: [{ name: f, time_intervals: [], zzz: 1 }] }
people: [{ name: p, targets: [], zzz: 1 }]
rotas: [{ name: r, zzz: 1, layers: [{ people: [p], starts: "2026-01-05T09:00", zzz: 1 }], overrides: [{ person: p, from: a, until: b, zzz: 1 }] }]
targets:
  - { name: t, zzz: 1, console: {}, rate: { limit: 1/s, zzz: 1 }, retry: { zzz: 1 }, breaker: { zzz: 1 }, fallback: { targets: [], zzz: 1 } }
  - { name: u, console: { zzz: 1 } }
  - { name: v, pagerduty: { zzz: 1, links: [{ href: h, zzz: 1 }], images: [{ src: s, zzz: 1 }] } }
  - { name: w, webhook: { zzz: 1, basic: { username: u, password: p, zzz: 1 }, sign: { zzz: 1 } } }
time_intervals: [{ name: i, zzz: 1, times: [{ start_time: "1:00", end_time: "2:00", zzz: 1 }], time_intervals: [{ zzz: 1 }] }]
inhibit_rules: [{ zzz: 1 }]
heartbeats: [{ name: h, matchers: [], every: 1m, receiver: r, zzz: 1 }]
tracing: { zzz: 1, otlp: { endpoint: e, zzz: 1 } }
"#;

#[test]
fn every_key_there_is_stands_in_the_example() {
    let mut missing = Vec::new();
    let mut shapes = 0;
    for problem in assemble(ASKING, &Bare).problems {
        let is_list =
            problem.what.contains("is not a key known") || problem.what.contains("is a word not known");
        if !is_list {
            continue;
        }
        shapes += 1;
        for key in problem.cure.split('`').skip(1).step_by(2) {
            let written = Regex::new(&format!(r"(^|[\s{{#,-]){key}:")).unwrap();
            if !written.is_match(EXAMPLE) {
                missing.push(format!("{} has the key `{key}`", problem.path));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert_eq!(shapes, ASKING.matches("zzz").count(), "a shape was not asked for its keys");
}

/// Name, words after `explain --config relay.example.yaml`.
const EXPLAINED: &[(&str, &[&str])] = &[
    ("guance-critical", &["--source", "guance", "tests/fixtures/guance-critical.json"]),
    ("guance-recovered", &["--source", "guance", "tests/sources/guance/seed-recovery/body.json"]),
    ("alertmanager-firing", &["--source", "alertmanager", "tests/fixtures/alertmanager-firing.json"]),
    (
        "alertmanager-firing.json",
        &["--source", "alertmanager", "--json", "tests/fixtures/alertmanager-firing.json"],
    ),
    ("every-kind", &["--source", "alertmanager", "tests/fixtures/alertmanager-demo.json"]),
    ("any-json", &["--source", "cloud", "tests/sources/json/gcp-open/body.json"]),
];

#[test]
fn payloads_are_explained_by_the_example() {
    let root = env!("CARGO_MANIFEST_DIR");
    let update = std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1");
    let mut wrong = Vec::new();
    for (name, words) in EXPLAINED {
        let output = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
            .args(["explain", "--config", "relay.example.yaml", "--at", "2026-07-31T19:00:00Z"])
            .args(*words)
            .current_dir(root)
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8(output.stdout).unwrap();
        let path = format!("{root}/tests/explain/{name}.txt");
        if update {
            fs::write(&path, &told).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != told {
            wrong.push(format!("{name} is explained as:\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
