//! The admin interface: what became of an event, and reading the configuration again.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::state::{State, unavailable};
use crate::store::records::{DeliveryRecord, EventRecord};

/// `POST /-/reload`: 200, or 500 with every problem and the old configuration kept.
pub(super) async fn reload(app: &State) -> Answer {
    let reload = std::sync::Arc::clone(&app.reload);
    match tokio::task::spawn_blocking(move || reload()).await {
        Ok(Ok(warnings)) => {
            let mut told = "the configuration has been read again.\n".to_owned();
            warnings.iter().for_each(|warning| told.push_str(&format!("warning: {warning}\n")));
            answer::text(StatusCode::OK, told)
        }
        Ok(Err(problems)) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let detail = "the configuration has problems; the old one stays in force";
            ProblemDetails::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
                .with("problems", lines)
                .into_answer()
        }
        Err(_) => unavailable("the relay is stopping"),
    }
}

/// `GET /api/v1/shadow`: what the candidate would make of what came in since it was read.
pub(super) fn shadow(app: &State) -> Answer {
    match &app.shadow {
        Some(shadow) => answer::json(StatusCode::OK, &shadow.json()),
        None => {
            let detail = "no candidate is shadowed; start the relay with --shadow and its file";
            ProblemDetails::new(StatusCode::NOT_FOUND, detail).into_answer()
        }
    }
}

/// `GET /api/v1/events/{id}`: what became of it.
pub(super) async fn event(app: &State, id: &str) -> Answer {
    let Ok(uid) = Uuid::parse_str(id) else {
        let detail = "this is not an id; it is the `id` that the answer to an accepted call holds";
        return ProblemDetails::new(StatusCode::BAD_REQUEST, detail).into_answer();
    };
    match app.store.read(move |reader| reader.event(uid)).await {
        Ok(Some(record)) => answer::json(StatusCode::OK, &event_json(&record)),
        Ok(None) => {
            let detail = "there is no event with this id; it may be past its retention";
            ProblemDetails::new(StatusCode::NOT_FOUND, detail).into_answer()
        }
        Err(error) => unavailable(error.to_string()),
    }
}

fn event_json(record: &EventRecord) -> Value {
    json!({
        "id": record.uid.to_string(),
        "source": record.source,
        "received_at": record.received_at.to_string(),
        "notes": record.notes,
        "deliveries": record.deliveries.iter().map(delivery_json).collect::<Vec<_>>(),
    })
}

pub(super) fn delivery_json(record: &DeliveryRecord) -> Value {
    let attempts: Vec<Value> = record
        .attempts
        .iter()
        .map(|attempt| {
            json!({
                "at": attempt.at.to_string(),
                "took_ms": milliseconds(attempt.took),
                "status": attempt.status,
                "outcome": attempt.outcome,
                "excerpt": attempt.excerpt,
            })
        })
        .collect();
    json!({
        "id": record.id,
        "event": record.event.to_string(),
        "lane": record.lane,
        "accepted_at": record.accepted_at.to_string(),
        "finished_at": record.finished_at.map(|at| at.to_string()),
        "target": record.target,
        "dedup_key": record.key,
        "action": record.action.as_str(),
        "state": record.state.as_str(),
        "reason": record.reason,
        "superseded_by": record.by,
        "attempts": attempts,
    })
}

/// To the microsecond, as it is stored: a person reads 0.24, not 0.24000000000000002.
fn milliseconds(took: Duration) -> f64 {
    took.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_are_stored() {
        for (micros, written) in [(240, "0.24"), (7, "0.007"), (1_234_567, "1234.567"), (2_000, "2.0")] {
            let took = Duration::from_micros(micros);
            assert_eq!(json!(milliseconds(took)).to_string(), written);
        }
    }
}
