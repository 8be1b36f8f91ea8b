//! What a target's loop tells of its work to those who trace: a span for each try, and one for each
//! delivery when it is over. Costs a look at an option when nobody does. Decides nothing.

use jiff::Timestamp;
use uuid::Uuid;

use crate::deliver::errand::Errand;
use crate::deliver::resolution::Tried;
use crate::domain::delivery::State;
use crate::domain::outcome::Outcome;
use crate::rulebook::TargetRule;
use crate::store::boundary::{Open, Settled};
use crate::trace::ids::SpanId;
use crate::trace::span::{Kind, Span, Tracer, Value};

/// The event of a delivery, and the name of the delivery's span: of its id outside.
fn parted(uid: &str) -> Option<(Uuid, &str)> {
    let (event, number) = uid.rsplit_once('-')?;
    Some((Uuid::parse_str(event).ok()?, number))
}

/// Its span, which the tries are parts of.
fn delivery(event: Uuid, number: &str) -> SpanId {
    SpanId::of(event, &format!("delivery {number}"))
}

fn attributes(rule: &TargetRule, head: &Open) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        ("alert_relay.target", text(&rule.name)),
        ("alert_relay.kind", text(rule.kind)),
        ("alert_relay.action", text(head.action.as_str())),
        ("alert_relay.dedup_key", text(head.key.as_str())),
        ("alert_relay.delivery", text(&head.uid)),
    ]
}

/// One try: a span for each delivery that it told of.
pub(super) fn tried(tracer: &Tracer, rule: &TargetRule, errand: &Errand, tried: &Tried) {
    if !tracer.is_on() {
        return;
    }
    for head in errand.heads() {
        let Some((event, number)) = parted(&head.uid).filter(|(event, _)| tracer.records(*event)) else {
            continue;
        };
        let nth = head.attempts.saturating_add(1);
        let mut attributes = attributes(rule, head);
        attributes.push(("alert_relay.attempt", Value::Number(nth.into())));
        attributes.push(("alert_relay.outcome", Value::Text(tried.outcome.word().to_owned())));
        if tried.status > 0 {
            attributes.push(("http.response.status_code", Value::Number(tried.status.into())));
        }
        let failed = !matches!(tried.outcome, Outcome::Delivered { .. });
        tracer.record(Span {
            trace: event,
            id: SpanId::of(event, &format!("attempt {number} {nth}")),
            parent: Some(delivery(event, number)),
            link: None,
            name: format!("attempt {}", rule.name),
            kind: Kind::Client,
            start: tried.at,
            end: tried.at.saturating_add(tried.took).unwrap_or(tried.at),
            attributes,
            error: failed.then(|| tried.outcome.reason().to_owned()),
        });
    }
}

/// The delivery at the head of a lane is over, or not yet.
pub(super) fn settled(tracer: &Tracer, rule: &TargetRule, head: &Open, settled: &Settled, now: Timestamp) {
    if !tracer.is_on() || settled.state.is_open() || settled.id != head.id {
        return;
    }
    let Some((event, number)) = parted(&head.uid).filter(|(event, _)| tracer.records(*event)) else { return };
    let mut attributes = attributes(rule, head);
    attributes.push(("alert_relay.state", Value::Text(settled.state.as_str().to_owned())));
    tracer.record(Span {
        trace: event,
        id: delivery(event, number),
        parent: Some(SpanId::of(event, "intake")),
        link: None,
        name: format!("deliver to {}", rule.name),
        kind: Kind::Consumer,
        start: head.accepted_at,
        end: now,
        attributes,
        error: (settled.state == State::Dead).then(|| settled.reason.clone()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::delivery_uid;

    #[test]
    fn the_event_is_found_again_in_the_id_of_a_delivery() {
        let event = Uuid::from_u128(0x0198_f3a4_5b6c_7d8e_9f01_2345_6789_abcd);
        assert_eq!(parted(&delivery_uid(event, 12)), Some((event, "12")));
        assert_eq!(parted("x-1"), None);
        assert_eq!(parted(""), None);
    }
}
