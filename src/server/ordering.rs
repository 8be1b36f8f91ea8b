//! Orders of people: who wants it, what the body of the call says, and the store's answer worded.

use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::body::{BodyError, Bounds, Encoding, read_within};
use crate::server::query::{Refusal, wrong};
use crate::server::state::{Head, State, unavailable};
use crate::store::orders::{Order, Refused, What};

/// Bytes of a body of an order.
const BODY_MAX: usize = 64 * 1024;
/// Characters of a name that are kept.
const NAME_CHARS: usize = 64;

/// Orders it, in the name of the caller.
pub(super) async fn carry_out(app: &State, head: &Head<'_>, what: What) -> Result<Answer, Refusal> {
    let word = what.word();
    let who = actor(app, head);
    tracing::info!(%who, order = ?what, "ordered");
    let order = Order { who, at: head.now, uid: app.fresh_id(head.now), what, still: None };
    match app.store.manage(order).await.map_err(stumbled)? {
        Ok(ordered) => {
            Ok(answer::json(StatusCode::OK, &json!({ "done": word, "delivery": ordered.delivery })))
        }
        Err(Refused::Unknown(why)) => Err(not_found(&why)),
        Err(Refused::Not(why)) => Err(Box::new(ProblemDetails::new(StatusCode::CONFLICT, why).into_answer())),
    }
}

/// Who calls: the name that he gives, and what he proved by.
pub(super) fn actor(app: &State, head: &Head<'_>) -> String {
    let proof = head.pass.as_ref().map_or("nobody", |pass| pass.proof.as_str());
    let name =
        head.headers.get("x-actor").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let name = name.map(|name| app.books.current().redactor.clean(&plain(&name, NAME_CHARS)));
    match name.filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({proof})"),
        None => proof.to_owned(),
    }
}

/// One line, without control characters, not too long.
pub(super) fn plain(text: &str, chars: usize) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    line.join(" ").chars().take(chars).collect()
}

/// The body of an order; an empty one says nothing.
pub(super) async fn read_json<T: DeserializeOwned + Default>(
    app: &State,
    head: &Head<'_>,
    body: Incoming,
) -> Result<T, Refusal> {
    let refuse = |error: BodyError| Box::new(error.problem().into_answer());
    let encoding = Encoding::of(head.headers).map_err(refuse)?;
    let bounds = Bounds { bytes: BODY_MAX, time: app.body_time };
    let body: Bytes = read_within(body, encoding, bounds, &mut app.budget.held()).await.map_err(refuse)?;
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&body).map_err(|error| wrong(&format!("the body cannot be read: {error}")))
}

/// 404 with a sentence.
pub(super) fn not_found(detail: &str) -> Refusal {
    Box::new(ProblemDetails::new(StatusCode::NOT_FOUND, detail).into_answer())
}

/// Our own trouble.
pub(super) fn stumbled(error: impl ToString) -> Refusal {
    Box::new(unavailable(error.to_string()))
}
