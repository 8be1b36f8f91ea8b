//! Tree in, typed shape out, with everything that is wrong and not only the first of it.
//!
//! serde stops at its first error. So the wrong node is struck out and the tree is read again,
//! until it can be read; a key that is missing gets an empty value for the rest of the reading.
//! What follows only from such repairs is not told.

use serde::de::DeserializeOwned;

use crate::document::cursor::{Lessons, Reader};
use crate::document::fault::{Finding, Id};
use crate::document::node::Node;
use crate::domain::problem::{Place, Problem};

/// Problems told about one tree; each costs one more reading.
const PROBLEMS_MAX: usize = 100;

/// What came of reading a tree.
#[derive(Debug)]
pub struct Read<T> {
    /// What could be read. Beside problems it lacks what was struck out, and is empty where
    /// something was missing: good for finding more problems, never for running.
    pub value: Option<T>,
    /// All that is wrong, in the order it was found.
    pub problems: Vec<Problem>,
}

/// Reads a tree as a `T`; `path` is where the tree stands in its document, empty for the root.
pub fn read<T: DeserializeOwned>(node: &Node, path: &str) -> Read<T> {
    let mut lessons = Lessons::default();
    let mut struck_keys: Vec<(Id, String)> = Vec::new();
    let mut problems = Vec::new();
    while problems.len() < PROBLEMS_MAX {
        let fault = match T::deserialize(Reader { node, lessons: &lessons }) {
            Ok(value) => return Read { value: Some(value), problems },
            Err(fault) => fault,
        };
        let wrong = fault.0.node.unwrap_or(Id::of(node));
        let holder = fault.0.holder.clone();
        let repaired = match fault.0.missing {
            Some(key) if !fault.0.is_made_up => make_up(&mut lessons, wrong, key),
            _ => false,
        };
        if !is_told(&fault.0, wrong, &struck_keys) {
            problems.push(fault.into_problem(path));
        }
        if !repaired {
            if wrong == Id::of(node) || !lessons.struck.insert(wrong) {
                return Read { value: None, problems };
            }
            struck_keys.extend(holder);
        }
    }
    problems.push(Problem::error(
        path,
        Place::default(),
        format!("there are more than {PROBLEMS_MAX} problems here, and the rest is not shown"),
        "mend these and check again",
    ));
    Read { value: None, problems }
}

/// Whether this fault follows from something that was told already.
fn is_told(fault: &Finding, map: Id, struck_keys: &[(Id, String)]) -> bool {
    let was_struck = |key: &str| struck_keys.iter().any(|(holder, name)| *holder == map && name == key);
    fault.is_made_up || fault.missing.is_some_and(was_struck)
}

/// Gives the map an empty value for the key; false if it had one already and that did not help.
fn make_up(lessons: &mut Lessons, map: Id, key: &'static str) -> bool {
    let keys = lessons.made_up.entry(map).or_default();
    let is_new = !keys.contains(&key);
    if is_new {
        keys.push(key);
    }
    is_new
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::document::node::{At, Value};
    use crate::document::parse::parse;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        name: At<String>,
        #[serde(default)]
        ports: Vec<u16>,
        #[serde(default)]
        on: bool,
        #[serde(default)]
        inner: Vec<Inner>,
        #[serde(default)]
        words: BTreeMap<String, String>,
        #[serde(default)]
        choice: Option<Choice>,
        #[serde(default)]
        raw: Option<Node>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        id: String,
        level: Level,
        #[serde(default)]
        weight: f64,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Level {
        High,
        Low,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        Left(Inner),
        Right(u8),
    }

    fn problems(text: &str) -> Vec<String> {
        let read = read::<Shape>(&parse(text).unwrap(), "");
        read.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_right_is_read_with_its_places() {
        let node = parse("name: 007\nports: [1, 0x10, +3]\non: true\nwords: {a: 1e3, b: true}\nchoice: {right: 2}\nraw: [x, {y: 1}]")
            .unwrap();
        let read = read::<Shape>(&node, "");
        assert_eq!(read.problems, []);
        let shape = read.value.unwrap();
        assert_eq!(shape.name, At { value: "007".into(), place: Place { line: 1, column: 7, length: 3 } });
        assert_eq!(shape.ports, [1, 16, 3]);
        assert_eq!(shape.words, BTreeMap::from([("a".into(), "1e3".into()), ("b".into(), "true".into())]));
        assert_eq!(shape.choice, Some(Choice::Right(2)));
        assert_eq!(shape.raw.as_ref(), node.get("raw"));
    }

    #[test]
    fn every_problem_is_told_with_path_and_place_and_none_that_follows_from_it() {
        let text = "nmae: a\nports: [1, x, 70000, -1, 2.5]\non: yes\ninner:\n  - {id: [a], level: hgih}\n  - \
                    {wieght: 1}\n  - 5\nwords: {a: {}}\nchoice: {left: {id: 1}}\n";
        let told = [
            "1:1: nmae: is not a key known here; did you mean `name`",
            "2:12: ports[1]: is text; expected a whole number from 0 to 65535",
            "2:15: ports[2]: is not a whole number from 0 to 65535",
            "2:22: ports[3]: is not a whole number from 0 to 65535",
            "2:26: ports[4]: is a number; expected a whole number from 0 to 65535",
            "3:5: on: is text; expected `true` or `false`",
            "5:10: inner[0].id: is a list; expected text",
            "5:22: inner[0].level: is a word not known here; did you mean `high`",
            "6:6: inner[1].wieght: is not a key known here; did you mean `weight`",
            "6:5: inner[1]: the key `id` is missing; add `id`",
            "6:5: inner[1]: the key `level` is missing; add `level`",
            "7:5: inner[2]: is a number; expected a map of keys and values",
            "8:12: words.a: is a map; expected text",
            "9:16: choice.left: the key `level` is missing; add `level`",
            "1:1: the key `name` is missing; add `name`",
        ];
        assert_eq!(problems(text), told);
    }

    #[test]
    fn an_empty_value_is_an_empty_list_or_map_and_nothing_else() {
        assert_eq!(problems("name: a\nports:\nwords:\nchoice:"), [""; 0]);
        assert_eq!(problems("name:"), ["1:5: name: is empty; expected text"]);
    }

    #[test]
    fn a_choice_takes_exactly_one_key() {
        assert_eq!(
            problems("name: a\nchoice: {left: {id: 1, level: low}, right: 2}"),
            ["2:9: choice: must have exactly one key; give it one of `left`, `right`"]
        );
        assert_eq!(
            problems("name: a\nchoice: {rihgt: 2}"),
            ["2:10: choice.rihgt: is a word not known here; did you mean `right`"]
        );
    }

    #[test]
    fn the_number_of_problems_is_bounded() {
        let text = format!("name: a\nports: [{}]", vec!["x"; 3 * PROBLEMS_MAX].join(", "));
        assert_eq!(problems(&text).len(), PROBLEMS_MAX + 1);
    }

    #[test]
    fn what_remains_beside_a_problem_can_be_used_for_further_checks() {
        let read = read::<Shape>(&parse("name: a\nports: [1, x, 3]").unwrap(), "targets[2]");
        assert_eq!(read.problems[0].path, "targets[2].ports[1]");
        assert_eq!(read.value.unwrap().ports, [1, 3]);
        assert!(read_text("5").value.is_none());
    }

    #[test]
    fn no_value_is_repeated_in_a_sentence() {
        for text in
            ["name: a\nports: [hunter2]", "name: a\ninner: [{id: a, level: hunter2}]", "name: {a: hunter2}"]
        {
            let shown = problems(text).join("\n");
            assert!(!shown.is_empty() && !shown.contains("hunter2"), "{shown}");
        }
    }

    fn read_text(text: &str) -> Read<Shape> {
        let node = parse(text).unwrap();
        assert!(!matches!(node.value, Value::Map(_)));
        read(&node, "")
    }
}
