//! Custom fields: JSON values of any shape, whose texts are templates.
//!
//! Takes what stands in relay.yaml, gives JSON. A text that renders to nothing leaves its field out,
//! since `{"value": ""}` is refused by services where no field at all is not. `{ json: "…" }` puts in
//! what the template gives as JSON, for numbers.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::document::node::{At, Node, Value, path_to_key};
use crate::target::bench::Bench;
use crate::template::escape::Escape;
use crate::template::library::{Fault, Template};
use crate::template::text::cut;
use crate::template::view::View;

/// A text in a field; services take more and less, and none needs more.
const CHARS: usize = 4_000;

/// A value with holes in it.
#[derive(Debug)]
pub enum Shape {
    /// Always the same.
    Fixed(Json),
    /// A text from a template.
    Text(Template),
    /// JSON from a template.
    Json(Template),
    /// A list.
    List(Vec<Shape>),
    /// An object.
    Map(Vec<(String, Shape)>),
}

/// Custom fields by name.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, Shape)>);

impl Fields {
    /// Builds them; what is wrong goes to the bench.
    pub fn build(bench: &mut Bench<'_>, field: &str, written: &BTreeMap<String, Node>) -> Fields {
        let shapes = written.iter().filter_map(|(name, node)| {
            let shape = Shape::build(bench, &path_to_key(field, name), node)?;
            Some((name.clone(), shape))
        });
        Fields(shapes.collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their values for this message.
    pub fn values(&self, view: &View, faults: &mut Vec<Fault>) -> Map<String, Json> {
        let values =
            self.0.iter().filter_map(|(name, shape)| Some((name.clone(), shape.value(view, faults)?)));
        values.collect()
    }
}

impl Shape {
    fn build(bench: &mut Bench<'_>, field: &str, node: &Node) -> Option<Shape> {
        let at = |value: &str| At { value: value.to_owned(), place: node.place };
        Some(match &node.value {
            Value::Null => Shape::Fixed(Json::Null),
            Value::Bool(value) => Shape::Fixed((*value).into()),
            Value::Number(text) => {
                Shape::Fixed(serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()))
            }
            Value::Text(text) => Shape::Text(bench.template(field, &at(text), Escape::None)?),
            Value::List(list) => Shape::List(
                list.iter()
                    .enumerate()
                    .filter_map(|(place, node)| Shape::build(bench, &format!("{field}[{place}]"), node))
                    .collect(),
            ),
            Value::Map(map) => match map.as_slice() {
                [(key, Node { value: Value::Text(text), place })] if key.value == "json" => {
                    let at = At { value: text.clone(), place: *place };
                    Shape::Json(bench.template(&path_to_key(field, "json"), &at, Escape::Json)?)
                }
                map => Shape::Map(
                    map.iter()
                        .filter_map(|(key, node)| {
                            let shape = Shape::build(bench, &path_to_key(field, &key.value), node)?;
                            Some((key.value.clone(), shape))
                        })
                        .collect(),
                ),
            },
        })
    }

    fn value(&self, view: &View, faults: &mut Vec<Fault>) -> Option<Json> {
        match self {
            Shape::Fixed(value) => Some(value.clone()),
            Shape::Text(template) => {
                let text = rendered(template, view, faults)?;
                Some(cut(&text, CHARS).into_owned().into())
            }
            Shape::Json(template) => {
                let text = rendered(template, view, faults)?;
                let value = serde_json::from_str(&text);
                value
                    .map_err(|error| {
                        faults.push(template.fault(format!("what it gives is no JSON ({error})")))
                    })
                    .ok()
            }
            Shape::List(list) => {
                let values: Vec<Json> = list.iter().filter_map(|shape| shape.value(view, faults)).collect();
                (!values.is_empty() || list.is_empty()).then_some(Json::Array(values))
            }
            Shape::Map(map) => {
                let values = map.iter().map(|(name, shape)| Some((name.clone(), shape.value(view, faults)?)));
                values.collect::<Option<Map<_, _>>>().map(Json::Object)
            }
        }
    }
}

fn rendered(template: &Template, view: &View, faults: &mut Vec<Fault>) -> Option<String> {
    let text = template.render(view).map_err(|fault| faults.push(fault)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
