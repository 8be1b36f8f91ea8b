//! A job platform with a plain REST interface: `POST /jobs` starts, `GET /jobs/{id}` tells,
//! `POST /jobs/{id}/cancel` cancels, with a bearer token.
//!
//! Takes a message, gives the start of one run; reads the id that comes back. Such a platform can
//! not be asked for a run without its id, so a start of which nobody knows how it ended is left to a
//! person.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::document::node::{At, Node, path_to_key};
use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::outcome::Outcome;
use crate::domain::secret::{Redactor, Secret};
use crate::domain::signal::{Event, Signal};
use crate::target::bench::Bench;
use crate::target::contract::{Built, Callback, Inquiry, Kind, Refusal, Turn, Unsayable, Worded, Workshop};
use crate::target::run::callback::signal;
use crate::target::run::parameters::{self, HOST, Parameter, printable};
use crate::target::run::platform::{DEFAULTS, Habits, Platform, Runs, Start, asks, call};
use crate::target::run::reply;
use crate::target::run::settings::{REASON_CHARS, fixed, habits};
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Wording, builtin};
use crate::template::text::cut;

static WORDINGS: [Builtin; 2] = [builtin!("job", "name"), builtin!("job", "description")];

/// The row of the table of kinds.
pub static KIND: Kind = Kind {
    name: "job",
    about: "a repair job on a job platform with a plain REST interface",
    wordings: &WORDINGS,
    defaults: DEFAULTS,
    build,
};

/// Characters of a job's name.
const NAME_CHARS: usize = 200;
/// Seconds that a run may take, where the operator says nothing.
const TIMEOUT_SECONDS: u32 = 300;
/// States in which a run is over.
const GOOD_ENDS: [&str; 4] = ["completed", "succeeded", "success", "successful"];
const BAD_ENDS: [&str; 9] =
    ["failed", "failure", "error", "cancelled", "canceled", "aborted", "timeout", "timed_out", "rejected"];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Option<At<String>>,
    api_key: Option<At<Secret>>,
    script: Option<At<String>>,
    name: Option<At<String>>,
    description: Option<At<String>>,
    targets: Vec<Node>,
    parameters: BTreeMap<String, Node>,
    credentials: BTreeMap<String, At<Secret>>,
    timeout: Option<At<u32>>,
    on_resolve: Option<At<String>>,
    callback_tokens: Vec<At<Secret>>,
    callback_secrets: Vec<At<Secret>>,
}

fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Runs<Job>>) };
    let base_url = bench.own_base_url(settings.base_url.as_ref(), "https://jobs.example.com/api");
    let cure = "add `api_key: \"${JOB_KEY}\"`";
    let key = bench.needed_secret("api_key", settings.api_key.as_ref(), cure);
    let authorization = bench.token("Bearer ", &key);
    let cure = "add the name of the script, as in `script: restart_service`";
    let script = fixed(&mut bench, "script", settings.script.as_ref(), cure);
    let name = bench.wording("name", settings.name.as_ref(), Escape::None);
    let description = bench.wording("description", settings.description.as_ref(), Escape::None);
    let targets = parameters::listed(&mut bench, "targets", &settings.targets, HOST);
    let parameters = parameters::named(&mut bench, "parameters", settings.parameters);
    let mut credentials = BTreeMap::new();
    for (name, at) in &settings.credentials {
        let cure = "write what the platform calls the account, or its secret";
        let secret = bench.secret(&path_to_key("credentials", name), Some(at), cure);
        credentials.extend(secret.map(|secret| (name.clone(), secret)));
    }
    let timeout = seconds(&mut bench, settings.timeout.as_ref());
    let habits = habits(
        &mut bench,
        settings.on_resolve.as_ref(),
        None,
        &settings.callback_tokens,
        &settings.callback_secrets,
    );
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let job = name.zip(description).map(|(name, description)| Job {
        base_url,
        authorization,
        script,
        name,
        description,
        targets,
        parameters,
        credentials,
        timeout,
        habits,
        secrets,
        redactor,
    });
    bench.finish(job.map(Runs))
}

fn seconds(bench: &mut Bench<'_>, timeout: Option<&At<u32>>) -> u32 {
    if let Some(at) = timeout.filter(|at| at.value == 0) {
        bench.wrong("timeout", at, "a run of no time does nothing", "write seconds, as in 300");
    }
    timeout.map_or(TIMEOUT_SECONDS, |at| at.value)
}

/// A configured target.
#[derive(Debug)]
struct Job {
    base_url: String,
    authorization: HeaderText,
    script: String,
    name: Wording,
    description: Wording,
    targets: Vec<Parameter>,
    parameters: Vec<Parameter>,
    credentials: BTreeMap<String, Secret>,
    timeout: u32,
    habits: Habits,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Job {
    fn call(&self, method: Method, path: &str) -> HttpRequest {
        HttpRequest::new(method, format!("{}/jobs{path}", self.base_url))
            .header("Authorization", self.authorization.clone())
            .header("Accept", HeaderText::Plain("application/json".into()))
    }
}

impl Platform for Job {
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
        let name = printable(&self.name.say(start.view).noting(&mut faults));
        let description = printable(&self.description.say(start.view).noting(&mut faults));
        let credentials: BTreeMap<&String, &str> =
            self.credentials.iter().map(|(name, secret)| (name, secret.expose())).collect();
        let body = json!({ "job": {
            "name": cut(&name, NAME_CHARS),
            "script": self.script,
            "targets": parameters::all(&self.targets, start.view)?,
            "parameters": parameters::values(&self.parameters, start.view)?,
            "credentials": credentials,
            "timeout": self.timeout,
            "description": cut(&description, REASON_CHARS),
        }});
        let request = self
            .call(Method::Post, "")
            .header("Idempotency-Key", HeaderText::Plain(start.marker.to_owned()))
            .json(&body);
        Ok(Worded { request: Request::Http(request), faults })
    }

    fn started(&self, reply: &Reply) -> Outcome {
        if !(200..300).contains(&reply.status) {
            return reply::not_started(reply);
        }
        let answer = reply::json(reply);
        match reply::id(&answer["job"]["id"]).or_else(|| reply::id(&answer["id"])) {
            Some(run) => reply::started(&run),
            None => reply::not_started(reply),
        }
    }

    fn ask(&self, run: &str, replies: &[Reply]) -> Inquiry {
        let [told, rest @ ..] = replies else { return asks(self.call(Method::Get, &format!("/{run}"))) };
        let answer = reply::json(told);
        let (200, Some(state)) = (told.status, status(&answer)) else { return reply::no_telling(told) };
        match (event(state), rest) {
            (Event::JobMoved, _) => reply::stands(Event::JobMoved, state, String::new()),
            (_, []) => asks(self.call(Method::Get, &format!("/{run}/output"))),
            (event, [.., output]) => reply::stands(event, state, written(output)),
        }
    }

    /// What is over is left as it is.
    fn cancel(&self, run: &str, replies: &[Reply]) -> Turn {
        let next = |request| call(request, None, Duration::ZERO);
        match replies {
            [] => next(self.call(Method::Get, &format!("/{run}"))),
            [told] => match reply::cancelled(told) {
                _ if told.status == 404 || told.status == 410 => Turn::Over(Outcome::delivered()),
                Outcome::Delivered { .. } if is_over(&reply::json(told)) => Turn::Over(Outcome::delivered()),
                Outcome::Delivered { .. } => {
                    let cancel = self.call(Method::Post, &format!("/{run}/cancel")).json(&json!({}));
                    next(cancel)
                }
                outcome => Turn::Over(outcome),
            },
            [.., last] => Turn::Over(reply::cancelled(last)),
        }
    }

    fn hear(&self, call: &Callback<'_>) -> Result<Vec<Signal>, Refusal> {
        let unreadable = |what: &str| Refusal::Unreadable(what.to_owned());
        let body: Value = serde_json::from_slice(call.body).map_err(|_| unreadable("the body is no JSON"))?;
        let job = if body["job"].is_object() { &body["job"] } else { &body };
        let run = reply::id(&job["id"]).ok_or_else(|| unreadable("there is no `job.id`"))?;
        let state = job["status"].as_str().ok_or_else(|| unreadable("there is no `job.status`"))?;
        Ok(vec![signal(run, event(state), state, call.now)])
    }
}

fn event(state: &str) -> Event {
    let state = state.to_ascii_lowercase();
    match () {
        () if GOOD_ENDS.contains(&state.as_str()) => Event::JobSucceeded,
        () if BAD_ENDS.contains(&state.as_str()) => Event::JobFailed,
        () => Event::JobMoved,
    }
}

fn is_over(answer: &Value) -> bool {
    status(answer).is_some_and(|state| event(state) != Event::JobMoved)
}

fn status(answer: &Value) -> Option<&str> {
    let job = if answer["job"].is_object() { &answer["job"] } else { answer };
    job["status"].as_str()
}

/// `stdout` and `stderr` of the answer; where it is no such thing, all of it.
fn written(reply: &Reply) -> String {
    let answer = reply::json(reply);
    let parts = ["stdout", "stderr"].map(|name| answer[name].as_str().unwrap_or_default().trim_end());
    match parts {
        ["", ""] if answer.is_object() => String::new(),
        ["", ""] => reply::text(reply),
        [one, ""] | ["", one] => one.to_owned(),
        [out, err] => format!("{out}\n{err}"),
    }
}
