//! `alert-relay explain`: a payload in, everything that would become of it out. Sends nothing.
//!
//! Reads the payload as its source would and hands it to `walk.rs`, which walks it through the
//! rulebook; `page.rs` shows what came of it to people. No store is asked, so what depends on
//! earlier news (duplicates, resolves of what was never opened) is said and not decided.

pub mod page;
pub mod walk;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::cli::args::ExplainArgs;
use crate::cli::explain::page::page;
use crate::cli::explain::walk::explanation;
use crate::cli::{Answer, Surroundings, find};
use crate::config::show::show;
use crate::document::nearest;
use crate::rulebook::Rulebook;
use crate::source::contract::Arrival;

/// Explains.
pub fn run(args: &ExplainArgs, surroundings: &Surroundings) -> Answer {
    let found = match find(&args.look) {
        Ok(found) => found,
        Err(sentence) => return Answer::refused(&sentence),
    };
    let Some((book, _)) = &found.assembled.ready else {
        let colour = surroundings.colour_err && !args.look.no_color;
        let err = show(&found.assembled.problems, &found.name, &found.text, colour);
        return Answer { err, code: 1, ..Answer::default() };
    };
    explain(args, surroundings, book)
        .unwrap_or_else(|sentence| Answer::refused(&walk::shown(&book.redactor, &sentence)))
}

fn explain(args: &ExplainArgs, surroundings: &Surroundings, book: &Rulebook) -> Result<Answer, String> {
    let Some((name, rule)) = book.sources.get_key_value(&args.source) else {
        let cure = nearest::cure(&args.source, book.sources.keys().map(String::as_str));
        return Err(format!("there is no source named `{}`; {cure}", args.source));
    };
    let body = body(&args.payload, book.body_limit)?;
    let at = args.at.unwrap_or(surroundings.now);
    let arrival = Arrival { source: name, headers: &args.headers, body: &body, at };
    let reading = rule.source.read(&arrival).map_err(|unreadable| {
        format!("{} cannot be read as {}: {unreadable}", name_of(&args.payload), rule.kind)
    })?;
    let explanation = explanation(book, name, rule.kind, reading, at);
    let out = if args.look.json {
        let json = serde_json::to_string_pretty(&explanation).map_err(|error| error.to_string())?;
        format!("{json}\n")
    } else {
        page(&explanation, surroundings.colour_out && !args.look.no_color)
    };
    Ok(Answer::good(out))
}

/// The payload, no longer than the daemon would take it.
fn body(path: &Path, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let read = if path.as_os_str() == "-" {
        bounded(io::stdin().lock(), limit, &mut body)
    } else {
        File::open(path).and_then(|file| bounded(file, limit, &mut body))
    };
    let name = name_of(path);
    match read {
        Ok(()) if body.len() > limit => {
            Err(format!("{name} is larger than server.body_limit, {limit} bytes; the relay would answer 413"))
        }
        Ok(()) => Ok(body),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!(
            "{name} does not exist; name the file that holds the payload, or - for standard input"
        )),
        Err(error) => Err(format!("{name} cannot be read: {error}")),
    }
}

fn name_of(payload: &Path) -> String {
    match payload.to_str() {
        Some("-") => "standard input".to_owned(),
        _ => payload.display().to_string(),
    }
}

fn bounded(from: impl Read, limit: usize, into: &mut Vec<u8>) -> io::Result<()> {
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    from.take(one_more).read_to_end(into).map(|_| ())
}
