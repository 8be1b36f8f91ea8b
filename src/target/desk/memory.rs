//! What the relay remembers of a ticket between messages: the text of its remote ref.
//!
//! `10042 OPS-17 critical 9f86d081884c7d65 closing`: the id by which callbacks name it, the name by
//! which people do, how bad it was when last told, which alerts fired then, and what the relay has
//! set about without hearing how it went. Words may be missing at the end.

use sha2::{Digest as _, Sha256};

use crate::auth::proof::hex;
use crate::domain::alert::{AlertGroup, Status};
use crate::domain::message::{DedupKey, Message, RemoteRef};
use crate::template::severity::Severity;

/// Stands for a name that the service does not give.
const NAMELESS: &str = "-";
/// Bytes of a hash that are kept: enough to tell some thousand tickets apart.
const HASH_BYTES: usize = 16;

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The service's id.
    pub id: String,
    /// The name that people use, such as a number; empty where there is none.
    pub name: String,
    /// Severity when last told.
    pub severity: Option<Severity>,
    /// [`news`] when last told.
    pub news: String,
    /// What is under way.
    pub way: Way,
}

/// What the relay has set about, in a try that may have ended before its answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing: the ticket is the one to go on with.
    Steady,
    /// It is being closed. When it is found closed, that was no person, and a comment is owed.
    Closing,
    /// It is gone or ended, and a new one is being made, which has to be searched for.
    Replaced,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Way::Steady => "",
            Way::Closing => "closing",
            Way::Replaced => "replaced",
        }
    }
}

impl Memory {
    /// Reads a remote ref; `None` when there is nothing in it.
    pub fn read(remote: &RemoteRef) -> Option<Memory> {
        let mut words = remote.0.split_whitespace();
        let id = words.next()?.to_owned();
        let name = words.next().filter(|name| *name != NAMELESS).unwrap_or_default().to_owned();
        let severity = words.next().and_then(Severity::parse);
        let news = words.next().unwrap_or_default().to_owned();
        let last = words.next();
        let way = [Way::Closing, Way::Replaced].into_iter().find(|way| last == Some(way.word()));
        Some(Memory { id, name, severity, news, way: way.unwrap_or(Way::Steady) })
    }

    /// What this message leaves to be remembered.
    pub fn of(id: &str, name: &str, severity: Severity, message: &Message) -> Memory {
        let name = name.split_whitespace().next().unwrap_or_default().to_owned();
        Memory {
            id: id.to_owned(),
            name,
            severity: Some(severity),
            news: news(&message.group),
            way: Way::Steady,
        }
    }

    /// As it is stored.
    pub fn remote(&self) -> RemoteRef {
        let name = if self.name.is_empty() { NAMELESS } else { &self.name };
        let severity = self.severity.unwrap_or(Severity::ASSUMED).as_str();
        let text = format!("{} {name} {severity} {} {}", self.id, self.news, self.way.word());
        RemoteRef(text.trim_end().to_owned())
    }
}

/// Which alerts fire, as a hash. What the group says of them besides (values in annotations, that
/// others are over since long) is no news.
pub fn news(group: &AlertGroup) -> String {
    let firing = group.alerts.iter().filter(|alert| alert.status == Status::Firing);
    let mut prints: Vec<String> = firing.map(|alert| alert.fingerprint.to_string()).collect();
    prints.sort_unstable();
    hex(&Sha256::digest(prints.concat())[..8])
}

/// A word made of a dedup key that fits where services take words only (labels, correlation ids).
pub fn tag(key: &DedupKey) -> String {
    format!("alert-relay-{}", hex(&Sha256::digest(key.as_str())[..HASH_BYTES]))
}

/// The idempotency handle of a ticket: the same over all tries and messages of an episode, another
/// one for the ticket that follows on `before`.
pub fn handle(message: &Message, started_at: &str, before: Option<&str>) -> String {
    let key = DedupKey::hash(&[message.dedup_key.as_str(), started_at, before.unwrap_or_default()]);
    key.as_str()[..2 * HASH_BYTES].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_old_forms_are() {
        let memory = Memory {
            id: "10042".into(),
            name: "OPS-17".into(),
            severity: Some(Severity::Warning),
            news: "9f86d081884c7d65".into(),
            way: Way::Closing,
        };
        assert_eq!(memory.remote().0, "10042 OPS-17 warning 9f86d081884c7d65 closing");
        assert_eq!(Memory::read(&memory.remote()), Some(memory.clone()));
        let nameless = Memory { name: String::new(), way: Way::Steady, ..memory };
        assert_eq!(Memory::read(&nameless.remote()), Some(nameless));
        let bare = Memory::read(&RemoteRef("17".into())).expect("an id");
        assert_eq!((bare.id.as_str(), bare.severity, bare.news.as_str()), ("17", None, ""));
        assert_eq!(Memory::read(&RemoteRef(" ".into())), None);
    }
}
