//! What serde walks through below a `Reader`: elements, entries, and the parts of the private
//! protocol of `keep.rs`. Also the values that are made up for keys that a map lacks.

use std::iter::Enumerate;
use std::slice::Iter;

use serde::de::value::SeqDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::document::cursor::Reader;
use crate::document::fault::{Fault, Id};
use crate::document::keep::{AT, Sort};
use crate::document::node::{At, Node, Value};

type Entry = (At<String>, Node);

/// The elements of a list that are not struck out.
pub(super) struct Elements<'a> {
    list: Reader<'a>,
    rest: Enumerate<Iter<'a, Node>>,
}

impl<'a> Elements<'a> {
    pub(super) fn new(list: Reader<'a>, elements: &'a [Node]) -> Elements<'a> {
        Elements { list, rest: elements.iter().enumerate() }
    }
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        for (index, node) in self.rest.by_ref() {
            let reader = self.list.of(node);
            if !reader.is_struck() {
                return seed.deserialize(reader).map(Some).map_err(|fault| {
                    // A type that says only that it dislikes what it got leaves the node to us.
                    fault.at(node, node.place).through_element(index)
                });
            }
        }
        Ok(None)
    }
}

/// The entries of a map that are not struck out, then those made up.
pub(super) struct Entries<'a> {
    map: Reader<'a>,
    rest: Iter<'a, Entry>,
    made_up: Iter<'a, &'static str>,
    /// The entry whose key was given out last; `None` for a made-up one.
    current: Option<&'a Entry>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(map: Reader<'a>, entries: &'a [Entry]) -> Entries<'a> {
        let made_up = map.lessons.made_up.get(&Id::of(map.node)).map_or(&[][..], Vec::as_slice);
        Entries { map, rest: entries.iter(), made_up: made_up.iter(), current: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let map = self.map;
        self.current = self.rest.by_ref().find(|(_, node)| !map.of(node).is_struck());
        match (self.current, self.made_up.as_slice()) {
            (Some((key, node)), _) => seed
                .deserialize(Key(key))
                .map(Some)
                .map_err(|fault| fault.at(node, key.place).through_key(map.node, &key.value, node)),
            (None, [name, ..]) => seed.deserialize((*name).into_deserializer()).map(Some),
            (None, []) => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let map = self.map.node;
        match self.current {
            Some((key, node)) => seed
                .deserialize(self.map.of(node))
                .map_err(|fault| fault.at(node, node.place).through_key(map, &key.value, node)),
            None => {
                self.made_up.next();
                seed.deserialize(MadeUp).map_err(|fault| fault.made_up().at(map, map.place))
            }
        }
    }
}

/// A key of a map.
struct Key<'a>(&'a At<String>);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(&self.0.value)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match name {
            AT => visitor.visit_seq(Parts {
                numbers: numbers(self.0.place.line, self.0.place.column, self.0.place.length, None),
                value: Some(Part::Key(self.0)),
            }),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.0.value.as_str().into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The private protocol of `keep.rs`: numbers, then a value.
pub(super) struct Parts<'a> {
    numbers: std::vec::IntoIter<u32>,
    value: Option<Part<'a>>,
}

enum Part<'a> {
    Node(Reader<'a>),
    Pairs(Reader<'a>, &'a [Entry]),
    Key(&'a At<String>),
}

impl<'a> Parts<'a> {
    /// What `At` asks for.
    pub(super) fn of_value(reader: Reader<'a>) -> Parts<'a> {
        let place = reader.node.place;
        Parts {
            numbers: numbers(place.line, place.column, place.length, None),
            value: Some(Part::Node(reader)),
        }
    }

    /// What `Node` asks for.
    pub(super) fn of_node(reader: Reader<'a>) -> Parts<'a> {
        let place = reader.node.place;
        let (sort, value) = match &reader.node.value {
            Value::Null => (Sort::NULL, Part::Node(reader)),
            Value::Bool(_) => (Sort::BOOL, Part::Node(reader)),
            Value::Number(_) => (Sort::NUMBER, Part::Node(reader)),
            Value::Text(_) => (Sort::TEXT, Part::Node(reader)),
            Value::List(_) => (Sort::LIST, Part::Node(reader)),
            Value::Map(entries) => (Sort::MAP, Part::Pairs(reader, entries)),
        };
        Parts { numbers: numbers(place.line, place.column, place.length, Some(sort)), value: Some(value) }
    }
}

fn numbers(line: u32, column: u32, length: u32, sort: Option<u32>) -> std::vec::IntoIter<u32> {
    [line, column, length].into_iter().chain(sort).collect::<Vec<_>>().into_iter()
}

impl<'de> SeqAccess<'de> for Parts<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if let Some(number) = self.numbers.next() {
            return seed.deserialize(number.into_deserializer()).map(Some);
        }
        match self.value.take() {
            None => Ok(None),
            Some(Part::Node(reader)) => seed.deserialize(reader).map(Some),
            Some(Part::Key(key)) => seed.deserialize(key.value.as_str().into_deserializer()).map(Some),
            Some(Part::Pairs(map, entries)) => {
                let pairs = entries.iter().map(|entry| Pair(map, entry));
                seed.deserialize(SeqDeserializer::new(pairs)).map(Some)
            }
        }
    }
}

/// An entry of a map that is kept raw, as a tuple.
struct Pair<'a>(Reader<'a>, &'a Entry);

impl<'de> IntoDeserializer<'de, Fault> for Pair<'de> {
    type Deserializer = SeqDeserializer<std::vec::IntoIter<Half<'de>>, Fault>;

    fn into_deserializer(self) -> Self::Deserializer {
        let Pair(map, (key, node)) = self;
        SeqDeserializer::new(vec![Half(Part::Key(key)), Half(Part::Node(map.of(node)))].into_iter())
    }
}

struct Half<'a>(Part<'a>);

impl<'de> IntoDeserializer<'de, Fault> for Half<'de> {
    type Deserializer = Half<'de>;

    fn into_deserializer(self) -> Half<'de> {
        self
    }
}

impl<'de> Deserializer<'de> for Half<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Part::Key(key) => Key(key).deserialize_any(visitor),
            Part::Node(reader) | Part::Pairs(reader, _) => reader.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Part::Key(key) => Key(key).deserialize_newtype_struct(name, visitor),
            Part::Node(reader) | Part::Pairs(reader, _) => reader.deserialize_newtype_struct(name, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// An empty value of whatever type is asked for, for a key that is missing: reading can then go on
/// and find what else is wrong. Types that have no empty value refuse it.
struct MadeUp;

macro_rules! made_up {
    ($($method:ident => $visit:ident($value:expr)),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for MadeUp {
    type Error = Fault;

    made_up! {
        deserialize_bool => visit_bool(false),
        deserialize_i8 => visit_i8(0), deserialize_i16 => visit_i16(0),
        deserialize_i32 => visit_i32(0), deserialize_i64 => visit_i64(0),
        deserialize_u8 => visit_u8(0), deserialize_u16 => visit_u16(0),
        deserialize_u32 => visit_u32(0), deserialize_u64 => visit_u64(0),
        deserialize_f32 => visit_f32(0.0), deserialize_f64 => visit_f64(0.0),
        deserialize_char => visit_str(""), deserialize_str => visit_str(""),
        deserialize_string => visit_str(""), deserialize_identifier => visit_str(""),
        deserialize_bytes => visit_str(""), deserialize_byte_buf => visit_str(""),
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == crate::document::keep::NODE {
            return visitor.visit_unit();
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<u32>()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(serde::de::value::MapDeserializer::new(std::iter::empty::<(u32, u32)>()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(Fault::custom("is missing"))
    }

    forward_to_deserialize_any! { i128 u128 unit unit_struct tuple_struct ignored_any }
}
