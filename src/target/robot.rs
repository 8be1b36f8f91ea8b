//! What the robots of Chinese chat groups have in common (DingTalk, Feishu, WeCom): an address that
//! holds a token, a body of limited size, and answers that say 200 whatever became of the message,
//! with a code inside.
//!
//! They post and can change nothing: every message is a new one, and there is nobody who
//! acknowledges. Which code means what, and what a body looks like, is the business of each kind.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::config::secrets::is_placeholder;
use crate::document::node::{At, path_to_element};
use crate::domain::exchange::{HttpRequest, Method, Reply, Request};
use crate::domain::message::{Action, Message};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Defaults, LISTED, Repeat, Unsayable, Worded, lists};
use crate::target::verdict::{by_status, retry_after, sentence};
use crate::template::escape::Escape;
use crate::template::library::Fault;
use crate::template::severity::Severity;
use crate::template::text::{cut, cut_bytes};
use crate::template::view::View;

/// How the relay treats a robot when relay.yaml says nothing: it forgets, so all is told again; a
/// message told twice is bearable, and what waits is told as one. `rate`: calls a minute, and at once.
pub const fn defaults(rate: (u32, u32)) -> Defaults {
    Defaults {
        repeat: Repeat::Tolerated,
        rate: Some(rate),
        digest: Some(true),
        reminders: Reminders::Every,
        retry_cap: Duration::from_secs(60),
        give_up_after: Duration::from_secs(24 * 3600),
    }
}

/// What a code asks for.
#[derive(Debug, Clone, Copy)]
pub enum Class {
    /// Later.
    Again,
    /// Nothing for so many seconds.
    Rest(u64),
    /// A person must put it right; this is how.
    Hold(&'static str),
    /// Never; why.
    Never(&'static str),
}

/// Where a service puts the code and the sentence of its answer.
#[derive(Debug, Clone, Copy)]
pub struct Tongue {
    /// Its name for people.
    pub service: &'static str,
    /// Keys of the code, the first that is there counts.
    pub codes: &'static [&'static str],
    /// Keys of the sentence.
    pub texts: &'static [&'static str],
    /// What a code means; the sentence is in lower case.
    pub class: fn(i64, &str) -> Class,
}

impl Tongue {
    /// The code of an answer and the sentence beside it.
    pub fn read(&self, reply: &Reply) -> Option<(i64, String)> {
        let answer: Value = serde_json::from_slice(&reply.body).ok()?;
        let code = self.codes.iter().find_map(|key| answer.get(key)?.as_i64())?;
        let text = self.texts.iter().find_map(|key| answer.get(key)?.as_str()).unwrap_or_default();
        Some((code, text.to_owned()))
    }

    /// What an answer means. A code counts whatever the status beside it; without one, only a
    /// status that is no success says anything.
    pub fn judged(&self, reply: &Reply) -> Outcome {
        if matches!(reply.status, 429 | 500.. | ..200) {
            return by_status(reply);
        }
        let service = self.service;
        match self.read(reply) {
            Some((0, _)) if reply.status < 300 => Outcome::delivered(),
            Some((0, _)) => by_status(reply),
            Some((code, text)) => self.refused(reply, code, &text),
            None if reply.status < 300 => Outcome::Hold {
                reason: sentence(reply, &format!("this is not {service}'s answer: check the address")),
            },
            None => by_status(reply),
        }
    }

    fn refused(&self, reply: &Reply, code: i64, text: &str) -> Outcome {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut reason = format!("{} answered {code}", self.service);
        if !line.is_empty() {
            reason.push_str(&format!(" ({})", cut(&line, 300)));
        }
        let with = |cure: &str| if cure.is_empty() { reason.clone() } else { format!("{reason}; {cure}") };
        match (self.class)(code, &line.to_lowercase()) {
            Class::Again => Outcome::Retry { reason, after: retry_after(reply), whole_target: false },
            Class::Rest(seconds) => {
                let after = retry_after(reply).or(Some(Duration::from_secs(seconds)));
                Outcome::Retry { reason, after, whole_target: true }
            }
            Class::Hold(cure) => Outcome::Hold { reason: with(cure) },
            Class::Never(why) => Outcome::Rejected { reason: with(why) },
        }
    }
}

/// The two ways to write the address of a robot.
pub struct Address<'s> {
    /// The whole of it, as the service shows it.
    pub webhook_url: Option<&'s At<Secret>>,
    /// The token in it alone, and the setting that holds it.
    pub token: (&'static str, Option<&'s At<Secret>>),
    /// For a token: scheme and host.
    pub base_url: Option<&'s At<String>>,
    /// Where it is left out.
    pub usual: &'static str,
    /// What stands between `base_url` and the token.
    pub path: &'static str,
    /// Where people find it.
    pub cure: &'static str,
}

impl Address<'_> {
    /// The address to post to, or problems on the bench.
    pub fn built(&self, bench: &mut Bench<'_>) -> Option<Secret> {
        let (field, token) = self.token;
        match (self.webhook_url, token) {
            (Some(url), None) => {
                if let Some(at) = self.base_url {
                    let cure = "leave `base_url` out, or write the token alone";
                    bench.wrong("base_url", at, "`webhook_url` holds the whole address already", cure);
                }
                let found = bench.secret_url("webhook_url", Some(url))?;
                if !found.expose().contains(self.path) && !is_placeholder(found.expose()) {
                    let what = format!("addresses of these robots hold `{}`, this one does not", self.path);
                    bench.doubtful("webhook_url", url, &what, self.cure);
                }
                Some(found)
            }
            (None, Some(_)) => {
                let base_url = bench.base_url(self.base_url, self.usual);
                let token = bench.secret(field, token, self.cure)?;
                let token = Escape::Url.apply(token.expose()).into_owned();
                Some(Secret::new(format!("{base_url}{}{token}", self.path)))
            }
            (Some(url), Some(_)) => {
                let cure = format!("keep `webhook_url` or `{field}`");
                bench.wrong("webhook_url", url, "the robot is named twice", &cure);
                None
            }
            (None, None) => {
                bench.missing("webhook_url", "the address of the robot is missing", self.cure);
                None
            }
        }
    }
}

/// The address with more in its query.
pub fn with_query(url: &Secret, pairs: &[(&str, &str)]) -> Secret {
    match Url::parse(url.expose()) {
        Ok(mut parsed) => {
            parsed.query_pairs_mut().extend_pairs(pairs);
            Secret::new(String::from(parsed))
        }
        Err(_) => url.clone(),
    }
}

/// Whom to call, one list a way; each entry must look like `is_one`.
pub fn people(
    bench: &mut Bench<'_>,
    field: &str,
    list: &[At<String>],
    is_one: impl Fn(&str) -> bool,
    cure: &str,
) -> Vec<String> {
    for (index, at) in list.iter().enumerate() {
        if !is_one(at.value.trim()) {
            let what = format!("{:?} cannot be mentioned", at.value);
            bench.wrong(&path_to_element(field, index), at, &what, cure);
        }
    }
    list.iter().map(|at| at.value.trim().to_owned()).collect()
}

/// What may stand in an id of a person.
pub fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.@".contains(c))
}

/// A phone number, with or without its country.
pub fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (6..=20).contains(&digits) && text.chars().all(|c| c.is_ascii_digit() || "+-".contains(c))
}

/// Whether a message as severe as this calls people.
pub fn calls(message: &Message, view: &View, from: Severity) -> bool {
    message.action == Action::Trigger && view.severity() >= from
}

/// The text with the word that the robot insists on, which is set at the service.
pub fn with_keyword(text: String, keyword: &str) -> String {
    if keyword.is_empty() || text.contains(keyword) { text } else { format!("{text}\n\n{keyword}") }
}

/// The longest beginning of `text` whose body has at most `bytes_max` bytes. What a letter costs in
/// JSON differs, so it is searched for by halves.
pub fn fitted(text: &str, bytes_max: usize, body: impl Fn(&str) -> Value) -> Vec<u8> {
    let made = |limit: usize| body(&cut_bytes(text, limit)).to_string().into_bytes();
    let whole = made(bytes_max);
    if whole.len() <= bytes_max {
        return whole;
    }
    let (mut fits, mut exceeds) = (0, text.len().min(bytes_max));
    while exceeds - fits > 1 {
        let middle = fits.midpoint(exceeds);
        if made(middle).len() <= bytes_max { fits = middle } else { exceeds = middle }
    }
    made(fits)
}

/// Whether a text of a digest is shown whole in a body of at most so many bytes, with room for what stands
/// around it, and names all.
pub fn names_all(message: &Message, text: &str, bytes_max: usize) -> bool {
    lists(message, LISTED) && Value::from(text).to_string().len() <= bytes_max / 4 * 3
}

/// A post of JSON.
pub fn post(url: Secret, body: Vec<u8>, faults: Vec<Fault>) -> Worded {
    let request = HttpRequest::new(Method::Post, url).typed("application/json; charset=utf-8", body);
    Worded { request: Request::Http(request), faults }
}

/// Robots have no word for what a person has taken.
pub fn sayable(message: &Message, service: &str) -> Result<(), Unsayable> {
    match message.action {
        Action::Trigger | Action::Resolve => Ok(()),
        Action::Acknowledge => Err(Unsayable(format!("a robot of {service} cannot change what it posted"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_is_cut_until_it_fits_whatever_its_letters_cost() {
        for text in ["x".repeat(5000), "磁盘".repeat(2000), "\"\\\n\u{1}".repeat(2000), "👩‍👩‍👧‍👦".repeat(400)]
        {
            let body = fitted(&text, 1000, |text| json!({ "text": text }));
            assert!((900..=1000).contains(&body.len()), "{}", body.len());
            let back: Value = serde_json::from_slice(&body).expect("JSON");
            assert!(back["text"].as_str().expect("a text").ends_with('…'));
        }
        assert_eq!(fitted("short", 1000, |text| json!(text)), b"\"short\"");
    }

    #[test]
    fn a_query_is_added_to_what_is_there() {
        for (url, expected) in [
            ("https://x.example/send?access_token=a", "https://x.example/send?access_token=a&sign=%2B%2F%3D"),
            ("https://x.example/send", "https://x.example/send?sign=%2B%2F%3D"),
        ] {
            assert_eq!(with_query(&url.into(), &[("sign", "+/=")]).expose(), expected);
        }
    }
}
