//! The tree.

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
#[derive(Debug, Clone, PartialEq)]
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
