//! The admin interface: what became of an event, and reading the configuration again.

use std::net::IpAddr;

use hyper::StatusCode;
use hyper::header::{HOST, HeaderMap, ORIGIN};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::state::{Head, State, unavailable};
use crate::store::records::{DeliveryRecord, EventRecord};

/// Lets admins pass: by token, or from this machine when no token is configured.
pub(super) fn admitted(app: &State, head: &Head<'_>) -> Result<(), Box<Answer>> {
    let refuse =
        |detail: &str| Err(Box::new(ProblemDetails::new(StatusCode::FORBIDDEN, detail).into_answer()));
    if app.admin.bearer.is_empty() {
        if !head.peer.addr.ip().to_canonical().is_loopback() {
            return refuse(
                "the admin interface answers this machine only; configure server.admin.tokens to open it",
            );
        }
        if by_a_page(head.headers) {
            return refuse(
                "a web page may not use the admin interface without a token; configure server.admin.tokens",
            );
        }
    }
    app.admin
        .check_head(head.peer.addr.ip(), head.headers, None)
        .map_err(|refused| Box::new(ProblemDetails::from(refused).into_answer()))
}

/// Being on this machine proves nothing of a browser: any page may send it here, under an `Origin`,
/// or under a `Host` of its own that it lets point to this machine (DNS rebinding).
fn by_a_page(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    headers.contains_key(ORIGIN) || !(is_address || name.is_empty() || name.eq_ignore_ascii_case("localhost"))
}

/// `POST /-/reload`: 200, or 500 with every problem and the old configuration kept.
pub(super) async fn reload(app: &State, head: &Head<'_>) -> Answer {
    if let Err(refused) = admitted(app, head) {
        return *refused;
    }
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
pub(super) async fn shadow(app: &State, head: &Head<'_>) -> Answer {
    if let Err(refused) = admitted(app, head) {
        return *refused;
    }
    match &app.shadow {
        Some(shadow) => answer::json(StatusCode::OK, &shadow.json()),
        None => {
            let detail = "no candidate is shadowed; start the relay with --shadow and its file";
            ProblemDetails::new(StatusCode::NOT_FOUND, detail).into_answer()
        }
    }
}

/// `GET /api/v1/events/{id}`: what became of it.
pub(super) async fn event(app: &State, head: &Head<'_>, id: &str) -> Answer {
    if let Err(refused) = admitted(app, head) {
        return *refused;
    }
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
                "took_ms": attempt.took.as_secs_f64() * 1000.0,
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

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_page_is_told_from_a_person() {
        let with = |pairs: &[(hyper::header::HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            by_a_page(&pairs.collect())
        };
        for host in ["127.0.0.1:9095", "localhost:9095", "[::1]:9095", "[::1]", "localhost"] {
            assert!(!with(&[(HOST, host)]), "{host}");
        }
        assert!(with(&[(HOST, "relay.evil.example:9095")]), "a name that points here");
        assert!(with(&[(HOST, "127.0.0.1:9095"), (ORIGIN, "https://evil.example")]));
    }
}
