//! What templates can do: `tests/templates/helpers.yaml` is a table of templates and what they
//! give, rendered over the sample messages. Beside it, what a library does with broken ones.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use alert_relay::document::node::At;
use alert_relay::domain::problem::Place;
use alert_relay::template::escape::Escape;
use alert_relay::template::library::{Builtin, Language, Library};
use alert_relay::template::view::NAMES;
use samples::{Sample, sample, text};
use serde_json::Value;

#[allow(dead_code, reason = "shared with the drivers of targets")]
mod samples;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(rename = "in")]
    template: String,
    #[serde(default = "usual")]
    of: String,
    #[serde(default)]
    escape: String,
    out: Option<String>,
    fails: Option<String>,
    refused: Option<String>,
}

fn usual() -> String {
    "firing".into()
}

fn at(text: &str) -> At<String> {
    At { value: text.into(), place: Place { line: 7, column: 3, length: 0 } }
}

fn message(name: &str) -> Sample {
    sample(&Path::new("tests/samples/messages").join(format!("{name}.json")))
}

#[test]
fn the_table_of_helpers() {
    let rows: Vec<Row> =
        serde_yaml::from_str(&text(Path::new("tests/templates/helpers.yaml"))).expect("a table");
    let library = Library::default();
    let mut wrong = Vec::new();
    for row in &rows {
        let escape = match row.escape.as_str() {
            "" => Escape::None,
            "json" => Escape::Json,
            "mrkdwn" => Escape::Mrkdwn,
            "xml" => Escape::Xml,
            "jql" => Escape::Jql,
            "url" => Escape::Url,
            other => panic!("{other}"),
        };
        let got = match library.template("field", &at(&row.template), escape) {
            Err(problem) => format!("refused: {}; {}", problem.what, problem.cure),
            Ok(template) => match template.render(&message(&row.of).view()) {
                Ok(text) => format!("out: {text}"),
                Err(fault) => format!("fails: {}", fault.what),
            },
        };
        let expected = match (&row.out, &row.fails, &row.refused) {
            (Some(text), None, None) => format!("out: {text}"),
            (None, Some(text), None) => format!("fails: {text}"),
            (None, None, Some(text)) => format!("refused: {text}"),
            _ => panic!("{}: one of out, fails, refused", row.template),
        };
        if got != expected {
            wrong.push(format!("{}\n  expected {expected}\n  got      {got}", row.template));
        }
    }
    assert!(rows.len() > 50 && wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

static GREETING: Builtin =
    Builtin { kind: "x", field: "greeting", en: "built in: {{title}}\n", zh: "内置：{{title}}\n" };
static HOPELESS: Builtin =
    Builtin { kind: "x", field: "hopeless", en: "{{event.nothing}}", zh: "{{event.nothing}}" };

#[test]
fn the_operators_line_comes_before_his_file_and_that_before_ours() {
    let file = ("x".to_owned(), "greeting".to_owned());
    let with_file = Library::new(Language::En, BTreeMap::from([(file, "file: {{title}}\n".to_owned())]));
    let message = message("firing");
    let say = |library: &Library, inline: Option<&At<String>>| {
        let wording = library.wording(&GREETING, inline, Escape::None).expect("good wording");
        wording.say(&message.view()).text.into_owned()
    };
    assert_eq!(say(&with_file, Some(&at("line: {{title}}"))), "line: Disk of db-1 is 97 % full");
    assert_eq!(say(&with_file, None), "file: Disk of db-1 is 97 % full");
    assert_eq!(say(&Library::default(), None), "built in: Disk of db-1 is 97 % full");
    let chinese = Library::new(Language::Zh, BTreeMap::new());
    assert_eq!(say(&chinese, None), "内置：Disk of db-1 is 97 % full");
}

#[test]
fn a_template_that_fails_is_replaced_and_reported() {
    let library = Library::default();
    let message = message("firing");
    let view = message.view();
    let inline = at("a line\n{{commonAnnotations.no_such}}");
    let wording = library.wording(&GREETING, Some(&inline), Escape::None).expect("it parses");
    let said = wording.say(&view);
    assert_eq!(said.text, "built in: Disk of db-1 is 97 % full");
    let fault = said.fault.expect("a fault");
    assert_eq!(fault.field, "greeting");
    assert_eq!(fault.what, "line 2 column 1: there is no `commonAnnotations.no_such` in this message");
}

#[test]
fn even_broken_wording_of_ours_says_something_and_stays_escaped() {
    let library = Library::default();
    let message = message("firing");
    let view = message.view();
    let wording = library.wording(&HOPELESS, None, Escape::Xml).expect("it parses");
    let said = wording.say(&view);
    assert_eq!(said.text, "[firing:1] Disk of db-1 is 97 % full");
    assert!(said.fault.is_some());
}

#[test]
fn a_text_that_grows_without_end_is_stopped() {
    let library = Library::default();
    let (open, close) = ("{{#each @root.alerts}}".repeat(11), "{{/each}}".repeat(11));
    let endless = at(&format!("{open}{}{close}", "x".repeat(50)));
    let message = message("mixed");
    let view = message.view();
    let wording = library.wording(&GREETING, Some(&endless), Escape::None).expect("it parses");
    let said = wording.say(&view);
    assert!(said.fault.expect("a fault").what.contains("grows beyond 1 MiB"));
    assert_eq!(said.text, "built in: cart-2 answers in 9.8 s (+1)");
}

#[test]
fn a_text_that_does_not_parse_is_a_problem_with_a_place() {
    let problem = Library::default()
        .template("dedup_key", &at("{{#if title}}x"), Escape::None)
        .expect_err("open block");
    assert_eq!((problem.place.line, problem.place.column), (7, 3));
    assert!(problem.what.starts_with("template line 1 column "), "{problem}");
    assert!(!problem.cure.is_empty());
}

#[test]
fn every_message_has_every_name() {
    for name in ["firing", "mixed", "resolved", "bare", "guance"] {
        let Value::Object(data) = message(name).view().data().clone() else { panic!("no map") };
        assert!(data.keys().eq(NAMES), "{name}: {:?}", data.keys());
    }
}
