//! Answers: takes a status and what is to be said, gives the response. Errors are
//! `application/problem+json` (RFC 9457).
//!
//! Deliberately not here: anything of the request. No answer repeats a path, a header or a body,
//! because each of them may hold a token.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::auth::check::Refused;
use crate::server::paths::Missing;

/// What every endpoint gives back.
pub type Answer = Response<Full<Bytes>>;

/// A JSON answer.
pub fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(bytes) => with_type(status, "application/json", bytes),
        Err(error) => ProblemDetails::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the answer cannot be written as JSON: {error}"),
        )
        .into_answer(),
    }
}

/// A plain text answer.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_type(status, "text/plain; charset=utf-8", body)
}

/// An answer of the given content type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// An error as RFC 9457 words it, with fields of our own.
#[derive(Debug, Clone, PartialEq)]
pub struct ProblemDetails {
    status: StatusCode,
    detail: String,
    fields: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ProblemDetails {
    /// A problem; `detail` is a sentence for the operator of the sender.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> ProblemDetails {
        ProblemDetails { status, detail: detail.into(), fields: Map::new(), headers: Vec::new() }
    }

    /// The relay cannot do it now, and the sender should come again after `wait`.
    pub fn unavailable(detail: impl Into<String>, wait: Duration) -> ProblemDetails {
        ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(wait)
    }

    /// The status it will be answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// One more field beside those of the standard.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> ProblemDetails {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Adds `Retry-After`, in whole seconds, at least one.
    pub fn retry_after(mut self, wait: Duration) -> ProblemDetails {
        let seconds = wait.as_millis().div_ceil(1000).clamp(1, u128::from(u32::MAX)) as u32;
        self.headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// The response.
    pub fn into_answer(self) -> Answer {
        let mut body = self.fields;
        body.insert("type".into(), "about:blank".into());
        body.insert("title".into(), self.status.canonical_reason().unwrap_or("Error").into());
        body.insert("status".into(), self.status.as_u16().into());
        body.insert("detail".into(), self.detail.into());
        let mut answer = with_type(self.status, "application/problem+json", Value::Object(body).to_string());
        answer.headers_mut().extend(self.headers);
        answer
    }
}

impl From<Missing> for ProblemDetails {
    fn from(missing: Missing) -> ProblemDetails {
        match missing {
            Missing::Path { nearest: Some(nearest) } => {
                ProblemDetails::new(StatusCode::NOT_FOUND, format!("no such path; the nearest is {nearest}"))
                    .with("nearest", nearest)
            }
            Missing::Path { nearest: None } => ProblemDetails::new(StatusCode::NOT_FOUND, "no such path"),
            Missing::Method { pattern, allow } => {
                let detail = format!("{pattern} is for {allow} only");
                let mut problem = ProblemDetails::new(StatusCode::METHOD_NOT_ALLOWED, detail);
                if let Ok(value) = HeaderValue::try_from(allow) {
                    problem.headers.push((ALLOW, value));
                }
                problem
            }
        }
    }
}

impl From<Refused> for ProblemDetails {
    fn from(refused: Refused) -> ProblemDetails {
        let mut problem = ProblemDetails::new(refused.status, refused.why);
        if let Some(challenge) = refused.challenge {
            problem.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_as_none() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (30_000, "30")] {
            let answer = ProblemDetails::unavailable("busy", Duration::from_millis(millis)).into_answer();
            assert_eq!(answer.headers()[RETRY_AFTER], seconds, "{millis} ms");
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}
