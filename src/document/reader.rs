//! A serde deserialiser over the tree. It passes over what `read.rs` has struck out, adds what
//! `read.rs` makes up, and pins every fault to its node, place and path.
//!
//! Rules: text takes numbers and booleans by their source text; numbers and booleans are strict;
//! an empty value is an empty list or map where one of these is expected, else a fault.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IntoDeserializer, Unexpected, Visitor};

use crate::document::access::{Elements, Entries, Parts};
use crate::document::cursor::Reader;
use crate::document::fault::Fault;
use crate::document::keep::{AT, NODE};
use crate::document::node::{At, Node, Value};

impl<'a> Reader<'a> {
    fn pin<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| fault.at(self.node, self.node.place))
    }

    fn unfit<V: Visitor<'a>>(self, visitor: &V) -> Result<V::Value, Fault> {
        let found = match &self.node.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(_) => Unexpected::Float(0.0),
            Value::Text(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        };
        self.pin(Err(Fault::invalid_type(found, visitor)))
    }

    fn list<V: Visitor<'a>>(self, elements: &'a [Node], visitor: V) -> Result<V::Value, Fault> {
        self.pin(visitor.visit_seq(Elements::new(self, elements)))
    }

    fn map<V: Visitor<'a>>(self, entries: &'a [(At<String>, Node)], visitor: V) -> Result<V::Value, Fault> {
        self.pin(visitor.visit_map(Entries::new(self, entries)))
    }
}

/// A whole number as YAML writes them: decimal with an optional sign, `0x`, `0o`, `_` between digits.
fn whole(text: &str) -> Option<i128> {
    let text = text.replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let parsed = match (digits.strip_prefix("0x"), digits.strip_prefix("0o")) {
        (Some(hex), _) => i128::from_str_radix(hex, 16),
        (_, Some(octal)) => i128::from_str_radix(octal, 8),
        _ => digits.parse(),
    };
    parsed.ok().map(|magnitude| sign * magnitude)
}

fn visit_number<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, Fault> {
    match whole(text) {
        Some(number) => match (u64::try_from(number), i64::try_from(number)) {
            (Ok(number), _) => visitor.visit_u64(number),
            (_, Ok(number)) => visitor.visit_i64(number),
            _ => Err(Fault::invalid_value(Unexpected::Float(0.0), &visitor)),
        },
        None => match text.replace('_', "").parse() {
            Ok(number) => visitor.visit_f64(number),
            Err(_) => Err(Fault::invalid_value(Unexpected::Float(0.0), &visitor)),
        },
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match &self.node.value {
                Value::Number(text) => self.pin(visit_number(text, visitor)),
                _ => self.unfit(&visitor),
            }
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match &self.node.value {
                Value::Text(text) | Value::Number(text) => self.pin(visitor.visit_borrowed_str(text)),
                Value::Bool(value) => self.pin(visitor.visit_borrowed_str(if *value { "true" } else { "false" })),
                _ => self.unfit(&visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => self.pin(visitor.visit_unit()),
            Value::Bool(value) => self.pin(visitor.visit_bool(*value)),
            Value::Number(text) => self.pin(visit_number(text, visitor)),
            Value::Text(text) => self.pin(visitor.visit_borrowed_str(text)),
            Value::List(elements) => self.list(elements, visitor),
            Value::Map(entries) => self.map(entries, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Bool(value) => self.pin(visitor.visit_bool(*value)),
            _ => self.unfit(&visitor),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    texts! {
        deserialize_char deserialize_str deserialize_string deserialize_identifier
        deserialize_bytes deserialize_byte_buf
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => self.pin(visitor.visit_none()),
            _ => self.pin(visitor.visit_some(self)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => self.pin(visitor.visit_unit()),
            _ => self.unfit(&visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match name {
            AT => visitor.visit_seq(Parts::of_value(self)),
            NODE => visitor.visit_seq(Parts::of_node(self)),
            _ => self.pin(visitor.visit_newtype_struct(self)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::List(elements) => self.list(elements, visitor),
            Value::Null => self.list(&[], visitor),
            _ => self.unfit(&visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Map(entries) => self.map(entries, visitor),
            Value::Null => self.map(&[], visitor),
            _ => self.unfit(&visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    /// One of several words, or a map with one of several keys.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Text(text) => self.pin(visitor.visit_enum(text.as_str().into_deserializer())),
            // Its only key was struck out, and said why: nothing is left to choose.
            Value::Map(entries) if entries.len() == 1 && self.of(&entries[0].1).is_struck() => {
                self.pin(Err(Fault::custom("is empty").made_up()))
            }
            Value::Map(entries) if entries.len() == 1 => {
                self.pin(visitor.visit_enum(MapAccessDeserializer::new(Entries::new(self, entries))))
            }
            Value::Map(_) => {
                let known: Vec<String> = variants.iter().map(|word| format!("`{word}`")).collect();
                let sentence = format!("must have exactly one key; give it one of {}", known.join(", "));
                self.pin(Err(Fault::custom(sentence)))
            }
            _ => self.unfit(&visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}
