//! What is asked behind the question mark: takes the query as sent, gives its values, each checked.
//! A name or a word that is not known is an error that lists those that are.

use std::time::Duration;

use hyper::StatusCode;
use jiff::Timestamp;

use crate::document::nearest;
use crate::server::answer::{Answer, ProblemDetails};

/// A refusal with its cure.
pub(super) type Refusal = Box<Answer>;

/// The pairs of a query. A name may stand several times.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query in which only these names may stand.
    pub fn read(query: &str, known: &[&str]) -> Result<Query, Refusal> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        match pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(wrong(&format!(
                "there is no such parameter; {}",
                nearest::cure(name, known.iter().copied())
            ))),
            None => Ok(Query(pairs)),
        }
    }

    /// The last value of a name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// All words of a name, whether it stands several times or holds commas.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.0.iter().filter(move |(have, _)| have == name);
        of_name.flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let number = |text: &str| text.parse().map_err(|_| wrong(&format!("{name}: write a whole number")));
        self.text(name).map(number).transpose()
    }

    /// How many, between 1 and `most`.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, Refusal> {
        match self.number("limit")? {
            None => Ok(default),
            Some(number) => match usize::try_from(number) {
                Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
                _ => Err(wrong(&format!("limit: write a number from 1 to {most}"))),
            },
        }
    }

    /// A time, or a duration before now.
    pub fn time(&self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        self.text(name).map(|text| time(name, text, now)).transpose()
    }

    /// A duration.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let read = |text: &str| {
            humantime::parse_duration(text)
                .map_err(|_| wrong(&format!("{name}: write a duration, as in 30m or 24h")))
        };
        self.text(name).map(read).transpose()
    }
}

/// Reads `2026-08-01T03:00:00Z`, or `24h` for that long ago.
pub(super) fn time(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = humantime::parse_duration(text).ok().and_then(|ago| now.checked_sub(ago).ok());
    ago.ok_or_else(|| {
        wrong(&format!("{name}: write a time, as in 2026-08-01T03:00:00Z, or how long ago it was, as in 24h"))
    })
}

/// 400 with what to do about it.
pub(super) fn wrong(detail: &str) -> Refusal {
    Box::new(ProblemDetails::new(StatusCode::BAD_REQUEST, detail).into_answer())
}

/// 400 that lists the words that may stand there.
pub(super) fn unknown_word<'a>(
    what: &str,
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Refusal {
    let meant = nearest::nearest(word, known.clone()).map(|near| format!("did you mean `{near}`? "));
    let known: Vec<&str> = known.into_iter().collect();
    let detail = format!(
        "there is no such {what}; {}the known ones are: {}",
        meant.unwrap_or_default(),
        known.join(", ")
    );
    Box::new(ProblemDetails::new(StatusCode::BAD_REQUEST, detail).with("known", known).into_answer())
}
