//! Jenkins: builds a job with parameters, folders included
//! (<https://www.jenkins.io/doc/book/using/remote-access-api/>).
//!
//! Takes a message, gives one build; what comes back is the number of its queue item, which the
//! build keeps. With a marker, a parameter of the job that carries the id of the delivery, a start of
//! which nobody knows how it ended is looked for in the queue and among the builds.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::message::Message;
use crate::domain::outcome::Outcome;
use crate::domain::secret::{Redactor, Secret};
use crate::domain::signal::{Event, Signal};
use crate::target::contract::{Callback, Inquiry, Kind, Refusal, Turn, Unsayable, Worded};
use crate::target::run::callback::signal;
use crate::target::run::parameters::{self, Parameter, printable};
use crate::target::run::platform::{DEFAULTS, Habits, Platform, Start, asks, call};
use crate::target::run::reply;
use crate::target::run::settings::REASON_CHARS;
use crate::target::verdict::sentence;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Wording, builtin};
use crate::template::text::cut;
use crate::template::view::View;

mod settings;

static WORDINGS: [Builtin; 1] = [builtin!("jenkins", "reason")];

/// The row of the table of kinds.
pub static KIND: Kind = Kind {
    name: "jenkins",
    about: "a build of a Jenkins job, with parameters",
    wordings: &WORDINGS,
    defaults: DEFAULTS,
    build: settings::build,
};

/// Bytes of a log that are asked for: its last ones.
const LOG_BYTES: u64 = 60_000;
/// Builds among which a marker or a queue item is looked for, the newest first.
const LOOKED_THROUGH: u32 = 100;

/// A configured target.
#[derive(Debug)]
struct Jenkins {
    base_url: String,
    authorization: HeaderText,
    /// `/job/folder/job/name`, percent-encoded.
    job: String,
    parameters: Vec<Parameter>,
    /// Ask for a crumb before what changes something: needed with a password, not with a token.
    crumb: bool,
    reason: Wording,
    reason_parameter: Option<String>,
    habits: Habits,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Jenkins {
    fn call(&self, method: Method, path: &str) -> HttpRequest {
        HttpRequest::new(method, format!("{}{path}", self.base_url))
            .header("Authorization", self.authorization.clone())
    }

    /// Asks the API of `path` for some fields.
    fn question(&self, path: &str, fields: &str) -> HttpRequest {
        self.call(Method::Get, &format!("{path}/api/json?tree={}", Escape::Url.apply(fields)))
    }

    fn ask_for_crumb(&self) -> HttpRequest {
        self.call(Method::Get, "/crumbIssuer/api/json")
    }

    /// A POST, with the crumb and the session that it was given for.
    fn post(&self, path: &str, crumb: Option<&Reply>) -> HttpRequest {
        let mut request = self.call(Method::Post, path);
        let Some(reply) = crumb else { return request };
        let answer = reply::json(reply);
        if let (Some(field), Some(crumb)) = (answer["crumbRequestField"].as_str(), answer["crumb"].as_str()) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if field.chars().all(is_name) && is_header_text(crumb) {
                request = request.header(field, HeaderText::Hidden(Secret::new(crumb)));
            }
        }
        let cookies = reply.headers.iter().filter(|(name, _)| name == "set-cookie");
        let cookies: Vec<&str> = cookies.filter_map(|(_, value)| value.split(';').next()).collect();
        if !cookies.is_empty() && cookies.iter().all(|cookie| is_header_text(cookie)) {
            request = request.header("Cookie", HeaderText::Hidden(Secret::new(cookies.join("; "))));
        }
        request
    }

    fn build_call(&self, start: &Start<'_>, crumb: Option<&Reply>) -> Result<Worded, Unsayable> {
        let mut faults = Vec::new();
        let mut values: BTreeMap<String, String> = parameters::values(&self.parameters, start.view)?;
        if let Some(marker) = &self.habits.marker {
            values.insert(marker.clone(), start.marker.to_owned());
        }
        if let Some(name) = &self.reason_parameter {
            let reason = printable(&self.reason.say(start.view).noting(&mut faults));
            values.insert(name.clone(), cut(&reason, REASON_CHARS).into_owned());
        }
        let verb = if values.is_empty() { "build" } else { "buildWithParameters" };
        let request = self
            .post(&format!("{}/{verb}", self.job), crumb)
            .form(values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Ok(Worded { request: Request::Http(request), faults })
    }

    /// The build that came of a queue item: among `builds`, by its queue item's number.
    fn ask_for_builds(&self) -> HttpRequest {
        let fields =
            format!("builds[number,queueId,building,actions[parameters[name,value]]]{{0,{LOOKED_THROUGH}}}");
        self.question(&self.job, &fields)
    }

    fn carries(&self, item: &Value, marker: &str) -> bool {
        let name = self.habits.marker.as_deref().unwrap_or_default();
        let actions = item["actions"].as_array().into_iter().flatten();
        let mut all = actions.flat_map(|action| action["parameters"].as_array().into_iter().flatten());
        all.any(|parameter| parameter["name"] == name && parameter["value"] == marker)
    }
}

/// The build that came of a queue item.
fn build_of(run: &str, answer: &Value) -> Option<String> {
    let mut builds = answer["builds"].as_array()?.iter();
    let build = builds.find(|build| reply::id(&build["queueId"]).as_deref() == Some(run))?;
    reply::id(&build["number"])
}

fn is_header_text(text: &str) -> bool {
    text.chars().all(|c| (' '..='~').contains(&c))
}

/// `…/queue/item/17/` names item 17. The rest of the address is what Jenkins thinks it is called,
/// which may not be reachable from here.
fn queue_item(location: &str) -> Option<&str> {
    let (_, rest) = location.rsplit_once("/queue/item/")?;
    let number = rest.trim_end_matches('/');
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

/// How a build is stopped.
enum Stop {
    /// By a POST there.
    At(String),
    /// Jenkins does not remember what was asked for.
    Forgotten,
    /// Not at all.
    Over(Outcome),
}

impl Jenkins {
    fn stop_of_item(&self, run: &str, reply: &Reply) -> Stop {
        let item = reply::json(reply);
        match reply.status {
            404 => Stop::Forgotten,
            200 if item["cancelled"] == true => Stop::Over(Outcome::delivered()),
            200 if item.is_object() => match reply::id(&item["executable"]["number"]) {
                Some(number) => Stop::At(format!("{}/{number}/stop", self.job)),
                None => Stop::At(format!("/queue/cancelItem?id={run}")),
            },
            _ => Stop::Over(reply::unanswered(reply)),
        }
    }

    /// An item is forgotten minutes after it became a build; the build remembers it.
    fn stop_of_build(&self, run: &str, reply: &Reply) -> Stop {
        let answer = reply::json(reply);
        let (200, Some(builds)) = (reply.status, answer["builds"].as_array()) else {
            return Stop::Over(reply::unanswered(reply));
        };
        let is_it = |build: &&Value| reply::id(&build["queueId"]).as_deref() == Some(run);
        let build = builds.iter().find(is_it).filter(|build| build["building"] == true);
        match build.and_then(|build| reply::id(&build["number"])) {
            Some(number) => Stop::At(format!("{}/{number}/stop", self.job)),
            None => Stop::Forgotten,
        }
    }
}

impl Platform for Jenkins {
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
        // What refuses the run does so before anything is asked.
        let build = self.build_call(start, None)?;
        if self.crumb {
            return Ok(Worded { request: Request::Http(self.ask_for_crumb()), faults: build.faults });
        }
        Ok(build)
    }

    fn started(&self, reply: &Reply) -> Outcome {
        let location = reply.header("location").unwrap_or_default();
        match reply.status {
            200..=299 => match queue_item(location) {
                Some(item) => reply::started(item),
                None => Outcome::Unknown {
                    reason: sentence(
                        reply,
                        "there is no queue item in `Location`; look at the job in Jenkins",
                    ),
                },
            },
            300..=399 if location.contains("login") => Outcome::Hold {
                reason: sentence(reply, "Jenkins wants a login: check `username` and `api_token`"),
            },
            // Very old versions lead from the start to the job's page.
            300..=399 => {
                Outcome::Unknown { reason: sentence(reply, "look at the job in Jenkins, and check base_url") }
            }
            403 => Outcome::Hold {
                reason: sentence(
                    reply,
                    "check `api_token` and the right Job/Build; a password needs `crumb: true`",
                ),
            },
            _ => reply::not_started(reply),
        }
    }

    fn after_start(&self, start: &Start<'_>, replies: &[Reply]) -> Turn {
        match replies {
            [crumb] if self.crumb => match crumb.status {
                // 404: crumbs are switched off there.
                200..=299 | 404 => match self.build_call(start, Some(crumb)) {
                    Ok(worded) => Turn::call(worded),
                    Err(Unsayable(reason)) => Turn::Over(Outcome::Rejected { reason }),
                },
                _ => Turn::Over(reply::unanswered(crumb)),
            },
            [.., last] => Turn::Over(self.started(last)),
            [] => Turn::Over(reply::not_started(&Reply::default())),
        }
    }

    /// The queue first: what leaves it meanwhile is among the builds by then.
    fn look_up(&self, _: &Message, _: &str, _: &View) -> Vec<HttpRequest> {
        vec![self.question("/queue", "items[id,actions[parameters[name,value]]]"), self.ask_for_builds()]
    }

    fn find(&self, question: usize, marker: &str, reply: &Reply) -> Result<Option<String>, Outcome> {
        let (list, id) = if question == 0 { ("items", "id") } else { ("builds", "queueId") };
        let answer = reply::json(reply);
        let (200, Some(all)) = (reply.status, answer[list].as_array()) else {
            return Err(reply::unanswered(reply));
        };
        let found = all.iter().find(|item| self.carries(item, marker));
        Ok(found.and_then(|item| reply::id(&item[id])))
    }

    /// The queue item, the builds if the item is forgotten, the build, and what it has written.
    fn ask(&self, run: &str, replies: &[Reply]) -> Inquiry {
        let [item, rest @ ..] = replies else {
            return asks(self.question(&format!("/queue/item/{run}"), "cancelled,why,executable[number]"));
        };
        let answer = reply::json(item);
        let (number, rest) = match (item.status, rest) {
            (404, []) => return asks(self.ask_for_builds()),
            (404, [builds, rest @ ..]) => (build_of(run, &reply::json(builds)), rest),
            (200, _) if answer["cancelled"] == true => {
                return reply::stands(Event::JobFailed, "cancelled in the queue", String::new());
            }
            (200, rest) if answer.is_object() => match reply::id(&answer["executable"]["number"]) {
                Some(number) => (Some(number), rest),
                None => return reply::stands(Event::JobMoved, "queued", String::new()),
            },
            _ => return reply::no_telling(item),
        };
        let Some(number) = number else { return reply::no_telling(item) };
        let place = format!("{}/{number}", self.job);
        let [build, rest @ ..] = rest else { return asks(self.question(&place, "building,result")) };
        let answer = reply::json(build);
        let event = match (build.status, answer["building"] == true, answer["result"].as_str()) {
            (200, true, _) | (200, _, None) if answer.is_object() => Event::JobMoved,
            (200, _, Some("SUCCESS")) => Event::JobSucceeded,
            (200, _, Some(_)) => Event::JobFailed,
            _ => return reply::no_telling(build),
        };
        let state = answer["result"].as_str().unwrap_or("building");
        if event == Event::JobMoved {
            return reply::stands(event, state, String::new());
        }
        // The end is asked for once it is known how long the whole is.
        let from = |start: u64| {
            asks(self.call(Method::Get, &format!("{place}/logText/progressiveText?start={start}")))
        };
        match rest {
            [] => from(0),
            [log] => match log.header("x-text-size").and_then(|size| size.parse::<u64>().ok()) {
                Some(size) if size > LOG_BYTES => from(size - LOG_BYTES),
                _ => reply::stands(event, state, reply::text(log)),
            },
            [.., log] => reply::stands(event, state, reply::text(log)),
        }
    }

    /// The queue item, the builds if the item is forgotten, the crumb if one is needed, the stop.
    fn cancel(&self, run: &str, replies: &[Reply]) -> Turn {
        let next = |request| call(request, None, Duration::ZERO);
        let [item, rest @ ..] = replies else {
            return next(self.question(&format!("/queue/item/{run}"), "cancelled,executable[number]"));
        };
        let (stop, rest) = match (self.stop_of_item(run, item), rest) {
            (Stop::Forgotten, []) => return next(self.ask_for_builds()),
            (Stop::Forgotten, [builds, rest @ ..]) => (self.stop_of_build(run, builds), rest),
            (stop, rest) => (stop, rest),
        };
        let path = match stop {
            Stop::At(path) => path,
            Stop::Forgotten => return Turn::Over(Outcome::delivered()),
            Stop::Over(outcome) => return Turn::Over(outcome),
        };
        match rest {
            [] if self.crumb => next(self.ask_for_crumb()),
            [] => next(self.post(&path, None)),
            [crumb] if self.crumb => next(self.post(&path, Some(crumb))),
            // The stop leads to a page.
            [.., last] if matches!(last.status, 302 | 303) => Turn::Over(Outcome::delivered()),
            [.., last] => Turn::Over(reply::cancelled(last)),
        }
    }

    /// What the Notification plugin posts (its format JSON).
    fn hear(&self, call: &Callback<'_>) -> Result<Vec<Signal>, Refusal> {
        let unreadable = |what: &str| Refusal::Unreadable(what.to_owned());
        let body: Map<String, Value> =
            serde_json::from_slice(call.body).map_err(|_| unreadable("the body is no JSON object"))?;
        let build = body.get("build").cloned().unwrap_or_default();
        let phase = build["phase"].as_str().ok_or_else(|| unreadable("there is no `build.phase`"))?;
        let Some(run) = reply::id(&build["queue_id"]) else {
            return Err(unreadable(
                "there is no `build.queue_id`: use a later version of the Notification plugin",
            ));
        };
        let status = build["status"].as_str().unwrap_or_default();
        let (event, state) = match (phase, status) {
            ("COMPLETED" | "FINALIZED", "SUCCESS") => (Event::JobSucceeded, status),
            ("COMPLETED" | "FINALIZED", "") => (Event::JobMoved, phase),
            ("COMPLETED" | "FINALIZED", _) => (Event::JobFailed, status),
            _ => (Event::JobMoved, phase),
        };
        Ok(vec![signal(run, event, state, call.now)])
    }
}
