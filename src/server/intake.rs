//! Alerts in: who may, read, understand, plan, keep, and only then answer.
//!
//! From the 2xx on the relay owes every alert. What cannot be kept is answered with 503, because
//! Alertmanager drops on any 4xx; 4xx is for bytes that can never be read, and those are kept in
//! quarantine.

use std::ops::Not;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::document::nearest;
use crate::domain::alert::{AlertGroup, Status};
use crate::metrics::handles::{Intake, SourceMetrics};
use crate::plan::suspected::suspected;
use crate::plan::{enriched, learn, plan};
use crate::rulebook::{Rulebook, SourceRule};
use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::body::{BodyError, Bounds, Encoding, alerts_in_bounds, read_within};
use crate::server::budget::{Held, Turn};
use crate::server::shadow::Prepared;
use crate::server::sns::Denied;
use crate::server::state::{Head, State, unavailable, unavailable_for};
use crate::server::traced;
use crate::source::contract::{Arrival, Confirm, Reading, Unreadable};
use crate::store::boundary::StoreError;
use crate::store::event::NewEvent;
use crate::store::orders::Recording;
use crate::store::records::{Accepted, Quarantined};

/// Alertmanager's push interface belongs to sources of this kind.
const PUSH_KIND: &str = "prometheus";

/// `POST /hooks/{source}` and `/hooks/{source}/{token}`.
pub(super) async fn hook(
    app: &State,
    head: &Head<'_>,
    name: &str,
    token: Option<&str>,
    body: Incoming,
) -> Answer {
    let book = app.books.current();
    let Some(rule) = book.sources.get(name) else {
        let cure = nearest::cure(name, book.sources.keys().map(String::as_str));
        let detail = format!("there is no source with this name; {cure}");
        return ProblemDetails::new(StatusCode::NOT_FOUND, detail).into_answer();
    };
    let call = Call { app, book: &book, head, name, rule, metrics: app.source_metrics(name) };
    match call.take(token, body).await {
        Ok(kept) => told(&kept),
        Err(answer) => *answer,
    }
}

/// `POST /api/v2/alerts`: the first source of kind `prometheus` that lets the caller in. Answers as
/// Alertmanager does: an empty 200, or a 400 that names the invalid alerts after the valid ones
/// have been taken.
pub(super) async fn push(app: &State, head: &Head<'_>, body: Incoming) -> Answer {
    let book = app.books.current();
    let of_kind = || book.sources.iter().filter(|(_, rule)| rule.kind == PUSH_KIND);
    let welcome = |rule: &SourceRule| rule.auth.check_head(head.caller(), head.headers, None).is_ok();
    let Some((name, rule)) = of_kind().find(|(_, rule)| welcome(rule)).or_else(|| of_kind().next()) else {
        let detail = "no source of kind `prometheus` is configured; add one to take alerts in by Alertmanager's push interface";
        return ProblemDetails::new(StatusCode::NOT_FOUND, detail).into_answer();
    };
    let call = Call { app, book: &book, head, name, rule, metrics: app.source_metrics(name) };
    match call.take(None, body).await {
        Ok(kept) if kept.invalid.is_empty() => answer::text(StatusCode::OK, Bytes::new()),
        Ok(kept) => answer::json(StatusCode::BAD_REQUEST, &kept.invalid.join("; ")),
        Err(answer) => *answer,
    }
}

/// What was kept of a call.
struct Kept {
    accepted: Accepted,
    alerts: usize,
    notes: Vec<String>,
    invalid: Vec<String>,
    /// What the sender looks for in the answer.
    answer: Map<String, Value>,
}

/// What the sender is told of what was kept, in order of name.
#[derive(Serialize)]
struct Told<'a> {
    accepted: usize,
    deliveries: u32,
    #[serde(skip_serializing_if = "Not::not")]
    duplicate: bool,
    id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<&'a String>,
    #[serde(flatten)]
    answer: &'a Map<String, Value>,
}

fn told(kept: &Kept) -> Answer {
    let Accepted { uid, deliveries, duplicate } = kept.accepted;
    let mut id = Uuid::encode_buffer();
    let told = Told {
        accepted: kept.alerts,
        deliveries,
        duplicate,
        id: uid.as_hyphenated().encode_lower(&mut id),
        notes: kept.notes.iter().chain(&kept.invalid).collect(),
        answer: &kept.answer,
    };
    answer::json(StatusCode::OK, &told)
}

struct Call<'a> {
    app: &'a State,
    book: &'a Rulebook,
    head: &'a Head<'a>,
    name: &'a str,
    rule: &'a SourceRule,
    metrics: Arc<SourceMetrics>,
}

type Refusal = Box<Answer>;

impl Call<'_> {
    async fn take(&self, token: Option<&str>, body: Incoming) -> Result<Kept, Refusal> {
        // What the body takes in memory is held until the answer is found.
        let mut held = self.app.budget.held();
        let (body, _turn) = self.admitted(token, body, &mut held).await?;
        let headers = plain(self.head.headers);
        let arrival = Arrival { source: self.name, headers: &headers, body: &body, at: self.head.now };
        match self.rule.source.read(&arrival) {
            Ok(mut reading) => {
                let alerts = reading.groups.iter().map(|group| group.alerts.len()).sum();
                alerts_in_bounds(alerts, self.book.body_limit).map_err(|error| self.not_read(error))?;
                let unconfirmed = self.confirmed(&mut reading).await.err();
                let kept = self.keep(reading, body).await?;
                unconfirmed.map_or(Ok(kept), |why| Err(Box::new(unavailable(why))))
            }
            Err(unreadable) => Err(self.set_aside(unreadable, body).await),
        }
    }

    /// Proofs, room and bytes.
    async fn admitted(
        &self,
        token: Option<&str>,
        body: Incoming,
        held: &mut Held,
    ) -> Result<(Bytes, Turn), Refusal> {
        let head = self.head;
        let refuse = |answer: ProblemDetails| {
            self.metrics.event_received(Intake::Refused);
            Box::new(answer.into_answer())
        };
        let auth = &self.rule.auth;
        auth.check_head(head.caller(), head.headers, token).map_err(|refused| {
            tracing::warn!(source = self.name, peer = %head.peer.addr, why = refused.why, "a call was refused");
            refuse(refused.into())
        })?;
        let encoding = Encoding::of(head.headers).map_err(|error| refuse(error.problem()))?;
        self.app.store.takes_calls().map_err(|error| self.turned_away(&error))?;
        let bounds = Bounds { bytes: self.book.body_limit, time: self.app.body_time };
        let body = read_within(body, encoding, bounds, held).await.map_err(|error| self.not_read(error))?;
        auth.check_body(head.headers, &body, head.now).map_err(|refused| {
            tracing::warn!(source = self.name, peer = %head.peer.addr, why = refused.why, "a call was refused");
            refuse(refused.into())
        })?;
        if let Some(sns) = &auth.sns {
            let checked = self.app.notary.check(sns, &body, head.now).await;
            checked.map_err(|denied| {
                tracing::warn!(source = self.name, peer = %head.peer.addr, ?denied, "a message of SNS was not taken");
                match denied {
                    Denied::Refused(refused) => refuse(refused.into()),
                    Denied::Unavailable(why) => {
                        self.metrics.event_received(Intake::Unavailable);
                        Box::new(unavailable(why))
                    }
                }
            })?;
        }
        let turn = self.app.budget.turn(&body).await.map_err(|error| self.not_read(error.into()))?;
        // It may have taken a while.
        self.app.store.takes_calls().map_err(|error| self.turned_away(&error))?;
        Ok((body, turn))
    }

    fn not_read(&self, error: BodyError) -> Refusal {
        if let Some(reason) = error.own_trouble() {
            self.metrics.event_received(Intake::Unavailable);
            self.app.metrics.intake_refused(reason);
            if self.app.may_complain(self.head.now) {
                tracing::warn!(source = self.name, peer = %self.head.peer.addr, %error, "calls are answered with 503");
            }
        } else {
            self.metrics.event_received(Intake::Refused);
        }
        Box::new(error.problem().into_answer())
    }

    /// Confirms a subscription that asks for it, if SNS is proven to ask; else leaves that to the
    /// operator. What was done is noted with the event.
    ///
    /// # Errors
    /// It was not confirmed and should be asked for again.
    async fn confirmed(&self, reading: &mut Reading) -> Result<(), String> {
        let Some(Confirm { topic, url }) = reading.confirm.take() else { return Ok(()) };
        if self.rule.auth.sns.is_none() {
            tracing::warn!(source = self.name, %topic, %url, "a subscription asks to be confirmed; open the address once if you want it, or list its topic under auth.sns.topics");
            let note = format!(
                "not confirmed, because the source lists no topics under auth.sns; \
                 list it there, or open this address once if you want it: {url}"
            );
            reading.notes.push(note);
            return Ok(());
        }
        let done = self.app.notary.confirm(&url).await;
        match &done {
            Ok(()) => {
                tracing::info!(source = self.name, %topic, "the subscription was confirmed");
                reading.notes.push("confirmed".to_owned());
            }
            Err(why) => {
                tracing::error!(source = self.name, %topic, %url, why, "the subscription could not be confirmed");
                reading.notes.push(format!("not confirmed: {why}; SNS asks again, or open {url}"));
            }
        }
        done.map_err(|why| format!("the subscription could not be confirmed: {why}; please send it again"))
    }

    /// Saved, then answered.
    async fn keep(&self, reading: Reading, body: Bytes) -> Result<Kept, Refusal> {
        let now = self.head.now;
        let Reading { groups, notes, invalid, whole, answer, .. } = reading;
        let body: Vec<u8> = whole.map_or_else(|| body.into(), Into::into);
        let plan = {
            let mut groups = enriched(self.book, groups);
            let recent = self.app.recent.read().unwrap_or_else(PoisonError::into_inner);
            suspected(self.book, &mut groups, &recent, now);
            drop(recent);
            let mut active = self.app.active.lock().unwrap_or_else(PoisonError::into_inner);
            learn(self.book, &groups, &mut active);
            plan(self.book, groups, &active, now)
        };
        for (target, fault) in &plan.faults {
            tracing::warn!(target_name = %target, field = %fault.field, error = self.book.redactor.clean(&fault.what).as_str(), "a template failed; the default dedup key was used");
        }
        // One id for the event and for what the candidate says of it.
        let (uid, caller) = traced::id(self.app, self.head);
        let shown = self.app.shadow.as_ref().and_then(|shadow| {
            let (source, body) = (self.name.to_owned(), Vec::clone(&body));
            shadow.prepare(self.book, &plan, Recording { id: 0, uid, source, received_at: now, body })
        });
        let mut all_notes = plan.notes();
        all_notes.extend(notes.iter().map(|note| self.book.redactor.clean(note)));
        let groups = plan.groups;
        let event = NewEvent {
            uid,
            source: self.name.to_owned(),
            received_at: now,
            body,
            window: self.book.dedup_window,
            groups: groups.clone(),
            parts: plan.parts,
            notes: all_notes,
        };
        match self.app.store.accept(event).await {
            Ok(accepted) => {
                shown.into_iter().filter(|_| !accepted.duplicate).for_each(Prepared::show);
                self.hear_beats(&groups);
                self.app.expiries.lock().unwrap_or_else(PoisonError::into_inner).hear(&groups);
                let alerts = self.count(&groups, &accepted);
                traced::kept(self.app, self.head, self.name, caller, &accepted, alerts);
                Ok(Kept { accepted, alerts, notes, invalid, answer })
            }
            Err(error) => Err(self.turned_away(&error)),
        }
    }

    fn hear_beats(&self, groups: &[Arc<AlertGroup>]) {
        if self.book.heartbeats.is_empty() {
            return;
        }
        let mut beats = self.app.beats.lock().unwrap_or_else(PoisonError::into_inner);
        for alert in groups.iter().flat_map(|group| &group.alerts) {
            beats.hear(&self.book.heartbeats, alert, self.head.now);
        }
    }

    /// Returns the number of alerts.
    fn count(&self, groups: &[Arc<AlertGroup>], accepted: &Accepted) -> usize {
        let result = if accepted.duplicate { Intake::Duplicate } else { Intake::Accepted };
        self.metrics.event_received(result);
        let alerts = || groups.iter().flat_map(|group| &group.alerts);
        let (all, firing) =
            (alerts().count(), alerts().filter(|alert| alert.status == Status::Firing).count());
        self.metrics.alerts_received(firing as u64, (all - firing) as u64);
        tracing::debug!(source = self.name, event = %accepted.uid, deliveries = accepted.deliveries, duplicate = accepted.duplicate, "accepted");
        all
    }

    /// Unreadable bytes are kept for a person to look at.
    async fn set_aside(&self, unreadable: Unreadable, body: Bytes) -> Refusal {
        self.metrics.event_received(Intake::Unreadable);
        let reason = self.book.redactor.clean(&unreadable.to_string());
        tracing::warn!(source = self.name, peer = %self.head.peer.addr, reason = reason.as_str(), "a body cannot be read; it is kept in quarantine");
        let bytes = Quarantined {
            source: self.name.to_owned(),
            received_at: self.head.now,
            reason: reason.clone(),
            // Whoever posts to the wrong place may well post a secret.
            body: self.starred(body),
        };
        if let Err(error) = self.app.store.quarantine(bytes).await {
            return self.turned_away(&error);
        }
        self.metrics.quarantined();
        let problem = ProblemDetails::new(StatusCode::BAD_REQUEST, reason);
        Box::new(
            problem
                .with("at", self.book.redactor.clean(&unreadable.at))
                .with("source", self.name)
                .into_answer(),
        )
    }

    /// The bytes as they came, unless they hold a secret of the configuration.
    fn starred(&self, body: Bytes) -> Vec<u8> {
        let text = String::from_utf8_lossy(&body);
        let clean = self.book.redactor.clean(&text);
        if clean == text { body.to_vec() } else { clean.into_bytes() }
    }

    fn turned_away(&self, error: &StoreError) -> Refusal {
        self.metrics.event_received(Intake::Unavailable);
        self.app.metrics.intake_refused(reason(error));
        if self.app.may_complain(self.head.now) {
            tracing::error!(source = self.name, %error, "calls cannot be kept and are answered with 503");
        }
        let wait = if let StoreError::Busy { wait } = error { *wait } else { Duration::ZERO };
        Box::new(unavailable_for(format!("{error}; nothing was kept, please send it again"), wait))
    }
}

/// One of `metrics::REFUSALS`.
fn reason(error: &StoreError) -> &'static str {
    match error {
        StoreError::DiskFull => "disk_full",
        StoreError::DiskLow => "disk_low",
        StoreError::Busy { .. } => "busy",
        StoreError::Closed | StoreError::SchemaNewer { .. } | StoreError::InUse | StoreError::Engine(_) => {
            "store"
        }
    }
}

/// The headers that sources look at, as text.
fn plain(headers: &HeaderMap) -> Vec<(String, String)> {
    let wanted =
        |name: &str| name == CONTENT_TYPE.as_str() || name.starts_with("x-") || name.starts_with("ce-");
    headers
        .iter()
        .filter(|(name, _)| wanted(name.as_str()))
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}
