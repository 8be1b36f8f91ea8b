//! `alert-relay test`: golden cases of the operator's own configuration, for their CI.
//!
//! A case is a folder with a payload and what is expected of it (`case.rs`). Each is walked through
//! the rulebook as `explain` does, written down in a form that does not change when lines of the
//! configuration move (`outline.rs`), and compared. Sends nothing.

mod case;
mod outline;

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use crate::cli::args::trial::TestArgs;
use crate::cli::check::sound;
use crate::cli::explain::payload::body;
use crate::cli::explain::walk::explanation;
use crate::cli::explain::wording::shown;
use crate::cli::test::case::{Case, EXPECTED, cases, remember};
use crate::cli::test::outline::outline;
use crate::cli::{Answer, Surroundings};
use crate::document::nearest;
use crate::rulebook::{Rulebook, SourceRule};
use crate::source::contract::Arrival;

/// Lines around a difference.
const AROUND: usize = 3;

/// What became of a case.
enum Verdict {
    /// As expected.
    Same,
    /// Written anew.
    Updated,
    /// Not as expected: what was, and what came out.
    Differs(String, String),
    /// There is nothing to compare with, or it cannot be tried: one sentence with the cure.
    Unfit(String),
}

/// Tries every case.
pub fn run(args: &TestArgs, surroundings: &Surroundings) -> Answer {
    let book = match sound(&args.look, surroundings) {
        Ok(book) => book,
        Err(answer) => return answer,
    };
    let folders = match cases(&args.folder) {
        Ok(folders) => folders,
        Err(sentence) => return Answer::refused_in(args.look.json, &sentence),
    };
    let tried: Vec<(String, Verdict)> = folders
        .iter()
        .map(|folder| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let verdict = attempt(&book, folder, args.update.then(|| whole_second(surroundings.now)))
                .unwrap_or_else(|why| Verdict::Unfit(shown(&book.redactor, &why)));
            (name, verdict)
        })
        .collect();
    let failed = tried.iter().any(|(_, verdict)| matches!(verdict, Verdict::Differs(..) | Verdict::Unfit(_)));
    let out = if args.look.json {
        as_json(&tried)
    } else {
        page(&tried, surroundings.colour_out && !args.look.no_color)
    };
    Answer { out, code: u8::from(failed), ..Answer::default() }
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// `update` is the time that is written into a case that says none.
fn attempt(book: &Rulebook, folder: &Path, update: Option<Timestamp>) -> Result<Verdict, String> {
    let case = Case::read(folder)?;
    let at = case.at.or(update).ok_or_else(|| {
        "it does not say what to take for now; write `at: 2026-01-05T12:00:00Z` into case.yaml, or run with \
         --update"
            .to_owned()
    })?;
    let now = outcome(book, &case, at)?;
    let file = folder.join(EXPECTED);
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("{EXPECTED} cannot be read: {error}")),
    };
    if update.is_some() && case.at.is_none() {
        remember(folder, at)?;
    }
    if before.as_deref() == Some(now.as_str()) {
        return Ok(Verdict::Same);
    }
    if update.is_some() {
        std::fs::write(&file, now).map_err(|error| format!("{EXPECTED} cannot be written: {error}"))?;
        return Ok(Verdict::Updated);
    }
    match before {
        Some(before) => Ok(Verdict::Differs(before, now)),
        None => Err(format!("there is no {EXPECTED}; write it with --update, and read it")),
    }
}

/// What comes of a payload, as it is compared. A payload that its source refuses is an outcome too.
fn outcome(book: &Rulebook, case: &Case, at: Timestamp) -> Result<String, String> {
    let (name, rule) = source(book, case)?;
    let body = body(&case.payload, book.body_limit)?;
    let arrival = Arrival { source: name, headers: &case.headers, body: &body, at };
    Ok(match rule.source.read(&arrival) {
        Ok(reading) => outline(&explanation(book, name, rule.kind, reading, at)),
        Err(why) => {
            let why = shown(&book.redactor, &why.to_string());
            format!("the source {name} ({}) cannot read it: {why}\n", rule.kind)
        }
    })
}

fn source<'a>(book: &'a Rulebook, case: &Case) -> Result<(&'a String, &'a SourceRule), String> {
    let names = || book.sources.keys().map(String::as_str);
    match &case.source {
        Some(wanted) => book.sources.get_key_value(wanted).ok_or_else(|| {
            format!(
                "there is no source named `{wanted}`; {}",
                nearest::cure(wanted, names().collect::<Vec<_>>())
            )
        }),
        None => match (book.sources.iter().next(), book.sources.len()) {
            (Some(only), 1) => Ok(only),
            _ => Err(format!(
                "it does not say which source it comes to; write `source: NAME` into case.yaml: {}",
                names().collect::<Vec<_>>().join(", ")
            )),
        },
    }
}

fn page(tried: &[(String, Verdict)], colour: bool) -> String {
    let ink =
        |code: u8, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let (mut page, mut counts) = (String::new(), [0; 3]);
    for (name, verdict) in tried {
        let line = match verdict {
            Verdict::Same => {
                counts[0] += 1;
                format!("{} {name}\n", ink(32, "ok     "))
            }
            Verdict::Updated => {
                counts[1] += 1;
                format!("{} {name}\n", ink(33, "updated"))
            }
            Verdict::Differs(before, now) => {
                counts[2] += 1;
                format!("{} {name}\n{}", ink(31, "differs"), difference(before, now, &ink))
            }
            Verdict::Unfit(why) => {
                counts[2] += 1;
                format!("{} {name}: {why}\n", ink(31, "unfit  "))
            }
        };
        page.push_str(&line);
    }
    let [good, updated, bad] = counts;
    let updated = if updated > 0 { format!(", {updated} updated") } else { String::new() };
    let word = if tried.len() == 1 { "case" } else { "cases" };
    page.push_str(&format!("\n{} {word}: {good} as expected{updated}, {bad} not\n", tried.len()));
    page
}

/// As `diff -u` shows it: `-` was expected, `+` came out.
fn difference(before: &str, now: &str, ink: &impl Fn(u8, &str) -> String) -> String {
    let diff = TextDiff::from_lines(before, now);
    let mut text = String::new();
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        text.push_str(&format!("  {}\n", ink(36, &hunk.header().to_string())));
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            text.push_str(&match change.tag() {
                ChangeTag::Delete => format!("  {}\n", ink(31, &format!("-{line}"))),
                ChangeTag::Insert => format!("  {}\n", ink(32, &format!("+{line}"))),
                ChangeTag::Equal => format!("   {line}\n"),
            });
        }
    }
    text
}

fn as_json(tried: &[(String, Verdict)]) -> String {
    let plain = |_: u8, text: &str| text.to_owned();
    let cases: Vec<Value> = tried
        .iter()
        .map(|(name, verdict)| match verdict {
            Verdict::Same => json!({ "case": name, "result": "ok" }),
            Verdict::Updated => json!({ "case": name, "result": "updated" }),
            Verdict::Differs(before, now) => json!({
                "case": name, "result": "differs", "difference": difference(before, now, &plain),
            }),
            Verdict::Unfit(why) => json!({ "case": name, "result": "unfit", "why": why }),
        })
        .collect();
    let count = |result: &str| cases.iter().filter(|case| case["result"] == result).count();
    let (differs, unfit) = (count("differs"), count("unfit"));
    let whole = json!({
        "good": differs + unfit == 0,
        "ok": count("ok"),
        "updated": count("updated"),
        "differs": differs,
        "unfit": unfit,
        "cases": cases,
    });
    format!("{whole:#}\n")
}
