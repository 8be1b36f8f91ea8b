//! Spans as the body of a call to an OTLP collector over HTTP: `ExportTraceServiceRequest` in JSON.
//! Pure.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>: ids as digits, 64-bit
//! numbers as text, enums as numbers, names in lowerCamelCase.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::trace::ids::hex;
use crate::trace::span::{Span, Value};

/// What is put behind the endpoint.
pub const PATH: &str = "/v1/traces";

/// The status of a span that failed.
const ERROR: u8 = 2;

/// The body for these spans; `version` is that of the relay.
pub fn body(spans: &[Span], version: &str) -> Json {
    let resource = [
        ("service.name", Value::Text("alert-relay".into())),
        ("service.version", Value::Text(version.into())),
    ];
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(&resource) },
        "scopeSpans": [{
            "scope": { "name": "alert-relay", "version": version },
            "spans": spans.iter().map(span).collect::<Vec<Json>>(),
        }],
    }] })
}

fn span(span: &Span) -> Json {
    let mut written = json!({
        "traceId": hex(span.trace.as_bytes()),
        "spanId": span.id.hex(),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": nanoseconds(span.start),
        "endTimeUnixNano": nanoseconds(span.end.max(span.start)),
        "attributes": attributes(&span.attributes),
    });
    if let Some(parent) = span.parent {
        written["parentSpanId"] = parent.hex().into();
    }
    if let Some(caller) = &span.link {
        written["links"] = json!([{ "traceId": hex(&caller.trace), "spanId": caller.span.hex() }]);
    }
    if let Some(error) = &span.error {
        written["status"] = json!({ "code": ERROR, "message": error });
    }
    written
}

fn nanoseconds(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}

fn attributes(pairs: &[(&'static str, Value)]) -> Vec<Json> {
    let value = |value: &Value| match value {
        Value::Text(text) => json!({ "stringValue": text }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::Bool(yes) => json!({ "boolValue": yes }),
    };
    pairs.iter().map(|(key, of_key)| json!({ "key": key, "value": value(of_key) })).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::trace::ids::{SpanId, caller};
    use crate::trace::span::Kind;

    #[test]
    fn a_span_is_written_as_the_standard_says() {
        let event = Uuid::from_u128(0x0198_f3a4_5b6c_7d8e_9f01_2345_6789_abcd);
        let at = |second| Timestamp::from_second(second).unwrap();
        let spans = [Span {
            trace: event,
            id: SpanId([1; 8]),
            parent: Some(SpanId([2; 8])),
            link: caller("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            name: "attempt pager".into(),
            kind: Kind::Client,
            start: at(1_700_000_001),
            end: at(1_700_000_000),
            attributes: vec![
                ("a", Value::Number(-3)),
                ("b", Value::Bool(true)),
                ("c", Value::Text("\"".into())),
            ],
            error: Some("no".into()),
        }];
        let want = json!({ "resourceSpans": [{
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": "alert-relay" } },
                { "key": "service.version", "value": { "stringValue": "9" } },
            ] },
            "scopeSpans": [{ "scope": { "name": "alert-relay", "version": "9" }, "spans": [{
                "traceId": "0198f3a45b6c7d8e9f0123456789abcd",
                "spanId": "0101010101010101",
                "parentSpanId": "0202020202020202",
                "links": [{ "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7" }],
                "name": "attempt pager",
                "kind": 3,
                "startTimeUnixNano": "1700000001000000000",
                "endTimeUnixNano": "1700000001000000000",
                "attributes": [
                    { "key": "a", "value": { "intValue": "-3" } },
                    { "key": "b", "value": { "boolValue": true } },
                    { "key": "c", "value": { "stringValue": "\"" } },
                ],
                "status": { "code": 2, "message": "no" },
            }] }],
        }] });
        assert_eq!(body(&spans, "9"), want);
    }
}
