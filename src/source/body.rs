//! From bytes to text to JSON: byte order marks, broken UTF-8, syntax errors, depth.
//!
//! Refusals name line and column and never show an excerpt: they go to logs, and a body may hold
//! anything. The size of a body is the server's business.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::source::contract::Unreadable;
use crate::source::notes::{At, Notes, kind_of};

/// Deepest nesting accepted. Half of what a JSON reader bears, so that a stored event can be read
/// back inside a row of its own.
pub const DEPTH_MAX: usize = 64;

/// The body as text, without byte order mark. Bytes that are not UTF-8 are replaced and noted: a
/// page must not be lost to one bad byte in a description.
///
/// # Errors
/// When the body is empty, or UTF-16.
pub fn text<'a>(body: &'a [u8], notes: &mut Notes) -> Result<Cow<'a, str>, Unreadable> {
    if body.starts_with(&[0xff, 0xfe]) || body.starts_with(&[0xfe, 0xff]) {
        return Err(whole("the body is UTF-16; send UTF-8"));
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(whole("the body is empty"));
    }
    let broken = match std::str::from_utf8(body) {
        Ok(text) => return Ok(Cow::Borrowed(text)),
        Err(broken) => broken,
    };
    let before = body.get(..broken.valid_up_to()).unwrap_or_default();
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
    notes.say(format!("line {line} column {column}: not UTF-8, bad bytes replaced by U+FFFD"));
    Ok(String::from_utf8_lossy(body))
}

/// Parses text as JSON.
///
/// # Errors
/// A syntax error with line and column, or nesting deeper than [`DEPTH_MAX`].
pub fn parse(text: &str) -> Result<Value, Unreadable> {
    let value = serde_json::from_str(text).map_err(|error| syntax(&error))?;
    if deeper_than(&value, DEPTH_MAX) {
        return Err(whole(&format!("nested deeper than {DEPTH_MAX} levels")));
    }
    Ok(value)
}

/// The body as JSON.
///
/// # Errors
/// Those of [`text`] and [`parse`].
pub fn json(body: &[u8], notes: &mut Notes) -> Result<Value, Unreadable> {
    parse(&text(body, notes)?)
}

/// The body as a JSON object.
///
/// # Errors
/// Those of [`json`], or the body is something else than an object.
pub fn object(body: &[u8], notes: &mut Notes) -> Result<Map<String, Value>, Unreadable> {
    object_in(&text(body, notes)?)
}

/// Text as a JSON object.
///
/// # Errors
/// Those of [`parse`], or it is something else than an object.
pub fn object_in(text: &str) -> Result<Map<String, Value>, Unreadable> {
    match parse(text)? {
        Value::Object(map) => Ok(map),
        other => Err(whole(&format!("the body is {} where an object is expected", kind_of(&other)))),
    }
}

/// The body as a map of fields: a JSON object, or a form (`application/x-www-form-urlencoded`).
/// Which of the two is seen from the text: senders get the content type wrong, and a recorded body
/// has none. Of a field that a form repeats, the last counts.
///
/// # Errors
/// Those of [`object`].
pub fn fields(body: &[u8], notes: &mut Notes) -> Result<Map<String, Value>, Unreadable> {
    let text = text(body, notes)?;
    let name = text.trim_start().split('=').next().unwrap_or_default();
    let is_name = |c: char| c.is_alphanumeric() || "-_.%+[]$".contains(c);
    let is_form = name.len() < text.trim_start().len() && !name.starts_with('[') && name.chars().all(is_name);
    if is_form {
        let pairs = url::form_urlencoded::parse(text.trim().as_bytes());
        return Ok(pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect());
    }
    object_in(&text)
}

/// Opens a JSON object or list that a sender put into a string; `None` when the string is none,
/// or nested so deep that the whole could not be stored.
pub fn unfold(text: &str) -> Option<Value> {
    let opens = text.trim_start().starts_with(['{', '[']);
    let value: Value = opens.then(|| serde_json::from_str(text).ok())??;
    (!deeper_than(&value, DEPTH_MAX / 2)).then_some(value)
}

/// A refusal of the body as a whole.
pub fn whole(why: &str) -> Unreadable {
    Unreadable { at: String::new(), why: why.to_owned() }
}

/// A refusal of one place in the body.
pub fn refused(at: At<'_>, why: &str) -> Unreadable {
    Unreadable { at: at.to_string(), why: why.to_owned() }
}

fn syntax(error: &serde_json::Error) -> Unreadable {
    let at = format!("line {} column {}", error.line(), error.column());
    let said = error.to_string();
    let why = said.strip_suffix(&format!(" at {at}")).unwrap_or(&said);
    Unreadable { why: format!("not JSON: {why}"), at }
}

/// Whether a value is nested deeper than so many levels.
pub fn deeper_than(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return value.is_array() || value.is_object() };
    match value {
        Value::Array(items) => items.iter().any(|item| deeper_than(item, below)),
        Value::Object(map) => map.values().any(|item| deeper_than(item, below)),
        _ => false,
    }
}
