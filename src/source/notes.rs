//! Places in a body, and sentences about what was passed over or repaired there.

use std::fmt;

use serde_json::Value;

/// A place in a body: `alerts[3].labels`. Costs nothing until it is printed.
#[derive(Debug, Clone, Copy)]
pub enum At<'a> {
    /// The body itself; prints as nothing.
    Body,
    /// A key of an object.
    Key(&'a At<'a>, &'a str),
    /// An item of a list, from 0.
    Index(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Body => Ok(()),
            At::Key(At::Body, name) => f.write_str(name),
            At::Key(parent, name) => write!(f, "{parent}.{name}"),
            At::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Sentences about what was passed over or repaired. The first [`Notes::MAX`] are kept and the
/// rest counted: a body of thousands of alerts may be wrong in each of them.
#[derive(Debug, Default)]
pub struct Notes {
    lines: Vec<String>,
    more: usize,
}

impl Notes {
    /// How many sentences are kept.
    pub const MAX: usize = 20;

    /// Notes something about a place.
    pub fn add(&mut self, at: At<'_>, what: &str) {
        if self.has_room() {
            self.lines.push(match at {
                At::Body => what.to_owned(),
                at => format!("{at}: {what}"),
            });
        }
    }

    /// Notes something about the whole.
    pub fn say(&mut self, sentence: impl Into<String>) {
        if self.has_room() {
            self.lines.push(sentence.into());
        }
    }

    /// The sentences, and how many more there were.
    pub fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        self.lines
    }

    fn has_room(&mut self) -> bool {
        let room = self.lines.len() < Self::MAX;
        self.more += usize::from(!room);
        room
    }
}

/// What a value is, with its article, for sentences.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
