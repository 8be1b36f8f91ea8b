//! `alert-relay replay-diff`: what a configuration that is to come would have made differently of the
//! events of the last hours. Both configurations are read here, the events come from a running relay;
//! nothing is sent and nothing is changed.

pub mod args;

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::queue::call::Relay;
use crate::cli::queue::progress::Progress;
use crate::cli::queue::show::{counted, plain, table, to_the_second};
use crate::cli::replay_diff::args::ReplayDiffArgs;
use crate::cli::{Answer, find_file};
use crate::config::show::show;
use crate::plan::difference::{Example, Summary, Turn, compare};
use crate::plan::side::{Side, example};
use crate::route::inhibit::Active;
use crate::server::shadow::summary_json;
use crate::store::orders::Recording;

/// Exit code when something would change.
const DIFFERENT: u8 = 3;

/// Does it.
pub fn run(args: &ReplayDiffArgs) -> Answer {
    match compared(args) {
        Ok((span, summary)) => {
            let out = if args.reach.json { as_json(&span, &summary) } else { page(&span, &summary) };
            let code = if summary.different > 0 { DIFFERENT } else { 0 };
            Answer { out, code, ..Answer::default() }
        }
        Err(why) => Answer::refused_in(args.reach.json, &why),
    }
}

/// From when to when, as the relay understood it.
struct Span {
    since: String,
    until: Option<String>,
}

fn compared(args: &ReplayDiffArgs) -> Result<(Span, Summary), String> {
    let mut old = side(&args.against, "--against", args.no_secrets)?;
    let mut new = side(&args.config, "--config", args.no_secrets)?;
    let relay = Relay::at(&args.reach)?;
    let mut span = Span { since: args.since.clone(), until: args.until.clone() };
    let (mut summary, mut after) = (Summary::default(), "0".to_owned());
    let mut progress = Progress::begin();
    loop {
        let mut query = vec![("since", span.since.as_str()), ("after", after.as_str())];
        let filters = [("until", &span.until), ("source", &args.source)];
        query.extend(filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
        let page = relay.get("/api/v1/events", &query)?;
        for event in page["events"].as_array().into_iter().flatten() {
            let event = recording(event).ok_or("the relay answered an event that cannot be read")?;
            summary.take(&example(&event), &compare(&old.look(&event), &new.look(&event)));
        }
        progress.tell(&format!("{} compared", counted(summary.events, "event", "events")));
        let said = |name: &str| page[name].as_str().map(str::to_owned);
        // From now on the same span, however long this takes.
        (span.since, span.until) = (said("since").unwrap_or(span.since), said("until").or(span.until));
        match page["next"].as_i64() {
            Some(next) => after = next.to_string(),
            None => return Ok((span, summary)),
        }
    }
}

fn side(path: &Path, option: &str, no_secrets: bool) -> Result<Side, String> {
    let found = find_file(path, option, no_secrets)?;
    match found.assembled.ready {
        Some((rulebook, _)) => Ok(Side::new(Arc::new(rulebook), Active::default())),
        None => Err(show(&found.assembled.problems, &found.name, &found.text, false)),
    }
}

fn recording(event: &Value) -> Option<Recording> {
    let body = match event["body"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => BASE64_STANDARD.decode(event["body_base64"].as_str()?).ok()?,
    };
    Some(Recording {
        id: 0,
        uid: event["id"].as_str()?.parse().ok()?,
        source: event["source"].as_str()?.to_owned(),
        received_at: event["received_at"].as_str()?.parse::<Timestamp>().ok()?,
        body,
    })
}

fn as_json(span: &Span, summary: &Summary) -> String {
    let whole = json!({
        "since": to_the_second(&span.since),
        "until": span.until.as_deref().map(to_the_second),
        "events": summary.events,
        "different": summary.different,
        "changes": summary_json(summary),
        "beyond": summary.beyond,
    });
    format!("{whole:#}\n")
}

/// What people read: a head, and a line for each change.
fn page(span: &Span, summary: &Summary) -> String {
    let events = counted(summary.events, "event", "events");
    let since = to_the_second(&span.since);
    let head = match summary.different {
        0 => format!("{events} since {since}: nothing would change\n"),
        different => format!("{events} since {since}: {different} would be dealt with differently\n\n"),
    };
    if summary.lines.is_empty() {
        return head;
    }
    let rows = summary.lines.iter().map(|((aspect, name, turn), line)| {
        let sign = match turn {
            Turn::Gained => "+",
            Turn::Lost => "-",
            Turn::Changed => "~",
        };
        vec![
            format!("{sign} {}", aspect.as_str().replace('_', " ")),
            plain(name),
            line.alerts.to_string(),
            line.examples.first().map(in_words).unwrap_or_default(),
        ]
    });
    let mut shown = head + &table(&["CHANGE", "NAME", "ALERTS", "FOR EXAMPLE"], rows.collect());
    if summary.beyond > 0 {
        shown.push_str(&format!("and {}\n", counted(summary.beyond, "more change", "more changes")));
    }
    shown
}

fn in_words(at: &Example) -> String {
    let alert = if at.alert.is_empty() { "all of it" } else { at.alert.as_str() };
    let note = if at.note.is_empty() { String::new() } else { format!(": {}", at.note) };
    plain(&format!("{alert} in event {} of {}{note}", at.event, at.source))
}
