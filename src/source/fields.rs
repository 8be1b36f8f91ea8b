//! Tolerant reading of JSON objects: numbers where text is due, null for nothing, text for maps.
//!
//! Fields are moved out, never cloned; what nobody took is left over for `extra` and `event`.
//! What had to be repaired is noted with its path. Whether a repair is enough is for the dialect.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::alert::Labels;
use crate::source::notes::{At, Notes, kind_of};
use crate::source::{body, times};

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
