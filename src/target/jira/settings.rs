//! Settings of a Jira target: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::node::{At, Node};
use crate::domain::exchange::HeaderText;
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::desk::ear::Ear;
use crate::target::desk::form::{Due, Form, Written};
use crate::target::desk::rules::{Rules, RulesFile};
use crate::target::jira::api::{Api, Deployment};
use crate::target::jira::moving::Transitions;
use crate::target::jira::{Jira, WORDINGS};

type Text = Option<At<String>>;

/// Fields with settings of their own.
const OWN_FIELDS: [(&str, &str); 8] = [
    ("project", "project"),
    ("issuetype", "issue_type"),
    ("summary", "summary"),
    ("description", "description"),
    ("labels", "labels"),
    ("priority", "priority"),
    ("assignee", "assignee"),
    ("duedate", "due"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    deployment: Text,
    email: Text,
    api_token: Option<At<Secret>>,
    token: Option<At<Secret>>,
    project: Text,
    issue_type: Option<Node>,
    summary: Text,
    description: Text,
    comment: Text,
    priority: Option<Node>,
    assignee: Option<Node>,
    due: Option<Due>,
    labels: Vec<At<String>>,
    fields: BTreeMap<String, Node>,
    update_priority: Option<bool>,
    reopen: Text,
    reopen_transition: Text,
    on_acknowledge: Text,
    acknowledge_transition: Text,
    on_resolve: Text,
    resolve_transition: Text,
    resolution: Text,
    webhook_secrets: Vec<At<Secret>>,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Jira>) };
    let base_url = bench.own_base_url(settings.base_url.as_ref(), "https://example.atlassian.net");
    let (deployment, login) = login(&mut bench, &settings);
    let cure = "add the key of the project, the letters before the numbers of its issues: `project: OPS`";
    let project = bench.needed("project", settings.project.as_ref(), cure);
    let form = Form::build(
        &mut bench,
        &Written {
            title: ("summary", settings.summary.as_ref()),
            description: settings.description.as_ref(),
            comment: settings.comment.as_ref(),
            sort: ("issue_type", settings.issue_type.as_ref(), "Task"),
            priority: (settings.priority.as_ref(), ["Highest", "High", "Medium", "Low"]),
            assignee: ("assignee", settings.assignee.as_ref()),
            due: settings.due,
            labels: ("labels", &settings.labels),
            fields: ("fields", &settings.fields),
        },
    );
    for (name, node) in &settings.fields {
        if let Some((_, own)) = OWN_FIELDS.iter().find(|(field, _)| field == name) {
            let at = At { value: (), place: node.place };
            let cure = format!("use the setting `{own}`");
            bench.wrong(&format!("fields.{name}"), &at, "this field has a setting of its own", &cure);
        }
    }
    let rules = Rules::read(
        &mut bench,
        RulesFile {
            on_resolve: settings.on_resolve.as_ref(),
            on_acknowledge: settings.on_acknowledge.as_ref(),
            reopen: settings.reopen.as_ref(),
            update_priority: settings.update_priority,
        },
    );
    let transitions = Transitions {
        acknowledge: word(&settings.acknowledge_transition),
        resolve: word(&settings.resolve_transition),
        reopen: word(&settings.reopen_transition),
        resolution: word(&settings.resolution),
    };
    let keys = Ear::secrets(&mut bench, "webhook_secrets", &settings.webhook_secrets);
    let ear = Ear { keys, tokens: Vec::new() };
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = form.map(|form| Jira {
        api: Api { base_url, deployment, login },
        project,
        form,
        rules,
        transitions,
        ear,
        own: word(&settings.email),
        secrets,
        redactor,
    });
    bench.finish(target)
}

fn word(at: &Text) -> Option<String> {
    at.as_ref().map(|at| at.value.trim().to_owned()).filter(|word| !word.is_empty())
}

/// Which Jira this is, told or guessed by the credentials, and how to log in there.
fn login(bench: &mut Bench<'_>, settings: &Settings) -> (Deployment, HeaderText) {
    let guessed = if settings.token.is_some() { Deployment::Server } else { Deployment::Cloud };
    let deployment = match settings.deployment.as_ref().map(|at| (at.value.as_str(), at)) {
        None => guessed,
        Some(("cloud", _)) => Deployment::Cloud,
        Some(("server", _)) => Deployment::Server,
        Some((other, at)) => {
            let what = format!("there is no deployment {other:?}");
            bench.wrong("deployment", at, &what, "write `cloud`, or `server` for Data Center");
            guessed
        }
    };
    match deployment {
        Deployment::Cloud => {
            if let Some(at) = &settings.token {
                let cure = "use `email` and `api_token`; `token` is for Data Center";
                bench.wrong("token", at, "Jira Cloud takes no personal access tokens", cure);
            }
            let cure = "add the address of the account that made the token: `email: bot@example.com`";
            let email = bench.needed("email", settings.email.as_ref(), cure);
            let cure = "make one at id.atlassian.com under Security, and add `api_token: \"${JIRA_TOKEN}\"`";
            let token = bench.needed_secret("api_token", settings.api_token.as_ref(), cure);
            (deployment, bench.basic(&email, &token))
        }
        Deployment::Server => {
            if let Some(at) = &settings.api_token {
                let cure = "use a personal access token, as `token`; `api_token` is for Jira Cloud";
                bench.wrong("api_token", at, "Data Center takes no API tokens", cure);
            }
            let at_atlassian = |at: &&At<String>| at.value.contains(".atlassian.net");
            if let Some(at) = settings.base_url.as_ref().filter(at_atlassian) {
                let cure = "use `email` and `api_token`, and leave `token` and `deployment` out";
                bench.doubtful("base_url", at, "this is an address of Jira Cloud, not of Data Center", cure);
            }
            let cure = "make one in your Jira profile, and add `token: \"${JIRA_TOKEN}\"`";
            let token = bench.needed_secret("token", settings.token.as_ref(), cure);
            (deployment, bench.token("Bearer ", &token))
        }
    }
}
