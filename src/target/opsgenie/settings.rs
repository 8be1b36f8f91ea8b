//! Settings of an Opsgenie target: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::node::{At, path_to_key};
use crate::domain::exchange::HeaderText;
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::opsgenie::words::{
    ACTIONS_MAX, Dialect, NAME_CHARS, RESPONDERS_MAX, Responder, TAG_CHARS, TAGS_MAX, Words,
};
use crate::target::opsgenie::{BASE_URL, JSM_URL, Opsgenie, WORDINGS};
use crate::template::escape::Escape;

/// Who does what is done, where the operator names nobody.
const USER: &str = "alert-relay";
const ROLES: [&str; 4] = ["team", "user", "escalation", "schedule"];
const KEY_CURE: &str = "copy it from an API integration: `api_key: \"${OPSGENIE_KEY}\"`; or give `jsm`";

type Text = Option<At<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    api_key: Option<At<Secret>>,
    jsm: Option<JsmSettings>,
    message: Text,
    description: Text,
    priority: Text,
    entity: Text,
    source: Text,
    note: Text,
    user: Text,
    responders: Vec<ResponderSettings>,
    visible_to: Vec<ResponderSettings>,
    tags: Vec<At<String>>,
    details: BTreeMap<String, At<String>>,
    actions: Vec<At<String>>,
    update_alerts: Option<bool>,
    callback_tokens: Vec<At<Secret>>,
}

/// The management API of JSM Operations, in place of a key of an integration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JsmSettings {
    cloud_id: Text,
    email: Text,
    api_token: Option<At<Secret>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponderSettings {
    #[serde(rename = "type")]
    role: At<String>,
    id: Text,
    name: Text,
    username: Text,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Opsgenie>) };
    let (alerts_url, authorization, dialect) = access(&mut bench, &settings);
    let words = words(&mut bench, &settings, dialect);
    let cure = "write a long random text, and the same into the webhook: `openssl rand -hex 24`";
    let callback_tokens = bench.secret_list("callback_tokens", &settings.callback_tokens, cure);
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let email = settings.jsm.as_ref().and_then(|jsm| jsm.email.as_ref()).map(|at| at.value.trim().to_owned());
    let target = words.map(|words| Opsgenie {
        own: email.into_iter().chain([words.user.clone()]).collect(),
        alerts_url,
        authorization,
        dialect,
        words,
        updates: settings.update_alerts.unwrap_or(true),
        callback_tokens,
        secrets,
        redactor,
    });
    bench.finish(target)
}

/// Address, proof and form of the API.
fn access(bench: &mut Bench<'_>, settings: &Settings) -> (String, HeaderText, Dialect) {
    let Some(jsm) = &settings.jsm else {
        let base = bench.base_url(settings.base_url.as_ref(), BASE_URL);
        let key = bench.needed_secret("api_key", settings.api_key.as_ref(), KEY_CURE);
        let authorization = bench.token("GenieKey ", &key);
        return (format!("{base}/v2/alerts"), authorization, Dialect::Alias);
    };
    if let Some(at) = &settings.api_key {
        let what = "there is an `api_key` and a `jsm` block";
        bench.wrong(
            "api_key",
            at,
            what,
            "keep `api_key` for an integration, or `jsm` for the management API",
        );
    }
    let base = bench.base_url(settings.base_url.as_ref(), JSM_URL);
    let cure = "open https://<site>.atlassian.net/_edge/tenant_info and copy `cloudId`";
    let cloud = bench.needed("jsm.cloud_id", jsm.cloud_id.as_ref(), cure);
    if let Some(at) = &jsm.cloud_id
        && !cloud.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    {
        bench.wrong("jsm.cloud_id", at, "a cloud id has letters, digits and dashes", cure);
    }
    let email = bench.needed("jsm.email", jsm.email.as_ref(), "write the address of the token's owner");
    let cure = "make one under id.atlassian.com > Security > API tokens";
    let token = bench.needed_secret("jsm.api_token", jsm.api_token.as_ref(), cure);
    let authorization = bench.basic(&email, &token);
    (format!("{base}/{cloud}/v1/alerts"), authorization, Dialect::Id)
}

/// Every field is compiled before the first missing one is noticed, so that all problems show.
fn words(bench: &mut Bench<'_>, settings: &Settings, dialect: Dialect) -> Option<Words> {
    let message = bench.wording("message", settings.message.as_ref(), Escape::None);
    let description = bench.wording("description", settings.description.as_ref(), Escape::None);
    let priority = bench.wording("priority", settings.priority.as_ref(), Escape::None);
    let entity = bench.wording("entity", settings.entity.as_ref(), Escape::None);
    let source = bench.wording("source", settings.source.as_ref(), Escape::None);
    let note = bench.wording("note", settings.note.as_ref(), Escape::None);
    let user = match &settings.user {
        None => USER.to_owned(),
        Some(at) => {
            within(bench, "user", at, NAME_CHARS);
            bench.needed("user", Some(at), "name whom the log of an alert shall show, or leave it out")
        }
    };
    let responders = responders(bench, "responders", &settings.responders, dialect);
    let visible_to = self::responders(bench, "visible_to", &settings.visible_to, dialect);
    let mut tags = Vec::new();
    for (index, at) in settings.tags.iter().enumerate() {
        tags.extend(bench.template(&format!("tags[{index}]"), at, Escape::None));
    }
    few(bench, "tags", &settings.tags, TAGS_MAX);
    let mut details = Vec::new();
    for (name, at) in &settings.details {
        let template = bench.template(&path_to_key("details", name), at, Escape::None);
        details.extend(template.map(|template| (name.clone(), template)));
    }
    for (index, at) in settings.actions.iter().enumerate() {
        within(bench, &format!("actions[{index}]"), at, TAG_CHARS);
    }
    few(bench, "actions", &settings.actions, ACTIONS_MAX);
    Some(Words {
        message: message?,
        description: description?,
        priority: priority?,
        entity: entity?,
        source: source?,
        note: note?,
        user,
        responders,
        visible_to,
        tags,
        details,
        actions: settings.actions.iter().map(|at| at.value.trim().to_owned()).collect(),
    })
}

fn responders(
    bench: &mut Bench<'_>,
    field: &str,
    list: &[ResponderSettings],
    dialect: Dialect,
) -> Vec<Responder> {
    let mut made = Vec::new();
    for (index, one) in list.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let role = one.role.value.trim();
        if !ROLES.contains(&role) {
            let what = format!("there is no type {role:?}");
            bench.wrong(
                &format!("{field}.type"),
                &one.role,
                &what,
                "write team, user, escalation or schedule",
            );
        }
        let named = [("id", &one.id), ("name", &one.name), ("username", &one.username)];
        let mut named = named.into_iter().filter_map(|(by, at)| at.as_ref().map(|at| (by, at)));
        match (named.next(), named.next()) {
            (Some((by, at)), None) => {
                if dialect == Dialect::Id && by != "id" {
                    let what = "this API knows people and teams by their id only";
                    bench.wrong(&format!("{field}.{by}"), at, what, "write `id`, or use `api_key`");
                }
                let who = bench.template(&format!("{field}.{by}"), at, Escape::None);
                made.extend(who.map(|who| Responder { role: role.to_owned(), by, who }));
            }
            (Some((by, at)), Some(_)) => {
                let what = "one is named twice here";
                bench.wrong(&format!("{field}.{by}"), at, what, "keep one of id, name and username");
            }
            (None, _) => {
                bench.wrong(&field, &one.role, "nobody is named here", "add `name`, `username` or `id`");
            }
        }
    }
    if let Some(one) = list.get(RESPONDERS_MAX) {
        let what = format!("there are {}, the vendor takes {RESPONDERS_MAX}", list.len());
        bench.wrong(field, &one.role, &what, "name teams in place of people");
    }
    made
}

fn within(bench: &mut Bench<'_>, field: &str, at: &At<String>, most: usize) {
    if at.value.trim().is_empty() || at.value.trim().chars().count() > most {
        bench.wrong(field, at, &format!("this has to have 1 to {most} characters"), "write it shorter");
    }
}

fn few(bench: &mut Bench<'_>, field: &str, list: &[At<String>], most: usize) {
    if let Some(at) = list.get(most) {
        let what = format!("there are {}, the vendor takes {most}", list.len());
        bench.wrong(field, at, &what, "take some out");
    }
}
