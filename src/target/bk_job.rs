//! BlueKing Job (蓝鲸作业平台), version 3 of its API behind the API gateway or the older service bus: runs
//! a script (`fast_execute_script`) or a plan (`execute_job_plan`).
//!
//! Takes a message, gives one run; the number of its instance comes back, inside a 200 that says
//! yes or no in its body. The name of a script's task carries the id of the delivery, so that a start
//! of which nobody knows how it ended is looked for among the instances. Plans have no such name.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::domain::exchange::{HttpRequest, Reply, Request};
use crate::domain::message::Message;
use crate::domain::outcome::Outcome;
use crate::domain::secret::{Redactor, Secret};
use crate::domain::signal::{Event, Signal};
use crate::target::bk_job::api::Api;
use crate::target::contract::{Callback, Inquiry, Kind, Refusal, Turn, Unsayable, Worded};
use crate::target::run::callback::signal;
use crate::target::run::parameters::{self, Parameter, printable};
use crate::target::run::platform::{DEFAULTS, Habits, Platform, Start, asks, call};
use crate::target::run::reply;
use crate::target::verdict::sentence;
use crate::template::library::{Builtin, Wording, builtin};
use crate::template::text::cut;
use crate::template::view::View;

mod api;
mod settings;

static WORDINGS: [Builtin; 1] = [builtin!("bk_job", "task_name")];

/// The row of the table of kinds.
pub static KIND: Kind = Kind {
    name: "bk_job",
    about: "a script or plan of BlueKing Job (蓝鲸作业平台)",
    wordings: &WORDINGS,
    defaults: DEFAULTS,
    build: settings::build,
};

/// Characters of a task's name.
const TASK_NAME_CHARS: usize = 512;
/// Code of an answer that asks for a right in BlueKing's permission centre.
const NO_PERMISSION: i64 = 1_238_001;
/// How far back, and ahead, of the delivery instances are looked for.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
const LOOK_AHEAD: SignedDuration = SignedDuration::from_mins(10);
/// `operate_job_instance`: terminate.
const TERMINATE: u32 = 1;

/// A configured target.
#[derive(Debug)]
struct BkJob {
    api: Api,
    what: What,
    task_name: Wording,
    /// Where the platform is to tell of the run; holds a token.
    callback_url: Option<Secret>,
    habits: Habits,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

/// What is run.
#[derive(Debug)]
enum What {
    Script {
        /// Fields that are the same each time: which script, account, timeout, static hosts.
        fixed: Map<String, Value>,
        arguments: Vec<Parameter>,
        hosts: Hosts,
        /// Its arguments are read by a shell that knows single quotes.
        is_posix: bool,
    },
    Plan {
        id: u64,
        variables: Vec<Parameter>,
    },
}

/// Where a script runs.
#[derive(Debug)]
struct Hosts {
    ids: Vec<u64>,
    ips: Vec<Parameter>,
    cloud_id: u64,
    dynamic_groups: Vec<String>,
}

impl Hosts {
    fn target_server(&self, view: &View) -> Result<Value, Unsayable> {
        let mut server = Map::new();
        if !self.ids.is_empty() {
            server.insert("host_id_list".into(), json!(self.ids));
        }
        if !self.ips.is_empty() {
            let one = |ip: String| json!({ "bk_cloud_id": self.cloud_id, "ip": ip });
            let ips: Vec<Value> = parameters::all(&self.ips, view)?.into_iter().map(one).collect();
            server.insert("ip_list".into(), ips.into());
        }
        if !self.dynamic_groups.is_empty() {
            let groups: Vec<Value> = self.dynamic_groups.iter().map(|id| json!({ "id": id })).collect();
            server.insert("dynamic_group_list".into(), groups.into());
        }
        Ok(Value::Object(server))
    }
}

/// Hosts whose logs are asked for.
const LOGS_MAX: usize = 3;

impl Platform for BkJob {
    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn looks_up(&self) -> bool {
        matches!(self.what, What::Script { .. })
    }

    fn start(&self, start: &Start<'_>) -> Result<Worded, Unsayable> {
        let mut faults = Vec::new();
        let mut body = Map::new();
        let method = match &self.what {
            What::Script { fixed, arguments, hosts, is_posix } => {
                body.extend(fixed.clone());
                let name = printable(&self.task_name.say(start.view).noting(&mut faults));
                let room = TASK_NAME_CHARS.saturating_sub(start.marker.chars().count() + 2);
                body.insert("task_name".into(), format!("{} #{}", cut(&name, room), start.marker).into());
                let line = line(&parameters::all(arguments, start.view)?, *is_posix)?;
                if !line.is_empty() {
                    body.insert("script_param".into(), BASE64.encode(line).into());
                }
                body.insert("target_server".into(), hosts.target_server(start.view)?);
                "fast_execute_script"
            }
            What::Plan { id, variables } => {
                body.insert("job_plan_id".into(), (*id).into());
                let variables = parameters::values(variables, start.view)?;
                let variables: Vec<Value> =
                    variables.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
                if !variables.is_empty() {
                    body.insert("global_var_list".into(), variables.into());
                }
                "execute_job_plan"
            }
        };
        if let Some(url) = &self.callback_url {
            body.insert("callback_url".into(), url.expose().into());
        }
        Ok(Worded { request: Request::Http(self.api.change(method, body)), faults })
    }

    fn started(&self, reply: &Reply) -> Outcome {
        match said(reply) {
            Ok(data) => match reply::id(&data["job_instance_id"]) {
                Some(run) => reply::started(&run),
                None => reply::not_started(reply),
            },
            Err(outcome) => outcome,
        }
    }

    fn look_up(&self, message: &Message, marker: &str, view: &View) -> Vec<HttpRequest> {
        let millis =
            |at: Result<Timestamp, jiff::Error>| at.unwrap_or(view.now()).as_millisecond().to_string();
        let since = millis(message.accepted_at.checked_sub(LOOK_BACK));
        let until = millis(view.now().checked_add(LOOK_AHEAD));
        let query = [
            ("create_time_start", since.as_str()),
            ("create_time_end", &until),
            ("name", marker),
            ("start", "0"),
            ("length", "20"),
        ];
        vec![self.api.question("get_job_instance_list", &query)]
    }

    fn find(&self, _: usize, marker: &str, reply: &Reply) -> Result<Option<String>, Outcome> {
        let data = said(reply)?;
        let Some(instances) = data["data"].as_array() else { return Err(reply::unanswered(reply)) };
        let ends = |instance: &&Value| instance["name"].as_str().is_some_and(|name| name.ends_with(marker));
        let found = instances.iter().find(ends);
        Ok(found.and_then(|one| reply::id(&one["job_instance_id"]).or_else(|| reply::id(&one["id"]))))
    }

    /// The status, then the log of each host, those first on which it did not succeed.
    fn ask(&self, run: &str, replies: &[Reply]) -> Inquiry {
        let [told, logs @ ..] = replies else {
            let query = [("job_instance_id", run), ("return_ip_result", "true")];
            return asks(self.api.question("get_job_instance_status", &query));
        };
        let data = match said(told) {
            Ok(data) => data,
            Err(outcome) => return Inquiry::Failed(outcome),
        };
        let Some(number) = reply::id(&data["job_instance"]["status"]) else { return reply::no_telling(told) };
        let (event, word) = state(&number);
        if event == Event::JobMoved && data["finished"] != true {
            return reply::stands(Event::JobMoved, word, String::new());
        }
        let hosts = hosts(&data);
        if let Some((step, host)) = hosts.get(logs.len()) {
            let query = [("job_instance_id", run), ("step_instance_id", step), ("bk_host_id", host)];
            return asks(self.api.question("get_job_instance_ip_log", &query));
        }
        let output: Vec<String> = logs
            .iter()
            .zip(&hosts)
            .filter_map(|(log, (_, host))| {
                let text = said(log).ok()?["log_content"].as_str()?.trim_end().to_owned();
                Some(if hosts.len() > 1 { format!("[host {host}]\n{text}") } else { text })
            })
            .collect();
        let event = if event == Event::JobSucceeded { event } else { Event::JobFailed };
        reply::stands(event, word, output.join("\n"))
    }

    /// What is finished is left as it is.
    fn cancel(&self, run: &str, replies: &[Reply]) -> Turn {
        match replies {
            [] => call(
                self.api.question("get_job_instance_status", &[("job_instance_id", run)]),
                None,
                Duration::ZERO,
            ),
            [status] => match said(status) {
                Ok(data) if data["finished"] == true => Turn::Over(Outcome::delivered()),
                Ok(_) => {
                    let number = run.parse::<u64>().map_or_else(|_| Value::from(run), Value::from);
                    let body = Map::from_iter([
                        ("job_instance_id".to_owned(), number),
                        ("operation_code".to_owned(), TERMINATE.into()),
                    ]);
                    call(self.api.change("operate_job_instance", body), None, Duration::ZERO)
                }
                Err(outcome) => Turn::Over(outcome),
            },
            [.., last] => Turn::Over(said(last).map_or_else(|outcome| outcome, |_| Outcome::delivered())),
        }
    }

    /// JSON at first; if that is not answered with 200, once more as a form.
    fn hear(&self, call: &Callback<'_>) -> Result<Vec<Signal>, Refusal> {
        let unreadable = |what: &str| Refusal::Unreadable(what.to_owned());
        let body: Value = serde_json::from_slice(call.body).unwrap_or_else(|_| {
            let pairs = url::form_urlencoded::parse(call.body);
            Value::Object(pairs.map(|(name, value)| (name.into_owned(), Value::from(&*value))).collect())
        });
        let run =
            reply::id(&body["job_instance_id"]).ok_or_else(|| unreadable("there is no `job_instance_id`"))?;
        let status = reply::id(&body["status"]).ok_or_else(|| unreadable("there is no `status`"))?;
        let (event, word) = state(&status);
        Ok(vec![signal(run, event, word, call.now)])
    }
}

/// The states of an instance, by their numbers. One that is not known is no success.
fn state(number: &str) -> (Event, &'static str) {
    match number {
        "1" => (Event::JobMoved, "waiting"),
        "2" => (Event::JobMoved, "running"),
        "3" => (Event::JobSucceeded, "succeeded"),
        "4" => (Event::JobFailed, "failed"),
        "5" => (Event::JobMoved, "skipped"),
        "6" => (Event::JobMoved, "an error was passed over"),
        "7" => (Event::JobMoved, "waiting for a person"),
        "8" => (Event::JobFailed, "ended by hand"),
        "9" => (Event::JobFailed, "in an odd state"),
        "10" => (Event::JobMoved, "being terminated"),
        "11" => (Event::JobFailed, "terminated"),
        "12" => (Event::JobFailed, "could not be terminated"),
        "13" => (Event::JobFailed, "confirmed as terminated"),
        "14" => (Event::JobFailed, "discarded"),
        "15" => (Event::JobMoved, "waiting for the next batch"),
        _ => (Event::JobMoved, "in a state that is not known"),
    }
}

/// Steps and hosts whose logs are asked for.
fn hosts(data: &Value) -> Vec<(String, String)> {
    const GOOD: [u64; 2] = [3, 9];
    let mut found: Vec<(bool, String, String)> = Vec::new();
    for step in data["step_instance_list"].as_array().into_iter().flatten() {
        let results = step["step_ip_result_list"].as_array().into_iter().flatten();
        found.extend(results.filter_map(|result| {
            let is_good = result["status"].as_u64().is_some_and(|status| GOOD.contains(&status));
            Some((is_good, reply::id(&step["step_instance_id"])?, reply::id(&result["bk_host_id"])?))
        }));
    }
    found.sort_by_key(|(is_good, ..)| *is_good);
    found.into_iter().take(LOGS_MAX).map(|(_, step, host)| (step, host)).collect()
}

/// The data of an answer that says yes; for any other, what it means. A no inside a 200 was said
/// before anything was run.
fn said(reply: &Reply) -> Result<Value, Outcome> {
    let answer = reply::json(reply);
    if reply.status != 200 || answer["result"].as_bool().is_none() {
        return Err(reply::not_started(reply));
    }
    if answer["result"] == true && answer["code"].as_i64().unwrap_or(0) == 0 {
        return Ok(answer["data"].clone());
    }
    if answer["code"] == NO_PERMISSION || !answer["permission"].is_null() {
        let hint = "grant the app, or the user, this right in BlueKing's permission centre";
        return Err(Outcome::Hold { reason: sentence(reply, hint) });
    }
    Err(Outcome::Rejected { reason: sentence(reply, "") })
}

/// The arguments as one line, which is what the platform takes. Each is quoted as a whole, so that
/// the shell there hands on what was given here.
fn line(arguments: &[String], is_posix: bool) -> Result<String, Unsayable> {
    let is_plain = |c: char| c.is_alphanumeric() || "_.,:@/+-".contains(c);
    let mut words = Vec::new();
    for argument in arguments {
        words.push(match () {
            () if !argument.is_empty() && argument.chars().all(is_plain) => argument.clone(),
            () if is_posix => format!("'{}'", argument.replace('\'', r"'\''")),
            () => {
                return Err(Unsayable(format!(
                    "no run is started: script_args: {:?} is no plain word, and there is no safe way to quote it for bat or PowerShell; use a plan with global_vars",
                    cut(argument, 80)
                )));
            }
        });
    }
    Ok(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_arrives_as_it_was_given() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let given = words(&["nginx", "--all", "a b", "it's; $(x)", "", "磁盘"]);
        let quoted = r"nginx --all 'a b' 'it'\''s; $(x)' '' 磁盘";
        assert_eq!(line(&given, true), Ok(quoted.to_owned()));
        assert_eq!(line(&given[..2], false), Ok("nginx --all".to_owned()));
        assert!(line(&given, false).is_err());
    }
}
