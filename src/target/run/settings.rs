//! Settings that all job platforms share, read and checked.

use crate::document::node::At;
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::run::callback::Proof;
use crate::target::run::platform::{Habits, OnResolve};

/// Characters of the sentence that says why a run was started.
pub const REASON_CHARS: usize = 500;

/// `on_resolve`, `marker`, and what proves callbacks.
pub fn habits(
    bench: &mut Bench<'_>,
    on_resolve: Option<&At<String>>,
    marker: Option<&At<String>>,
    tokens: &[At<Secret>],
    keys: &[At<Secret>],
) -> Habits {
    let on_resolve = match on_resolve.map(|at| (at.value.as_str(), at)) {
        None | Some(("none", _)) => OnResolve::LeaveAlone,
        Some(("cancel", _)) => OnResolve::Cancel,
        Some((other, at)) => {
            let what = format!("there is nothing called {other:?} to be done when it is over");
            let cure = "write `none` to leave the run alone, or `cancel`";
            bench.wrong("on_resolve", at, &what, cure);
            OnResolve::LeaveAlone
        }
    };
    let marker = marker.map(|at| name(bench, "marker", at));
    let tokens = secrets(bench, "callback_tokens", tokens);
    let keys = secrets(bench, "callback_secrets", keys);
    Habits { on_resolve, marker, proof: Proof { tokens, keys } }
}

/// The name of a parameter.
pub fn name(bench: &mut Bench<'_>, field: &str, at: &At<String>) -> String {
    let text = at.value.trim();
    if text.is_empty() || text.contains("{{") || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        bench.wrong(field, at, "this is no name of a parameter", "write one as the platform knows it");
    }
    text.to_owned()
}

/// A text that says what is run: alert text has no say in it.
pub fn fixed(bench: &mut Bench<'_>, field: &str, at: Option<&At<String>>, cure: &str) -> String {
    let text = bench.needed(field, at, cure);
    if let Some(at) = at.filter(|_| text.contains("{{")) {
        let cure = "write it out; for another one make another target, and let routes choose";
        bench.wrong(field, at, "which job is run is not for the text of an alert to say", cure);
    }
    text
}

/// Both names of a setting that may be given in one of two ways only.
pub fn one_of(bench: &mut Bench<'_>, first: (&str, bool), second: (&str, bool), cure: &str) {
    match (first.1, second.1) {
        (true, true) => {
            let what = format!("there are both `{}` and `{}`", first.0, second.0);
            bench.missing(second.0, &what, "keep one of them");
        }
        (false, false) => {
            bench.missing(first.0, &format!("there is neither `{}` nor `{}`", first.0, second.0), cure);
        }
        _ => {}
    }
}

fn secrets(bench: &mut Bench<'_>, field: &str, given: &[At<Secret>]) -> Vec<Secret> {
    const CHARS_MIN: usize = 16;
    let mut kept = Vec::new();
    for (index, at) in given.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let cure = "make one with `openssl rand -hex 20`";
        let Some(secret) = bench.secret(&field, Some(at), cure) else { continue };
        if (1..CHARS_MIN).contains(&secret.expose().chars().count()) {
            bench.wrong(&field, at, "this is short enough to be guessed", cure);
        }
        kept.push(secret);
    }
    kept
}
