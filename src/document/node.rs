//! The tree that `parse` makes and `read` reads: values with their places, in file order.
//!
//! After `config/secrets.rs` went over it, a tree holds secrets, so its `Debug` form shows kinds
//! and places, never a text. Nothing here knows YAML or serde.

use std::fmt;

use crate::domain::problem::Place;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// What a node can be.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A plain number; the text is kept, so that `+15550100` stays a phone number.
    Number(String),
    /// Everything else that is scalar.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in file order; keys are unique.
    Map(Vec<(At<String>, Node)>),
}

/// A value with its place, for shapes that are checked for meaning later.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl Node {
    /// The value behind a key; `None` where there is no such key or this is no map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(have, _)| have.value == key).map(|(_, node)| node)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Bool(value) => write!(f, "Bool({value})"),
            Value::Number(_) => f.write_str("Number(***)"),
            Value::Text(_) => f.write_str("Text(***)"),
            Value::List(elements) => f.debug_list().entries(elements).finish(),
            Value::Map(entries) => {
                f.debug_map().entries(entries.iter().map(|(key, node)| (&key.value, node))).finish()
            }
        }
    }
}

/// The path of something inside `parent`: `targets[2]` and `name` make `targets[2].name`. A key
/// that is no plain word is quoted, so that a path stays readable: `map."P 0"`.
pub fn path_to_key(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    match (parent.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{key:?}"),
        (false, true) => format!("{parent}.{key}"),
        (false, false) => format!("{parent}.{key:?}"),
    }
}

/// The path of an element of the list at `parent`, counted from 0.
pub fn path_to_element(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}
