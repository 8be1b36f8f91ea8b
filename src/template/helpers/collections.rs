//! Helpers on lists, label sets and whole values.

use std::borrow::Cow;

use handlebars::RenderErrorReason;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::strings::texts;
use super::{Answer, Call, Entry, Whole};
use crate::template::seen::Seen;
use crate::template::view::LEFT_OUT;

pub(super) const TABLE: &[Entry] = &[
    Entry { name: "join", run: join },
    Entry { name: "list", run: |call| Ok(Value::Array(call.rest(0)?).into()) },
    Entry { name: "stringSlice", run: |call| Ok(Value::Array(call.rest(0)?).into()) },
    Entry { name: "append", run: append },
    Entry { name: "dict", run: dict },
    Entry { name: "get", run: get },
    Entry { name: "sortedPairs", run: sorted_pairs },
    Entry { name: "inOneLine", run: in_one_line },
    Entry { name: "remove", run: remove },
    Entry { name: "names", run: names },
    Entry { name: "values", run: values },
    Entry { name: "len", run: |call| Ok(length(call.optional(0)).into()) },
];

/// `join ", " list` as in Alertmanager; `join list ", "` as handlebars people write it.
fn join<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (first, second) = (call.json(0)?, call.json(1)?);
    let (list, separator) = if first.is_array() { (first, call.text(1)?) } else { (second, call.text(0)?) };
    Ok(texts(&list).join(&separator).into())
}

fn append<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let Value::Array(mut list) = call.json(0)?.into_owned() else {
        return Err(call.wrong("wants a list first"));
    };
    list.extend(call.rest(1)?);
    Ok(Value::Array(list).into())
}

/// `dict "name" value "name" value …`
fn dict<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let given = call.rest(0)?;
    let (couples, rest) = given.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(call.wrong("wants names and values in turn"));
    }
    let named = couples.iter().map(|[name, value]| (handlebars::JsonRender::render(name), value.clone()));
    Ok(Value::Object(named.collect()).into())
}

/// `get map "name" "instead"`: names with dots and dashes, and names that may be missing.
fn get<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let name = call.text(1)?;
    let found = call.optional(0).and_then(|map| map.get(&name));
    Ok(found.or_else(|| call.optional(2).cloned()).unwrap_or_else(|| "".into()))
}

fn remove<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut left = call.map(0)?;
    for value in call.rest(1)? {
        for name in texts(&value) {
            left.remove(name.as_ref());
        }
    }
    Ok(Value::Object(left).into())
}

fn names<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(call.map(0)?.into_iter().map(|(name, _)| name).collect::<Value>().into())
}

fn values<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(call.map(0)?.into_iter().map(|(_, value)| value).collect::<Value>().into())
}

/// `[{name, value}]`, sorted by name, `alertname` first.
fn sorted_pairs<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let pair = |(name, value): (&str, Seen<'_>)| json!({ "name": name, "value": value });
    Ok(sorted(call)?.into_iter().map(pair).collect::<Value>().into())
}

/// `name=value, name=value`, in the order of `sortedPairs`. As a loop in a template this would be
/// the most expensive part of a message.
fn in_one_line<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let pairs = sorted(call)?;
    let mut line = String::with_capacity(32 * pairs.len());
    for (name, value) in pairs {
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(name);
        line.push('=');
        line.push_str(&value.written());
    }
    Ok(line.into())
}

fn sorted<'c>(call: &Call<'c, '_>) -> Result<Vec<(&'c str, Seen<'c>)>, RenderErrorReason> {
    let mut pairs = call.value(0)?.pairs().ok_or_else(|| call.not_a_map())?;
    if let Some(first) = pairs.iter().position(|(name, _)| *name == "alertname") {
        pairs[..=first].rotate_right(1);
    }
    Ok(pairs)
}

fn length(value: Option<&Seen<'_>>) -> usize {
    let Some(value) = value else { return 0 };
    let parts = value.items().map(|items| items.len()).or_else(|| value.pairs().map(|pairs| pairs.len()));
    parts.or_else(|| Some(value.as_text()?.chars().count())).unwrap_or(0)
}

/// A value as JSON. The whole message is without [`LEFT_OUT`].
pub(super) fn json(value: &Seen<'_>, whole: Whole<'_>) -> Result<String, RenderErrorReason> {
    struct Message<'a>(&'a Map<String, Value>);
    impl Serialize for Message<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            for (name, value) in self.0 {
                if !LEFT_OUT.contains(&name.as_str()) {
                    map.serialize_entry(name, value)?;
                }
            }
            map.end()
        }
    }
    if let (Seen::Json(Cow::Borrowed(value)), Whole::Json(whole)) = (value, whole)
        && std::ptr::eq(*value, whole)
        && let Value::Object(map) = whole
    {
        return Ok(serde_json::to_string(&Message(map))?);
    }
    Ok(serde_json::to_string(value)?)
}
