//! Tolerant reading of JSON objects: numbers where text is due, null for nothing, text for maps.
//!
//! Fields are moved out, never cloned; what nobody took is left over for `extra` and `event`.
//! What had to be repaired is noted with its path. Whether a repair is enough is for the dialect.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::alert::Labels;
use crate::source::{body, times};

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

/// An object of a body, from which fields are taken one by one.
#[derive(Debug)]
pub struct Object<'a> {
    /// Where it stands.
    pub at: At<'a>,
    map: Map<String, Value>,
}

impl<'a> Object<'a> {
    /// Takes hold of an object.
    pub fn new(at: At<'a>, map: Map<String, Value>) -> Object<'a> {
        Object { at, map }
    }

    /// Whether the field is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Takes a field; null is absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a field as text; absent is empty.
    pub fn text(&mut self, name: &str) -> String {
        self.take(name).and_then(text).unwrap_or_default()
    }

    /// Takes a time; what is none is noted and absent.
    pub fn time(&mut self, name: &str, notes: &mut Notes) -> Option<Timestamp> {
        let value = self.take(name)?;
        times::read(&value).unwrap_or_else(|what| {
            notes.add(At::Key(&self.at, name), what);
            None
        })
    }

    /// Takes a set of labels: an object, or one written as a string. Values become text, null
    /// ones are left out. Anything else is noted and empty.
    pub fn labels(&mut self, name: &str, notes: &mut Notes) -> Labels {
        let wrong = match self.take(name).unwrap_or(Value::Null) {
            Value::Null => return Labels::new(),
            Value::Object(map) => return labels(map),
            Value::String(text) if text.trim().is_empty() => return Labels::new(),
            Value::String(text) => match body::unfold(&text) {
                Some(Value::Object(map)) => return labels(map),
                _ => "a string",
            },
            other => kind_of(&other),
        };
        notes.add(At::Key(&self.at, name), &format!("{wrong} where an object is expected, read as empty"));
        Labels::new()
    }

    /// Takes a count; what is none is noted and 0.
    pub fn count(&mut self, name: &str, notes: &mut Notes) -> u64 {
        let Some(value) = self.take(name) else { return 0 };
        let count = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        count.unwrap_or_else(|| {
            notes.add(At::Key(&self.at, name), "not a count, read as 0");
            0
        })
    }

    /// What is left.
    pub fn rest(self) -> Map<String, Value> {
        self.map
    }
}

/// A value as text: numbers and booleans as JSON writes them, lists and objects as JSON, null not.
pub fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// A map as labels: values become text, null ones are left out.
pub fn labels(map: Map<String, Value>) -> Labels {
    map.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()
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
