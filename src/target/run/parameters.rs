//! Parameters of a run: templates whose values end up in a script, and are therefore checked.
//!
//! Takes settings, gives parameters; takes a view, gives values or a refusal of the whole run. A value
//! is data, never a piece of a command of ours, but nobody knows what the script does with it: so
//! what an alert says has to match a list of what is allowed, and by default that is one plain word.
//! What the operator wrote out, without a template, is not checked.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;

use crate::document::node::{At, Node, Value, path_to_key};
use crate::document::read::read;
use crate::domain::problem::Problem;
use crate::target::bench::Bench;
use crate::target::contract::Unsayable;
use crate::template::escape::Escape;
use crate::template::library::Template;
use crate::template::text::cut;
use crate::template::view::View;

/// Characters of a value, unless `cut` says otherwise. A longer one is refused, not cut: half a
/// name is another name.
pub const CHARS_MAX: usize = 1000;
/// What a value may be where the operator says nothing: one word without anything that a shell
/// obeys, and that is no option (`-x`).
pub const PLAIN: &str = r"[\p{L}\p{N}_.,:@/+][\p{L}\p{N}_.,:@/+-]*";
/// Names and patterns of hosts: a colon, comma or star would name more of them.
pub const HOST: &str = r"[\p{L}\p{N}_][\p{L}\p{N}_.-]*";
/// Characters of a refused value that are shown.
const SHOWN_CHARS: usize = 80;

/// A parameter as it is configured.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name on the platform; empty for an element of a list.
    pub name: String,
    /// Where it stands, for reasons.
    field: String,
    value: What,
    allowed: Regex,
    /// As the operator wrote it; empty for the usual one.
    pattern: String,
    cut: Option<usize>,
}

#[derive(Debug, Clone)]
enum What {
    /// The operator's own text.
    Fixed(String),
    Says(Template),
}

/// The long form of a parameter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    value: At<String>,
    #[serde(default, rename = "match")]
    allowed: Option<At<String>>,
    #[serde(default)]
    cut: Option<At<usize>>,
}

/// Compiles a map of parameters: `name: "{{…}}"` or `name: { value, match, cut }`.
pub fn named(bench: &mut Bench<'_>, field: &str, given: BTreeMap<String, Node>) -> Vec<Parameter> {
    let one = |(name, node): (String, Node)| {
        let parameter = parameter(bench, &path_to_key(field, &name), &node, PLAIN)?;
        Some(Parameter { name, ..parameter })
    };
    given.into_iter().filter_map(one).collect()
}

/// Compiles a list of values; `usual` is what they may be where the operator says nothing.
pub fn listed(bench: &mut Bench<'_>, field: &str, given: &[Node], usual: &str) -> Vec<Parameter> {
    let one = |(index, node)| parameter(bench, &format!("{field}[{index}]"), node, usual);
    given.iter().enumerate().filter_map(one).collect()
}

/// Compiles one value.
pub fn parameter(bench: &mut Bench<'_>, field: &str, node: &Node, usual: &str) -> Option<Parameter> {
    let long = match &node.value {
        Value::Text(text) | Value::Number(text) => {
            Long { value: At { value: text.clone(), place: node.place }, allowed: None, cut: None }
        }
        Value::Bool(value) => {
            Long { value: At { value: value.to_string(), place: node.place }, allowed: None, cut: None }
        }
        Value::Map(_) => {
            let long = read::<Long>(node, &bench.path(field));
            for problem in long.problems {
                let _noted = bench.keep::<()>(Err(problem));
            }
            long.value?
        }
        Value::Null | Value::List(_) => {
            let cure = "write a text, or { value: …, match: … }";
            let problem = Problem::error(bench.path(field), node.place, "this is no value", cure);
            return bench.keep(Err(problem));
        }
    };
    let pattern = long.allowed.as_ref().map_or(usual, |at| at.value.as_str());
    let allowed = match Regex::new(&format!(r"\A(?:{pattern})\z")) {
        Ok(allowed) => Some(allowed),
        Err(_) => {
            let at = long.allowed.as_ref().unwrap_or(&long.value);
            let cure = "write one of RE2's syntax, as in [a-z0-9-]+; it has to match the whole value";
            bench.wrong(&format!("{field}.match"), at, "this is no regular expression", cure);
            None
        }
    };
    let value = if long.value.value.contains("{{") {
        What::Says(bench.template(field, &long.value, Escape::None)?)
    } else {
        What::Fixed(long.value.value)
    };
    Some(Parameter {
        name: String::new(),
        field: field.to_owned(),
        value,
        allowed: allowed?,
        pattern: long.allowed.map(|at| at.value).unwrap_or_default(),
        cut: long.cut.map(|at| at.value),
    })
}

impl Parameter {
    /// The value for this message.
    ///
    /// # Errors
    /// The run is refused: something is missing, too long or not allowed.
    pub fn value(&self, view: &View) -> Result<String, Unsayable> {
        let text = match &self.value {
            What::Fixed(text) => return Ok(text.clone()),
            What::Says(template) => template.render(view).map_err(|fault| {
                let cure = "give the alert what is missing, or word it as {{default (get … \"name\") \"…\"}}";
                self.refused(&format!("{}; {cure}", fault.what))
            })?,
        };
        let text = printable(&text);
        let text = match self.cut {
            Some(chars) => cut(&text, chars).into_owned(),
            None if text.chars().count() > CHARS_MAX => {
                return Err(self.refused(&format!(
                    "the value has more than {CHARS_MAX} characters; shorten it by `cut`, if half of it makes sense"
                )));
            }
            None => text,
        };
        match () {
            () if self.allowed.is_match(&text) => Ok(text),
            () if text.is_empty() => {
                Err(self.refused("the value is empty; give the alert that label, or allow it by `match`"))
            }
            () if self.pattern.is_empty() => {
                let shown = cut(&text, SHOWN_CHARS);
                Err(self.refused(&format!(
                    "the value {shown:?} is no plain word; mend the label, or say by `match` what is allowed"
                )))
            }
            () => {
                let (shown, pattern) = (cut(&text, SHOWN_CHARS), &self.pattern);
                Err(self.refused(&format!(
                    "the value {shown:?} does not match {pattern}; mend the label, or widen `match`"
                )))
            }
        }
    }

    fn refused(&self, why: &str) -> Unsayable {
        Unsayable(format!("no run is started: {}: {why}", self.field))
    }
}

/// Names and values of all of them.
///
/// # Errors
/// The first that refuses the run.
pub fn values(parameters: &[Parameter], view: &View) -> Result<BTreeMap<String, String>, Unsayable> {
    parameters.iter().map(|one| Ok((one.name.clone(), one.value(view)?))).collect()
}

/// The values of a list.
///
/// # Errors
/// The first that refuses the run.
pub fn all(parameters: &[Parameter], view: &View) -> Result<Vec<String>, Unsayable> {
    parameters.iter().map(|one| one.value(view)).collect()
}

/// One line: what ends a line, or is not to be seen, is a blank.
pub fn printable(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut line = String::with_capacity(text.len());
    for piece in text.split(is_odd).filter(|piece| !piece.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(piece);
    }
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_line_or_hides_becomes_a_blank() {
        for (text, expected) in [
            ("checkout", "checkout"),
            (" a\r\nb\0c ", "a b c"),
            ("a\u{2028}rm -rf /\u{202e}", "a rm -rf /"),
            ("\n", ""),
            ("磁盘 92%", "磁盘 92%"),
        ] {
            assert_eq!(printable(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_plain_word_holds_nothing_that_a_shell_obeys() {
        let plain = Regex::new(&format!(r"\A(?:{PLAIN})\z")).expect("a pattern");
        for good in
            ["checkout", "db-1.example.com:9100", "/var/lib/x", "结算", "a@b", "1+1", "2026-03-02T03:04:05Z"]
        {
            assert!(plain.is_match(good), "{good}");
        }
        for bad in [
            "", "-rf", "a b", "a;b", "$(x)", "`x`", "a|b", "a&b", "a>b", "a'b", "a\"b", "a\\b", "a\nb", "*",
            "~", "a=b", "%PATH%", "a#b", "!x", "[::1]", "{a,b}",
        ] {
            assert!(!plain.is_match(bad), "{bad:?}");
        }
        let host = Regex::new(&format!(r"\A(?:{HOST})\z")).expect("a pattern");
        assert!(host.is_match("db-1.example.com") && !host.is_match("db-1:all") && !host.is_match("*"));
    }
}
