//! `alert-relay queue`: work on deliveries, orphans and recorded events, through the admin
//! interface of a running relay. Takes the words, gives the answer; the relay decides everything.

pub mod args;
pub(super) mod call;
pub(super) mod progress;
pub(super) mod show;

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::Answer;
use crate::cli::queue::args::{
    DropArgs, ListArgs, QueueArgs, QueueCommand, ReachArgs, ReplayArgs, RetryArgs,
};
use crate::cli::queue::call::Relay;
use crate::cli::queue::progress::Progress;

const API: &str = "/api/v1";
/// What is still owed.
const WAITING: &str = "waiting,held";
const NOT_DONE: &str = "nothing was changed; say yes, or --yes where nobody can be asked";

/// Does it.
pub fn run(args: &QueueArgs) -> Answer {
    done(&args.command).unwrap_or_else(|why| Answer::refused_in(args.command.reach().json, &why))
}

fn done(command: &QueueCommand) -> Result<Answer, String> {
    match command {
        QueueCommand::List(args) => list(args),
        QueueCommand::Show(args) => {
            let found = Relay::at(&args.reach)?.get(&format!("{API}/deliveries/{}", args.id), &[])?;
            Ok(shown(&args.reach, &found, show::delivery))
        }
        QueueCommand::Retry(args) => retry_all(args),
        QueueCommand::Drop(args) => drop_all(args),
        QueueCommand::Orphans(args) => {
            let query = [("silent_for", args.silent_for.as_str())];
            let found = Relay::at(&args.reach)?.get(&format!("{API}/orphans"), &query)?;
            Ok(shown(&args.reach, &found, show::orphans))
        }
        QueueCommand::Resolve(args) => {
            each(&args.reach, &args.lanes, "orphans", "resolve", &json!({}), |lane, made| {
                format!("lane {lane} is resolved by delivery {made}")
            })
        }
        QueueCommand::Replay(args) => replay(args),
        QueueCommand::Signals(args) => {
            let limit = args.limit.to_string();
            let mut query = vec![("limit", limit.as_str())];
            let filters = [("target", &args.target), ("key", &args.key)];
            query.extend(filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
            let found = Relay::at(&args.reach)?.get(&format!("{API}/signals"), &query)?;
            Ok(shown(&args.reach, &found, show::signals))
        }
        QueueCommand::Audit(args) => {
            let limit = args.limit.to_string();
            let found = Relay::at(&args.reach)?.get(&format!("{API}/audit"), &[("limit", &limit)])?;
            Ok(shown(&args.reach, &found, show::audit))
        }
    }
}

fn list(args: &ListArgs) -> Result<Answer, String> {
    let (limit, states) = (args.limit.to_string(), args.state.join(","));
    let mut query = vec![("limit", limit.as_str()), ("state", states.as_str())];
    let filters = [
        ("target", &args.target),
        ("key", &args.key),
        ("since", &args.since),
        ("until", &args.until),
        ("event", &args.event),
    ];
    query.extend(filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    let found = Relay::at(&args.reach)?.get(&format!("{API}/deliveries"), &query)?;
    Ok(shown(&args.reach, &found, show::deliveries))
}

fn retry_all(args: &RetryArgs) -> Result<Answer, String> {
    let ids = match &args.target {
        None => args.ids.clone(),
        Some(target) => all_of(&args.reach, target, &args.state.join(","))?,
    };
    let say = |id: i64, made: i64| match made {
        same if same == id => format!("delivery {id} is tried now, as soon as its target's pace allows"),
        made => format!("delivery {id} is sent again as delivery {made}"),
    };
    let mut answer = each(&args.reach, &ids, "deliveries", "retry", &json!({}), say)?;
    if args.target.is_some() {
        answer.out.push_str(&count(&args.reach, &answer, ids.len(), "tried again"));
    }
    Ok(answer)
}

fn drop_all(args: &DropArgs) -> Result<Answer, String> {
    let ids = match &args.target {
        None => args.ids.clone(),
        Some(target) => all_of(&args.reach, target, WAITING)?,
    };
    let what = show::counted(ids.len() as u64, "delivery", "deliveries");
    if !args.yes && !agreed(&format!("{what} will never be sent.")) {
        return Err(NOT_DONE.to_owned());
    }
    let body = json!({ "reason": args.reason });
    let mut answer =
        each(&args.reach, &ids, "deliveries", "drop", &body, |id, _| format!("delivery {id} is dropped"))?;
    if args.target.is_some() {
        answer.out.push_str(&count(&args.reach, &answer, ids.len(), "dropped"));
    }
    Ok(answer)
}

/// The numbers of a target's deliveries in these states, newest first.
fn all_of(reach: &ReachArgs, target: &str, states: &str) -> Result<Vec<i64>, String> {
    let relay = Relay::at(reach)?;
    let (mut ids, mut before) = (Vec::new(), String::new());
    let mut progress = Progress::begin();
    loop {
        let query = [("target", target), ("state", states), ("limit", "1000"), ("before", &before)];
        let page = relay.get(&format!("{API}/deliveries"), &query)?;
        ids.extend(page["deliveries"].as_array().into_iter().flatten().filter_map(|row| row["id"].as_i64()));
        match page["next"].as_i64() {
            Some(next) => {
                before = next.to_string();
                progress.tell(&format!("{} deliveries found", ids.len()));
            }
            None if ids.is_empty() && states == WAITING => {
                return Err(format!("nothing waits for target {target}"));
            }
            None if ids.is_empty() => {
                return Err(format!(
                    "target {target} has no delivery that is {}",
                    states.replace(',', " or ")
                ));
            }
            None => return Ok(ids),
        }
    }
}

/// Orders the same of several; one that is refused does not keep the others from it.
fn each(
    reach: &ReachArgs,
    ids: &[i64],
    what: &str,
    order: &str,
    body: &Value,
    say: impl Fn(i64, i64) -> String,
) -> Result<Answer, String> {
    let relay = Relay::at(reach)?;
    let mut answer = Answer::default();
    let mut results = Vec::new();
    let mut progress = Progress::begin();
    for (place, id) in ids.iter().enumerate() {
        if ids.len() > 1 {
            progress.tell(&format!("{place} of {}", ids.len()));
        }
        match relay.post(&format!("{API}/{what}/{id}/{order}"), body) {
            Ok(done) => {
                let made = done["delivery"].as_i64().unwrap_or(0);
                results.push(json!({ "id": id, "done": order, "delivery": made }));
                answer.out.push_str(&format!("{}\n", say(*id, made)));
            }
            Err(why) => {
                results.push(json!({ "id": id, "error": why }));
                answer.err.push_str(&format!("error: {id}: {why}\n"));
                answer.code = 1;
            }
        }
    }
    if reach.json {
        answer.out = format!("{:#}\n", Value::from(results));
    }
    Ok(answer)
}

/// The last line for people, when a whole target was meant: `2 deliveries: 1 dropped, 1 refused`.
fn count(reach: &ReachArgs, answer: &Answer, all: usize, done: &str) -> String {
    if reach.json {
        return String::new();
    }
    let refused = answer.err.lines().count();
    let rest = if refused > 0 { format!(", {refused} refused") } else { String::new() };
    let deliveries = show::counted(all as u64, "delivery", "deliveries");
    format!("{deliveries}: {} {done}{rest}\n", all.saturating_sub(refused))
}

fn replay(args: &ReplayArgs) -> Result<Answer, String> {
    let relay = Relay::at(&args.reach)?;
    let warning = "Recorded events will be sent through today's routing again, and targets may be told.";
    if !args.dry_run && !args.yes && !agreed(warning) {
        return Err(NOT_DONE.to_owned());
    }
    let mut body = json!({
        "since": args.since,
        "until": args.until,
        "source": args.source,
        "events": args.events,
        "dry_run": args.dry_run,
        "rate": args.rate,
    });
    let mut events: Vec<Value> = Vec::new();
    let mut progress = Progress::begin();
    loop {
        let mut piece = match relay.post(&format!("{API}/replay"), &body) {
            Ok(piece) => piece,
            Err(why) if events.is_empty() => return Err(why),
            Err(why) => {
                let last = events.last().and_then(|event| event["id"].as_str()).unwrap_or_default();
                let events = show::counted(events.len() as u64, "event", "events");
                return Err(format!("stopped after {events}, the last being {last}: {why}"));
            }
        };
        if let Value::Array(more) = piece["events"].take() {
            events.extend(more);
        }
        progress.tell(&show::counted(events.len() as u64, "event", "events"));
        if piece["next"].is_null() {
            break;
        }
        for (name, of_piece) in [("after", "next"), ("since", "since"), ("until", "until")] {
            body[name] = piece[of_piece].take();
        }
    }
    drop(progress);
    if args.reach.json {
        return Ok(Answer::good(format!("{:#}\n", json!({ "dry_run": args.dry_run, "events": events }))));
    }
    let made = |event: &Value| {
        let planned = event["deliveries"].as_array().map_or(0, Vec::len) as u64;
        event["made"].as_u64().unwrap_or(planned)
    };
    let deliveries: u64 = events.iter().map(made).sum();
    let mut out: String = events.iter().map(show::replayed).collect();
    let counts = show::counted(events.len() as u64, "event", "events");
    let deliveries = show::counted(deliveries, "delivery", "deliveries");
    out.push_str(&match args.dry_run {
        true => format!("{counts}: at most {deliveries}; nothing was sent\n"),
        false => format!("{counts} replayed: {deliveries}\n"),
    });
    Ok(Answer::good(out))
}

fn shown(reach: &ReachArgs, found: &Value, table: impl Fn(&Value) -> String) -> Answer {
    Answer::good(if reach.json { format!("{found:#}\n") } else { table(found) })
}

/// Asks a person, who must say yes.
fn agreed(what: &str) -> bool {
    let mut err = io::stderr().lock();
    let asked = write!(err, "{what} Go on? [y/N] ").and_then(|()| err.flush());
    let mut said = String::new();
    let heard = asked.and_then(|()| io::stdin().read_line(&mut said));
    heard.is_ok() && matches!(said.trim().to_lowercase().as_str(), "y" | "yes")
}
