//! Golden cases of routing: matchers as Alertmanager reads them, trees with what they do to alerts, and
//! time intervals with the times inside and outside of them; and (`routing/difference.rs`) what another
//! configuration changes.
//!
//! A case file has its input above a line `---`, and questions with their answers below it, parted by
//! more such lines: the first line of each is the question. `UPDATE_GOLDEN=1` rewrites the answers.
#![expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN comes from the environment")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "routing/difference.rs"]
mod difference;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use alert_relay::domain::alert::Labels;
use alert_relay::domain::problem::Place;
use alert_relay::route::interval::{IntervalSpec, TimeInterval};
use alert_relay::route::matcher::{Matcher, parse_matchers};
use alert_relay::route::tree::{RouteSpec, Tree};
use alert_relay::route::written::{MatcherError, Raw};
use alert_relay::route::{matcher_classic, matcher_utf8};
use serde::Deserialize;

#[test]
fn both_grammars_read_what_alertmanager_reads_and_the_right_one_wins() {
    let mut rows = 0;
    for line in fs::read_to_string(folder("matchers.tsv")).unwrap().lines() {
        let cells: Vec<String> = line.split('\t').map(plain).collect();
        let [text, utf8, classic, verdict] = cells.as_slice() else { continue };
        rows += 1;
        assert_eq!(&read(matcher_utf8::parse(text)), utf8, "UTF-8 grammar, {text:?}");
        assert_eq!(&read(matcher_classic::parse(text)), classic, "classic grammar, {text:?}");
        let (winner, warned) = match verdict.as_str() {
            "same" | "utf8" => (utf8, false),
            "classic" => (classic, true),
            _ => (utf8, false),
        };
        let (said, warning) = match parse_matchers(text) {
            Ok(parsed) => (printed(&parsed.matchers), parsed.warning),
            Err(error) => (refused(&error), None),
        };
        assert_eq!(&said, winner, "{text:?}");
        assert_eq!(warning.is_some(), warned, "{text:?}: {warning:?}");
    }
    assert!(rows >= 120, "only {rows} rows were read");
}

/// A cell of the table, with the signs for invisible characters turned into these.
fn plain(cell: &str) -> String {
    if cell == "(empty)" {
        return String::new();
    }
    cell.replace('⇥', "\t").replace('⏎', "\n").replace('⍽', "\u{a0}").replace('␣', " ")
}

fn read(raw: Result<Vec<Raw>, MatcherError>) -> String {
    let compiled = raw.and_then(|raw| {
        let compile = |raw: &Raw| {
            Matcher::new(&raw.name, raw.op, &raw.value).map_err(|what| MatcherError {
                column: raw.at,
                what,
                cure: "any".into(),
            })
        };
        raw.iter().map(compile).collect::<Result<Vec<_>, _>>()
    });
    compiled.map_or_else(|error| refused(&error), |matchers| printed(&matchers))
}

fn refused(error: &MatcherError) -> String {
    assert!(!error.what.is_empty() && !error.cure.is_empty(), "{error:?}");
    format!("!{}", error.column)
}

fn printed(matchers: &[Matcher]) -> String {
    let list: Vec<_> = matchers.iter().map(ToString::to_string).collect();
    if list.is_empty() { "(none)".into() } else { list.join(",") }
}

#[test]
fn alerts_end_where_the_trees_send_them() {
    golden("trees", |input| {
        let spec = serde_yaml::from_str::<RouteText>(input).unwrap().spec("route".into());
        let tree = Tree::new(spec);
        Box::new(move |question| match &tree {
            Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
            Ok(tree) if question == "unreachable" => unreachable(tree),
            Ok(tree) => explained(tree, &serde_yaml::from_str(question).unwrap()),
        })
    });
}

fn unreachable(tree: &Tree) -> String {
    let line = |(id, why)| format!("{}: {why}\n", tree.route(id).path);
    tree.unreachable().into_iter().map(line).collect()
}

fn explained(tree: &Tree, labels: &Labels) -> String {
    let mut out = String::new();
    for id in tree.find(labels) {
        let _ = writeln!(out, "=> {} by {}", tree.route(id).receiver, tree.key(id));
    }
    let steps = tree.explain(labels);
    let results: Vec<_> = steps.iter().filter(|step| step.result).map(|step| step.route).collect();
    assert_eq!(results, tree.find(labels), "explain and find agree");
    for step in steps {
        let mark = if step.result { "=>" } else { "  " };
        let path = &tree.route(step.route).path;
        let _ = writeln!(out, "{mark} {:1$}{path}: {2}", "", step.depth * 2, step.why);
    }
    out
}

#[test]
fn times_are_inside_or_outside_of_intervals() {
    golden("intervals", |input| {
        let specs: Vec<IntervalText> = serde_yaml::from_str(input).unwrap();
        let parsed: Vec<_> = specs.into_iter().map(|spec| TimeInterval::parse(&spec.spec())).collect();
        Box::new(move |question| {
            let mut out = String::new();
            for interval in &parsed {
                let _ = match interval {
                    Ok(interval) if interval.contains(question.parse().unwrap()) => writeln!(out, "inside"),
                    Ok(_) => writeln!(out, "outside"),
                    Err(faults) => {
                        faults.iter().try_for_each(|(field, what)| writeln!(out, "{field}: {what}"))
                    }
                };
            }
            out
        })
    });
}

/// Answers a question about the input it was made from.
type Oracle = Box<dyn Fn(&str) -> String>;

/// Runs every case of a folder: an oracle is made from the input and asked the questions.
fn golden(name: &str, oracle: fn(&str) -> Oracle) {
    let mut cases: Vec<_> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case in {name}");
    let mut wrong = Vec::new();
    for path in cases {
        let before = fs::read_to_string(&path).unwrap();
        let (input, questions) = before.split_once("\n---\n").expect("a line --- after the input");
        let oracle = oracle(input);
        let mut after = format!("{input}\n");
        for block in questions.split("\n---\n") {
            let question = block.lines().next().unwrap_or_default();
            let _ = write!(after, "---\n{question}\n{}", oracle(question));
        }
        if after != before {
            wrong.push(format!("{}\n{}", path.display(), difference(&before, &after)));
            if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
                fs::write(&path, after).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "answers differ from the files:\n{}", wrong.join("\n"));
}

fn difference(before: &str, after: &str) -> String {
    let endless = |text| str::lines(text).chain(std::iter::repeat("(nothing)"));
    let longest = before.lines().count().max(after.lines().count());
    let pairs = endless(before).zip(endless(after)).take(longest);
    let lines = pairs.filter(|(old, new)| old != new).take(6);
    lines.map(|(old, new)| format!("  file: {old}\n  now:  {new}\n")).collect()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/routing").join(name)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteText {
    receiver: Option<String>,
    #[serde(default)]
    matchers: Vec<String>,
    #[serde(default, rename = "continue")]
    continue_: bool,
    #[serde(default)]
    active_time_intervals: Vec<String>,
    #[serde(default)]
    routes: Vec<RouteText>,
}

impl RouteText {
    fn spec(self, path: String) -> RouteSpec {
        let matchers = self.matchers.iter().flat_map(|text| parse_matchers(text).unwrap().matchers);
        let children = self.routes.into_iter().enumerate();
        RouteSpec {
            receiver: self.receiver,
            matchers: matchers.collect(),
            continue_: self.continue_,
            active_intervals: self.active_time_intervals,
            mute_intervals: Vec::new(),
            routes: children.map(|(i, child)| child.spec(format!("{path}.routes[{i}]"))).collect(),
            place: Place::default(),
            path,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct IntervalText {
    times: Vec<TimesText>,
    weekdays: Vec<String>,
    days_of_month: Vec<String>,
    months: Vec<String>,
    years: Vec<String>,
    location: Option<String>,
}

#[derive(Deserialize)]
struct TimesText {
    start_time: String,
    end_time: String,
}

impl IntervalText {
    fn spec(self) -> IntervalSpec {
        IntervalSpec {
            times: self.times.into_iter().map(|times| (times.start_time, times.end_time)).collect(),
            weekdays: self.weekdays,
            days_of_month: self.days_of_month,
            months: self.months,
            years: self.years,
            location: self.location,
        }
    }
}
