//! Tickets of any system with the plain REST shape that in-house systems have: `POST /tickets`, `GET`
//! and `PUT /tickets/{id}`, `POST /tickets/{id}/comments`.
//!
//! Takes a message, gives the calls of a ticket's life (`desk/course.rs`); reads what the system posts
//! back. A system of this shape promises no way to search, so that has to be set up (`look_up`).

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
use crate::target::desk::course::{self, Change, Desk, Made, Move, Phase, Search, Ticket, Told};
use crate::target::desk::ear::Ear;
use crate::target::desk::form::Form;
use crate::target::desk::memory::handle;
use crate::target::desk::prose::Prose;
use crate::target::desk::rules::Rules;
use crate::target::desk::talk::{Said, Talk};
use crate::target::desk::{asking, spelling, stamp};
use crate::target::verdict::sentence;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Fault, Template, builtin};
use crate::template::view::View;

mod callback;
mod settings;

/// Such systems name no limits; these fit the columns that databases usually have.
const SUBJECT_CHARS: usize = 255;
const TEXT_CHARS: usize = 32_000;

/// What a ticket can do without.
const OPTIONAL: [&str; 5] = ["type", "assignee", "due_at", "tags", "custom_fields"];

static WORDINGS: [Builtin; 3] =
    [builtin!("ticket", "subject"), builtin!("ticket", "description"), builtin!("ticket", "comment")];

/// The row of the table of kinds. A repeat after an unknown outcome looks first, where it can, and
/// bears the same idempotency key where it cannot.
pub static KIND: Kind = Kind {
    name: "ticket",
    about: "tickets of an in-house system with a plain REST API",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Harmless,
        rate: Some((60, 10)),
        digest: None,
        reminders: Reminders::Never,
        retry_cap: Duration::from_secs(15 * 60),
        give_up_after: Duration::from_secs(72 * 3600),
    },
    build: settings::build,
};

/// How texts are written.
#[derive(Debug, Clone, Copy)]
enum Format {
    Markdown,
    Html,
    Plain,
}

/// The words that this system has for states.
#[derive(Debug)]
struct States {
    acknowledge: Option<String>,
    resolve: String,
    reopen: String,
    /// In lower case.
    closed: Vec<String>,
}

impl States {
    fn phase(&self, state: &str) -> Phase {
        if self.closed.contains(&state.to_lowercase()) { Phase::Closed } else { Phase::Open }
    }
}

/// A configured target.
#[derive(Debug)]
struct Tickets {
    base_url: String,
    /// Name and value of the header that proves who we are.
    login: (String, HeaderText),
    requester: String,
    format: Format,
    form: Form,
    rules: Rules,
    states: States,
    look_up: Option<Template>,
    ear: Ear,
    signature_header: String,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Tickets {
    fn call(&self, method: Method, path: &str) -> HttpRequest {
        let request = HttpRequest::new(method, format!("{}{path}", self.base_url));
        let accept = HeaderText::Plain("application/json".into());
        request.header(&self.login.0, self.login.1.clone()).header("Accept", accept)
    }

    fn one(&self, method: Method, id: &str, below: &str) -> HttpRequest {
        self.call(method, &format!("/tickets/{}{below}", Escape::Url.apply(id)))
    }

    fn text(&self, prose: &Prose) -> String {
        let write = match self.format {
            Format::Markdown => spelling::markdown,
            Format::Html => spelling::html,
            Format::Plain => spelling::plain,
        };
        prose.fitted(TEXT_CHARS, |text: &String| text.chars().count(), write)
    }

    /// What a new ticket says.
    fn filled(&self, message: &Message, view: &View, faults: &mut Vec<Fault>) -> Value {
        let mut ticket = Map::new();
        ticket.insert("subject".into(), self.form.title(view, faults, SUBJECT_CHARS).into());
        let description = self.form.description(view, faults);
        ticket.insert("description".into(), self.text(&description).into());
        for (name, word) in [
            ("priority", self.form.priority(view, faults)),
            ("type", self.form.sort(view, faults)),
            ("requester", Some(self.requester.clone())),
            ("assignee", self.form.assignee(view, faults)),
            ("due_at", self.form.due(view, message.accepted_at).map(|due| due.to_string())),
            ("external_id", self.look_up.as_ref().map(|_| message.dedup_key.as_str().to_owned())),
        ] {
            ticket.extend(word.map(|word| (name.to_owned(), word.into())));
        }
        let tags = self.form.labels(view, faults);
        if !tags.is_empty() {
            ticket.insert("tags".into(), tags.into());
        }
        let fields = match self.form.fields.is_empty() {
            true => usual_fields(message, view),
            false => self.form.fields.values(view, faults),
        };
        ticket.insert("custom_fields".into(), fields.into());
        json!({ "ticket": ticket })
    }

    /// A ticket as it comes back: wrapped in `ticket`, or bare.
    fn seen(&self, value: &Value) -> Option<Ticket> {
        let ticket = if value["ticket"].is_object() { &value["ticket"] } else { value };
        let id = stamp::id(&ticket["id"])?;
        let state = stamp::word(&ticket["status"]).to_owned();
        Some(Ticket {
            id,
            name: stamp::id(&ticket["number"]).unwrap_or_default(),
            phase: self.states.phase(&state),
            state,
            made: stamp::time(&ticket["created_at"]),
            changed: stamp::time(&ticket["updated_at"]),
        })
    }

    /// Where the words of a search go: unknown parts of a query may be passed over by the system,
    /// so every ticket must show our key.
    fn is_ours(value: &Value, message: &Message) -> bool {
        let key = message.dedup_key.as_str();
        value["external_id"] == key || value["custom_fields"]["alert_id"] == key
    }
}

/// What a ticket says of its alert where the operator names no fields.
fn usual_fields(message: &Message, view: &View) -> Map<String, Value> {
    let service = view.common_labels().get("service").map(String::as_str).unwrap_or_default();
    let started = view.text("startedAt");
    let fields = [
        ("alert_id", message.dedup_key.as_str()),
        ("service_name", service),
        ("severity", view.severity().as_str()),
        ("triggered_at", &*started),
    ];
    let known = fields.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

impl Desk for Tickets {
    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn look_up(&self, talk: &mut Talk<'_>) -> Said<Search> {
        let Some(template) = &self.look_up else { return Ok(Search::Cannot) };
        let path = match template.render(talk.view) {
            Ok(path) => path,
            Err(fault) => {
                talk.tell(fault);
                return Ok(Search::Cannot);
            }
        };
        let reply = talk.ask(|_| self.call(Method::Get, &path))?;
        let answer = match reply.status {
            200..=299 => serde_json::from_slice::<Value>(&reply.body).unwrap_or_default(),
            404 => return Ok(Search::Nothing),
            _ => {
                let reason = sentence(&reply, "the search was refused: check `look_up`");
                return Err(Turn::Over(Outcome::Hold { reason }));
            }
        };
        let list = [&answer["tickets"], &answer["results"], &answer].into_iter().find_map(Value::as_array);
        let Some(list) = list else { return course::refusal(self, &reply) };
        let ours = list.iter().filter(|ticket| Tickets::is_ours(ticket, talk.message));
        let tickets = ours.filter_map(|ticket| self.seen(ticket));
        Ok(course::latest(tickets))
    }

    fn read(&self, talk: &mut Talk<'_>, id: &str) -> Said<Option<Ticket>> {
        let reply = talk.ask(|_| self.one(Method::Get, id, ""))?;
        match (reply.status, self.made(&reply)) {
            (200..=299, Some(ticket)) => Ok(Some(ticket)),
            (404 | 410, _) => Ok(None),
            _ => course::refusal(self, &reply),
        }
    }

    fn make(&self, talk: &mut Talk<'_>, before: Option<&str>) -> Said<Made> {
        let (message, view) = (talk.message, talk.view);
        let key = handle(message, &view.text("startedAt"), before);
        let post = |key: &str, ticket: Value| {
            let request = self.call(Method::Post, "/tickets");
            request.header("Idempotency-Key", HeaderText::Plain(key.to_owned())).json(&ticket)
        };
        let mut reply = talk.ask_to_make(|faults| post(&key, self.filled(message, view, faults)))?;
        // A wrong name among these is no reason to have no ticket.
        if matches!(reply.status, 400 | 422) {
            let mut bare = self.filled(message, view, &mut Vec::new());
            if let Some(ticket) = bare["ticket"].as_object_mut() {
                ticket.retain(|name, _| !OPTIONAL.contains(&name.as_str()));
            }
            let what = sentence(&reply, &format!("the ticket goes without {}", OPTIONAL.join(", ")));
            talk.tell(Fault { field: "custom_fields".into(), what });
            reply = talk.ask_to_make(|_| post(&format!("{key}-bare"), bare))?;
        }
        match (reply.status, self.made(&reply)) {
            (200..=299, Some(ticket)) => Ok(Made::Ticket(ticket)),
            // Some name the ticket that is there already.
            (409, Some(ticket)) => Ok(Made::Ticket(ticket)),
            (409, None) => Ok(Made::Twice(reply)),
            _ => course::refusal(self, &reply),
        }
    }

    fn made(&self, reply: &Reply) -> Option<Ticket> {
        self.seen(&serde_json::from_slice(&reply.body).ok()?)
    }

    fn ask(&self, id: &str) -> HttpRequest {
        self.one(Method::Get, id, "")
    }

    fn told(&self, reply: &Reply) -> Option<Told> {
        let said: Value = serde_json::from_slice(&reply.body).ok()?;
        let ticket = if said["ticket"].is_object() { &said["ticket"] } else { &said };
        let whose = &ticket["assignee"];
        let names = [whose, &whose["name"], &whose["email"]].map(stamp::word);
        let assignee = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned();
        Some(Told { ticket: self.seen(ticket)?, assignee })
    }

    fn comments_apart(&self) -> bool {
        true
    }

    fn change(&self, talk: &mut Talk<'_>, ticket: &Ticket, change: &Change) -> Said<bool> {
        let (message, view) = (talk.message, talk.view);
        let state = match change.step {
            Some(Move::Reopen) => Some(&self.states.reopen),
            Some(Move::Acknowledge) => self.states.acknowledge.as_ref(),
            Some(Move::Close) => Some(&self.states.resolve),
            None => None,
        };
        let mut news = Map::new();
        let state = state.filter(|state| !state.eq_ignore_ascii_case(&ticket.state));
        news.extend(state.map(|state| ("status".to_owned(), state.as_str().into())));
        let mut ignored = Vec::new();
        let priority = change.priority.then(|| self.form.priority(view, &mut ignored)).flatten();
        news.extend(priority.map(|word| ("priority".to_owned(), word.into())));
        if !news.is_empty() {
            let reply =
                talk.ask(|_| self.one(Method::Put, &ticket.id, "").json(&json!({ "ticket": news })))?;
            match reply.status {
                200..=299 => {}
                404 | 410 => return Ok(false),
                _ => return course::refusal(self, &reply),
            }
        }
        let mut faults = Vec::new();
        let comment = self.form.comment(view, &mut faults).filter(|_| change.comment);
        faults.into_iter().for_each(|fault| talk.tell(fault));
        let Some(comment) = comment else { return Ok(true) };
        let body = json!({ "comment": { "body": self.text(&comment), "author": self.requester } });
        let reply = talk.ask(|_| self.one(Method::Post, &ticket.id, "/comments").json(&body))?;
        match reply.status {
            200..=299 => Ok(true),
            404 | 410 => Ok(false),
            // Systems that take no comment on what is closed: the state says it all.
            400 | 403 | 422 if message.action == Action::Resolve => Ok(true),
            _ => course::refusal(self, &reply),
        }
    }
}

impl Target for Tickets {
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
        callback::hear(self, call)
    }

    fn inquire(&self, remote: &RemoteRef, replies: &[Reply]) -> Inquiry {
        asking::inquiry(self, remote, replies)
    }

    fn keeps_tickets(&self) -> bool {
        true
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}
