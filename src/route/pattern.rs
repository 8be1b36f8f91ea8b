//! What a regular expression of a matcher becomes: most of those that people write are lists of words
//! or a beginning, and need no automaton.
//!
//! Takes an expression that must cover a whole value, gives a test of values, and what the index may
//! know about them. The shortcuts mean exactly what the expression means.

use regex::Regex;

use crate::route::re2;

/// A compiled expression.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// `db|storage`: one of these.
    Words(Vec<String>),
    /// `db-.*`, `db-.+`: begins so, and goes on without a line break for at least so many bytes.
    Begins(String, usize),
    /// Anything else.
    Regex(Regex),
}

const META: [char; 14] = ['\\', '.', '+', '*', '?', '(', ')', '[', ']', '{', '}', '^', '$', '|'];

impl Pattern {
    /// Compiles an expression. The error is a sentence.
    pub fn new(text: &str) -> Result<Pattern, String> {
        if !text.contains(|c| c != '|' && META.contains(&c)) {
            return Ok(Pattern::Words(text.split('|').map(str::to_owned).collect()));
        }
        let any = text.strip_suffix(".*").map(|head| (head, 0));
        match any.or_else(|| text.strip_suffix(".+").map(|head| (head, 1))) {
            Some((head, rest)) if !head.contains(META) => Ok(Pattern::Begins(head.to_owned(), rest)),
            _ => re2::compile_anchored(text).map(Pattern::Regex),
        }
    }

    /// Whether it covers a value.
    pub fn covers(&self, value: &str) -> bool {
        match self {
            Pattern::Words(words) => words.iter().any(|word| word == value),
            Pattern::Begins(head, least) => value
                .strip_prefix(head.as_str())
                .is_some_and(|rest| rest.len() >= *least && !rest.contains('\n')),
            Pattern::Regex(regex) => regex.is_match(value),
        }
    }
}

/// The text that every value covered by an expression begins with; empty when none is known.
pub fn beginning(text: &str) -> &str {
    // An alternative may stand anywhere: then no beginning is sure.
    if text.contains('|') {
        return "";
    }
    let text = text.strip_prefix('^').unwrap_or(text);
    let (head, rest) = text.split_at(text.find(META).unwrap_or(text.len()));
    // What follows may make the last character optional.
    let optional = rest.starts_with(['?', '*', '{']);
    let end = if optional { head.char_indices().next_back().map_or(0, |(at, _)| at) } else { head.len() };
    &head[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortcut_means_what_the_expression_means() {
        let values = ["", "db", "db-", "db-1", "db-1\n", "db\n", "\n", "x", "a|b", "storage", "db-é", "DB-1"];
        for text in
            ["", "db", "db|storage", "db|", "|", "db-.*", "db-.+", ".*", ".+", "db.*", "db|x.*", "(?i)db-.*"]
        {
            let (pattern, regex) = (Pattern::new(text).unwrap(), re2::compile_anchored(text).unwrap());
            for value in values {
                assert_eq!(pattern.covers(value), regex.is_match(value), "{text:?} over {value:?}");
            }
        }
    }

    #[test]
    fn automata_are_left_for_what_needs_them() {
        assert!(matches!(Pattern::new("db|storage").unwrap(), Pattern::Words(_)));
        assert!(matches!(Pattern::new("db-.*").unwrap(), Pattern::Begins(..)));
        assert!(matches!(Pattern::new("a|b.*").unwrap(), Pattern::Regex(_)));
    }

    #[test]
    fn a_beginning_is_named_only_when_it_is_sure() {
        for (text, sure) in [
            ("db-.*", "db-"),
            ("^db-[0-9]+$", "db-"),
            ("db", "db"),
            ("db-é?x", "db-"),
            ("db*", "d"),
            ("db{0}", "d"),
            ("db+", "db"),
            ("db|x", ""),
            ("db(a)|x", ""),
            ("(?i)db", ""),
            (r"db\.x", "db"),
            (r"\Qdb\E", ""),
            ("", ""),
        ] {
            assert_eq!(beginning(text), sure, "{text:?}");
        }
    }
}
