//! Helpers on lists, label sets and whole values.

use handlebars::RenderErrorReason;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::strings::texts;
use super::{Answer, Call, Entry};

pub(super) const TABLE: &[Entry] = &[
    Entry { name: "join", run: join },
    Entry { name: "list", run: |call| Ok(Value::Array(call.rest(0)?)) },
    Entry { name: "stringSlice", run: |call| Ok(Value::Array(call.rest(0)?)) },
    Entry { name: "append", run: append },
    Entry { name: "dict", run: dict },
    Entry { name: "get", run: get },
    Entry { name: "sortedPairs", run: |call| Ok(pairs(set(call, 0)?)) },
    Entry { name: "inOneLine", run: |call| Ok(in_one_line(set(call, 0)?).into()) },
    Entry { name: "remove", run: remove },
    Entry { name: "names", run: |call| Ok(set(call, 0)?.keys().cloned().collect()) },
    Entry { name: "values", run: |call| Ok(set(call, 0)?.values().cloned().collect()) },
    Entry { name: "len", run: |call| Ok(length(call.optional(0)).into()) },
];

/// `join ", " list` as in Alertmanager; `join list ", "` as handlebars people write it.
fn join(call: &Call<'_>) -> Answer {
    let (list, separator) = match (call.value(0)?, call.value(1)?) {
        (list @ Value::Array(_), _) => (list, call.text(1)?),
        (_, list) => (list, call.text(0)?),
    };
    Ok(texts(list).join(&separator).into())
}

fn append(call: &Call<'_>) -> Answer {
    let Value::Array(list) = call.value(0)? else { return Err(call.wrong("wants a list first")) };
    let mut list = list.clone();
    list.extend(call.rest(1)?);
    Ok(Value::Array(list))
}

/// `dict "name" value "name" value …`
fn dict(call: &Call<'_>) -> Answer {
    let given = call.rest(0)?;
    let (couples, rest) = given.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(call.wrong("wants names and values in turn"));
    }
    let named = couples.iter().map(|[name, value]| (handlebars::JsonRender::render(name), value.clone()));
    Ok(Value::Object(named.collect()))
}

/// `get map "name" "instead"`: names with dots and dashes, and names that may be missing.
fn get(call: &Call<'_>) -> Answer {
    let name = call.text(1)?;
    let found = match call.optional(0) {
        Some(Value::Object(map)) => map.get(name.as_ref()),
        Some(Value::Array(list)) => name.parse::<usize>().ok().and_then(|index| list.get(index)),
        _ => None,
    };
    Ok(found.or(call.optional(2)).cloned().unwrap_or_else(|| "".into()))
}

fn remove(call: &Call<'_>) -> Answer {
    let mut left = set(call, 0)?.clone();
    for value in call.rest(1)? {
        for name in texts(&value) {
            left.remove(name.as_ref());
        }
    }
    Ok(Value::Object(left))
}

/// `[{name, value}]`, sorted by name, `alertname` first.
fn pairs(set: &Map<String, Value>) -> Value {
    sorted(set).map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// `name=value, name=value`, in the order of `sortedPairs`. As a loop in a template this would be
/// the most expensive part of a message.
fn in_one_line(set: &Map<String, Value>) -> String {
    let mut line = String::new();
    for (name, value) in sorted(set) {
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(name);
        line.push('=');
        match value {
            Value::String(text) => line.push_str(text),
            other => line.push_str(&handlebars::JsonRender::render(other)),
        }
    }
    line
}

fn sorted(set: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let first = set.get_key_value("alertname");
    first.into_iter().chain(set.iter().filter(|(name, _)| *name != "alertname"))
}

fn length(value: Option<&Value>) -> usize {
    match value {
        Some(Value::Array(list)) => list.len(),
        Some(Value::Object(map)) => map.len(),
        Some(Value::String(text)) => text.chars().count(),
        _ => 0,
    }
}

fn set<'a>(call: &Call<'a>, index: usize) -> Result<&'a Map<String, Value>, RenderErrorReason> {
    call.value(index)?.as_object().ok_or_else(|| call.wrong("wants a label set or another map"))
}

/// A value as JSON. The whole message leaves out what it shows twice (`firing` and `resolved` are
/// parts of `alerts`) and what would make two attempts differ (`now`).
pub(super) fn json(value: &Value, whole: &Value) -> Result<String, RenderErrorReason> {
    struct Message<'a>(&'a Map<String, Value>);
    impl Serialize for Message<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            for (name, value) in self.0 {
                if !matches!(name.as_str(), "firing" | "resolved" | "now") {
                    map.serialize_entry(name, value)?;
                }
            }
            map.end()
        }
    }
    match value {
        Value::Object(map) if std::ptr::eq(value, whole) => Ok(serde_json::to_string(&Message(map))?),
        value => Ok(serde_json::to_string(value)?),
    }
}
