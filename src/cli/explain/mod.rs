//! `alert-relay explain`: a payload in, everything that would become of it out. Sends nothing.
//!
//! Reads the payload as its source would and hands it to `walk.rs`, which walks it through the
//! rulebook; `wording.rs` words what is sent, `page.rs` shows what came of it to people. No store is
//! asked, so what depends on earlier news (duplicates, resolves of what was never opened) is said and
//! not decided.

pub mod page;
pub mod payload;
pub mod walk;
pub mod wording;

use crate::cli::args::ExplainArgs;
use crate::cli::check::sound;
use crate::cli::explain::page::page;
use crate::cli::explain::payload::{body, name_of};
use crate::cli::explain::walk::explanation;
use crate::cli::{Answer, Surroundings};
use crate::document::nearest;
use crate::rulebook::Rulebook;
use crate::source::contract::Arrival;

/// Explains.
pub fn run(args: &ExplainArgs, surroundings: &Surroundings) -> Answer {
    let book = match sound(&args.look, surroundings) {
        Ok(book) => book,
        Err(answer) => return answer,
    };
    explain(args, surroundings, &book).unwrap_or_else(|sentence| {
        Answer::refused_in(args.look.json, &wording::shown(&book.redactor, &sentence))
    })
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
