//! The span of an accepted call: the root of its event's trace. Costs a look at an option when
//! nobody traces.

use uuid::Uuid;

use crate::server::state::{Head, State};
use crate::store::records::Accepted;
use crate::trace::ids::{Caller, SpanId, caller};
use crate::trace::span::{Kind, Span, Value};

/// The id for the event of this call, and the trace that the caller says he is in.
pub(super) fn id(app: &State, head: &Head<'_>) -> (Uuid, Option<Caller>) {
    let fresh = app.fresh_id(head.now);
    if !app.tracer.is_on() {
        return (fresh, None);
    }
    let sent = head.headers.get("traceparent").and_then(|header| header.to_str().ok());
    let caller = sent.and_then(caller);
    (app.tracer.id_for(fresh, caller.as_ref()), caller)
}

/// It is kept.
pub(super) fn kept(
    app: &State,
    head: &Head<'_>,
    source: &str,
    caller: Option<Caller>,
    accepted: &Accepted,
    alerts: usize,
) {
    if !app.tracer.records(accepted.uid) {
        return;
    }
    let number = |count: usize| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    app.tracer.record(Span {
        trace: accepted.uid,
        id: SpanId::of(accepted.uid, "intake"),
        parent: None,
        link: caller,
        name: format!("POST /hooks/{source}"),
        kind: Kind::Server,
        start: head.now,
        end: app.clock.now(),
        attributes: vec![
            ("alert_relay.source", Value::Text(source.to_owned())),
            ("alert_relay.event", Value::Text(accepted.uid.to_string())),
            ("alert_relay.alerts", number(alerts)),
            ("alert_relay.deliveries", number(accepted.deliveries as usize)),
            ("alert_relay.duplicate", Value::Bool(accepted.duplicate)),
            ("http.request.method", Value::Text("POST".to_owned())),
            ("http.route", Value::Text("/hooks/{source}".to_owned())),
        ],
        error: None,
    });
}
