//! The classic matcher grammar (Alertmanager before 0.27, `pkg/labels`): forgiving, ASCII names.
//!
//! Braces are optional and need not pair, quotes around a value are optional, a value may be empty,
//! and a backslash before anything but `"`, `n` and `\` stands for itself. Text in, raw matchers out.

use crate::route::written::{MatcherError, Op, Raw};

/// Reads a list of matchers.
pub fn parse(text: &str) -> Result<Vec<Raw>, MatcherError> {
    let inner = text.strip_prefix('{').unwrap_or(text);
    let start = text.chars().count() - inner.chars().count();
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    split(inner).into_iter().map(|(at, piece)| matcher(piece, start + at)).collect()
}

/// Cuts at the commas outside of quotes; gives each piece with its offset in characters.
fn split(text: &str) -> Vec<(usize, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let (mut from, mut from_column) = (0, 0);
    let mut pieces = Vec::new();
    for (column, (i, c)) in text.char_indices().enumerate() {
        match c {
            ',' if !quoted => {
                pieces.push((from_column, &text[from..i]));
                (from, from_column) = (i + 1, column + 1);
            }
            // A comma in quotes leaves `escaped` as it was: so does the original.
            ',' => {}
            '"' if escaped => escaped = false,
            '"' => quoted = !quoted,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    let rest = text[from..].trim_start();
    if !rest.is_empty() {
        let blanks = text[from..].chars().count() - rest.chars().count();
        pieces.push((from_column + blanks, rest.trim_end()));
    }
    pieces
}

fn matcher(piece: &str, column: usize) -> Result<Raw, MatcherError> {
    let blank = |c: char| matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ');
    let column_of = |rest: &str| column + piece.chars().count() - rest.chars().count();
    let rest = piece.trim_start_matches(blank);
    let name_end = rest
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_alphabetic() || "_:".contains(*c) || (*i > 0 && c.is_ascii_digit())))
        .map_or(rest.len(), |(i, _)| i);
    let (name, after) = rest.split_at(name_end);
    if name.is_empty() {
        return Err(error(
            column_of(rest),
            "a label name is expected here",
            "write a matcher as name=\"value\", with one of = != =~ !~",
        ));
    }
    let after = after.trim_start_matches(blank);
    let Some((op, value)) = operator(after) else {
        return Err(error(
            column_of(after),
            "an operator is expected here",
            "put one of = != =~ !~ between name and value",
        ));
    };
    let value = value.trim_start_matches(blank);
    let at = column_of(value);
    Ok(Raw { name: name.to_owned(), op, value: unescape(value.trim_end_matches(blank), at)?, at })
}

fn operator(text: &str) -> Option<(Op, &str)> {
    let after = |sign: &str, op| text.strip_prefix(sign).map(|rest| (op, rest));
    after("=~", Op::Matches)
        .or_else(|| after("=", Op::Equal))
        .or_else(|| after("!=", Op::NotEqual))
        .or_else(|| after("!~", Op::NotMatches))
}

fn unescape(text: &str, column: usize) -> Result<String, MatcherError> {
    let body = text.strip_prefix('"');
    let mut open = body.is_some();
    let body = body.unwrap_or(text);
    let stray = |offset: usize| {
        error(
            column + offset,
            "the double quotes of this value do not pair",
            "put \" on both sides of the value, and write a quote inside it as \\\"",
        )
    };
    let mut value = String::with_capacity(body.len());
    let mut chars = body.chars().enumerate().peekable();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                Some((_, other)) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            '"' if open && chars.peek().is_none() => open = false,
            '"' => return Err(stray(i + usize::from(body.len() < text.len()))),
            c => value.push(c),
        }
    }
    if open { Err(stray(0)) } else { Ok(value) }
}

fn error(column: usize, what: &str, cure: &str) -> MatcherError {
    MatcherError { column, what: what.into(), cure: cure.into() }
}
