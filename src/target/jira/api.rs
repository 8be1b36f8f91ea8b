//! The calls of Jira's REST API that the other files make, and what its refusals say.
//!
//! Cloud is spoken to in version 3, whose texts are documents (`adf`), Data Center in version 2,
//! whose texts are wiki markup (`wiki`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply};
use crate::domain::outcome::Outcome;
use crate::target::contract::Turn;
use crate::target::desk::course::not_theirs;
use crate::target::desk::prose::Prose;
use crate::target::desk::stamp;
use crate::target::desk::talk::Said;
use crate::target::jira::{adf, wiki};
use crate::target::verdict::by_status;
use crate::template::escape::Escape;
use crate::template::library::Fault;
use crate::template::text::cut;

/// Jira's limit for texts, in characters. Documents are kept below it as they are written, markup
/// included.
const TEXT_CHARS: usize = 32_767;

/// Which Jira.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployment {
    /// `*.atlassian.net`
    Cloud,
    /// Data Center, and Server of old.
    Server,
}

/// A Jira, and the way in.
#[derive(Debug)]
pub struct Api {
    /// Without a slash at its end.
    pub base_url: String,
    /// Which.
    pub deployment: Deployment,
    /// `Authorization`
    pub login: HeaderText,
}

impl Api {
    /// A call below `/rest/api/{version}`.
    pub fn call(&self, method: Method, path: &str) -> HttpRequest {
        let version = match self.deployment {
            Deployment::Cloud => 3,
            Deployment::Server => 2,
        };
        HttpRequest::new(method, format!("{}/rest/api/{version}{path}", self.base_url))
            .header("Authorization", self.login.clone())
            .header("Accept", HeaderText::Plain("application/json".into()))
    }

    /// A call about one issue.
    pub fn issue(&self, method: Method, id: &str, below: &str) -> HttpRequest {
        self.call(method, &format!("/issue/{}{below}", Escape::Url.apply(id)))
    }

    /// A text as this Jira takes it.
    pub fn text(&self, prose: &Prose) -> Value {
        match self.deployment {
            Deployment::Cloud => {
                let measure = |document: &Value| document.to_string().chars().count();
                prose.fitted(TEXT_CHARS, measure, adf::document)
            }
            Deployment::Server => {
                prose.fitted(TEXT_CHARS, |text: &String| text.chars().count(), wiki::text).into()
            }
        }
    }
}

/// `{"key": "OPS"}`, or `{"id": "10000"}` when a number was given.
pub fn named(by: &str, word: &str) -> Value {
    let is_id = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    json!({ (if is_id { "id" } else { by }): word })
}

/// A field that an issue has to do without.
pub fn fault(field: &str, reply: &Reply) -> Fault {
    let errors = errors(reply);
    let said = errors.get(field).cloned().unwrap_or_else(|| complaint(reply));
    Fault { field: field.to_owned(), what: format!("refused by Jira, the issue goes without: {said}") }
}

/// What Jira says of fields, by their names.
pub fn errors(reply: &Reply) -> BTreeMap<String, String> {
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let errors = said["errors"].as_object().into_iter().flatten();
    errors.map(|(field, text)| (field.clone(), stamp::word(text).to_owned())).collect()
}

/// All that Jira says, in one line; empty when it says nothing readable.
pub fn complaint(reply: &Reply) -> String {
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let general =
        said["errorMessages"].as_array().into_iter().flatten().map(|text| stamp::word(text).to_owned());
    let of_fields = errors(reply).into_iter().map(|(field, text)| format!("{field}: {text}"));
    let all: Vec<String> = general.chain(of_fields).filter(|text| !text.is_empty()).collect();
    cut(&all.join("; "), 1000).into_owned()
}

/// What a 4xx of Jira means.
pub fn refused(reply: &Reply) -> Outcome {
    let said = complaint(reply);
    if reply.status != 400 || said.is_empty() {
        return by_status(reply);
    }
    let reason = format!("answered 400: {said}");
    let errors = errors(reply);
    let is_set_up_wrong = errors.contains_key("project") || errors.contains_key("issuetype");
    match is_set_up_wrong || said.contains("'project'") {
        true => Outcome::Hold { reason: format!("{reason}; check `project` and `issue_type`") },
        false => Outcome::Rejected { reason },
    }
}

/// The end of a try at a reply that nobody has a use for.
///
/// # Errors
/// Always: that end.
pub fn refusal<T>(reply: &Reply) -> Said<T> {
    Err(Turn::Over(match reply.status {
        200..=299 => not_theirs(reply),
        _ => refused(reply),
    }))
}
