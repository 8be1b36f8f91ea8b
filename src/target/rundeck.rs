//! Rundeck: runs a job with options, by its API (<https://docs.rundeck.com/docs/api/>).
//!
//! Takes a message, gives one run; the execution's id comes back. With a marker, an option of the
//! job that carries the id of the delivery, a start of which nobody knows how it ended is looked for
//! among the executions of the job.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::document::node::{At, Node};
use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::message::Message;
use crate::domain::outcome::Outcome;
use crate::domain::secret::{Redactor, Secret};
use crate::domain::signal::{Event, Signal};
use crate::target::bench::Bench;
use crate::target::contract::{Built, Callback, Inquiry, Kind, Refusal, Turn, Unsayable, Worded, Workshop};
use crate::target::run::callback::signal;
use crate::target::run::parameters::{self, Parameter, printable};
use crate::target::run::platform::{DEFAULTS, Habits, Platform, Runs, Start, asks, call};
use crate::target::run::reply;
use crate::target::run::settings::{REASON_CHARS, fixed, habits, name};
use crate::target::verdict::sentence;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Wording, builtin};
use crate::template::text::cut;
use crate::template::view::View;

static WORDINGS: [Builtin; 1] = [builtin!("rundeck", "reason")];

/// The row of the table of kinds.
pub static KIND: Kind = Kind {
    name: "rundeck",
    about: "a job of Rundeck, with options",
    wordings: &WORDINGS,
    defaults: DEFAULTS,
    build,
};

/// Options apart from a line of arguments need 18; Rundeck 3 to 5 take it.
const API_VERSION: u32 = 21;
const API_VERSION_MIN: u32 = 18;
/// Lines of an output that are asked for: its last ones.
const OUTPUT_LINES: u32 = 300;
/// Executions among which a marker is looked for, the newest first.
const LOOKED_THROUGH: u32 = 200;
/// What may select nodes: names, tags and attributes, without a way to select all of them.
const FILTER: &str = r"[\p{L}\p{N}_][\p{L}\p{N}_.:=, +-]*";
const LOG_LEVELS: [&str; 5] = ["DEBUG", "VERBOSE", "INFO", "WARN", "ERROR"];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Option<At<String>>,
    token: Option<At<Secret>>,
    api_version: Option<At<u32>>,
    job: Option<At<String>>,
    options: BTreeMap<String, Node>,
    filter: Option<Node>,
    loglevel: Option<At<String>>,
    as_user: Option<At<String>>,
    reason: Option<At<String>>,
    reason_option: Option<At<String>>,
    marker: Option<At<String>>,
    on_resolve: Option<At<String>>,
    callback_tokens: Vec<At<Secret>>,
}

fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Runs<Rundeck>>) };
    let base_url = bench.own_base_url(settings.base_url.as_ref(), "https://rundeck.example.com");
    let cure = "add `token: \"${RUNDECK_TOKEN}\"`, made in the user's profile";
    let token = bench.needed_secret("token", settings.token.as_ref(), cure);
    let cure = "add the UUID of the job, as its page shows it";
    let job = fixed(&mut bench, "job", settings.job.as_ref(), cure);
    if let Some(at) = settings.job.as_ref().filter(|_| job.contains(['/', '?', '#', ' '])) {
        let cure = "write the UUID of the job, as its page shows it; a name is not enough";
        bench.wrong("job", at, "this is no id of a job", cure);
    }
    if let Some(at) = settings.api_version.as_ref().filter(|at| at.value < API_VERSION_MIN) {
        let what = format!("options need version {API_VERSION_MIN} of the API or a later one");
        bench.wrong("api_version", at, &what, &format!("leave it out, or write {API_VERSION}"));
    }
    if let Some(at) = settings.loglevel.as_ref().filter(|at| !LOG_LEVELS.contains(&at.value.as_str())) {
        let cure = format!("write one of {}", LOG_LEVELS.join(", "));
        bench.wrong("loglevel", at, &format!("there is no level {:?}", at.value), &cure);
    }
    let options = parameters::named(&mut bench, "options", settings.options);
    let filter =
        settings.filter.as_ref().and_then(|node| parameters::parameter(&mut bench, "filter", node, FILTER));
    let reason = bench.wording("reason", settings.reason.as_ref(), Escape::None);
    let reason_option = settings.reason_option.as_ref().map(|at| name(&mut bench, "reason_option", at));
    let habits = habits(
        &mut bench,
        settings.on_resolve.as_ref(),
        settings.marker.as_ref(),
        &settings.callback_tokens,
        &[],
    );
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let rundeck = reason.map(|reason| Rundeck {
        api: format!("{base_url}/api/{}", settings.api_version.map_or(API_VERSION, |at| at.value)),
        token: HeaderText::Hidden(token),
        job,
        options,
        filter,
        loglevel: settings.loglevel.map(|at| at.value),
        as_user: settings.as_user.map(|at| at.value),
        reason,
        reason_option,
        habits,
        secrets,
        redactor,
    });
    bench.finish(rundeck.map(Runs))
}

/// A configured target.
#[derive(Debug)]
struct Rundeck {
    /// Address of the API, version included.
    api: String,
    token: HeaderText,
    job: String,
    options: Vec<Parameter>,
    filter: Option<Parameter>,
    loglevel: Option<String>,
    as_user: Option<String>,
    reason: Wording,
    reason_option: Option<String>,
    habits: Habits,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Rundeck {
    fn call(&self, method: Method, path: &str) -> HttpRequest {
        HttpRequest::new(method, format!("{}{path}", self.api))
            .header("X-Rundeck-Auth-Token", self.token.clone())
            .header("Accept", HeaderText::Plain("application/json".into()))
    }

    fn asked(&self, run: &str, state: &str, output: Option<&Reply>) -> Inquiry {
        let event = match state {
            "succeeded" => Event::JobSucceeded,
            "running" | "scheduled" | "queued" => {
                return reply::stands(Event::JobMoved, state, String::new());
            }
            // One that is not known is no success.
            _ => Event::JobFailed,
        };
        let Some(output) = output else {
            let path = format!("/execution/{run}/output?lastlines={OUTPUT_LINES}");
            return asks(self.call(Method::Get, &path));
        };
        let answer = reply::json(output);
        let lines = answer["entries"].as_array().into_iter().flatten();
        let lines: Vec<&str> = lines.filter_map(|entry| entry["log"].as_str()).collect();
        reply::stands(event, state, lines.join("\n"))
    }

    fn body(
        &self,
        start: &Start<'_>,
        worded: &mut Vec<crate::template::library::Fault>,
    ) -> Result<Value, Unsayable> {
        let mut options = parameters::values(&self.options, start.view)?;
        if let Some(marker) = &self.habits.marker {
            options.insert(marker.clone(), start.marker.to_owned());
        }
        if let Some(option) = &self.reason_option {
            let reason = printable(&self.reason.say(start.view).noting(worded));
            options.insert(option.clone(), cut(&reason, REASON_CHARS).into_owned());
        }
        let mut body = Map::from_iter([("options".to_owned(), json!(options))]);
        if let Some(filter) = &self.filter {
            body.insert("filter".into(), filter.value(start.view)?.into());
        }
        for (name, value) in [("loglevel", &self.loglevel), ("asUser", &self.as_user)] {
            if let Some(value) = value {
                body.insert(name.into(), value.as_str().into());
            }
        }
        Ok(Value::Object(body))
    }
}

impl Platform for Rundeck {
    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn start(&self, start: &Start<'_>) -> Result<Worded, Unsayable> {
        let mut faults = Vec::new();
        let body = self.body(start, &mut faults)?;
        let request = self.call(Method::Post, &format!("/job/{}/run", self.job)).json(&body);
        Ok(Worded { request: Request::Http(request), faults })
    }

    fn started(&self, reply: &Reply) -> Outcome {
        let answer = reply::json(reply);
        let code = answer["errorCode"].as_str().unwrap_or_default();
        let retry =
            |hint: &str| Outcome::Retry { reason: sentence(reply, hint), after: None, whole_target: false };
        match reply.status {
            200..=299 if answer["error"] != true => match reply::id(&answer["id"]) {
                Some(run) => reply::started(&run),
                None if answer.is_null() => no_api(reply),
                None => reply::not_started(reply),
            },
            300..=399 => no_api(reply),
            404 => Outcome::Hold {
                reason: sentence(
                    reply,
                    "check `job`, and that the token may run it: Rundeck tells no difference",
                ),
            },
            409 => retry("it runs already, and is set to run once at a time"),
            // Said by Rundeck itself, not by something before it: there is no execution.
            500 if code.starts_with("api.error.") => {
                retry("Rundeck, or the project, may be set not to execute (passive mode)")
            }
            _ => reply::not_started(reply),
        }
    }

    fn look_up(&self, _: &Message, _: &str, _: &View) -> Vec<HttpRequest> {
        vec![self.call(Method::Get, &format!("/job/{}/executions?max={LOOKED_THROUGH}", self.job))]
    }

    fn find(&self, _: usize, marker: &str, reply: &Reply) -> Result<Option<String>, Outcome> {
        let answer = reply::json(reply);
        let (200, Some(executions)) = (reply.status, answer["executions"].as_array()) else {
            return Err(if reply.status == 200 { no_api(reply) } else { reply::unanswered(reply) });
        };
        let option = self.habits.marker.as_deref().unwrap_or_default();
        let line = format!("-{option} {marker}");
        let carries = |execution: &&Value| {
            execution["job"]["options"][option] == marker
                || execution["argstring"].as_str().is_some_and(|text| text.contains(&line))
        };
        Ok(executions.iter().find(carries).and_then(|execution| reply::id(&execution["id"])))
    }

    /// One that failed and is tried again is another execution.
    fn ask(&self, run: &str, replies: &[Reply]) -> Inquiry {
        let mut run = run.to_owned();
        for (nth, told) in replies.iter().enumerate() {
            let answer = reply::json(told);
            let (200, Some(state)) = (told.status, answer["status"].as_str()) else {
                return if told.status == 200 {
                    Inquiry::Failed(no_api(told))
                } else {
                    reply::no_telling(told)
                };
            };
            match (state, reply::id(&answer["retriedExecution"]["id"])) {
                ("failed-with-retry", Some(next)) => run = next,
                _ => return self.asked(&run, state, replies.get(nth + 1)),
            }
        }
        asks(self.call(Method::Get, &format!("/execution/{run}")))
    }

    fn cancel(&self, run: &str, replies: &[Reply]) -> Turn {
        let Some(last) = replies.last() else {
            let abort = self.call(Method::Post, &format!("/execution/{run}/abort")).json(&json!({}));
            return call(abort, None, Duration::ZERO);
        };
        let answer = reply::json(last);
        let over = match (last.status, answer["abort"]["status"].as_str()) {
            (200..=299, Some("failed")) if answer["execution"]["status"] == "running" => Outcome::Retry {
                reason: sentence(last, "the run could not be aborted"),
                after: None,
                whole_target: false,
            },
            (200..=299, None) => no_api(last),
            (200..=299, Some(_)) => Outcome::delivered(),
            _ => reply::cancelled(last),
        };
        Turn::Over(over)
    }

    /// Headers and body say the same; the body is XML where the job is not set to JSON.
    fn hear(&self, call: &Callback<'_>) -> Result<Vec<Signal>, Refusal> {
        let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
        let run = call.header("x-rundeck-notification-execution-id").map(Value::from);
        let run = reply::id(&run.unwrap_or_else(|| body["executionId"].clone()));
        let run = run.or_else(|| reply::id(&body["execution"]["id"]));
        let Some(run) = run else {
            let what = "neither a header X-Rundeck-Notification-Execution-Id nor an `executionId` in JSON";
            return Err(Refusal::Unreadable(what.into()));
        };
        let state = call.header("x-rundeck-notification-execution-status").or(body["status"].as_str());
        let state = state.unwrap_or("unknown");
        let event = match state {
            "succeeded" => Event::JobSucceeded,
            "failed" | "aborted" | "timedout" | "missed" => Event::JobFailed,
            _ => Event::JobMoved,
        };
        Ok(vec![signal(run, event, state, call.now)])
    }
}

/// Not the API: a page to log in, as it comes with a token that is none.
fn no_api(reply: &Reply) -> Outcome {
    Outcome::Hold { reason: sentence(reply, "this is no answer of the API; check `token` and base_url") }
}
