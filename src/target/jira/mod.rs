//! Jira issues, in Jira Cloud (REST v3) and Data Center (REST v2).
//!
//! Takes a message, gives the calls of an issue's life (`desk/course.rs`); reads Jira's webhooks. Jira
//! knows no idempotency keys, so each issue bears a label made of the dedup key, by which it is found
//! again. The calls are in `api`, how bodies are written in `adf` and `wiki`, how issues move in
//! `moving`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::exchange::{HttpRequest, Method, Reply};
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::target::contract::{
    Callback, Defaults, Heard, Inquiry, Kind, Refusal, Repeat, Target, Turn, Unsayable, Worded,
};
use crate::target::desk::course::{self, Change, Desk, Made, Move, Phase, Search, Ticket, Told};
use crate::target::desk::ear::Ear;
use crate::target::desk::form::Form;
use crate::target::desk::memory::{Memory, tag};
use crate::target::desk::rules::Rules;
use crate::target::desk::talk::{Said, Talk};
use crate::target::desk::{asking, stamp};
use crate::target::jira::api::{Api, Deployment, errors, fault, named};
use crate::target::jira::moving::{Moved, Transitions, moved};
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Fault, builtin};
use crate::template::view::View;

mod adf;
mod api;
mod callback;
mod moving;
mod settings;
mod wiki;

const SUMMARY_CHARS: usize = 255;
/// A search does not see what was made some seconds ago.
const INDEX_LAG: Duration = Duration::from_secs(5);
/// What is read of an issue.
const READ: &str = "status,created,updated,resolutiondate,labels";
/// Without these there is no issue.
const NEEDED: [&str; 3] = ["project", "issuetype", "summary"];

static WORDINGS: [Builtin; 3] =
    [builtin!("jira", "summary"), builtin!("jira", "description"), builtin!("jira", "comment")];

/// The row of the table of kinds. An unknown outcome is looked up before anything is made again.
pub static KIND: Kind = Kind {
    name: "jira",
    about: "Jira issues, Cloud and Data Center: made once, commented, moved on",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Harmless,
        rate: Some((120, 20)),
        digest: None,
        reminders: Reminders::Never,
        retry_cap: Duration::from_secs(15 * 60),
        give_up_after: Duration::from_secs(72 * 3600),
    },
    build: settings::build,
};

/// A configured target.
#[derive(Debug)]
struct Jira {
    api: Api,
    project: String,
    form: Form,
    rules: Rules,
    transitions: Transitions,
    ear: Ear,
    /// Mail address of the account in whose name is written, where it is known.
    own: Option<String>,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Jira {
    /// The fields of a new issue.
    fn fields(&self, message: &Message, view: &View, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let mut fields = self.form.fields.values(view, faults);
        fields.insert("project".into(), named("key", &self.project));
        let sort = self.form.sort(view, faults).unwrap_or_else(|| "Task".into());
        fields.insert("issuetype".into(), named("name", &sort));
        fields.insert("summary".into(), self.form.title(view, faults, SUMMARY_CHARS).into());
        fields.insert("description".into(), self.api.text(&self.form.description(view, faults)));
        let mut labels = vec![tag(&message.dedup_key)];
        labels.extend(self.form.labels(view, faults));
        fields.insert("labels".into(), labels.into());
        let priority = self.form.priority(view, faults);
        fields.extend(priority.map(|word| ("priority".to_owned(), named("name", &word))));
        let who = match self.api.deployment {
            Deployment::Cloud => "id",
            Deployment::Server => "name",
        };
        let assignee = self.form.assignee(view, faults);
        fields.extend(assignee.map(|word| ("assignee".to_owned(), json!({ who: word }))));
        let due = self.form.due(view, message.accepted_at);
        fields.extend(due.map(|due| ("duedate".to_owned(), due.strftime("%Y-%m-%d").to_string().into())));
        fields
    }

    fn seen(issue: &Value) -> Option<Ticket> {
        let (fields, status) = (&issue["fields"], &issue["fields"]["status"]);
        Some(Ticket {
            id: stamp::id(&issue["id"])?,
            name: stamp::id(&issue["key"]).unwrap_or_default(),
            phase: if status["statusCategory"]["key"] == "done" { Phase::Closed } else { Phase::Open },
            state: stamp::word(&status["name"]).to_owned(),
            made: stamp::time(&fields["created"]),
            changed: stamp::time(&fields["resolutiondate"]).or_else(|| stamp::time(&fields["updated"])),
        })
    }

    fn search(&self, talk: &mut Talk<'_>) -> Said<Search> {
        let label = tag(&talk.message.dedup_key);
        let project = Escape::Jql.apply(&self.project);
        let jql = format!("project = \"{project}\" AND labels = \"{label}\" ORDER BY created DESC");
        let path = match self.api.deployment {
            Deployment::Cloud => "/search/jql",
            Deployment::Server => "/search",
        };
        let query = format!("{path}?jql={}&fields={READ}&maxResults=20", Escape::Url.apply(&jql));
        let reply = talk.ask(|_| self.api.call(Method::Get, &query))?;
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let Some(issues) = answer["issues"].as_array().filter(|_| reply.status < 300) else {
            return course::refusal(self, &reply);
        };
        let is_ours = |issue: &&Value| {
            let labels = issue["fields"]["labels"].as_array();
            labels.is_some_and(|labels| labels.iter().any(|have| *have == label.as_str()))
        };
        Ok(course::latest(issues.iter().filter(is_ours).filter_map(Jira::seen)))
    }

    /// Raises the priority. A screen without that field is no reason to leave out the comment.
    fn raise(&self, talk: &mut Talk<'_>, ticket: &Ticket) -> Said<bool> {
        let mut faults = Vec::new();
        let Some(word) = self.form.priority(talk.view, &mut faults) else { return Ok(true) };
        let body = json!({ "fields": { "priority": named("name", &word) } });
        let reply = talk.ask(|_| self.api.issue(Method::Put, &ticket.id, "").json(&body))?;
        match reply.status {
            200..=299 => Ok(true),
            404 | 410 => Ok(false),
            400 => {
                talk.tell(fault("priority", &reply));
                Ok(true)
            }
            _ => course::refusal(self, &reply),
        }
    }
}

impl Desk for Jira {
    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn look_up(&self, talk: &mut Talk<'_>) -> Said<Search> {
        match self.search(talk)? {
            // It may have been made by a try whose answer was lost: the index gets a second chance.
            Search::Nothing if talk.message.may_exist => {
                talk.wait(INDEX_LAG);
                self.search(talk)
            }
            found => Ok(found),
        }
    }

    fn read(&self, talk: &mut Talk<'_>, id: &str) -> Said<Option<Ticket>> {
        let reply = talk.ask(|_| self.api.issue(Method::Get, id, &format!("?fields={READ}")))?;
        match (reply.status, self.made(&reply)) {
            (200..=299, Some(ticket)) => Ok(Some(ticket)),
            (404 | 410, _) => Ok(None),
            _ => course::refusal(self, &reply),
        }
    }

    /// Fields that are not on the screen of the project, or whose values it does not know, are left
    /// out in a second attempt: an issue without its due date is better than none.
    fn make(&self, talk: &mut Talk<'_>, _before: Option<&str>) -> Said<Made> {
        let (message, view) = (talk.message, talk.view);
        let post = |fields: Map<String, Value>| {
            self.api.call(Method::Post, "/issue").json(&json!({ "fields": fields }))
        };
        let mut reply = talk.ask_to_make(|faults| post(self.fields(message, view, faults)))?;
        if reply.status == 400 {
            let mut fields = self.fields(message, view, &mut Vec::new());
            let refused = errors(&reply);
            let optional = |name: &String| fields.contains_key(name) && !NEEDED.contains(&name.as_str());
            if !refused.is_empty() && refused.keys().all(optional) {
                for name in refused.keys() {
                    fields.remove(name);
                    talk.tell(fault(name, &reply));
                }
                reply = talk.ask_to_make(|_| post(fields))?;
            }
        }
        match (reply.status, self.made(&reply)) {
            (200..=299, Some(ticket)) => Ok(Made::Ticket(ticket)),
            (409, _) => Ok(Made::Twice(reply)),
            _ => course::refusal(self, &reply),
        }
    }

    fn made(&self, reply: &Reply) -> Option<Ticket> {
        Jira::seen(&serde_json::from_slice(&reply.body).ok()?)
    }

    fn ask(&self, id: &str) -> HttpRequest {
        self.api.issue(Method::Get, id, &format!("?fields={READ},assignee"))
    }

    fn told(&self, reply: &Reply) -> Option<Told> {
        let said: Value = serde_json::from_slice(&reply.body).ok()?;
        let whose = &said["fields"]["assignee"];
        let names = [&whose["displayName"], &whose["name"]].map(stamp::word);
        let assignee = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned();
        Some(Told { ticket: Jira::seen(&said)?, assignee })
    }

    fn comments_apart(&self) -> bool {
        true
    }

    fn change(&self, talk: &mut Talk<'_>, ticket: &Ticket, change: &Change) -> Said<bool> {
        let mut aside = None;
        if let Some(step) = change.step {
            match moved(&self.api, &self.transitions, self.form.language, talk, ticket, step)? {
                Moved::Yes => {}
                Moved::Gone => return Ok(false),
                // One that cannot be opened again is followed by a new one.
                Moved::No(_) if step == Move::Reopen => return Ok(false),
                Moved::No(why) => aside = Some(why),
            }
        }
        if change.priority && !self.raise(talk, ticket)? {
            return Ok(false);
        }
        let mut faults = Vec::new();
        let mut comment = self.form.comment(talk.view, &mut faults).unwrap_or_default();
        aside.iter().for_each(|aside| comment.push(aside));
        faults.into_iter().for_each(|fault| talk.tell(fault));
        if !change.comment || comment.is_empty() {
            return Ok(true);
        }
        let body = json!({ "body": self.api.text(&comment) });
        let reply = talk.ask(|_| self.api.issue(Method::Post, &ticket.id, "/comment").json(&body))?;
        match reply.status {
            200..=299 => Ok(true),
            404 | 410 => Ok(false),
            _ => course::refusal(self, &reply),
        }
    }

    fn refused(&self, reply: &Reply) -> Outcome {
        api::refused(reply)
    }
}

impl Target for Jira {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        course::request(self, message, view)
    }

    fn finds(&self, message: &Message) -> Option<Reply> {
        course::finds_nothing(message, r#"{"issues":[]}"#)
    }

    fn judge(&self, message: &Message, reply: &Reply) -> Outcome {
        course::judge(self, message, reply)
    }

    fn follow(&self, message: &Message, view: &View, replies: &[Reply]) -> Turn {
        course::turn(self, message, view, replies)
    }

    fn says(&self, action: Action) -> bool {
        course::says(&self.rules, action)
    }

    fn callback(&self, call: &Callback<'_>) -> Result<Heard, Refusal> {
        callback::hear(&self.ear, self.own.as_deref(), call)
    }

    /// Not documented; it asks again after a 5xx.
    fn awaits_answer(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn inquire(&self, remote: &RemoteRef, replies: &[Reply]) -> Inquiry {
        asking::inquiry(self, remote, replies)
    }

    fn keeps_tickets(&self) -> bool {
        true
    }

    fn page(&self, remote: &RemoteRef) -> Option<String> {
        let key = Memory::read(remote)?.name;
        // The gateway of scoped tokens shows no pages.
        let is_site = !key.is_empty() && !self.api.base_url.contains("/ex/jira/");
        is_site.then(|| format!("{}/browse/{}", self.api.base_url, Escape::Url.apply(&key)))
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}
