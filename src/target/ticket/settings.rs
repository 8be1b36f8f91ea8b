//! Settings of a target of tickets: what an operator may write, checked and compiled.

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
use crate::target::ticket::{Format, States, Tickets, WORDINGS};
use crate::template::escape::Escape;
use crate::template::library::Template;

type Text = Option<At<String>>;

/// Work has to be done within 2 hours when it is critical, 8 hours, a day, 3 days.
const DUE: Due = Due::after([2 * 3600, 8 * 3600, 24 * 3600, 72 * 3600]);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    api_key: Option<At<Secret>>,
    api_key_header: Text,
    subject: Text,
    description: Text,
    comment: Text,
    format: Text,
    r#type: Option<Node>,
    priority: Option<Node>,
    assignee: Option<Node>,
    requester: Text,
    due: Option<Due>,
    tags: Vec<At<String>>,
    custom_fields: BTreeMap<String, Node>,
    look_up: Text,
    update_priority: Option<bool>,
    reopen: Text,
    reopen_status: Text,
    on_acknowledge: Text,
    acknowledge_status: Text,
    on_resolve: Text,
    resolve_status: Text,
    closed_statuses: Option<Vec<At<String>>>,
    webhook_secrets: Vec<At<Secret>>,
    webhook_tokens: Vec<At<Secret>>,
    signature_header: Text,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Tickets>) };
    let base_url = bench.own_base_url(settings.base_url.as_ref(), "https://tickets.example.com/api");
    let cure = "add `api_key: \"${TICKET_KEY}\"`";
    let api_key = bench.needed_secret("api_key", settings.api_key.as_ref(), cure);
    let login = login(&mut bench, settings.api_key_header.as_ref(), &api_key);
    let format = format(&mut bench, settings.format.as_ref());
    let form = Form::build(
        &mut bench,
        &Written {
            title: ("subject", settings.subject.as_ref()),
            description: settings.description.as_ref(),
            comment: settings.comment.as_ref(),
            sort: ("type", settings.r#type.as_ref(), "Incident"),
            priority: (settings.priority.as_ref(), ["Critical", "High", "Medium", "Low"]),
            assignee: ("assignee", settings.assignee.as_ref()),
            due: Some(settings.due.unwrap_or(DUE)),
            labels: ("tags", &settings.tags),
            fields: ("custom_fields", &settings.custom_fields),
        },
    );
    let rules = Rules::read(
        &mut bench,
        RulesFile {
            on_resolve: settings.on_resolve.as_ref(),
            on_acknowledge: settings.on_acknowledge.as_ref(),
            reopen: settings.reopen.as_ref(),
            update_priority: settings.update_priority,
        },
    );
    let look_up = look_up(&mut bench, settings.look_up.as_ref());
    if let (None, Some(at)) = (&look_up, settings.reopen.as_ref().filter(|at| at.value != "never")) {
        let what = "tickets cannot be opened again where they cannot be searched for";
        bench.doubtful("reopen", at, what, "set `look_up`, or leave `reopen` out");
    }
    let states = states(&settings);
    let ear = Ear {
        keys: Ear::secrets(&mut bench, "webhook_secrets", &settings.webhook_secrets),
        tokens: Ear::secrets(&mut bench, "webhook_tokens", &settings.webhook_tokens),
    };
    let signature_header = word(&settings.signature_header, "X-Signature").to_ascii_lowercase();
    let requester = word(&settings.requester, "alert-relay");
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = form.map(|form| Tickets {
        base_url,
        login,
        requester,
        format,
        form,
        rules,
        states,
        look_up,
        ear,
        signature_header,
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

fn login(bench: &mut Bench<'_>, header: Option<&At<String>>, key: &Secret) -> (String, HeaderText) {
    let Some(at) = header else { return ("Authorization".into(), bench.token("Bearer ", key)) };
    let name = at.value.trim();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        let cure = "write it as in X-Api-Key; left out, it is `Authorization: Bearer …`";
        bench.wrong("api_key_header", at, "this is no name of a header", cure);
    }
    (name.to_owned(), HeaderText::Hidden(key.clone()))
}

fn format(bench: &mut Bench<'_>, at: Option<&At<String>>) -> Format {
    match at.map(|at| (at.value.as_str(), at)) {
        None | Some(("markdown", _)) => Format::Markdown,
        Some(("html", _)) => Format::Html,
        Some(("plain", _)) => Format::Plain,
        Some((other, at)) => {
            let what = format!("there is no format {other:?}");
            bench.wrong("format", at, &what, "write `markdown`, `html` or `plain`");
            Format::Markdown
        }
    }
}

fn look_up(bench: &mut Bench<'_>, at: Option<&At<String>>) -> Option<Template> {
    let at = at?;
    if !at.value.starts_with('/') || at.value.contains(char::is_whitespace) && !at.value.contains("{{") {
        let cure = "begin with a slash, as in /tickets?external_id={{dedupKey}}: it follows the base_url";
        bench.wrong("look_up", at, "this is no path", cure);
    }
    bench.template("look_up", at, Escape::Url)
}

fn states(settings: &Settings) -> States {
    let resolve = word(&settings.resolve_status, "solved");
    let mut closed: Vec<String> = match &settings.closed_statuses {
        Some(words) => words.iter().map(|at| at.value.trim().to_lowercase()).collect(),
        None => vec!["solved".into(), "closed".into()],
    };
    closed.push(resolve.to_lowercase());
    let acknowledge = settings.acknowledge_status.as_ref().map(|at| at.value.trim().to_owned());
    States { acknowledge, resolve, reopen: word(&settings.reopen_status, "open"), closed }
}
