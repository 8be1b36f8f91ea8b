//! Helpers that decide. What the message does not have counts as empty here, as a missing label
//! does in routing: a question about it is no error.

use serde_json::Value;

use super::{Answer, Call, Entry};
use crate::template::seen::Seen;

pub(super) const TABLE: &[Entry] = &[
    Entry { name: "default", run: default },
    Entry { name: "eq", run: |call| Ok(equal(call).into()) },
    Entry { name: "ne", run: |call| Ok((!equal(call)).into()) },
    Entry { name: "and", run: |call| Ok(choose(call, false)) },
    Entry { name: "or", run: |call| Ok(choose(call, true)) },
    Entry { name: "not", run: |call| Ok((!is_true(call.optional(0))).into()) },
];

/// `default value "instead"`: the value unless it is missing or empty.
fn default<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    match call.optional(0).filter(|value| !value.is_blank()) {
        Some(value) => Ok(value.clone()),
        None => call.value(1).cloned(),
    }
}

fn equal(call: &Call<'_, '_>) -> bool {
    let [a, b] = [0, 1].map(|index| call.optional(index).filter(|value| !value.is_blank()));
    match (a, b) {
        (Some(Seen::Text(a)), Some(Seen::Text(b))) => a == b,
        (Some(a), Some(b)) => {
            a.json() == b.json() || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
        }
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// The first argument whose truth is `wanted`, else the last.
fn choose<'a>(call: &Call<'_, 'a>, wanted: bool) -> Seen<'a> {
    let last = call.given.len().saturating_sub(1);
    let chosen = (0..last).find(|index| is_true(call.optional(*index)) == wanted).unwrap_or(last);
    call.optional(chosen).cloned().unwrap_or_else(|| Value::Null.into())
}

fn is_true(value: Option<&Seen<'_>>) -> bool {
    value.is_some_and(Seen::is_true)
}
