//! How a shape keeps places: `At<T>` and `Node` can be fields of it. Both ask the deserialiser for
//! a newtype of a private name, which `reader.rs` answers with the place and then the value.
//!
//! From any other deserialiser (a test with JSON) they get the value without a place.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::document::node::{At, Node, Value};
use crate::domain::problem::Place;

/// Newtype name that asks for line, column, length, value.
pub(super) const AT: &str = "\0at";
/// Newtype name that asks for line, column, length, sort (see [`Sort`]), value.
pub(super) const NODE: &str = "\0node";

/// What kind of value follows.
pub(super) struct Sort;

impl Sort {
    pub(super) const NULL: u32 = 0;
    pub(super) const BOOL: u32 = 1;
    pub(super) const NUMBER: u32 = 2;
    pub(super) const TEXT: u32 = 3;
    pub(super) const LIST: u32 = 4;
    pub(super) const MAP: u32 = 5;
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At<T>, D::Error> {
        deserializer.deserialize_newtype_struct(AT, AtVisitor(PhantomData))
    }
}

struct AtVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtVisitor<T> {
    type Value = At<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<At<T>, D::Error> {
        Ok(At { value: T::deserialize(deserializer)?, place: Place::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<At<T>, A::Error> {
        let place = place(&mut parts)?;
        Ok(At { value: part(&mut parts)?, place })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_newtype_struct(NODE, NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of this configuration")
    }

    /// A made-up value (see `read.rs`).
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node { place: Place::default(), value: Value::Null })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Node, A::Error> {
        let place = place(&mut parts)?;
        let value = match part::<u32, A>(&mut parts)? {
            Sort::NULL => Value::Null,
            Sort::BOOL => Value::Bool(part(&mut parts)?),
            Sort::NUMBER => Value::Number(part(&mut parts)?),
            Sort::TEXT => Value::Text(part(&mut parts)?),
            Sort::LIST => Value::List(part(&mut parts)?),
            _ => Value::Map(part(&mut parts)?),
        };
        Ok(Node { place, value })
    }
}

fn place<'de, A: SeqAccess<'de>>(parts: &mut A) -> Result<Place, A::Error> {
    Ok(Place { line: part(parts)?, column: part(parts)?, length: part(parts)? })
}

fn part<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(parts: &mut A) -> Result<T, A::Error> {
    parts.next_element()?.ok_or_else(|| A::Error::custom("is cut short"))
}
