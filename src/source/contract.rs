//! What a source is given and what it gives back.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};
use url::Url;

use crate::domain::alert::AlertGroup;

/// One call of a sender, authenticated and read to its end, not yet understood.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Name of the configured source; becomes `AlertGroup::source`.
    pub source: &'a str,
    /// Header names in lower case, values as received.
    pub headers: &'a [(String, String)],
    /// The body as received, decompressed.
    pub body: &'a [u8],
    /// When it arrived: the default for times that the sender left out.
    pub at: Timestamp,
}

impl<'a> Arrival<'a> {
    /// First value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// What a body says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Groups of alerts. Empty for a test call or a body with nothing to tell: accepted, no delivery.
    pub groups: Vec<AlertGroup>,
    /// Sentences for the answer and the log about what was passed over or repaired
    /// (`alerts[3]: no labels, left out`).
    pub notes: Vec<String>,
    /// Alerts that the sender must mend, by index (push API only). The groups beside them are
    /// taken all the same; the sender is answered 400 with these sentences.
    pub invalid: Vec<String>,
    /// Fields that the sender looks for in the answer to a call that was kept.
    pub answer: Map<String, Value>,
    /// A subscription that the sender wants confirmed (SNS). The reader only says so: whether it is
    /// done is for the server, which knows whether the call was proven to be the sender's.
    pub confirm: Option<Confirm>,
    /// The same call as a body that needs no headers, where a part of it came in headers: this is
    /// what is recorded, since headers are not.
    pub whole: Option<Vec<u8>>,
}

/// A wish to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// What is subscribed to, as the sender names it.
    pub topic: String,
    /// Calling this confirms it: an address of the sender's own service, checked by the reader.
    pub url: Url,
}

/// Why a body can never be read. The sender gets it as a 400, the body goes to quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Where: `line 3 column 7` or `alerts[2].labels.job`; empty for the whole body.
    pub at: String,
    /// What is wrong there, in one sentence.
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() { f.write_str(&self.why) } else { write!(f, "{}: {}", self.at, self.why) }
    }
}

/// One dialect.
pub trait Source: Send + Sync + fmt::Debug {
    /// Understands one body.
    ///
    /// # Errors
    /// [`Unreadable`] when these bytes can never be understood, whatever the relay does.
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable>;
}
