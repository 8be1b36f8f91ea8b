//! `alert-relay incident`: find incidents and work on them, through the admin interface of a running
//! relay. Takes the words, gives the answer; the relay decides everything.

pub mod args;
mod show;

use serde_json::{Value, json};

use crate::cli::Answer;
use crate::cli::incident::args::{ActArgs, IncidentArgs, IncidentCommand, JobArgs, Language, ListArgs};
use crate::cli::queue::args::ReachArgs;
use crate::cli::queue::call::Relay;

const API: &str = "/api/v1/incidents";

/// Does it.
pub fn run(args: &IncidentArgs) -> Answer {
    done(&args.command).unwrap_or_else(|why| Answer::refused_in(args.command.reach().json, &why))
}

fn done(command: &IncidentCommand) -> Result<Answer, String> {
    match command {
        IncidentCommand::List(args) => list(args),
        IncidentCommand::Show(args) => {
            let found = Relay::at(&args.reach)?.get(&format!("{API}/{}", args.id), &[])?;
            Ok(shown(&args.reach, &found, show::incident))
        }
        IncidentCommand::Ack(args) => each(args, "acknowledge"),
        IncidentCommand::Unack(args) => each(args, "unacknowledge"),
        IncidentCommand::Mitigate(args) => each(args, "mitigate"),
        IncidentCommand::Resolve(args) => each(args, "resolve"),
        IncidentCommand::Review(args) => each(args, "review"),
        IncidentCommand::Close(args) => each(args, "close"),
        IncidentCommand::Assign(args) => one(&args.reach, args.id, "assign", &json!({ "owner": args.owner })),
        IncidentCommand::Rate(args) => one(&args.reach, args.id, "rate", &json!({ "level": args.level })),
        IncidentCommand::Note(args) => one(&args.reach, args.id, "note", &json!({ "note": args.text })),
        IncidentCommand::Approve(args) => word(args, "approve"),
        IncidentCommand::Decline(args) => word(args, "decline"),
        IncidentCommand::Report(args) => {
            let language = match args.language {
                Language::En => "en",
                Language::Zh => "zh",
            };
            let path = format!("{API}/{}/report", args.id);
            Relay::at(&args.reach)?.text(&path, &[("language", language)]).map(Answer::good)
        }
        IncidentCommand::OnCall(args) => {
            let query: Vec<(&str, &str)> = args.at.iter().map(|at| ("at", at.as_str())).collect();
            let found = Relay::at(&args.reach)?.get("/api/v1/on-call", &query)?;
            Ok(shown(&args.reach, &found, show::on_call))
        }
    }
}

fn list(args: &ListArgs) -> Result<Answer, String> {
    let (limit, states, levels) = (args.limit.to_string(), args.state.join(","), args.level.join(","));
    let mut query = vec![("limit", limit.as_str()), ("state", states.as_str()), ("level", levels.as_str())];
    let filters =
        [("service", &args.service), ("owner", &args.owner), ("since", &args.since), ("until", &args.until)];
    query.extend(filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    let found = Relay::at(&args.reach)?.get(API, &query)?;
    Ok(shown(&args.reach, &found, show::incidents))
}

fn one(reach: &ReachArgs, id: i64, act: &str, body: &Value) -> Result<Answer, String> {
    let found = Relay::at(reach)?.post(&format!("{API}/{id}/{act}"), body)?;
    Ok(shown(reach, &found, show::line))
}

/// Yes or no to a job; shows where that one stands then.
fn word(args: &JobArgs, act: &str) -> Result<Answer, String> {
    let body = json!({ "job": args.job, "note": args.note });
    let found = Relay::at(&args.reach)?.post(&format!("{API}/{}/{act}", args.id), &body)?;
    Ok(shown(&args.reach, &found, show::jobs))
}

/// The same for several; one that is refused does not keep the others from it.
fn each(args: &ActArgs, act: &str) -> Result<Answer, String> {
    let relay = Relay::at(&args.reach)?;
    let mut answer = Answer::default();
    let mut results = Vec::new();
    for id in &args.ids {
        match relay.post(&format!("{API}/{id}/{act}"), &json!({ "note": args.note })) {
            Ok(incident) => {
                answer.out.push_str(&show::line(&incident));
                results.push(incident);
            }
            Err(why) => {
                results.push(json!({ "id": id, "error": why }));
                answer.err.push_str(&format!("error: {id}: {why}\n"));
                answer.code = 1;
            }
        }
    }
    if args.reach.json {
        answer.out = format!("{:#}\n", Value::from(results));
    }
    Ok(answer)
}

fn shown(reach: &ReachArgs, found: &Value, table: impl Fn(&Value) -> String) -> Answer {
    Answer::good(if reach.json { format!("{found:#}\n") } else { table(found) })
}
