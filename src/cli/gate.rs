//! `alert-relay gate`: may a pipeline deploy now? Asks a running relay.

use serde_json::Value;

use crate::cli::Answer;
use crate::cli::incident::args::GateArgs;
use crate::cli::queue::call::Relay;

/// Does it: 0 when it may, 1 when it may not or nobody could be asked.
pub fn run(args: &GateArgs) -> Answer {
    done(args).unwrap_or_else(|why| Answer::refused_in(args.reach.json, &why))
}

fn done(args: &GateArgs) -> Result<Answer, String> {
    let mut query = vec![("service", args.service.as_str())];
    query.extend(args.environment.iter().map(|environment| ("environment", environment.as_str())));
    let found = Relay::at(&args.reach)?.get("/api/v1/gate", &query)?;
    let allowed = found["answer"] == "allow";
    let none = Vec::new();
    let reasons = found["reasons"].as_array().unwrap_or(&none).iter().filter_map(|reason| reason.as_str());
    let out = match (args.reach.json, allowed) {
        (true, _) => format!("{found:#}\n"),
        (false, true) => {
            format!("allowed: nothing speaks against deploying {}{}\n", args.service, left(&found))
        }
        (false, false) => {
            reasons.map(|reason| format!("denied: {}\n", reason.replace(char::is_control, " "))).collect()
        }
    };
    Ok(Answer { out, err: String::new(), code: u8::from(!allowed) })
}

/// What is left of its error budgets.
fn left(found: &Value) -> String {
    let budgets = found["budgets"].as_array().into_iter().flatten();
    let one = |budget: &Value| {
        let (left, percent) = (&budget["left_minutes"], &budget["left_percent"]);
        format!("; {left} min ({percent} %) of the error budget of {} days are left", budget["window_days"])
    };
    budgets.map(one).collect()
}
