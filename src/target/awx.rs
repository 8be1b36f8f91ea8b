//! AWX and Ansible Automation Platform: launches a job template or a workflow
//! (<https://docs.ansible.com/projects/awx/en/latest/rest_api/>).
//!
//! Takes a message, gives one launch; the job's id comes back. A launch that was answered with yes
//! but left out what it was given (`ignored_fields`) is cancelled at once and told: a play without
//! its `limit` runs on every host.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::document::node::{At, Node};
use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::message::{Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::secret::{Redactor, Secret};
use crate::domain::signal::{Event, Signal};
use crate::target::bench::Bench;
use crate::target::contract::{Built, Callback, Inquiry, Kind, Refusal, Turn, Unsayable, Worded, Workshop};
use crate::target::run::callback::signal;
use crate::target::run::parameters::{self, HOST, Parameter, printable};
use crate::target::run::platform::{DEFAULTS, Habits, Platform, Runs, Start, asks, call};
use crate::target::run::reply;
use crate::target::run::settings::{REASON_CHARS, fixed, habits, name, one_of};
use crate::target::verdict::sentence;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Wording, builtin};
use crate::template::text::cut;
use crate::template::view::View;

static WORDINGS: [Builtin; 1] = [builtin!("awx", "reason")];

/// The row of the table of kinds.
pub static KIND: Kind = Kind {
    name: "awx",
    about: "a job template or workflow of AWX or Ansible Automation Platform",
    wordings: &WORDINGS,
    defaults: DEFAULTS,
    build,
};

/// Path of the API of AWX; inside the platform from 2.5 on it is `/api/controller/v2`.
const API_PATH: &str = "/api/v2";
/// Jobs among which a marker is looked for, the newest first; the API gives no more at once.
const LOOKED_THROUGH: u32 = 200;

type Text = Option<At<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    api_path: Text,
    token: Option<At<Secret>>,
    username: Text,
    password: Option<At<Secret>>,
    job_template: Text,
    workflow_job_template: Text,
    extra_vars: BTreeMap<String, Node>,
    limit: Option<Node>,
    inventory: Option<At<u64>>,
    credentials: Vec<u64>,
    job_tags: Text,
    skip_tags: Text,
    reason: Text,
    reason_var: Text,
    marker: Text,
    on_resolve: Text,
    callback_tokens: Vec<At<Secret>>,
}

fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Runs<Awx>>) };
    let base_url = bench.own_base_url(settings.base_url.as_ref(), "https://awx.example.com");
    let path = settings.api_path.as_ref().map_or(API_PATH, |at| at.value.trim_end_matches('/'));
    if let Some(at) = settings.api_path.as_ref().filter(|_| !path.starts_with('/')) {
        bench.wrong("api_path", at, "this is no path", "write /api/v2, or /api/controller/v2");
    }
    let api = format!("{base_url}{path}");
    let authorization = authorization(&mut bench, &settings);
    let template = template(&mut bench, &settings);
    let extra_vars = parameters::named(&mut bench, "extra_vars", settings.extra_vars);
    let limit =
        settings.limit.as_ref().and_then(|node| parameters::parameter(&mut bench, "limit", node, HOST));
    let reason = bench.wording("reason", settings.reason.as_ref(), Escape::None);
    let reason_var = settings.reason_var.as_ref().map(|at| name(&mut bench, "reason_var", at));
    let habits = habits(
        &mut bench,
        settings.on_resolve.as_ref(),
        settings.marker.as_ref(),
        &settings.callback_tokens,
        &[],
    );
    let mut fixed = Map::new();
    if let Some(at) = settings.inventory {
        fixed.insert("inventory".into(), at.value.into());
    }
    if !settings.credentials.is_empty() {
        fixed.insert("credentials".into(), settings.credentials.into());
    }
    for (name, at) in [("job_tags", settings.job_tags), ("skip_tags", settings.skip_tags)] {
        fixed.extend(at.map(|at| (name.to_owned(), Value::from(at.value))));
    }
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let awx = reason.map(|reason| Awx {
        api,
        authorization,
        template,
        extra_vars,
        limit,
        fixed,
        reason,
        reason_var,
        habits,
        secrets,
        redactor,
    });
    bench.finish(awx.map(Runs))
}

fn authorization(bench: &mut Bench<'_>, settings: &Settings) -> HeaderText {
    let cure = "add `token: \"${AWX_TOKEN}\"`, made in the user's settings with scope Write";
    one_of(bench, ("token", settings.token.is_some()), ("username", settings.username.is_some()), cure);
    if let Some(at) = &settings.username {
        let user = bench.needed("username", Some(at), "write the name of the user");
        let cure = "add `password: \"${AWX_PASSWORD}\"` beside `username`";
        let password = bench.needed_secret("password", settings.password.as_ref(), cure);
        return bench.basic(&user, &password);
    }
    if let Some(at) = &settings.password {
        bench.wrong(
            "password",
            at,
            "there is a password and no `username`",
            "add `username`, or use `token`",
        );
    }
    let token = bench.secret("token", settings.token.as_ref(), cure).unwrap_or_default();
    bench.token("Bearer ", &token)
}

fn template(bench: &mut Bench<'_>, settings: &Settings) -> Template {
    let (job, workflow) = (settings.job_template.as_ref(), settings.workflow_job_template.as_ref());
    let cure = "add `job_template:` with its id, or its name as in `Restart service++Ops`";
    one_of(bench, ("job_template", job.is_some()), ("workflow_job_template", workflow.is_some()), cure);
    let is_workflow = workflow.is_some();
    let field = if is_workflow { "workflow_job_template" } else { "job_template" };
    let name = match workflow.or(job) {
        Some(at) => fixed(bench, field, Some(at), cure),
        None => String::new(),
    };
    Template { name: Escape::Url.apply(&name).into_owned(), is_workflow }
}

/// What is launched.
#[derive(Debug)]
struct Template {
    /// Id, or named URL, percent-encoded.
    name: String,
    is_workflow: bool,
}

impl Template {
    fn path(&self) -> String {
        let kind = if self.is_workflow { "workflow_job_templates" } else { "job_templates" };
        format!("/{kind}/{}", self.name)
    }

    /// Where its jobs are.
    fn jobs(&self) -> &'static str {
        if self.is_workflow { "workflow_jobs" } else { "jobs" }
    }
}

/// A configured target.
#[derive(Debug)]
struct Awx {
    /// Address of the API.
    api: String,
    authorization: HeaderText,
    template: Template,
    extra_vars: Vec<Parameter>,
    limit: Option<Parameter>,
    /// Fields of the launch that are the same each time.
    fixed: Map<String, Value>,
    reason: Wording,
    reason_var: Option<String>,
    habits: Habits,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Awx {
    fn call(&self, method: Method, path: &str) -> HttpRequest {
        HttpRequest::new(method, format!("{}{path}", self.api))
            .header("Authorization", self.authorization.clone())
            .header("Accept", HeaderText::Plain("application/json".into()))
    }

    /// The slash at the end is part of it: AWX would redirect, and a redirect asks and launches nothing.
    fn cancel_call(&self, run: &str) -> HttpRequest {
        self.call(Method::Post, &format!("/{}/{run}/cancel/", self.template.jobs())).json(&json!({}))
    }

    fn launched(&self, reply: &Reply) -> Option<String> {
        let answer = reply::json(reply);
        let names = if self.template.is_workflow { ["workflow_job", "id"] } else { ["job", "id"] };
        names.iter().find_map(|name| reply::id(&answer[*name])).filter(|_| reply.status == 201)
    }
}

impl Platform for Awx {
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
        let mut vars = parameters::values(&self.extra_vars, start.view)?;
        if let Some(marker) = &self.habits.marker {
            vars.insert(marker.clone(), start.marker.to_owned());
        }
        if let Some(name) = &self.reason_var {
            let reason = printable(&self.reason.say(start.view).noting(&mut faults));
            vars.insert(name.clone(), cut(&reason, REASON_CHARS).into_owned());
        }
        // Ansible renders what it is given: braces in a value must not become a template there.
        for value in vars.values_mut() {
            *value = value.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #");
        }
        let mut body = self.fixed.clone();
        if !vars.is_empty() {
            body.insert("extra_vars".into(), json!(vars));
        }
        if let Some(limit) = &self.limit {
            body.insert("limit".into(), limit.value(start.view)?.into());
        }
        let path = format!("{}/launch/", self.template.path());
        let request = self.call(Method::Post, &path).json(&Value::Object(body));
        Ok(Worded { request: Request::Http(request), faults })
    }

    fn started(&self, reply: &Reply) -> Outcome {
        let answer = reply::json(reply);
        match self.launched(reply) {
            Some(run) => match ignored(&answer) {
                None => reply::started(&run),
                Some(fields) => Outcome::Rejected {
                    reason: format!(
                        "AWX launched job {run} without {fields}, which the template does not take: tick \"Prompt on launch\" there; the job is cancelled"
                    ),
                },
            },
            None if reply.status == 400 && !answer["variables_needed_to_start"].is_null() => {
                Outcome::Rejected { reason: sentence(reply, "give these variables in `extra_vars`") }
            }
            None if matches!(reply.status, 301..=308) => Outcome::Hold {
                reason: sentence(
                    reply,
                    "check base_url and api_path (/api/controller/v2 inside the platform)",
                ),
            },
            None => reply::not_started(reply),
        }
    }

    /// A launch that left something out is cancelled; the job stays known, so that it is not
    /// launched again by the next change of the alert.
    fn after_start(&self, _: &Start<'_>, replies: &[Reply]) -> Turn {
        let [launch, rest @ ..] = replies else { return Turn::Over(reply::not_started(&Reply::default())) };
        let lacks = ignored(&reply::json(launch)).is_some();
        match self.launched(launch).filter(|_| lacks && rest.is_empty()) {
            Some(run) => call(self.cancel_call(&run), Some(RemoteRef(run)), Duration::ZERO),
            None => Turn::Over(self.started(launch)),
        }
    }

    fn look_up(&self, _: &Message, _: &str, _: &View) -> Vec<HttpRequest> {
        let path = format!(
            "{}/{}/?order_by=-id&page_size={LOOKED_THROUGH}",
            self.template.path(),
            self.template.jobs()
        );
        vec![self.call(Method::Get, &path)]
    }

    fn find(&self, _: usize, marker: &str, reply: &Reply) -> Result<Option<String>, Outcome> {
        let answer = reply::json(reply);
        let (200, Some(jobs)) = (reply.status, answer["results"].as_array()) else {
            return Err(reply::unanswered(reply));
        };
        let name = self.habits.marker.as_deref().unwrap_or_default();
        let carries = |job: &&Value| {
            let vars = job["extra_vars"].as_str().unwrap_or_default();
            serde_json::from_str::<Value>(vars).unwrap_or_default()[name] == marker
        };
        Ok(jobs.iter().find(carries).and_then(|job| reply::id(&job["id"])))
    }

    /// A workflow has written nothing by itself.
    fn ask(&self, run: &str, replies: &[Reply]) -> Inquiry {
        let path = format!("/{}/{run}/", self.template.jobs());
        let [told, rest @ ..] = replies else { return asks(self.call(Method::Get, &path)) };
        let answer = reply::json(told);
        let (200, Some(state)) = (told.status, answer["status"].as_str()) else {
            return reply::no_telling(told);
        };
        match (event(state), rest) {
            (Event::JobMoved, _) => reply::stands(Event::JobMoved, state, String::new()),
            (_, []) if !self.template.is_workflow => {
                asks(self.call(Method::Get, &format!("{path}stdout/?format=txt")))
            }
            (event, rest) => {
                let said = answer["job_explanation"].as_str().unwrap_or_default();
                let output = rest.last().map(reply::text).unwrap_or_default();
                let output = if output.is_empty() { said.to_owned() } else { output };
                reply::stands(event, state, output)
            }
        }
    }

    fn cancel(&self, run: &str, replies: &[Reply]) -> Turn {
        match replies.last() {
            None => call(self.cancel_call(run), None, Duration::ZERO),
            Some(last) => Turn::Over(reply::cancelled(last)),
        }
    }

    fn hear(&self, call: &Callback<'_>) -> Result<Vec<Signal>, Refusal> {
        let unreadable = |what: &str| Refusal::Unreadable(what.to_owned());
        let body: Value = serde_json::from_slice(call.body).map_err(|_| unreadable("the body is no JSON"))?;
        let run = reply::id(&body["id"]).ok_or_else(|| unreadable("there is no `id` of a job"))?;
        let state = body["status"].as_str().ok_or_else(|| unreadable("there is no `status`"))?;
        let at = body["finished"].as_str().and_then(|text| text.parse().ok()).unwrap_or(call.now);
        Ok(vec![signal(run, event(state), state, at)])
    }
}

fn event(state: &str) -> Event {
    match state {
        "successful" => Event::JobSucceeded,
        "failed" | "error" | "canceled" => Event::JobFailed,
        _ => Event::JobMoved,
    }
}

/// What a launch left out, by name; nothing when that is nothing.
fn ignored(answer: &Value) -> Option<String> {
    let fields = answer["ignored_fields"].as_object()?;
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
