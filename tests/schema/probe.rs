//! Finds out what relay.yaml may hold by asking the reader: something wrong is put at a place, and
//! what is said of it tells what would have been right. So the schema knows nothing by itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use alert_relay::assemble::assemble;
use alert_relay::config::secrets::World;
use alert_relay::document::node::path_to_key;
use alert_relay::domain::problem::{Problem, Severity};
use serde_json::{Value, json};

/// What may stand at a place.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Any,
    /// Text, to which numbers and booleans are taken by how they are written.
    Text,
    /// Text of a form that the reader names: `a duration such as 30s`.
    Form(String),
    /// One of these words.
    Words(Vec<String>),
    Bool,
    /// A whole number of this range; negative ones nowhere.
    Whole(u64, Option<u64>),
    Number,
    List(Box<Shape>),
    /// A map with keys of the operator's own.
    MapOf(Box<Shape>),
    /// A map with these keys and those of them that must be there.
    Struct(BTreeMap<String, Shape>, Vec<String>),
    /// A map with exactly one of these keys.
    OneOf(BTreeMap<String, Shape>),
    /// A map like the one so many steps further out, at this path.
    Again(String),
    Either(Vec<Shape>),
}

/// A step on the way to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Key(String),
    First,
}

/// A machine that lacks nothing.
struct Anything;

impl World for Anything {
    fn env(&self, _: &str) -> Option<String> {
        Some("0123456789abcdef0123456789abcdef".to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Ok("0123456789abcdef0123456789abcdef".to_owned())
    }

    fn beside(&self, _: &Path) -> io::Result<String> {
        Ok("service,team\ncheckout,shop\n".to_owned())
    }
}

/// A relay.yaml to put things into.
pub struct Bed {
    whole: Value,
    /// What was said of a whole file.
    asked: RefCell<HashMap<String, Vec<Problem>>>,
    /// What a place says that it wants, when it is given a map, a text and a list; by its path.
    wants: RefCell<HashMap<String, Wants>>,
    /// What must stand beside, so that a map is of the shape that is being asked for: path, key, value.
    beside: RefCell<Vec<(String, &'static str, &'static str)>>,
}

/// Answers to a map, a text and a list; `None` where it is taken.
type Wants = [Option<String>; 3];

/// Another shape that a map may have where its first key says so: keys that betray it.
const SECOND_SHAPES: [(&str, &str); 2] = [("label", "team"), ("value", "x")];

impl Bed {
    /// With a source and a target of these kinds.
    pub fn with(source: &str, kind: &str) -> Bed {
        let whole = json!({
            "sources": [{ "name": "a", "kind": source, "auth": "none" }],
            "route": { "receiver": "r" },
            "receivers": [{ "name": "r", "targets": ["t"] }],
            "targets": [{ "name": "t", kind: {} }],
        });
        Bed { whole, asked: RefCell::default(), wants: RefCell::default(), beside: RefCell::default() }
    }

    /// What is said when `value` stands there.
    pub fn problems(&self, at: &[Step], value: Value) -> Vec<Problem> {
        let mut whole = self.whole.clone();
        let mut place = &mut whole;
        for (depth, step) in at.iter().enumerate() {
            place = match step {
                Step::Key(key) => {
                    if !place.is_object() {
                        let here = path(&at[..depth]);
                        let beside = self.beside.borrow();
                        let beside = beside.iter().filter(|(path, ..)| *path == here);
                        *place = beside.map(|(_, key, value)| (*key, *value)).collect();
                    }
                    &mut place[key.as_str()]
                }
                Step::First => {
                    if !place.is_array() {
                        *place = json!([null]);
                    }
                    &mut place[0]
                }
            };
        }
        *place = value;
        let text = whole.to_string();
        let mut asked = self.asked.borrow_mut();
        asked.entry(text).or_insert_with_key(|text| assemble(text, &Anything).problems).clone()
    }

    /// What may stand there. `outer` are the maps around it, by path, each with its keys.
    pub fn shape(&self, at: &[Step], outer: &mut Vec<(String, Vec<String>)>) -> Shape {
        let path = path(at);
        let known = self.wants.borrow_mut().remove(&path);
        let [as_map, as_text, as_list] =
            known.unwrap_or_else(|| given().map(|value| wanted(&self.problems(at, value), &path)));
        if as_map.is_none() && as_list.is_none() && as_text.is_none() && self.is_raw(at, &path) {
            return Shape::Any;
        }
        let mut shapes = Vec::new();
        if as_map.is_none() {
            shapes.extend(self.map(at, &path, as_list.is_none(), outer));
        }
        if as_list.is_none() && self.is_fine_as_list(at, &path, as_map.is_none()) {
            let mut element = at.to_vec();
            element.push(Step::First);
            shapes.push(Shape::List(Box::new(self.shape(&element, outer))));
        }
        let is_words = matches!(shapes.first(), Some(Shape::Words(_)));
        let is_choice = matches!(shapes.first(), Some(Shape::OneOf(_)));
        if as_text.is_none() && !is_words && !is_choice {
            shapes.push(self.text(at, &path, as_map.as_deref()));
        }
        if shapes.is_empty() {
            shapes.push(scalar(&as_text.or(as_map).unwrap_or_default()));
        }
        match shapes.len() {
            1 => shapes.remove(0),
            _ if shapes.contains(&Shape::Any) => Shape::Any,
            _ => Shape::Either(shapes),
        }
    }

    /// Nothing is said of a key that nobody can know.
    fn is_raw(&self, at: &[Step], path: &str) -> bool {
        let inner = path_to_key(path, "zzz");
        !self.problems(at, json!({ "zzz": 1 })).iter().any(|problem| problem.path == inner)
    }

    /// A place that takes values of every sort may say in its own words that it wants no list.
    fn is_fine_as_list(&self, at: &[Step], path: &str, takes_all: bool) -> bool {
        let said = self.problems(at, json!(["zzz"]));
        !takes_all || !said.iter().any(|problem| problem.path == path)
    }

    fn text(&self, at: &[Step], path: &str, as_map: Option<&str>) -> Shape {
        if let Some(form) = as_map.filter(|form| form.contains("such as")) {
            return Shape::Form(form.to_owned());
        }
        let of = |text: &str| {
            let said = self.problems(at, json!(text));
            said.into_iter().find(|problem| problem.path == path)
        };
        let Some(said) = of("zzz") else { return Shape::Text };
        // A map, or a word in its place.
        if let Some((_, word)) = said.what.split_once(", or `") {
            return Shape::Words(vec![word.trim_end_matches('`').to_owned()]);
        }
        if said.what.starts_with("is not a duration") {
            return Shape::Form("a duration such as 30s".to_owned());
        }
        let words: Vec<String> = ticked(&said.cure)
            .into_iter()
            .filter(|word| of(word).is_none_or(|again| again.what.replace(word.as_str(), "zzz") != said.what))
            .collect();
        // Otherwise the cure shows examples, of which there are more than these.
        let lists_all = ["write `", "use one of `"].iter().any(|start| said.cure.starts_with(start));
        if lists_all && words.len() > 1 && words.len() == ticked(&said.cure).len() {
            Shape::Words(words)
        } else {
            Shape::Text
        }
    }

    fn map(
        &self,
        at: &[Step],
        path: &str,
        takes_list: bool,
        outer: &mut Vec<(String, Vec<String>)>,
    ) -> Vec<Shape> {
        let said = self.problems(at, json!({ "zzz": 1 }));
        let inner = path_to_key(path, "zzz");
        let of_key = said.iter().find(|problem| problem.path == inner);
        match of_key.map(|problem| (problem.what.as_str(), ticked(&problem.cure))) {
            Some(("is a word not known here", words)) => vec![self.choice(at, path, words, outer)],
            Some(("is not a key known here", keys)) => {
                let mut shapes = vec![self.record(at, path, keys.clone(), outer)];
                for (key, value) in SECOND_SHAPES {
                    let said = self.problems(at, json!({ key: value, "zzz": 1 }));
                    let other = said.iter().find(|problem| problem.path == inner);
                    let other = other.map(|problem| ticked(&problem.cure)).unwrap_or_default();
                    if !keys.iter().any(|have| have == key) && other.iter().any(|have| have == key) {
                        self.beside.borrow_mut().push((path.to_owned(), key, value));
                        shapes.push(self.record(at, path, other, outer));
                        self.beside.borrow_mut().pop();
                    }
                }
                shapes
            }
            _ => {
                let mut within = at.to_vec();
                within.push(Step::Key("zzz".to_owned()));
                match self.shape(&within, outer) {
                    Shape::Any if takes_list => vec![Shape::Any],
                    of => vec![Shape::MapOf(Box::new(of))],
                }
            }
        }
    }

    /// Words, or a map with one of them as its key.
    fn choice(
        &self,
        at: &[Step],
        path: &str,
        words: Vec<String>,
        outer: &mut Vec<(String, Vec<String>)>,
    ) -> Shape {
        let first = words.first().cloned().unwrap_or_default();
        if !self.problems(at, json!(first)).iter().any(|problem| problem.path == path) {
            return Shape::Words(words);
        }
        Shape::OneOf(self.keys(at, &words, outer))
    }

    fn record(
        &self,
        at: &[Step],
        path: &str,
        keys: Vec<String>,
        outer: &mut Vec<(String, Vec<String>)>,
    ) -> Shape {
        if let Some((again, _)) = outer.iter().find(|(_, have)| *have == keys) {
            return Shape::Again(again.clone());
        }
        outer.push((path.to_owned(), keys.clone()));
        self.ask_together(at, path, &keys);
        let shapes = self.keys(at, &keys, outer);
        outer.pop();
        let required = self.required(at, path, &shapes);
        Shape::Struct(shapes, required)
    }

    /// Keys that are asked for when they are not there. What is asked for first is given, and asked
    /// again: the reader may not see all at once.
    fn required(&self, at: &[Step], path: &str, shapes: &BTreeMap<String, Shape>) -> Vec<String> {
        let mut given = serde_json::Map::new();
        loop {
            let said = self.problems(at, Value::Object(given.clone()));
            let is_missing = |key: &str| {
                said.iter().any(|problem| {
                    let by_reader =
                        problem.path == path && problem.what == format!("the key `{key}` is missing");
                    by_reader || problem.path == path_to_key(path, key) && problem.severity == Severity::Error
                })
            };
            let missing: Vec<&String> =
                shapes.keys().filter(|key| !given.contains_key(*key) && is_missing(key)).collect();
            if missing.is_empty() {
                return given.into_iter().map(|(key, _)| key).collect();
            }
            for key in missing {
                given.insert(key.clone(), sample(&shapes[key]));
            }
        }
    }

    /// Asks for all keys of a map at once, because each question costs the reading of a whole file.
    fn ask_together(&self, at: &[Step], path: &str, keys: &[String]) {
        let answers = given()
            .map(|value| self.problems(at, keys.iter().map(|key| (key.clone(), value.clone())).collect()));
        for key in keys {
            let path = path_to_key(path, key);
            let wants = [0, 1, 2].map(|sort: usize| wanted(&answers[sort], &path));
            self.wants.borrow_mut().insert(path, wants);
        }
    }

    fn keys(
        &self,
        at: &[Step],
        keys: &[String],
        outer: &mut Vec<(String, Vec<String>)>,
    ) -> BTreeMap<String, Shape> {
        let of = |key: &String| {
            let mut within = at.to_vec();
            within.push(Step::Key(key.clone()));
            (key.clone(), self.shape(&within, outer))
        };
        keys.iter().map(of).collect()
    }
}

/// Something that fits well enough to be no further problem of form.
fn sample(shape: &Shape) -> Value {
    match shape {
        Shape::Bool => json!(true),
        Shape::Whole(..) | Shape::Number => json!(1),
        Shape::List(_) => json!([]),
        Shape::MapOf(_) | Shape::Struct(..) | Shape::OneOf(_) | Shape::Again(_) => json!({}),
        Shape::Form(_) => json!("5m"),
        Shape::Words(words) => json!(words[0]),
        Shape::Any | Shape::Text | Shape::Either(_) => json!("x"),
    }
}

/// A map, a text and a list.
fn given() -> [Value; 3] {
    [json!({ "zzz": 1 }), json!("zzz"), json!(["zzz"])]
}

fn wanted(said: &[Problem], path: &str) -> Option<String> {
    let refused = said.iter().find(|problem| problem.path == path && is_of_sort(problem));
    refused.map(|problem| problem.cure.trim_start_matches("expected ").to_owned())
}

/// It says that a value of this sort cannot stand there, and what can.
fn is_of_sort(problem: &Problem) -> bool {
    problem.what.starts_with("is ") && problem.cure.starts_with("expected ")
}

fn scalar(expected: &str) -> Shape {
    let range = expected.strip_prefix("a whole number from ");
    match (expected, range) {
        ("`true` or `false`", _) => Shape::Bool,
        ("a number", _) => Shape::Number,
        (_, Some(range)) => {
            let (from, to) = range.split_once(" to ").unwrap_or((range, ""));
            Shape::Whole(from.parse().unwrap_or_default(), to.parse().ok())
        }
        (whole, _) if whole.starts_with("a whole number") => Shape::Whole(0, None),
        _ => panic!("what is {expected:?}? tell tests/schema/probe.rs"),
    }
}

/// What stands in backticks.
pub fn ticked(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// As problems write it.
fn path(at: &[Step]) -> String {
    at.iter().fold(String::new(), |path, step| match step {
        Step::First => path + "[0]",
        Step::Key(key) if path.is_empty() => key.clone(),
        Step::Key(key) => format!("{path}.{key}"),
    })
}
