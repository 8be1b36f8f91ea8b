//! An in-house ticket system that a test can look into and work at: it checks the key, keeps tickets
//! and comments, counts who asks, and can be down or want to be left alone.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};

const KEY: &str = "key-of-the-relay-0123";
/// Proves that it is the desk that calls back.
pub const TOKEN: &str = "token-of-the-desk-0123";

/// A running desk.
pub struct Desk {
    fake: Fake,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    tickets: Vec<Value>,
    /// Ticket and text.
    comments: Vec<(String, String)>,
    is_down: bool,
    /// Answers questions with 429 and this `Retry-After`.
    wants_rest: Option<u32>,
}

impl Desk {
    pub fn open() -> Desk {
        let inside = Arc::new(Mutex::new(Inside::default()));
        let of_fake = Arc::clone(&inside);
        let fake = Fake::start(move |heard| of_fake.lock().unwrap().answer(heard));
        Desk { fake, inside }
    }

    /// The settings of a target for it.
    pub fn settings(&self) -> String {
        format!(
            r#"ticket: {{ base_url: "{}/api", api_key: {KEY}, look_up: "/tickets?external_id={{{{dedupKey}}}}", reopen: never, webhook_tokens: [{TOKEN}] }}"#,
            self.fake.url()
        )
    }

    pub fn tickets(&self) -> Vec<Value> {
        self.inside.lock().unwrap().tickets.clone()
    }

    pub fn comments(&self) -> Vec<String> {
        self.inside.lock().unwrap().comments.iter().map(|(_, text)| text.clone()).collect()
    }

    /// Somebody works on a ticket.
    pub fn set(&self, ticket: usize, status: &str, assignee: &str) {
        let mut inside = self.inside.lock().unwrap();
        inside.tickets[ticket]["status"] = status.into();
        inside.tickets[ticket]["assignee"] = assignee.into();
    }

    pub fn goes_down(&self, is_down: bool) {
        self.inside.lock().unwrap().is_down = is_down;
    }

    pub fn wants_rest(&self, seconds: u32) {
        self.inside.lock().unwrap().wants_rest = Some(seconds);
    }

    /// How often each ticket was asked after, in order of the tickets.
    pub fn asked(&self) -> Vec<usize> {
        let heard = self.fake.heard();
        let of = |ticket: &Value| {
            let path = format!("/api/tickets/{}", ticket["id"].as_str().unwrap());
            heard.iter().filter(|heard| heard.method == "GET" && heard.path == path).count()
        };
        self.tickets().iter().map(of).collect()
    }

    /// All requests so far.
    pub fn requests(&self) -> usize {
        self.fake.heard().len()
    }
}

impl Inside {
    fn answer(&mut self, heard: &Heard) -> Answer {
        if self.is_down {
            return Answer::text(503, "the desk is closed");
        }
        if heard.header("authorization") != format!("Bearer {KEY}") {
            return Answer::text(401, "who are you?");
        }
        let words: Vec<&str> = heard.path.trim_start_matches("/api/").split('/').collect();
        match (heard.method.as_str(), words.as_slice()) {
            ("GET", ["tickets"]) => {
                let wanted = heard.query.strip_prefix("external_id=").unwrap_or_default();
                let found: Vec<&Value> =
                    self.tickets.iter().filter(|one| one["external_id"] == wanted).collect();
                Answer::json(200, &json!({ "tickets": found }))
            }
            ("POST", ["tickets"]) => {
                let mut ticket = heard.json()["ticket"].clone();
                ticket["id"] = format!("t{}", self.tickets.len() + 1).into();
                ticket["number"] = format!("DESK-{}", self.tickets.len() + 1).into();
                ticket["status"] = "new".into();
                ticket["created_at"] = "2100-01-01T00:00:00Z".into();
                self.tickets.push(ticket.clone());
                Answer::json(201, &json!({ "ticket": ticket }))
            }
            (method, ["tickets", id, below @ ..]) => self.one(heard, method, id, below),
            _ => Answer::text(404, "no such path"),
        }
    }

    fn one(&mut self, heard: &Heard, method: &str, id: &str, below: &[&str]) -> Answer {
        let Some(ticket) = self.tickets.iter_mut().find(|one| one["id"] == id) else {
            return Answer::text(404, "no such ticket");
        };
        match (method, below) {
            ("GET", []) => {
                if let Some(seconds) = self.wants_rest {
                    return Answer::text(429, "slow down").with("retry-after", &seconds.to_string());
                }
            }
            ("PUT", []) => ticket["status"] = heard.json()["ticket"]["status"].clone(),
            ("POST", ["comments"]) => {
                let text = heard.json()["comment"]["body"].as_str().unwrap_or_default().to_owned();
                self.comments.push((id.to_owned(), text));
            }
            _ => return Answer::text(405, "no"),
        }
        Answer::json(200, &json!({ "ticket": ticket }))
    }
}
