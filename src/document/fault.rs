//! What stops serde: the first thing it finds wrong, with the node it found it at.
//!
//! `reader.rs` makes these on the way down and adds place and path on the way up; `read.rs` turns
//! them into problems. Sentences never repeat a value: it may be a secret.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::document::nearest;
use crate::document::node::{Node, path_to_element, path_to_key};
use crate::domain::problem::{Place, Problem};

/// The identity of a node while a tree is borrowed: its address. Never followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(*const Node);

impl Id {
    pub(super) fn of(node: &Node) -> Id {
        Id(std::ptr::from_ref(node))
    }
}

/// One step of a path.
#[derive(Debug)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Why reading stopped. Boxed: every result on the way carries the room for one.
#[derive(Debug)]
pub(super) struct Fault(pub(super) Box<Finding>);

/// What there is to say about a fault.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) what: String,
    pub(super) cure: String,
    /// The key that is missing in the map at `node`.
    pub(super) missing: Option<&'static str>,
    /// It came of a value that was made up, so it says nothing about the file.
    pub(super) is_made_up: bool,
    /// The node that is wrong, once known.
    pub(super) node: Option<Id>,
    /// The map that holds it, and its key there.
    pub(super) holder: Option<(Id, String)>,
    place: Place,
    /// Innermost first.
    steps: Vec<Step>,
}

impl Fault {
    fn new(what: impl Into<String>, cure: impl Into<String>) -> Fault {
        Fault(Box::new(Finding {
            what: what.into(),
            cure: cure.into(),
            missing: None,
            is_made_up: false,
            node: None,
            holder: None,
            place: Place::default(),
            steps: Vec::new(),
        }))
    }

    /// Pins it to a node and a place, unless a deeper one was found already.
    pub(super) fn at(mut self, node: &Node, place: Place) -> Fault {
        if self.0.node.is_none() {
            self.0.node = Some(Id::of(node));
            self.0.place = place;
        }
        self
    }

    /// It came of something made up or struck out.
    pub(super) fn made_up(mut self) -> Fault {
        self.0.is_made_up = true;
        self
    }

    /// It passed the value of `key` in `map` on its way up.
    pub(super) fn through_key(mut self, map: &Node, key: &str, value: &Node) -> Fault {
        if self.0.node == Some(Id::of(value)) {
            self.0.holder = Some((Id::of(map), key.to_owned()));
        }
        self.0.steps.push(Step::Key(key.to_owned()));
        self
    }

    /// It passed an element of a list on its way up.
    pub(super) fn through_element(mut self, index: usize) -> Fault {
        self.0.steps.push(Step::Index(index));
        self
    }

    /// As a problem; `root` is the path of the tree that was read.
    pub(super) fn into_problem(self, root: &str) -> Problem {
        let path = self.0.steps.iter().rev().fold(root.to_owned(), |path, step| match step {
            Step::Key(key) => path_to_key(&path, key),
            Step::Index(index) => path_to_element(&path, *index),
        });
        Problem::error(path, self.0.place, self.0.what, self.0.cure)
    }
}

impl Error for Fault {
    /// A sentence of a custom type: what is wrong, `; `, what to do.
    fn custom<T: fmt::Display>(sentence: T) -> Fault {
        let sentence = sentence.to_string();
        match sentence.split_once("; ") {
            Some((what, cure)) => Fault::new(what, cure),
            None => Fault::new(sentence, ""),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        Fault::new(format!("is {}", found(unexpected)), format!("expected {}", wanted(expected)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        Fault::new(format!("is not {}", wanted(expected)), "")
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Fault {
        let plural = if length == 1 { "" } else { "s" };
        Fault::new(format!("has {length} element{plural}"), format!("expected {}", wanted(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Fault {
        Fault::new("is a word not known here", nearest::cure(variant, expected.iter().copied()))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Fault {
        Fault::new("is not a key known here", nearest::cure(field, expected.iter().copied()))
    }

    fn missing_field(field: &'static str) -> Fault {
        let mut fault = Fault::new(format!("the key `{field}` is missing"), format!("add `{field}`"));
        fault.0.missing = Some(field);
        fault
    }
}

fn found(unexpected: Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(true) => "`true`",
        Unexpected::Bool(false) => "`false`",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Unit | Unexpected::Option => "empty",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        _ => "text",
    }
}

/// What serde's own types expect, in plain words; custom types say it themselves.
fn wanted(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    let plain = match expected.as_str() {
        "a string" | "a borrowed string" | "path string" => "text",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "a map of keys and values",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number that is not negative",
        "a nonzero u32" | "a nonzero u64" | "a nonzero usize" => "a whole number from 1",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        other if other.starts_with("struct ") => "a map of keys and values",
        other if other.starts_with("enum ") => "one key with its settings",
        other => other,
    };
    plain.to_owned()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.0.what, self.0.cure)
    }
}

impl std::error::Error for Fault {}
