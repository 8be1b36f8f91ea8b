//! How an issue gets from one status to another. Ids of transitions differ from workflow to
//! workflow, and names are translated; what is stable is the category of a status: `new`,
//! `indeterminate`, `done`.

use serde_json::{Value, json};

use crate::domain::exchange::Method;
use crate::target::desk::course::{Move, Ticket};
use crate::target::desk::stamp;
use crate::target::desk::talk::{Said, Talk};
use crate::target::jira::api::{Api, complaint, refusal};
use crate::template::library::Language;

/// Names of transitions that end work well, before any other that ends it ("Won't do", "Rejected").
const GOOD_ENDS: [&str; 8] =
    ["done", "resolved", "resolve issue", "closed", "close issue", "完成", "已解决", "已关闭"];

/// Which transitions to take, by the operator's names.
#[derive(Debug, Default)]
pub struct Transitions {
    /// When somebody takes the problem; without a name nothing moves.
    pub acknowledge: Option<String>,
    /// When all is over; without a name one that leads to a status of category `done`.
    pub resolve: Option<String>,
    /// When it comes back; without a name one that leads out of `done`.
    pub reopen: Option<String>,
    /// The resolution to set, where the workflow asks for one.
    pub resolution: Option<String>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Moved {
    /// It is where it should be.
    Yes,
    /// There is no such issue any more.
    Gone,
    /// It cannot be moved; the sentence is for those who read the issue.
    No(String),
}

/// Moves an issue, if there is a way.
pub fn moved(
    api: &Api,
    ways: &Transitions,
    language: Language,
    talk: &mut Talk<'_>,
    ticket: &Ticket,
    step: Move,
) -> Said<Moved> {
    let (name, categories): (_, &[&str]) = match step {
        Move::Acknowledge => (&ways.acknowledge, &[]),
        Move::Close => (&ways.resolve, &["done"]),
        Move::Reopen => (&ways.reopen, &["new", "indeterminate"]),
    };
    if name.is_none() && categories.is_empty() {
        return Ok(Moved::Yes);
    }
    let reply = talk.ask(|_| api.issue(Method::Get, &ticket.id, "/transitions"))?;
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let transitions = match (reply.status, answer["transitions"].as_array()) {
        (200..=299, Some(transitions)) => transitions,
        (404 | 410, _) => return Ok(Moved::Gone),
        _ => return refusal(&reply),
    };
    let chosen = match name {
        Some(name) => {
            let is_named = |text: &Value| stamp::word(text).eq_ignore_ascii_case(name);
            if ticket.state.eq_ignore_ascii_case(name) {
                return Ok(Moved::Yes);
            }
            transitions.iter().find(|one| is_named(&one["name"]) || is_named(&one["to"]["name"]))
        }
        None => by_category(transitions, categories),
    };
    let Some(id) = chosen.and_then(|one| stamp::id(&one["id"])) else {
        return Ok(Moved::No(no_way(language, name.as_deref())));
    };
    let mut body = json!({ "transition": { "id": id } });
    if let (Move::Close, Some(resolution)) = (step, &ways.resolution) {
        body["fields"] = json!({ "resolution": { "name": resolution } });
    }
    let reply = talk.ask(|_| api.issue(Method::Post, &ticket.id, "/transitions").json(&body))?;
    match reply.status {
        200..=299 => Ok(Moved::Yes),
        404 | 410 => Ok(Moved::Gone),
        400 => Ok(Moved::No(refused(language, &complaint(&reply)))),
        _ => refusal(&reply),
    }
}

fn by_category<'a>(transitions: &'a [Value], categories: &[&str]) -> Option<&'a Value> {
    let leads_to = |category: &str| {
        let of_category = move |one: &&Value| {
            one["to"]["statusCategory"]["key"].as_str().is_some_and(|key| key == category)
        };
        transitions.iter().filter(of_category).collect::<Vec<_>>()
    };
    let candidates: Vec<&Value> = categories.iter().flat_map(|category| leads_to(category)).collect();
    let is_good = |one: &&&Value| {
        let names = [&one["name"], &one["to"]["name"]].map(|name| stamp::word(name).to_lowercase());
        names.iter().any(|name| GOOD_ENDS.contains(&name.as_str()))
    };
    candidates.iter().find(is_good).or(candidates.first()).copied()
}

fn no_way(language: Language, name: Option<&str>) -> String {
    match (language, name) {
        (Language::En, Some(name)) => {
            format!("There is no transition “{name}” from here, so it stays as it is.")
        }
        (Language::En, None) => {
            "The workflow has no transition for this from here, so it stays as it is.".into()
        }
        (Language::Zh, Some(name)) => format!("当前状态没有名为“{name}”的流转，因此状态未变。"),
        (Language::Zh, None) => "当前状态没有可用的流转，因此状态未变。".into(),
    }
}

fn refused(language: Language, why: &str) -> String {
    match language {
        Language::En => format!("Jira refused to move it, so it stays as it is: {why}"),
        Language::Zh => format!("Jira 拒绝了状态流转，因此状态未变：{why}"),
    }
}
