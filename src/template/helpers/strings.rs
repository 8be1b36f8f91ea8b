//! Helpers on texts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use handlebars::{JsonRender as _, RenderErrorReason};
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{Answer, Call, Entry};
use crate::template::text::cut;

pub(super) const TABLE: &[Entry] = &[
    Entry { name: "toUpper", run: |call| Ok(call.text(0)?.to_uppercase().into()) },
    Entry { name: "toLower", run: |call| Ok(call.text(0)?.to_lowercase().into()) },
    Entry { name: "title", run: title },
    Entry { name: "trimSpace", run: |call| Ok(call.text(0)?.trim().to_owned().into()) },
    Entry { name: "truncate", run: |call| Ok(cut(&call.text(0)?, call.count(1)?).into_owned().into()) },
    Entry { name: "match", run: |call| Ok(regex(call, &call.text(0)?)?.is_match(&call.text(1)?).into()) },
    Entry { name: "reReplaceAll", run: replace_all },
    // Values are escaped by destination; these exist so that ported templates go on working.
    Entry { name: "safeHtml", run: |call| Ok(call.text(0)?.into_owned().into()) },
    Entry { name: "safeUrl", run: |call| Ok(call.text(0)?.into_owned().into()) },
    Entry {
        name: "urlEscape",
        run: |call| Ok(crate::template::escape::Escape::Url.apply(&call.text(0)?).into_owned().into()),
    },
    Entry { name: "urlUnescape", run: url_unescape },
    Entry { name: "base64encode", run: |call| Ok(BASE64.encode(call.text(0)?.as_bytes()).into()) },
    Entry { name: "base64decode", run: base64_decode },
];

/// Without an argument it is the title of the message: a helper hides the field of its name.
fn title<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    if call.given.is_empty() {
        return Ok(call.whole.get("title").unwrap_or_else(|| Value::Null.into()));
    }
    let text = call.text(0)?;
    let mut titled = String::with_capacity(text.len());
    let mut starts_word = true;
    for c in text.chars() {
        if starts_word {
            titled.extend(c.to_uppercase())
        } else {
            titled.push(c)
        }
        starts_word = c.is_whitespace();
    }
    Ok(titled.into())
}

/// `reReplaceAll pattern replacement text`, with `$1` or `${name}` in the replacement.
fn replace_all<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (pattern, replacement, text) = (call.text(0)?, call.text(1)?, call.text(2)?);
    Ok(regex(call, &pattern)?.replace_all(&text, replacement.as_ref()).into_owned().into())
}

fn url_unescape<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let text = call.text(0)?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let coded = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (byte, coded) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
        rest = after;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

fn base64_decode<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let bytes = BASE64.decode(call.text(0)?.as_bytes()).map_err(|_| call.wrong("was given no Base64"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

/// Compiling a pattern costs far more than using it, and templates use few.
fn regex(call: &Call<'_, '_>, pattern: &str) -> Result<Regex, RenderErrorReason> {
    const KEPT_MAX: usize = 256;
    static KEPT: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = kept.get(pattern) {
        return Ok(regex.clone());
    }
    let compiled = RegexBuilder::new(pattern).size_limit(1 << 20).build();
    let regex =
        compiled.map_err(|_| call.wrong(&format!("cannot read the pattern {:?}", cut(pattern, 80))))?;
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.insert(pattern.to_owned(), regex.clone());
    Ok(regex)
}

/// Texts of a list, or the value itself as the only one.
pub(super) fn texts(value: &Value) -> Vec<Cow<'_, str>> {
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => vec![text(value)],
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| Cow::Owned(value.render()), Cow::Borrowed)
}
