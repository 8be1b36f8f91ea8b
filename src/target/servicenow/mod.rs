//! ServiceNow records of the table `incident`, or of one made like it (Table API).
//!
//! Takes a message, gives the calls of a record's life (`desk/course.rs`); reads what a business rule
//! posts back. A record bears a correlation id made of the dedup key, by which it is found again. The
//! API passes over unknown fields and cuts long texts without a word, so lengths are kept here and
//! whatever is found has to show our id. State and comment change in one call.

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
use crate::target::desk::memory::{Memory, tag};
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

const SHORT_CHARS: usize = 160;
/// What the columns of texts hold in a fresh instance.
const TEXT_CHARS: usize = 4_000;
/// What is read of a record.
const READ: &str = "sys_id,number,state,correlation_id,sys_created_on,sys_updated_on";

static WORDINGS: [Builtin; 3] = [
    builtin!("servicenow", "short_description"),
    builtin!("servicenow", "description"),
    builtin!("servicenow", "comment"),
];

/// The row of the table of kinds. Limits are set by each instance; this one is modest.
pub static KIND: Kind = Kind {
    name: "servicenow",
    about: "ServiceNow incidents: made once, noted on, resolved",
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

/// The numbers that this table has for states.
#[derive(Debug)]
struct States {
    acknowledge: Option<String>,
    resolve: String,
    reopen: String,
    /// Nobody changes these any more.
    sealed: Vec<String>,
}

impl States {
    fn phase(&self, state: &str) -> Phase {
        match state {
            state if self.sealed.iter().any(|sealed| sealed == state) => Phase::Sealed,
            state if self.resolve == state => Phase::Closed,
            _ => Phase::Open,
        }
    }
}

/// A configured target.
#[derive(Debug)]
struct ServiceNow {
    base_url: String,
    table: String,
    login: HeaderText,
    form: Form,
    impact: Option<Choice>,
    urgency: Option<Choice>,
    group: Option<Choice>,
    caller: Option<String>,
    /// `work_notes`, or `comments` which the caller sees.
    comment_field: String,
    /// References are given by name, not by `sys_id`.
    by_name: bool,
    states: States,
    close_code: String,
    rules: Rules,
    ear: Ear,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl ServiceNow {
    fn call(&self, method: Method, below: &str, query: &str) -> HttpRequest {
        let names =
            if self.by_name && method != Method::Get { "&sysparm_input_display_value=true" } else { "" };
        let query = format!("{query}sysparm_fields={READ}&sysparm_exclude_reference_link=true{names}");
        HttpRequest::new(method, format!("{}/api/now/table/{}{below}?{query}", self.base_url, self.table))
            .header("Authorization", self.login.clone())
            .header("Accept", HeaderText::Plain("application/json".into()))
    }

    fn one(&self, method: Method, id: &str) -> HttpRequest {
        self.call(method, &format!("/{}", Escape::Url.apply(id)), "")
    }

    fn text(&self, prose: &Prose) -> String {
        let write = |prose: &Prose| without_code(&spelling::plain(prose));
        prose.fitted(TEXT_CHARS, |text: &String| text.chars().count(), write)
    }

    fn weight(&self, view: &View, faults: &mut Vec<Fault>) -> impl Iterator<Item = (String, Value)> {
        let words = [("impact", &self.impact), ("urgency", &self.urgency)].map(|(name, choice)| {
            let word = choice.as_ref().and_then(|choice| choice.word(view, faults));
            word.map(|word| (name.to_owned(), word.into()))
        });
        words.into_iter().flatten()
    }

    /// What a new record says.
    fn filled(&self, message: &Message, view: &View, faults: &mut Vec<Fault>) -> Value {
        let mut record = self.form.fields.values(view, faults);
        let title = self.form.title(view, faults, SHORT_CHARS);
        record.insert("short_description".into(), title.into());
        record.insert("description".into(), self.text(&self.form.description(view, faults)).into());
        record.insert("correlation_id".into(), tag(&message.dedup_key).into());
        record.insert("correlation_display".into(), "alert-relay".into());
        record.extend(self.weight(view, faults));
        let due = self.form.due(view, message.accepted_at);
        for (name, word) in [
            ("category", self.form.sort(view, faults)),
            ("assigned_to", self.form.assignee(view, faults)),
            ("assignment_group", self.group.as_ref().and_then(|group| group.word(view, faults))),
            ("caller_id", self.caller.clone()),
            ("due_date", due.map(|due| due.strftime("%Y-%m-%d %H:%M:%S").to_string())),
        ] {
            record.extend(word.map(|word| (name.to_owned(), word.into())));
        }
        Value::Object(record)
    }

    fn seen(&self, record: &Value) -> Option<Ticket> {
        let state = stamp::word(&record["state"]).to_owned();
        Some(Ticket {
            id: stamp::id(&record["sys_id"])?,
            name: stamp::id(&record["number"]).unwrap_or_default(),
            phase: self.states.phase(&state),
            state,
            made: stamp::time(&record["sys_created_on"]),
            changed: stamp::time(&record["sys_updated_on"]),
        })
    }
}

/// Journal fields show what stands between `[code]` and `[/code]` as HTML; a space of no width takes
/// the meaning from it.
fn without_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('[') {
        out.push_str(&rest[..=place]);
        rest = &rest[place + 1..];
        let word = rest.trim_start_matches('/');
        if word.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("code")) {
            out.push('\u{200b}');
        }
    }
    out.push_str(rest);
    out
}

impl Desk for ServiceNow {
    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn look_up(&self, talk: &mut Talk<'_>) -> Said<Search> {
        let key = tag(&talk.message.dedup_key);
        let query =
            format!("sysparm_query=correlation_id%3D{key}%5EORDERBYDESCsys_created_on&sysparm_limit=10&");
        let reply = talk.ask(|_| self.call(Method::Get, "", &query))?;
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let Some(records) = answer["result"].as_array().filter(|_| reply.status < 300) else {
            return course::refusal(self, &reply);
        };
        // A query that ServiceNow does not understand gives everything.
        let ours = records.iter().filter(|record| record["correlation_id"] == key.as_str());
        Ok(course::latest(ours.filter_map(|record| self.seen(record))))
    }

    fn read(&self, talk: &mut Talk<'_>, id: &str) -> Said<Option<Ticket>> {
        let reply = talk.ask(|_| self.one(Method::Get, id))?;
        match (reply.status, self.made(&reply)) {
            (200..=299, Some(ticket)) => Ok(Some(ticket)),
            (404 | 410, _) => Ok(None),
            _ => course::refusal(self, &reply),
        }
    }

    fn make(&self, talk: &mut Talk<'_>, _before: Option<&str>) -> Said<Made> {
        let (message, view) = (talk.message, talk.view);
        let reply = talk.ask_to_make(|faults| {
            self.call(Method::Post, "", "").json(&self.filled(message, view, faults))
        })?;
        match (reply.status, self.made(&reply)) {
            (200..=299, Some(ticket)) => Ok(Made::Ticket(ticket)),
            (409, _) => Ok(Made::Twice(reply)),
            _ => course::refusal(self, &reply),
        }
    }

    fn made(&self, reply: &Reply) -> Option<Ticket> {
        let said: Value = serde_json::from_slice(&reply.body).ok()?;
        self.seen(&said["result"])
    }

    /// With the words that people see beside the numbers: a business rule posts those.
    fn ask(&self, id: &str) -> HttpRequest {
        let id = Escape::Url.apply(id);
        let query = format!("sysparm_display_value=all&sysparm_fields={READ},assigned_to");
        let url = format!("{}/api/now/table/{}/{id}?{query}", self.base_url, self.table);
        HttpRequest::new(Method::Get, url)
            .header("Authorization", self.login.clone())
            .header("Accept", HeaderText::Plain("application/json".into()))
    }

    fn told(&self, reply: &Reply) -> Option<Told> {
        let said: Value = serde_json::from_slice(&reply.body).ok()?;
        let record = said["result"].as_object()?;
        let of = |part: &str| -> Value {
            let value = |(name, both): (&String, &Value)| (name.clone(), both[part].clone());
            Value::Object(record.iter().map(value).collect())
        };
        let (values, shown) = (of("value"), of("display_value"));
        let ticket = self.seen(&values)?;
        let state = stamp::word(&shown["state"]).to_owned();
        let state = if state.is_empty() { ticket.state } else { state };
        let assignee = stamp::word(&shown["assigned_to"]).to_owned();
        Some(Told { ticket: Ticket { state, ..ticket }, assignee })
    }

    fn change(&self, talk: &mut Talk<'_>, ticket: &Ticket, change: &Change) -> Said<bool> {
        let mut faults = Vec::new();
        let mut news = Map::new();
        let state = match change.step {
            Some(Move::Reopen) => Some(&self.states.reopen),
            Some(Move::Acknowledge) => self.states.acknowledge.as_ref(),
            Some(Move::Close) => Some(&self.states.resolve),
            None => None,
        };
        let state = state.filter(|state| **state != ticket.state);
        news.extend(state.map(|state| ("state".to_owned(), state.as_str().into())));
        if change.priority {
            news.extend(self.weight(talk.view, &mut faults));
        }
        let comment = self.form.comment(talk.view, &mut faults).filter(|_| change.comment);
        news.extend(comment.as_ref().map(|comment| (self.comment_field.clone(), self.text(comment).into())));
        if change.step == Some(Move::Close) {
            let notes =
                comment.as_ref().map_or_else(|| "alert-relay".to_owned(), |comment| self.text(comment));
            news.insert("close_code".into(), self.close_code.as_str().into());
            news.insert("close_notes".into(), notes.into());
        }
        faults.into_iter().for_each(|fault| talk.tell(fault));
        if news.is_empty() {
            return Ok(true);
        }
        let patch = |news: Map<String, Value>| self.one(Method::Patch, &ticket.id).json(&Value::Object(news));
        let reply = talk.ask(|_| patch(news))?;
        match reply.status {
            200..=299 => return Ok(true),
            404 | 410 => return Ok(false),
            // A data policy or a business rule has a word in it: that is for people.
            400 | 403 if change.step.is_some() => {}
            _ => return course::refusal(self, &reply),
        }
        let mut comment = comment.unwrap_or_default();
        comment.push(&stays(self.form.language, &complaint(&reply)));
        let only = json!({ (self.comment_field.as_str()): self.text(&comment) });
        let reply = talk.ask(|_| self.one(Method::Patch, &ticket.id).json(&only))?;
        match reply.status {
            200..=299 => Ok(true),
            404 | 410 => Ok(false),
            _ => course::refusal(self, &reply),
        }
    }

    fn refused(&self, reply: &Reply) -> Outcome {
        let said = complaint(reply);
        let lower = said.to_lowercase();
        match reply.status {
            // 403 is also what a business rule or a data policy says to this one record.
            403 if lower.contains("operation failed") || lower.contains("data policy") => Outcome::Rejected {
                reason: format!("answered 403: {said}; see which fields the table wants, and set `fields`"),
            },
            404 if lower.contains("no record found") => {
                Outcome::Rejected { reason: format!("answered 404: {said}") }
            }
            400 if lower.contains("invalid table") => {
                Outcome::Hold { reason: format!("answered 400: {said}; check `table`") }
            }
            400 if !said.is_empty() => Outcome::Rejected { reason: format!("answered 400: {said}") },
            _ => by_status(reply),
        }
    }
}

/// What ServiceNow says of a refusal, in one line; empty when it says nothing readable.
fn complaint(reply: &Reply) -> String {
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let parts = [&said["error"]["message"], &said["error"]["detail"]].map(stamp::word);
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    cut(&parts.join("; "), 1000).into_owned()
}

fn stays(language: Language, why: &str) -> String {
    match language {
        Language::En => format!("ServiceNow refused to change the state, so it stays as it is: {why}"),
        Language::Zh => format!("ServiceNow 拒绝修改状态，因此状态未变：{why}"),
    }
}

impl Target for ServiceNow {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        course::request(self, message, view)
    }

    fn finds(&self, message: &Message) -> Option<Reply> {
        course::finds_nothing(message, r#"{"result":[]}"#)
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
        callback::hear(&self.ear, &self.states, call)
    }

    fn inquire(&self, remote: &RemoteRef, replies: &[Reply]) -> Inquiry {
        asking::inquiry(self, remote, replies)
    }

    fn keeps_tickets(&self) -> bool {
        true
    }

    fn page(&self, remote: &RemoteRef) -> Option<String> {
        let id = Memory::read(remote)?.id;
        Some(format!("{}/{}.do?sys_id={}", self.base_url, self.table, Escape::Url.apply(&id)))
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}
