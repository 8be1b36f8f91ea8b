//! Zendesk tickets (Support API v2).
//!
//! Takes a message, gives the calls of a ticket's life (`desk/course.rs`); reads Zendesk's webhooks. A
//! ticket bears an external id made of the dedup key, by which it is found again at once, and is made
//! under an idempotency key, so that a lost answer makes no second one. State and comment change in
//! one call.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply};
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::target::contract::{
    Callback, Defaults, Heard, Inquiry, Kind, Refusal, Repeat, Target, Turn, Unsayable, Worded,
};
use crate::target::desk::choice::Choice;
use crate::target::desk::course::{self, Change, Desk, Made, Move, Phase, Search, Ticket, Told};
use crate::target::desk::ear::Ear;
use crate::target::desk::form::Form;
use crate::target::desk::memory::{Memory, handle, tag};
use crate::target::desk::prose::Prose;
use crate::target::desk::rules::Rules;
use crate::target::desk::talk::{Said, Talk};
use crate::target::desk::{asking, spelling, stamp};
use crate::target::verdict::by_status;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Fault, Language, builtin};
use crate::template::text::cut;
use crate::template::view::View;

mod callback;
mod settings;

const SUBJECT_CHARS: usize = 255;
/// A comment has room for 64 KiB.
const TEXT_BYTES: usize = 65_000;
/// On every ticket, so that triggers of Zendesk can leave the relay's own changes out.
const TAG: &str = "alert-relay";
/// What a ticket can do without.
const OPTIONAL: [&str; 8] = [
    "type",
    "assignee_email",
    "assignee_id",
    "group_id",
    "due_at",
    "tags",
    "custom_fields",
    "ticket_form_id",
];

static WORDINGS: [Builtin; 3] =
    [builtin!("zendesk", "subject"), builtin!("zendesk", "description"), builtin!("zendesk", "comment")];

/// The row of the table of kinds. Zendesk takes 100 updates of tickets a minute from an account.
pub static KIND: Kind = Kind {
    name: "zendesk",
    about: "Zendesk tickets: made once, commented, solved",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Harmless,
        rate: Some((100, 10)),
        digest: None,
        reminders: Reminders::Never,
        retry_cap: Duration::from_secs(15 * 60),
        give_up_after: Duration::from_secs(72 * 3600),
    },
    build: settings::build,
};

/// A configured target.
#[derive(Debug)]
struct Zendesk {
    base_url: String,
    login: HeaderText,
    form: Form,
    group: Option<Choice>,
    /// Who is shown as the one who asked; the account itself where there is none.
    requester: Option<String>,
    /// Whether those who asked see the comments.
    public: bool,
    ticket_form_id: Option<u64>,
    brand_id: Option<u64>,
    rules: Rules,
    acknowledge_status: Option<String>,
    ear: Ear,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Zendesk {
    fn call(&self, method: Method, path: &str) -> HttpRequest {
        HttpRequest::new(method, format!("{}/api/v2{path}", self.base_url))
            .header("Authorization", self.login.clone())
            .header("Accept", HeaderText::Plain("application/json".into()))
    }

    fn one(&self, method: Method, id: &str) -> HttpRequest {
        self.call(method, &format!("/tickets/{}.json", Escape::Url.apply(id)))
    }

    fn comment(&self, prose: &Prose) -> Value {
        let html = prose.fitted(TEXT_BYTES, String::len, spelling::html);
        json!({ "html_body": html, "public": self.public })
    }

    /// What a new ticket says.
    fn filled(&self, message: &Message, view: &View, faults: &mut Vec<Fault>) -> Value {
        let mut ticket = Map::new();
        ticket.insert("subject".into(), self.form.title(view, faults, SUBJECT_CHARS).into());
        ticket.insert("comment".into(), self.comment(&self.form.description(view, faults)));
        ticket.insert("external_id".into(), tag(&message.dedup_key).into());
        let sort = self.form.sort(view, faults);
        // Only tasks have a due time; another type with one is refused.
        let is_task = sort.as_deref() == Some("task");
        let due = self.form.due(view, message.accepted_at).filter(|_| is_task).map(|due| due.to_string());
        for (name, word) in [("priority", self.form.priority(view, faults)), ("type", sort), ("due_at", due)]
        {
            ticket.extend(word.map(|word| (name.to_owned(), word.into())));
        }
        if let Some(who) = self.form.assignee(view, faults) {
            let name = if who.contains('@') { "assignee_email" } else { "assignee_id" };
            ticket.insert(name.into(), number_or_text(&who));
        }
        let group = self.group.as_ref().and_then(|group| group.word(view, faults));
        ticket.extend(group.map(|group| ("group_id".to_owned(), number_or_text(&group))));
        if let Some(email) = &self.requester {
            ticket.insert("requester".into(), json!({ "name": "alert-relay", "email": email }));
        }
        for (name, id) in [("ticket_form_id", self.ticket_form_id), ("brand_id", self.brand_id)] {
            ticket.extend(id.map(|id| (name.to_owned(), id.into())));
        }
        let mut tags = vec![TAG.to_owned()];
        tags.extend(self.form.labels(view, faults).into_iter().map(|tag| tag.to_lowercase()));
        ticket.insert("tags".into(), tags.into());
        if !self.form.fields.is_empty() {
            let values = self.form.fields.values(view, faults).into_iter();
            let fields = values.map(|(id, value)| json!({ "id": number_or_text(&id), "value": value }));
            ticket.insert("custom_fields".into(), fields.collect::<Vec<_>>().into());
        }
        json!({ "ticket": ticket })
    }

    fn seen(ticket: &Value) -> Option<Ticket> {
        let state = stamp::word(&ticket["status"]).to_owned();
        Some(Ticket {
            id: stamp::id(&ticket["id"])?,
            name: String::new(),
            phase: match state.as_str() {
                "solved" => Phase::Closed,
                "closed" | "deleted" => Phase::Sealed,
                _ => Phase::Open,
            },
            state,
            made: stamp::time(&ticket["created_at"]),
            changed: stamp::time(&ticket["updated_at"]),
        })
    }
}

/// Ids are numbers; what is none is left to Zendesk to refuse.
fn number_or_text(word: &str) -> Value {
    word.parse::<u64>().map_or_else(|_| word.into(), Value::from)
}

impl Desk for Zendesk {
    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The list by external id knows a ticket at once; the search would lag by minutes.
    fn look_up(&self, talk: &mut Talk<'_>) -> Said<Search> {
        let key = tag(&talk.message.dedup_key);
        let reply = talk.ask(|_| self.call(Method::Get, &format!("/tickets.json?external_id={key}")))?;
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let Some(tickets) = answer["tickets"].as_array().filter(|_| reply.status < 300) else {
            return course::refusal(self, &reply);
        };
        let ours = tickets.iter().filter(|ticket| ticket["external_id"] == key.as_str());
        Ok(course::latest(ours.filter_map(Zendesk::seen)))
    }

    fn read(&self, talk: &mut Talk<'_>, id: &str) -> Said<Option<Ticket>> {
        let reply = talk.ask(|_| self.one(Method::Get, id))?;
        match (reply.status, self.made(&reply)) {
            (200..=299, Some(ticket)) => Ok(Some(ticket).filter(|ticket| ticket.state != "deleted")),
            (404 | 410, _) => Ok(None),
            _ => course::refusal(self, &reply),
        }
    }

    fn make(&self, talk: &mut Talk<'_>, before: Option<&str>) -> Said<Made> {
        let (message, view) = (talk.message, talk.view);
        let key = handle(message, &view.text("startedAt"), before);
        let post = |key: &str, ticket: Value| {
            let request = self.call(Method::Post, "/tickets.json");
            request.header("Idempotency-Key", HeaderText::Plain(key.to_owned())).json(&ticket)
        };
        let mut reply = talk.ask_to_make(|faults| post(&key, self.filled(message, view, faults)))?;
        // A wrong name among these is no reason to have no ticket.
        if reply.status == 422 {
            let mut bare = self.filled(message, view, &mut Vec::new());
            if let Some(ticket) = bare["ticket"].as_object_mut() {
                ticket.retain(|name, _| !OPTIONAL.contains(&name.as_str()));
            }
            let said = complaint(&reply);
            let what =
                format!("refused by Zendesk ({said}); the ticket goes without {}", OPTIONAL.join(", "));
            talk.tell(Fault { field: "custom_fields".into(), what });
            reply = talk.ask_to_make(|_| post(&format!("{key}-bare"), bare))?;
        }
        match (reply.status, self.made(&reply)) {
            (200..=299, Some(ticket)) => Ok(Made::Ticket(ticket)),
            // The same key with another body: an earlier message of this episode has made it.
            (400, _) if String::from_utf8_lossy(&reply.body).to_lowercase().contains("idempoten") => {
                Ok(Made::Twice(reply))
            }
            (409, _) => Ok(Made::Twice(reply)),
            _ => course::refusal(self, &reply),
        }
    }

    fn made(&self, reply: &Reply) -> Option<Ticket> {
        let said: Value = serde_json::from_slice(&reply.body).ok()?;
        Zendesk::seen(&said["ticket"])
    }

    fn ask(&self, id: &str) -> HttpRequest {
        self.call(Method::Get, &format!("/tickets/{}.json?include=users", Escape::Url.apply(id)))
    }

    fn told(&self, reply: &Reply) -> Option<Told> {
        let said: Value = serde_json::from_slice(&reply.body).ok()?;
        let mut users = said["users"].as_array().into_iter().flatten();
        let whose = &said["ticket"]["assignee_id"];
        let assignee = users.find(|user| whose.is_number() && user["id"] == *whose);
        let assignee = assignee.map(|user| stamp::word(&user["name"]).to_owned()).unwrap_or_default();
        Some(Told { ticket: Zendesk::seen(&said["ticket"])?, assignee })
    }

    fn change(&self, talk: &mut Talk<'_>, ticket: &Ticket, change: &Change) -> Said<bool> {
        let mut faults = Vec::new();
        let mut news = Map::new();
        let status = match change.step {
            Some(Move::Reopen) => Some("open"),
            Some(Move::Acknowledge) => self.acknowledge_status.as_deref(),
            Some(Move::Close) => Some("solved"),
            None => None,
        };
        let status = status.filter(|status| *status != ticket.state);
        news.extend(status.map(|status| ("status".to_owned(), status.into())));
        let priority = change.priority.then(|| self.form.priority(talk.view, &mut faults)).flatten();
        news.extend(priority.map(|word| ("priority".to_owned(), word.into())));
        let comment = self.form.comment(talk.view, &mut faults).filter(|_| change.comment);
        news.extend(comment.as_ref().map(|comment| ("comment".to_owned(), self.comment(comment))));
        faults.into_iter().for_each(|fault| talk.tell(fault));
        if news.is_empty() {
            return Ok(true);
        }
        let put =
            |news: Map<String, Value>| self.one(Method::Put, &ticket.id).json(&json!({ "ticket": news }));
        let reply = talk.ask(|_| put(news))?;
        match reply.status {
            200..=299 => return Ok(true),
            404 | 410 => return Ok(false),
            // Zendesk may want fields filled in before a ticket is solved: that is for people.
            422 if change.step.is_some() => {}
            _ => return course::refusal(self, &reply),
        }
        let mut comment = comment.unwrap_or_default();
        comment.push(&stays(self.form.language, &complaint(&reply)));
        let only = Map::from_iter([("comment".to_owned(), self.comment(&comment))]);
        let reply = talk.ask(|_| put(only))?;
        match reply.status {
            200..=299 => Ok(true),
            404 | 410 => Ok(false),
            _ => course::refusal(self, &reply),
        }
    }

    fn refused(&self, reply: &Reply) -> Outcome {
        let said = complaint(reply);
        match reply.status {
            400 | 422 if !said.is_empty() => {
                Outcome::Rejected { reason: format!("answered {}: {said}", reply.status) }
            }
            _ => by_status(reply),
        }
    }
}

/// What Zendesk says of a refusal, in one line; empty when it says nothing readable.
fn complaint(reply: &Reply) -> String {
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let details = said["details"].as_object().into_iter().flatten();
    let details = details.flat_map(|(field, faults)| {
        let faults = faults.as_array().into_iter().flatten();
        faults.map(move |fault| format!("{field}: {}", stamp::word(&fault["description"])))
    });
    let general = [&said["description"], &said["error"]].map(stamp::word);
    let general = general.into_iter().find(|text| !text.is_empty()).map(str::to_owned);
    let all: Vec<String> = general.into_iter().chain(details).collect();
    cut(&all.join("; "), 1000).into_owned()
}

fn stays(language: Language, why: &str) -> String {
    match language {
        Language::En => format!("Zendesk refused to change the status, so it stays as it is: {why}"),
        Language::Zh => format!("Zendesk 拒绝修改状态，因此状态未变：{why}"),
    }
}

impl Target for Zendesk {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        course::request(self, message, view)
    }

    fn finds(&self, message: &Message) -> Option<Reply> {
        course::finds_nothing(message, r#"{"tickets":[]}"#)
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
        callback::hear(&self.ear, call)
    }

    /// <https://developer.zendesk.com/documentation/webhooks/>
    fn awaits_answer(&self) -> Duration {
        Duration::from_secs(12)
    }

    fn inquire(&self, remote: &RemoteRef, replies: &[Reply]) -> Inquiry {
        asking::inquiry(self, remote, replies)
    }

    fn keeps_tickets(&self) -> bool {
        true
    }

    fn page(&self, remote: &RemoteRef) -> Option<String> {
        let id = Memory::read(remote)?.id;
        Some(format!("{}/agent/tickets/{}", self.base_url, Escape::Url.apply(&id)))
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}
