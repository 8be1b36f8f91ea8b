//! Settings of a Zendesk target: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::node::{At, Node, path_to_key};
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::desk::choice::Choice;
use crate::target::desk::ear::Ear;
use crate::target::desk::form::{Due, Form, Written};
use crate::target::desk::rules::{Rules, RulesFile};
use crate::target::zendesk::{WORDINGS, Zendesk};

type Text = Option<At<String>>;

/// Statuses that a ticket in work can have.
const STATUSES: [&str; 4] = ["new", "open", "pending", "hold"];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    email: Text,
    api_token: Option<At<Secret>>,
    subject: Text,
    description: Text,
    comment: Text,
    public: bool,
    r#type: Option<Node>,
    priority: Option<Node>,
    assignee: Option<Node>,
    group: Option<Node>,
    requester: Text,
    due: Option<Due>,
    tags: Vec<At<String>>,
    custom_fields: BTreeMap<String, Node>,
    ticket_form_id: Option<u64>,
    brand_id: Option<u64>,
    update_priority: Option<bool>,
    reopen: Text,
    on_acknowledge: Text,
    acknowledge_status: Text,
    on_resolve: Text,
    webhook_secrets: Vec<At<Secret>>,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Zendesk>) };
    let base_url = bench.own_base_url(settings.base_url.as_ref(), "https://example.zendesk.com");
    if let Some(at) = settings.base_url.as_ref().filter(|at| at.value.contains("/api/v2")) {
        bench.wrong("base_url", at, "the base_url ends before /api/v2", "write https://example.zendesk.com");
    }
    let cure = "add the address of the agent that made the token: `email: bot@example.com`";
    let email = bench.needed("email", settings.email.as_ref(), cure);
    let cure = "make one in the Admin Center under APIs, and add `api_token: \"${ZENDESK_TOKEN}\"`";
    let token = bench.needed_secret("api_token", settings.api_token.as_ref(), cure);
    // The word belongs to the user part: so Zendesk tells a token from a password.
    let email = email.strip_suffix("/token").unwrap_or(&email);
    let login = bench.basic(&format!("{email}/token"), &token);
    let form = form(&mut bench, &settings);
    let group = Choice::build(&mut bench, "group", settings.group.as_ref(), [""; 4]);
    let rules = Rules::read(
        &mut bench,
        RulesFile {
            on_resolve: settings.on_resolve.as_ref(),
            on_acknowledge: settings.on_acknowledge.as_ref(),
            reopen: settings.reopen.as_ref(),
            update_priority: settings.update_priority,
        },
    );
    let acknowledge_status = settings.acknowledge_status.as_ref().map(|at| at.value.trim().to_owned());
    if let Some(at) = settings.acknowledge_status.as_ref().filter(|at| !STATUSES.contains(&at.value.trim())) {
        let what = format!("{:?} is no status of a ticket in work", at.value);
        bench.wrong("acknowledge_status", at, &what, "write `open`, `pending` or `hold`");
    }
    let requester = settings.requester.as_ref().map(|at| at.value.trim().to_owned());
    if let Some(at) = settings.requester.as_ref().filter(|at| !at.value.contains('@')) {
        bench.wrong("requester", at, "this is no email address", "write one, as in ops@example.com");
    }
    let keys = Ear::secrets(&mut bench, "webhook_secrets", &settings.webhook_secrets);
    let ear = Ear { keys, tokens: Vec::new() };
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = form.map(|form| Zendesk {
        base_url,
        login,
        form,
        group,
        requester,
        public: settings.public,
        ticket_form_id: settings.ticket_form_id,
        brand_id: settings.brand_id,
        rules,
        acknowledge_status,
        ear,
        secrets,
        redactor,
    });
    bench.finish(target)
}

fn form(bench: &mut Bench<'_>, settings: &Settings) -> Option<Form> {
    for (id, node) in &settings.custom_fields {
        if id.parse::<u64>().is_err() {
            let at = At { value: (), place: node.place };
            let cure = "write the id of the field, a number shown in the Admin Center under Fields";
            bench.wrong(&path_to_key("custom_fields", id), &at, "custom fields go by number", cure);
        }
    }
    Form::build(
        bench,
        &Written {
            title: ("subject", settings.subject.as_ref()),
            description: settings.description.as_ref(),
            comment: settings.comment.as_ref(),
            sort: ("type", settings.r#type.as_ref(), "incident"),
            priority: (settings.priority.as_ref(), ["urgent", "high", "normal", "low"]),
            assignee: ("assignee", settings.assignee.as_ref()),
            due: settings.due,
            labels: ("tags", &settings.tags),
            fields: ("custom_fields", &settings.custom_fields),
        },
    )
}
