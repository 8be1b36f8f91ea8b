//! Helpers that decide. What the message does not have counts as empty here, as a missing label
//! does in routing: a question about it is no error.

use handlebars::JsonTruthy as _;
use serde_json::Value;

use super::{Answer, Call, Entry};

pub(super) const TABLE: &[Entry] = &[
    Entry { name: "default", run: default },
    Entry { name: "eq", run: |call| Ok(equal(call).into()) },
    Entry { name: "ne", run: |call| Ok((!equal(call)).into()) },
    Entry { name: "and", run: |call| Ok(choose(call, false)) },
    Entry { name: "or", run: |call| Ok(choose(call, true)) },
    Entry { name: "not", run: |call| Ok((!is_true(call.optional(0))).into()) },
];

/// `default value "instead"`: the value unless it is missing or empty.
fn default(call: &Call<'_>) -> Answer {
    match call.optional(0) {
        Some(value) if !matches!(value, Value::Null) && value.as_str() != Some("") => Ok(value.clone()),
        _ => call.value(1).cloned(),
    }
}

fn equal(call: &Call<'_>) -> bool {
    let empty = Value::String(String::new());
    let [a, b] = [0, 1].map(|index| match call.optional(index) {
        None | Some(Value::Null) => &empty,
        Some(value) => value,
    });
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

/// The first argument whose truth is `wanted`, else the last.
fn choose(call: &Call<'_>, wanted: bool) -> Value {
    let last = call.given.len().saturating_sub(1);
    let chosen = (0..last).find(|index| is_true(call.optional(*index)) == wanted).unwrap_or(last);
    call.optional(chosen).cloned().unwrap_or_default()
}

fn is_true(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.is_truthy(false))
}
