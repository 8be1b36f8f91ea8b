//! Settings of a ServiceNow target: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::node::{At, Node};
use crate::domain::exchange::HeaderText;
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::desk::choice::Choice;
use crate::target::desk::ear::Ear;
use crate::target::desk::form::{Due, Form, Written};
use crate::target::desk::rules::{Rules, RulesFile};
use crate::target::servicenow::{ServiceNow, States, WORDINGS};

type Text = Option<At<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    username: Text,
    password: Option<At<Secret>>,
    token: Option<At<Secret>>,
    table: Text,
    short_description: Text,
    description: Text,
    comment: Text,
    comment_field: Text,
    impact: Option<Node>,
    urgency: Option<Node>,
    priority: Option<Node>,
    category: Option<Node>,
    assigned_to: Option<Node>,
    assignment_group: Option<Node>,
    caller_id: Text,
    input_display_value: bool,
    due: Option<Due>,
    fields: BTreeMap<String, Node>,
    update_priority: Option<bool>,
    reopen: Text,
    reopen_state: Text,
    on_acknowledge: Text,
    acknowledge_state: Text,
    on_resolve: Text,
    resolve_state: Text,
    closed_states: Option<Vec<At<String>>>,
    close_code: Text,
    webhook_tokens: Vec<At<Secret>>,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<ServiceNow>) };
    let base_url = bench.own_base_url(settings.base_url.as_ref(), "https://example.service-now.com");
    let login = login(&mut bench, &settings);
    let table = word(&settings.table, "incident");
    if let Some(at) = settings.table.as_ref().filter(|at| !at.value.trim().chars().all(is_of_name)) {
        bench.wrong("table", at, "this is no name of a table", "write it as in incident or u_alert");
    }
    if let Some(node) = &settings.priority {
        let at = At { value: (), place: node.place };
        let what = "ServiceNow computes the priority and passes over what is written to it";
        bench.wrong("priority", &at, what, "set `impact` and `urgency`");
    }
    let impact = Choice::build(&mut bench, "impact", settings.impact.as_ref(), ["1", "2", "2", "3"]);
    let urgency = Choice::build(&mut bench, "urgency", settings.urgency.as_ref(), ["1", "1", "2", "3"]);
    let group = Choice::build(&mut bench, "assignment_group", settings.assignment_group.as_ref(), [""; 4]);
    let form = form(&mut bench, &settings);
    let comment_field = comment_field(&mut bench, settings.comment_field.as_ref());
    let rules = Rules::read(
        &mut bench,
        RulesFile {
            on_resolve: settings.on_resolve.as_ref(),
            on_acknowledge: settings.on_acknowledge.as_ref(),
            reopen: settings.reopen.as_ref(),
            update_priority: settings.update_priority,
        },
    );
    let states = States {
        acknowledge: settings.acknowledge_state.as_ref().map(|at| at.value.trim().to_owned()),
        resolve: word(&settings.resolve_state, "6"),
        reopen: word(&settings.reopen_state, "2"),
        sealed: match &settings.closed_states {
            Some(states) => states.iter().map(|at| at.value.trim().to_owned()).collect(),
            None => vec!["7".into(), "8".into()],
        },
    };
    let tokens = Ear::secrets(&mut bench, "webhook_tokens", &settings.webhook_tokens);
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = form.map(|form| ServiceNow {
        base_url,
        table,
        login,
        form,
        impact,
        urgency,
        group,
        caller: settings.caller_id.as_ref().map(|at| at.value.trim().to_owned()),
        comment_field,
        by_name: settings.input_display_value,
        states,
        close_code: word(&settings.close_code, "Solution provided"),
        rules,
        ear: Ear { keys: Vec::new(), tokens },
        secrets,
        redactor,
    });
    bench.finish(target)
}

/// What is written, or the usual word.
fn word(at: &Text, usual: &str) -> String {
    let written = at.as_ref().map(|at| at.value.trim()).filter(|text| !text.is_empty());
    written.unwrap_or(usual).to_owned()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn login(bench: &mut Bench<'_>, settings: &Settings) -> HeaderText {
    if let Some(at) = &settings.token {
        if settings.username.is_some() || settings.password.is_some() {
            let cure = "keep `token`, or `username` and `password`";
            bench.wrong("token", at, "there can be one login only", cure);
        }
        let cure = "add `token: \"${SNOW_TOKEN}\"`, or use `username` and `password`";
        let token = bench.needed_secret("token", Some(at), cure);
        return bench.token("Bearer ", &token);
    }
    let username = bench.needed("username", settings.username.as_ref(), "add `username: relay`");
    if let Some(at) = settings.username.as_ref().filter(|at| at.value.contains(':')) {
        bench.wrong("username", at, "a user name holds no colon", "take it out");
    }
    let cure = "add `password: \"${SNOW_PASSWORD}\"`";
    let password = bench.needed_secret("password", settings.password.as_ref(), cure);
    bench.basic(&username, &password)
}

fn comment_field(bench: &mut Bench<'_>, at: Option<&At<String>>) -> String {
    let name = at.map_or("work_notes", |at| at.value.trim());
    if let Some(at) = at.filter(|_| !matches!(name, "work_notes" | "comments")) {
        let cure = "write `work_notes`, or `comments` which the caller sees";
        bench.wrong("comment_field", at, "this is no journal field", cure);
    }
    name.to_owned()
}

fn form(bench: &mut Bench<'_>, settings: &Settings) -> Option<Form> {
    Form::build(
        bench,
        &Written {
            title: ("short_description", settings.short_description.as_ref()),
            description: settings.description.as_ref(),
            comment: settings.comment.as_ref(),
            sort: ("category", settings.category.as_ref(), ""),
            priority: (None, [""; 4]),
            assignee: ("assigned_to", settings.assigned_to.as_ref()),
            due: settings.due,
            labels: ("labels", &[]),
            fields: ("fields", &settings.fields),
        },
    )
}
