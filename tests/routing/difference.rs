//! Golden cases of what two configurations make of the same events: `tests/routing/differences/`. A case
//! has the configuration as it is, the one to come, the events (a line of JSON each: `at`, `source`,
//! `body`), and what differs.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use alert_relay::assemble::assemble;
use alert_relay::config::secrets::World;
use alert_relay::plan::difference::{Change, Summary, compare};
use alert_relay::plan::side::{Side, example};
use alert_relay::route::inhibit::Active;
use alert_relay::store::orders::Recording;
use serde_json::Value;

/// A machine with one table.
struct Paper;

impl World for Paper {
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

fn side(text: &str) -> Side {
    let assembled = assemble(text, &Paper);
    let (book, _) = assembled.ready.unwrap_or_else(|| panic!("{:#?} in\n{text}", assembled.problems));
    Side::new(Arc::new(book), Active::default())
}

fn event(line: &str) -> Recording {
    let json: Value = serde_json::from_str(line).unwrap();
    Recording {
        id: 0,
        uid: uuid::Uuid::nil(),
        source: json["source"].as_str().unwrap().to_owned(),
        received_at: json["at"].as_str().unwrap().parse().unwrap(),
        body: json["body"].to_string().into_bytes(),
    }
}

fn told(old: &str, new: &str, events: &str) -> String {
    let (mut old, mut new, mut summary) = (side(old), side(new), Summary::default());
    let mut told = String::new();
    for line in events.lines().filter(|line| !line.trim().is_empty()) {
        let event = event(line);
        let changes = compare(&old.look(&event), &new.look(&event));
        writeln!(told, "{}: {} changes", event.received_at, changes.len()).unwrap();
        for Change { alert, aspect, name, turn, note } in &changes {
            let words = [alert, aspect.as_str(), name, turn.as_str(), note];
            writeln!(told, "    {}", words.join(" | ").trim_end_matches([' ', '|'])).unwrap();
        }
        summary.take(&example(&event), &changes);
    }
    writeln!(told, "{} of {} events differ", summary.different, summary.events).unwrap();
    told
}

#[test]
fn what_another_configuration_would_change_is_told_and_nothing_else() {
    let update = std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1");
    let mut cases: Vec<_> =
        fs::read_dir(super::folder("differences")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 6, "only {} cases", cases.len());
    for case in cases {
        let text = fs::read_to_string(&case).unwrap();
        let parts: Vec<&str> = text.split("---\n").collect();
        let [old, new, events, expected] = parts.as_slice() else { panic!("{}: four parts", case.display()) };
        let told = told(old, new, events);
        if update {
            fs::write(&case, [old, new, events, &*told].join("---\n")).unwrap();
        } else {
            assert_eq!(&told, expected, "{}", case.display());
        }
        let none = self::told(old, old, events);
        assert!(none.contains("\n0 of "), "{}: it differs from itself:\n{none}", case.display());
    }
}

#[test]
fn a_summary_counts_all_and_keeps_a_bounded_number_of_examples_and_lines() {
    let at = example(&event(r#"{"at":"2026-03-02T03:04:05Z","source":"am","body":{}}"#));
    let mut summary = Summary::default();
    for number in 0..2000 {
        let change = |name: String| Change {
            alert: format!("A{number}"),
            aspect: alert_relay::plan::difference::Aspect::Target,
            name,
            turn: alert_relay::plan::difference::Turn::Lost,
            note: String::new(),
        };
        summary.take(&at, &[change("chat".to_owned()), change(format!("t{number}"))]);
    }
    let chat = summary.lines.iter().find(|((_, name, _), _)| name == "chat").unwrap().1;
    assert_eq!((chat.alerts, chat.examples.len(), &*chat.examples[2].alert), (2000, 3, "A2"));
    assert_eq!((summary.different, summary.lines.len() as u64 + summary.beyond), (2000, 2001));
    assert!(summary.lines.len() <= 500);
}
