//! One condition on one label, in the syntax of Alertmanager.
//!
//! Text comes in, matchers go out, or an error that points at a character. Two grammars exist: the
//! newer one (`matcher_utf8.rs`) and the classic one (`matcher_classic.rs`). They are weighed here as
//! Alertmanager does by default, so that a tree carried over routes the same alerts.

use std::borrow::Cow;
use std::fmt;

use crate::domain::alert::Labels;
use crate::route::pattern::{Pattern, beginning};
use crate::route::written::{MatcherError, Op, Raw, is_reserved};
use crate::route::{matcher_classic, matcher_utf8};

/// A condition on one label. A missing label counts as an empty one.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// Name of the label.
    pub name: String,
    /// How it compares.
    pub op: Op,
    /// What it is compared with: a text, or a regular expression that must cover the whole value.
    pub value: String,
    /// Compiled of `value` when that is a regular expression.
    pattern: Option<Pattern>,
}

/// What a text of matchers says.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// In the order of the text; all of them must hold.
    pub matchers: Vec<Matcher>,
    /// What the two grammars do not agree on, with the way to write it so that they do.
    pub warning: Option<String>,
}

/// Reads one matcher or several: `severity = "critical"`, `{a="b", c=~"d|e"}`.
///
/// As Alertmanager does by default: what both grammars read alike is taken; where they differ the
/// classic reading wins; what only one of them reads is taken from that one. Braces around no
/// matchers, and an empty text, are no matchers.
pub fn parse_matchers(text: &str) -> Result<Parsed, MatcherError> {
    let (utf8, classic) = (matcher_utf8::parse(text), matcher_classic::parse(text));
    if let (Ok(one), Ok(other)) = (&utf8, &classic)
        && same(one, other)
    {
        return Ok(Parsed { matchers: compile(one)?, warning: None });
    }
    let utf8 = utf8.and_then(|raw| compile(&raw));
    let classic = classic.and_then(|raw| compile(&raw));
    match (utf8, classic) {
        (Ok(matchers), Err(_)) => Ok(Parsed { matchers, warning: None }),
        (Err(error), Err(_)) => Err(error),
        (Ok(newer), Ok(matchers)) => {
            let warning = format!(
                "the two matcher syntaxes disagree: this is read as {}, not as {}; write the value in \
                 double quotes with every backslash doubled",
                Joined(&matchers),
                Joined(&newer)
            );
            Ok(Parsed { matchers, warning: Some(warning) })
        }
        (Err(_), Ok(matchers)) => {
            let warning = format!(
                "only the classic matcher syntax reads this; write {} to be understood everywhere",
                Joined(&matchers)
            );
            Ok(Parsed { matchers, warning: Some(warning) })
        }
    }
}

impl Matcher {
    /// Makes a matcher; the regular expression is RE2's and anchored at both ends.
    ///
    /// The error is a sentence about the regular expression.
    pub fn new(name: impl Into<String>, op: Op, value: impl Into<String>) -> Result<Matcher, String> {
        let value = value.into();
        let pattern = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Matches | Op::NotMatches => Some(Pattern::new(&value)?),
        };
        Ok(Matcher { name: name.into(), op, value, pattern })
    }

    /// Whether a label set fulfils it.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.admits(labels.get(&self.name).map_or("", String::as_str))
    }

    /// Whether a value of its label fulfils it.
    pub fn admits(&self, value: &str) -> bool {
        let hit = match &self.pattern {
            None => self.value == value,
            Some(pattern) => pattern.covers(value),
        };
        hit == matches!(self.op, Op::Equal | Op::Matches)
    }

    /// The only values that fulfil it, if they can be listed: of `=`, and of `=~` over plain words.
    pub fn listed(&self) -> Option<&[String]> {
        match (self.op, &self.pattern) {
            (Op::Equal, _) => Some(std::slice::from_ref(&self.value)),
            (Op::Matches, Some(Pattern::Words(words))) => Some(words),
            _ => None,
        }
    }

    /// What every value that fulfils it begins with, if that is known of `=~`.
    pub fn beginning(&self) -> Option<&str> {
        let sure = (self.op == Op::Matches).then(|| beginning(&self.value))?;
        (!sure.is_empty()).then_some(sure)
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    /// As Alertmanager prints it: the name is quoted only when it has to be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, op, value) = (&self.name, self.op.as_str(), &self.value);
        // An empty name too, which Alertmanager prints without quotes and then cannot read.
        if name.is_empty() || name.chars().any(is_reserved) {
            write!(f, "{}{op}{}", go_quote(name), go_quote(value))
        } else {
            write!(f, "{name}{op}\"{}\"", escape(value))
        }
    }
}

/// Matchers as Alertmanager prints them in a route's key: `{a="b",c=~"d"}`.
pub struct Braced<'a>(pub &'a [Matcher]);

impl fmt::Display for Braced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", Joined(self.0))
    }
}

struct Joined<'a>(&'a [Matcher]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, matcher) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{matcher}")?;
        }
        Ok(())
    }
}

fn same(one: &[Raw], other: &[Raw]) -> bool {
    let plain = |raw: &Raw| (raw.name.clone(), raw.op, raw.value.clone());
    one.iter().map(plain).eq(other.iter().map(plain))
}

fn compile(raw: &[Raw]) -> Result<Vec<Matcher>, MatcherError> {
    let one = |raw: &Raw| {
        Matcher::new(&raw.name, raw.op, &raw.value).map_err(|what| MatcherError {
            column: raw.at,
            what,
            cure: "see https://github.com/google/re2/wiki/Syntax for what can be written".into(),
        })
    };
    raw.iter().map(one).collect()
}

fn escape(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', '\n', '"']) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\""))
}

/// Go's `strconv.Quote`, but for a few rare marks that Go thinks printable and Rust does not.
fn go_quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\'' => out.push('\''),
            c if c.escape_debug().len() == 1 => out.push(c),
            c if u32::from(c) < 0x80 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(name: &str, op: Op, value: &str) -> String {
        Matcher::new(name, op, value).unwrap().to_string()
    }

    #[test]
    fn prints_as_alertmanager_does() {
        assert_eq!(printed("foo", Op::Equal, "bar"), r#"foo="bar""#);
        assert_eq!(printed("foo", Op::NotMatches, "bar"), r#"foo!~"bar""#);
        assert_eq!(
            printed("foo", Op::Equal, "back\\slash \"and\"\nline"),
            r#"foo="back\\slash \"and\"\nline""#
        );
        assert_eq!(printed("foo", Op::Equal, "tab\tstop"), "foo=\"tab\tstop\"");
        assert_eq!(printed("foo🙂", Op::Equal, "bar"), r#"foo🙂="bar""#);
        assert_eq!(printed("foo!", Op::NotEqual, "bar"), r#""foo!"!="bar""#);
        assert_eq!(printed("foo bar", Op::Matches, "tab\tstop\u{1}'é"), r#""foo bar"=~"tab\tstop\x01'é""#);
    }

    #[test]
    fn a_missing_label_is_an_empty_one() {
        let none = Labels::new();
        for (op, value, holds) in [
            (Op::Equal, "", true),
            (Op::Equal, "a", false),
            (Op::NotEqual, "a", true),
            (Op::NotEqual, "", false),
            (Op::Matches, ".*", true),
            (Op::Matches, ".+", false),
            (Op::Matches, "a|", true),
            (Op::NotMatches, ".+", true),
        ] {
            assert_eq!(
                Matcher::new("x", op, value).unwrap().matches(&none),
                holds,
                "x{}{value:?}",
                op.as_str()
            );
        }
    }

    #[test]
    fn a_regular_expression_covers_the_whole_value() {
        let matcher = Matcher::new("x", Op::Matches, "db|sto.age").unwrap();
        assert!(matcher.admits("db") && matcher.admits("storage"));
        assert!(!matcher.admits("db1") && !matcher.admits("my storage") && !matcher.admits("db\n"));
    }

    #[test]
    fn plain_alternatives_are_listed() {
        let listed = |op, value| Matcher::new("x", op, value).unwrap().listed().map(<[String]>::to_vec);
        assert_eq!(listed(Op::Matches, "db|storage"), Some(vec!["db".into(), "storage".into()]));
        assert_eq!(listed(Op::Equal, "d.b"), Some(vec!["d.b".into()]));
        assert_eq!(listed(Op::Matches, "d.b"), None);
        assert_eq!(listed(Op::NotMatches, "db|storage"), None);
    }

    #[test]
    fn what_the_grammars_do_not_agree_on_is_said() {
        let warning = |text| parse_matchers(text).unwrap().warning.unwrap_or_default();
        assert_eq!(warning("foo=bar"), "");
        assert_eq!(warning("{}"), "");
        assert!(warning("foo=").contains(r#"write foo="" to be"#), "{}", warning("foo="));
        let both = warning(r#"foo="\x41""#);
        assert!(both.contains(r#"read as foo="\\x41", not as foo="A""#), "{both}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_cure() {
        for (text, said) in [
            (
                "foo!bar",
                "an operator is expected here, not '!'; put one of = != =~ !~ between the name and the value",
            ),
            ("{,}", "a label name is expected here, not ','; write a matcher as name=\"value\""),
            (
                "foo=b\"c",
                "a comma or the end is expected here, not '\"'; put a comma between matchers, and double \
              quotes around a value with blanks or signs in it",
            ),
            (
                "{\"a\"=\"b\\d\"}",
                "this escape sequence does not exist; write a backslash as \\\\ and a line break as \\n",
            ),
            (
                "a=~\"b[\"",
                "the regular expression \"b[\" cannot be read: unclosed character class; see \
              https://github.com/google/re2/wiki/Syntax for what can be written",
            ),
        ] {
            assert_eq!(parse_matchers(text).unwrap_err().to_string(), said);
        }
    }
}
