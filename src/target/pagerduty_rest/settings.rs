//! Settings of a PagerDuty target that speaks REST: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::node::{At, path_to_key};
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::pagerduty_rest::words::{Owner, Words};
use crate::target::pagerduty_rest::{BASE_URL, PagerDutyRest, WORDINGS};
use crate::template::escape::Escape;
use crate::template::severity::Severity;

const ID_CURE: &str = "copy it from the end of its address in PagerDuty, as in PABC123";

type Text = Option<At<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    api_key: Option<At<Secret>>,
    from: Text,
    service_id: Text,
    escalation_policy_id: Text,
    assignees: Vec<At<String>>,
    priorities: BTreeMap<String, At<String>>,
    title: Text,
    details: Text,
    urgency: Text,
    note: Text,
    webhook_secrets: Vec<At<Secret>>,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<PagerDutyRest>) };
    let base_url = bench.base_url(settings.base_url.as_ref(), BASE_URL);
    let cure = "make one under Integrations > API Access Keys, and add `api_key: \"${PAGERDUTY_API_KEY}\"`";
    let key = bench.needed_secret("api_key", settings.api_key.as_ref(), cure);
    let authorization = bench.token("Token token=", &key);
    let from = from(&mut bench, settings.from.as_ref());
    let service = bench.needed("service_id", settings.service_id.as_ref(), ID_CURE);
    if let Some(at) = &settings.service_id {
        id(&mut bench, "service_id", at);
    }
    let words = words(&mut bench, &settings);
    let cure = "copy the secret that PagerDuty shows once, when the webhook subscription is made";
    let webhook_secrets = bench.secret_list("webhook_secrets", &settings.webhook_secrets, cure);
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = words.map(|words| PagerDutyRest {
        base_url,
        authorization,
        from,
        service,
        words,
        webhook_secrets,
        secrets,
        redactor,
    });
    bench.finish(target)
}

/// The user in whose name is written; PagerDuty asks for it with a key of the account.
fn from(bench: &mut Bench<'_>, at: Option<&At<String>>) -> String {
    let cure = "write the address of a user of the account, best one made for the relay";
    let from = bench.needed("from", at, cure);
    if let Some(at) = at.filter(|_| !from.is_empty()) {
        let is_plain = from.chars().all(|c| ('!'..='~').contains(&c));
        if !is_plain || from.split('@').filter(|part| !part.is_empty()).count() != 2 {
            bench.wrong("from", at, "this is no mail address", cure);
        }
    }
    from
}

fn words(bench: &mut Bench<'_>, settings: &Settings) -> Option<Words> {
    let title = bench.wording("title", settings.title.as_ref(), Escape::None);
    let details = bench.wording("details", settings.details.as_ref(), Escape::None);
    let urgency = bench.wording("urgency", settings.urgency.as_ref(), Escape::None);
    let note = bench.wording("note", settings.note.as_ref(), Escape::None);
    let owner = owner(bench, settings);
    let priorities = priorities(bench, &settings.priorities);
    Some(Words { title: title?, details: details?, urgency: urgency?, note: note?, owner, priorities })
}

fn owner(bench: &mut Bench<'_>, settings: &Settings) -> Owner {
    for (index, at) in settings.assignees.iter().enumerate() {
        id(bench, &format!("assignees[{index}]"), at);
    }
    match (&settings.escalation_policy_id, settings.assignees.first()) {
        (Some(at), Some(_)) => {
            let what = "an incident goes to people or to a policy";
            bench.wrong("escalation_policy_id", at, what, "keep it, or `assignees`");
            Owner::Service
        }
        (Some(at), None) => {
            id(bench, "escalation_policy_id", at);
            Owner::Policy(at.value.trim().to_owned())
        }
        (None, Some(_)) => {
            Owner::Users(settings.assignees.iter().map(|at| at.value.trim().to_owned()).collect())
        }
        (None, None) => Owner::Service,
    }
}

fn priorities(bench: &mut Bench<'_>, map: &BTreeMap<String, At<String>>) -> BTreeMap<&'static str, String> {
    let mut known = BTreeMap::new();
    for (word, at) in map {
        let field = path_to_key("priorities", word);
        id(bench, &field, at);
        match Severity::parse(word) {
            Some(severity) if severity.as_str() == word => {
                known.insert(severity.as_str(), at.value.trim().to_owned());
            }
            _ => {
                let what = format!("there is no severity {word:?}");
                bench.wrong(&field, at, &what, "write critical, error, warning or info");
            }
        }
    }
    known
}

fn id(bench: &mut Bench<'_>, field: &str, at: &At<String>) {
    let text = at.value.trim();
    // An empty one that must be there is told elsewhere.
    let is_missing = text.is_empty() && field == "service_id";
    if !is_missing && (text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        bench.wrong(field, at, &format!("{text:?} is no id of PagerDuty"), ID_CURE);
    }
}
