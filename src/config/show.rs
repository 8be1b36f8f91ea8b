//! Problems for people at a terminal, as rustc shows them: excerpt, underline, cure, a count.
//!
//! The excerpt is of the operator's own file, with secrets starred: terminals end in journals and in
//! the logs of CI. For log lines and API answers take `Problem`'s own one-line form.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::config::load::in_order;
use crate::config::star::starred;
use crate::domain::problem::{Place, Problem, Severity};

/// Shows problems in the order of the file, with a line that counts them. `text` is the file.
pub fn show(problems: &[Problem], file_name: &str, text: &str, colour: bool) -> String {
    let mut problems = problems.to_vec();
    in_order(&mut problems);
    let text = starred(text);
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut shown = String::new();
    for problem in &problems {
        shown.push_str(&renderer.render(&[report(problem, file_name, &text)]));
        shown.push_str("\n\n");
    }
    shown.push_str(&count(&problems, file_name));
    shown.push('\n');
    shown
}

fn report<'a>(problem: &'a Problem, file_name: &'a str, text: &'a str) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = match problem.path.as_str() {
        "" => problem.what.clone(),
        path => format!("{path}: {}", problem.what),
    };
    let group = level.primary_title(title);
    let group = match span(problem.place, text) {
        Some(span) => group
            .element(Snippet::source(text).path(file_name).annotation(AnnotationKind::Primary.span(span))),
        None => group.element(Origin::path(file_name)),
    };
    if problem.cure.is_empty() { group } else { group.element(Level::HELP.message(problem.cure.as_str())) }
}

/// The bytes to underline. One character when the length is unknown.
fn span(place: Place, text: &str) -> Option<std::ops::Range<usize>> {
    let line = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let start_of_line: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let line = text.split_inclusive('\n').nth(line)?;
    let line = line.trim_end_matches(['\n', '\r']);
    let byte_of = |character: u32| {
        let nth = usize::try_from(character).ok().and_then(|nth| line.char_indices().nth(nth));
        nth.map_or(line.len(), |(byte, _)| byte)
    };
    let first = place.column.saturating_sub(1);
    let range = byte_of(first)..byte_of(first.saturating_add(place.length.max(1)));
    Some(start_of_line + range.start..start_of_line + range.end)
}

fn count(problems: &[Problem], file_name: &str) -> String {
    let of = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let counted = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        many => Some(format!("{many} {word}s")),
    };
    let counts = [counted(of(Severity::Error), "error"), counted(of(Severity::Warning), "warning")];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    if counts.is_empty() {
        format!("{file_name}: no problems")
    } else {
        format!("{file_name}: {}", counts.join(", "))
    }
}
