//! A matcher as it is written, in either grammar: name, operator, value, and what a text that is
//! none is answered. Nothing is compiled here.

use thiserror::Error;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
}

impl Op {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Equal => "=",
            Op::NotEqual => "!=",
            Op::Matches => "=~",
            Op::NotMatches => "!~",
        }
    }
}

/// A matcher as it was written, before its regular expression is compiled.
#[derive(Debug, Clone)]
pub struct Raw {
    /// Name of the label.
    pub name: String,
    /// How it compares.
    pub op: Op,
    /// Text or regular expression.
    pub value: String,
    /// Where the value begins, in characters from 0.
    pub at: usize,
}

/// A text of matchers that no grammar reads.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}; {cure}")]
pub struct MatcherError {
    /// Where, in characters from 0.
    pub column: usize,
    /// What is wrong: a sentence without a full stop.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

/// Whether a character cannot stand in an unquoted name or value of the UTF-8 grammar.
pub fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}
