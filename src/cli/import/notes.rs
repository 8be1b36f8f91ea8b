//! What is to be told of an import: what was left out, and which variables are to be set.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::import::sheet::Out;
use crate::document::node::{Node, Value};

/// Something that was not carried over, or not as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// Its line in the original.
    pub line: u32,
    /// What, and why; one sentence.
    pub what: String,
}

/// A variable that stands in the place of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Line of the original where its value stands; 0: it is new.
    pub line: u32,
    /// What it is.
    pub what: String,
}

/// Gathered on the way.
#[derive(Debug, Default)]
pub struct Notes {
    /// In the order they were found.
    pub left_out: Vec<LeftOut>,
    /// In the order they were found.
    pub variables: Vec<Variable>,
    /// Names by value, so that one secret is one variable.
    names: BTreeMap<String, String>,
}

impl Notes {
    /// Notes what is not carried over.
    pub fn leave(&mut self, line: u32, what: impl Into<String>) {
        let left_out = LeftOut { line, what: what.into() };
        if !self.left_out.contains(&left_out) {
            self.left_out.push(left_out);
        }
    }

    /// A variable in the place of this secret. `name` is what it is called if no other secret is.
    pub fn secret(&mut self, node: &Node, name: &str, what: &str) -> Out {
        let text = text_of(node).unwrap_or_default();
        if let Some(name) = self.names.get(&text) {
            return Out::Reference(format!("${{{name}}}"));
        }
        // Receivers may have names of any letters; variables may not.
        let plain = name.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let plain = plain.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
        let plain = if plain.starts_with(|c: char| c.is_ascii_digit()) { format!("N{plain}") } else { plain };
        let taken = |name: &String| self.variables.iter().any(|variable| variable.name == *name);
        let name = std::iter::once(plain.clone())
            .chain((2..).map(|number| format!("{plain}_{number}")))
            .find(|name| !taken(name))
            .unwrap_or(plain);
        self.names.insert(text, name.clone());
        let reference = Out::Reference(format!("${{{name}}}"));
        self.variables.push(Variable { name, line: node.place.line, what: what.to_owned() });
        reference
    }

    /// A file in the place of a secret.
    pub fn file(&mut self, node: &Node) -> Out {
        let path = text_of(node).unwrap_or_default();
        if !path.starts_with('/') {
            let what =
                format!("the file {path} was sought beside the original; it is sought beside relay.yaml now");
            self.leave(node.place.line, what);
        }
        Out::Reference(format!("${{file:{path}}}"))
    }
}

/// The text of a scalar.
pub fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// The text behind a key, where there is one that says something.
pub fn text_at(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(text_of).filter(|text| !text.is_empty())
}

/// The elements of a list; a lone value is none.
pub fn list_of(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Value::List(list)) => list,
        _ => &[],
    }
}

/// The keys of a map with their lines.
pub fn keys_of(node: &Node) -> Vec<(&str, u32)> {
    match &node.value {
        Value::Map(entries) => entries.iter().map(|(key, _)| (key.value.as_str(), key.place.line)).collect(),
        _ => Vec::new(),
    }
}

/// As it was.
pub fn copied(node: &Node) -> Out {
    match &node.value {
        Value::Null => Out::text(""),
        Value::Bool(value) => Out::Bare(value.to_string()),
        Value::Number(text) => Out::Bare(text.clone()),
        Value::Text(text) => Out::text(text.clone()),
        Value::List(list) => Out::List(list.iter().map(copied).collect()),
        Value::Map(entries) => {
            Out::Map(entries.iter().map(|(key, node)| (key.value.clone(), copied(node))).collect())
        }
    }
}
