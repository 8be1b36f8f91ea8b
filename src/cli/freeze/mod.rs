//! `alert-relay freeze`: times in which nothing is to be deployed, set and ended by people. Asks a
//! running relay.

pub mod args;

use serde_json::{Value, json};

use crate::cli::Answer;
use crate::cli::freeze::args::{FreezeArgs, FreezeCommand};
use crate::cli::queue::call::Relay;
use crate::cli::queue::show::time;

const API: &str = "/api/v1/freezes";

/// Does it.
pub fn run(args: &FreezeArgs) -> Answer {
    done(&args.command).unwrap_or_else(|why| Answer::refused_in(args.command.reach().json, &why))
}

fn done(command: &FreezeCommand) -> Result<Answer, String> {
    let (found, reach, text) = match command {
        FreezeCommand::Add(args) => {
            let body = json!({
                "service": args.service,
                "environment": args.environment,
                "from": args.from,
                "until": args.until,
                "reason": args.reason,
            });
            let found = Relay::at(&args.reach)?.post(API, &body)?;
            let text = line(&found);
            (found, &args.reach, text)
        }
        FreezeCommand::List(args) => {
            let found = Relay::at(&args.reach)?.get(API, &[])?;
            let none = Vec::new();
            let freezes = found["freezes"].as_array().unwrap_or(&none);
            let text: String = freezes.iter().map(line).collect();
            let text =
                if text.is_empty() { "no freeze stands, and none is to come\n".to_owned() } else { text };
            (found, &args.reach, text)
        }
        FreezeCommand::End(args) => {
            let found = Relay::at(&args.reach)?.delete(&format!("{API}/{}", args.id))?;
            (found, &args.reach, format!("freeze {} is ended\n", args.id))
        }
    };
    Ok(Answer::good(if reach.json { format!("{found:#}\n") } else { text }))
}

/// `3  stands  2026-12-30T00:00:00Z to 2027-01-02T00:00:00Z  checkout* in prod  by ann: year-end close`.
fn line(freeze: &Value) -> String {
    let word = |name: &str| freeze[name].as_str().unwrap_or_default().replace(char::is_control, " ");
    let or = |text: String, all: &str| if text.is_empty() { all.to_owned() } else { text };
    format!(
        "{}  {}  {} to {}  {} in {}  by {}: {}\n",
        freeze["id"],
        if freeze["stands"] == true { "stands" } else { "to come" },
        time(freeze, "from"),
        time(freeze, "until"),
        or(word("service"), "all services"),
        or(word("environment"), "all environments"),
        word("who"),
        word("reason"),
    )
}
