//! A Go template cut into text and actions, and actions into words (text/template/parse, `lex.go`).

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// As it is; white space is trimmed already where an action asked for it.
    Text(String),
    /// Between braces. Comments are gone.
    Action(Vec<Word>),
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// `if`, `toUpper`, `true`
    Name(String),
    /// `.Labels.team`; without names the dot itself.
    Field(Vec<String>),
    /// `$alert.Labels.team`; with an empty name `$` itself.
    Variable(String, Vec<String>),
    /// `"text"` or a raw text in backticks.
    Text(String),
    /// `12`
    Number(String),
    /// `(`
    Open,
    /// `)`, with what is taken of the value: `(index .Alerts 0).Labels`
    Close(Vec<String>),
    /// `|`
    Pipe,
    /// `,`
    Comma,
    /// `:=`
    Declare,
}

impl Word {
    /// The name, if it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Word::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// Cuts a template up.
///
/// # Errors
/// What cannot be read.
pub fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let (mut rest, mut trims) = (text, false);
    while let Some(begin) = rest.find("{{") {
        let (before, action) = (&rest[..begin], &rest[begin + 2..]);
        let trims_before = action.starts_with("- ") || action.starts_with("-\n");
        let action = if trims_before { &action[1..] } else { action };
        let (inner, after) = inside(action)?;
        let (inner, trims_after) = match inner.strip_suffix('-') {
            Some(inner) if inner.ends_with([' ', '\n', '\t']) => (inner, true),
            _ => (inner, false),
        };
        push(&mut pieces, before, trims, trims_before);
        let inner = inner.trim();
        if !inner.starts_with("/*") {
            pieces.push(Piece::Action(words(inner)?));
        }
        (rest, trims) = (after, trims_after);
    }
    push(&mut pieces, rest, trims, false);
    Ok(pieces)
}

fn push(pieces: &mut Vec<Piece>, text: &str, trim_start: bool, trim_end: bool) {
    let text = if trim_start { text.trim_start() } else { text };
    let text = if trim_end { text.trim_end() } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// What stands before the closing braces, and what behind them.
fn inside(action: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    let mut chars = action.char_indices();
    let comment = action.trim_start().starts_with("/*");
    while let Some((at, c)) = chars.next() {
        match quote {
            _ if comment => {}
            Some('"') if c == '\\' => {
                chars.next();
                continue;
            }
            Some(open) if c == open => {
                quote = None;
                continue;
            }
            Some(_) => continue,
            None if c == '"' || c == '`' => {
                quote = Some(c);
                continue;
            }
            None => {}
        }
        if action[at..].starts_with("}}") {
            return Ok((&action[..at], &action[at + 2..]));
        }
    }
    Err("has an action that is not closed".to_owned())
}

fn words(action: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '(' => (Word::Open, &rest[1..]),
            ')' => {
                let (names, after) = fields(&rest[1..]);
                (Word::Close(names), after)
            }
            '|' => (Word::Pipe, &rest[1..]),
            ',' => (Word::Comma, &rest[1..]),
            ':' if rest.starts_with(":=") => (Word::Declare, &rest[2..]),
            '"' => quoted(rest)?,
            '`' => {
                let (text, after) = rest[1..].split_once('`').ok_or("has a text that is not closed")?;
                (Word::Text(text.to_owned()), after)
            }
            '.' if rest[1..].starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                let (names, after) = fields(rest);
                (Word::Field(names), after)
            }
            '.' => (Word::Field(Vec::new()), &rest[1..]),
            '$' => {
                let (name, after) = identifier(&rest[1..]);
                let (names, after) = fields(after);
                (Word::Variable(name.to_owned(), names), after)
            }
            c if c.is_ascii_digit() || c == '-' => {
                let part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
                let end = rest[1..].find(|c: char| !part(c)).map_or(rest.len(), |at| at + 1);
                (Word::Number(rest[..end].to_owned()), &rest[end..])
            }
            c if c.is_alphabetic() || c == '_' => {
                let (name, after) = identifier(rest);
                (Word::Name(name.to_owned()), after)
            }
            other => return Err(format!("holds `{other}`, which has no counterpart")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

fn identifier(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

/// `.a.b` as names, as far as it goes.
fn fields(mut text: &str) -> (Vec<String>, &str) {
    let mut names = Vec::new();
    while let Some(after) = text.strip_prefix('.') {
        let (name, rest) = identifier(after);
        if name.is_empty() {
            break;
        }
        names.push(name.to_owned());
        text = rest;
    }
    (names, text)
}

/// A Go text in double quotes. Its escapes that matter here are those of JSON.
fn quoted(text: &str) -> Result<(Word, &str), String> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => {
                let read = serde_json::from_str::<String>(&text[..=at]);
                let read = read.map_err(|_| "holds a text with an escape that has no counterpart")?;
                return Ok((Word::Text(read), &text[at + 1..]));
            }
            _ => escaped = c == '\\' && !escaped,
        }
    }
    Err("has a text that is not closed".to_owned())
}
