//! Text in, tree out. The YAML itself is the library's: anchors, aliases and merge keys are
//! unfolded there, duplicate keys and bombs refused.
//!
//! `true` and `false` are the only booleans (`yes`, `on` and `NO` stay text). A number keeps its
//! text. What the library says about broken syntax is put into our words by `syntax.rs`.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Location, Options, Spanned};

use crate::document::node::{At, Node, Value};
use crate::document::syntax::{self, TOO_DEEP, place};
use crate::domain::problem::{Place, Problem};

/// Values in a file, aliases unfolded. A generated tree of 50,000 routes has about 500,000.
const NODES_MAX: usize = 2_000_000;

/// Beginnings, ends and scalars that aliases may stand for in all: what makes a bomb a dud.
const ALIASED_MAX: usize = 100_000;

/// Levels of lists and maps, aliases unfolded. The library bounds only what is written: a chain of
/// anchors that each hold the one before would unfold into a depth that no stack holds. Half of
/// what 2 MiB hold in a debug build; a route within a route takes two levels.
const DEPTH_MAX: u32 = 48;

/// Reads one YAML document. An empty one is `Null`.
///
/// # Errors
/// The place and the cure of what is no YAML; the sentence repeats nothing of the text but keys,
/// because the text may hold secrets.
pub fn parse(text: &str) -> Result<Node, Problem> {
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(raw) => Ok(node(raw, text)),
        Err(error) => Err(syntax::problem(&error, text)),
    }
}

fn options() -> Options {
    serde_yaml::options! {
        strict_booleans: true,
        with_snippet: false,
        non_finite_float_policy: serde_yaml::options::NonFiniteFloatPolicy::PassThrough,
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: ALIASED_MAX },
        budget: serde_yaml::budget! { max_nodes: NODES_MAX, max_events: 2 * NODES_MAX },
    }
}

/// A value as the library tells it. A number's text is fetched from the source afterwards.
enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let source = source(&raw.defined, text);
    let place = place(&raw.defined);
    let scalar = Place { length: length(source), ..place };
    match raw.value {
        Raw::Null => Node { place: scalar, value: Value::Null },
        Raw::Bool(value) => Node { place: scalar, value: Value::Bool(value) },
        Raw::Number(value) => Node { place: scalar, value: Value::Number(number(value, source)) },
        Raw::Text(value) => Node { place: scalar, value: Value::Text(value) },
        Raw::List(elements) => {
            let elements = elements.into_iter().map(|element| node(element, text)).collect();
            Node { place, value: Value::List(elements) }
        }
        Raw::Map(entries) => {
            let entries =
                entries.into_iter().map(|(key, value)| (at(key, text), node(value, text))).collect();
            Node { place, value: Value::Map(entries) }
        }
    }
}

fn at(key: Spanned<String>, text: &str) -> At<String> {
    let place = Place { length: length(source(&key.defined, text)), ..place(&key.defined) };
    At { value: key.value, place }
}

fn source<'t>(location: &Location, text: &'t str) -> &'t str {
    let span = location.span();
    let range = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
        let start = usize::try_from(start).ok()?;
        Some(start..start.checked_add(usize::try_from(length).ok()?)?)
    });
    range.and_then(|range| text.get(range)).unwrap_or_default()
}

/// Characters to underline: those of the first line.
fn length(source: &str) -> u32 {
    let shown = source.lines().next().unwrap_or_default().trim_end();
    u32::try_from(shown.chars().count()).unwrap_or(u32::MAX)
}

/// The number as written. A tag can make a number of a quoted text (`!!int "5"`): then as read.
fn number(read: String, source: &str) -> String {
    let written = source.trim();
    let begins_as_number = written.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if begins_as_number { written.to_owned() } else { read }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        let _level = Level::enter().ok_or_else(|| D::Error::custom(TOO_DEEP))?;
        deserializer.deserialize_any(RawVisitor)
    }
}

thread_local! {
    /// Levels entered and not left. `Spanned` takes no seed that could carry the count.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// One level of nesting, left when dropped.
struct Level;

impl Level {
    fn enter() -> Option<Level> {
        let depth = DEPTH.get();
        (depth < DEPTH_MAX).then(|| {
            DEPTH.set(depth + 1);
            Level
        })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = access.next_element()? {
            elements.push(element);
        }
        Ok(Raw::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as text, with places: what `Debug` hides, a test must see.
    fn drawn(node: &Node) -> String {
        let value = match &node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) => format!("#{text}"),
            Value::Text(text) => format!("{text:?}"),
            Value::List(elements) => {
                format!("[{}]", elements.iter().map(drawn).collect::<Vec<_>>().join(", "))
            }
            Value::Map(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, node)| format!("{}: {}", key.value, drawn(node))).collect();
                format!("{{{}}}", entries.join(", "))
            }
        };
        format!("{value}@{}:{}+{}", node.place.line, node.place.column, node.place.length)
    }

    fn draw(text: &str) -> String {
        drawn(&parse(text).unwrap())
    }

    #[test]
    fn numbers_keep_the_text_they_were_written_with() {
        assert_eq!(draw("+15550100"), "#+15550100@1:1+9");
        assert_eq!(draw("a: 007"), "{a: #007@1:4+3}@1:1+0");
        assert_eq!(draw("[1_000, 0x1F, 1e999, .inf, 99999999999999999999]"), {
            "[#1_000@1:2+5, #0x1F@1:9+4, #1e999@1:15+5, #.inf@1:22+4, #99999999999999999999@1:28+20]@1:1+0"
        });
        assert_eq!(draw("!!int \"5\""), "#5@1:7+3");
    }

    #[test]
    fn only_true_and_false_are_booleans() {
        assert_eq!(
            draw("[true, no, on, \"true\"]"),
            "[true@1:2+4, \"no\"@1:8+2, \"on\"@1:12+2, \"true\"@1:16+6]@1:1+0"
        );
    }

    #[test]
    fn an_empty_file_is_null() {
        for text in ["", "# only a comment\n", "---\n"] {
            assert_eq!(parse(text).unwrap().value, Value::Null, "{text:?}");
        }
    }

    #[test]
    fn an_alias_stands_where_its_anchor_stands() {
        assert_eq!(draw("a: &x 5\nb: *x"), "{a: #5@1:7+1, b: #5@1:7+1}@1:1+0");
        assert_eq!(
            draw("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3"),
            "{a: {p: #1@1:11+1, q: #2@1:17+1}@1:7+0, b: {q: #3@4:6+1, p: #1@1:11+1}@3:3+0}@1:1+0"
        );
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(draw("ключ: [значение, x]"), "{ключ: [\"значение\"@1:8+8, \"x\"@1:18+1]@1:7+0}@1:1+0");
    }

    #[test]
    fn a_text_over_several_lines_is_underlined_in_its_first() {
        assert_eq!(draw("a: one\n  two"), "{a: \"one two\"@1:4+3}@1:1+0");
    }

    #[test]
    fn a_debug_print_shows_no_text() {
        let shown = format!("{:?}", parse("a: hunter2\nb: [12345]").unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("12345"), "{shown}");
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let parts = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{parts}]\n"));
        }
        let problem = parse(&bomb).unwrap_err();
        assert!(problem.what.contains("unfold"), "{problem}");
    }

    #[test]
    fn deep_nesting_is_refused_however_it_is_made() {
        let brackets = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(parse(&brackets).is_err());
        let mut chain = format!("a0: &a0 {}x{}\n", "[".repeat(40), "]".repeat(40));
        for level in 1..200 {
            let (open, close) = ("[".repeat(40), "]".repeat(40));
            chain.push_str(&format!("a{level}: &a{level} {open}*a{}{close}\n", level - 1));
        }
        let problem = parse(&chain).unwrap_err();
        assert!(problem.what.contains("deeply"), "{problem}");
        assert!(parse("a: 1").is_ok(), "the count starts anew");
    }
}
