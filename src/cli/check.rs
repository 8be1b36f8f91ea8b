//! `alert-relay check`: every problem of a configuration at once, or one line that says it is good.

use serde_json::{Value, json};

use crate::cli::args::CheckArgs;
use crate::cli::args::look::LookArgs;
use crate::cli::{Answer, Found, Surroundings, find};
use crate::config::show::show;
use crate::domain::problem::{Problem, Severity};
use crate::rulebook::Rulebook;

/// Checks.
pub fn run(args: &CheckArgs, surroundings: &Surroundings) -> Answer {
    let found = match find(&args.look) {
        Ok(found) => found,
        Err(sentence) => return not_found(&args.look, &sentence),
    };
    let problems = &found.assembled.problems;
    let has_error = problems.iter().any(|problem| problem.severity == Severity::Error);
    let out = if args.look.json {
        as_json(&found.name, problems, counts(&found))
    } else {
        let colour = surroundings.colour_out && !args.look.no_color;
        let shown = if problems.is_empty() {
            String::new()
        } else {
            show(problems, &found.name, &found.text, colour)
        };
        shown + &summary(&found)
    };
    Answer { out, code: u8::from(has_error), ..Answer::default() }
}

/// The rules of a configuration for a command that needs sound ones; or else its answer: on standard
/// error what is wrong, and for programs what `check --json` says.
pub(super) fn sound(look: &LookArgs, surroundings: &Surroundings) -> Result<Rulebook, Answer> {
    let found = find(look).map_err(|sentence| not_found(look, &sentence))?;
    let Found { name, text, assembled } = found;
    let problems = assembled.problems;
    assembled.ready.map(|(book, _)| book).ok_or_else(|| {
        if look.json {
            return Answer { out: as_json(&name, &problems, None), code: 1, ..Answer::default() };
        }
        let err = show(&problems, &name, &text, surroundings.colour_err && !look.no_color);
        Answer { err, code: 1, ..Answer::default() }
    })
}

/// There is no file to be looked at.
fn not_found(look: &LookArgs, sentence: &str) -> Answer {
    if !look.json {
        return Answer::refused(sentence);
    }
    let (what, cure) = sentence.split_once("; ").unwrap_or((sentence, ""));
    let problem = Problem::error("", Default::default(), what, cure);
    let name = look.config.config.display().to_string();
    Answer { out: as_json(&name, &[problem], None), code: 1, ..Answer::default() }
}

/// What a sound configuration holds.
struct Counts {
    sources: usize,
    routes: usize,
    targets: usize,
}

fn counts(found: &Found) -> Option<Counts> {
    let (book, _) = found.assembled.ready.as_ref()?;
    Some(Counts {
        sources: book.sources.len(),
        routes: book.tree.routes().count(),
        targets: book.targets.len(),
    })
}

fn summary(found: &Found) -> String {
    let Some(Counts { sources, routes, targets }) = counts(found) else { return String::new() };
    let counted = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let verdict = if found.assembled.problems.is_empty() { "is good" } else { "can be used" };
    format!(
        "{} {verdict}: {}, {}, {}\n",
        found.name,
        counted(sources, "source"),
        counted(routes, "route"),
        counted(targets, "target")
    )
}

fn as_json(name: &str, problems: &[Problem], counts: Option<Counts>) -> String {
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let listed: Vec<Value> = problems.iter().map(problem_as_json).collect();
    let holds = counts.map(
        |counts| json!({ "sources": counts.sources, "routes": counts.routes, "targets": counts.targets }),
    );
    let whole = json!({
        "file": name,
        "good": count(Severity::Error) == 0,
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "holds": holds,
        "problems": listed,
    });
    format!("{whole:#}\n")
}

fn problem_as_json(problem: &Problem) -> Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "severity": severity,
        "path": problem.path,
        "line": problem.place.line,
        "column": problem.place.column,
        "what": problem.what,
        "cure": problem.cure,
    })
}
