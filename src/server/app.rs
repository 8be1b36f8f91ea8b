//! One request: find its endpoint, hand it over, count the answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use uuid::Uuid;

use crate::auth::check::Auth;
use crate::domain::problem::Problem;
use crate::metrics::{Metrics, SourceMetrics};
use crate::pace::clock::Clock;
use crate::route::inhibit::Active;
use crate::rulebook::Rulebooks;
use crate::server::accept::Peer;
use crate::server::answer::{Answer, ProblemDetails};
use crate::server::paths::{ENDPOINTS, Endpoint, Paths};
use crate::server::probes::{self, Readiness};
use crate::server::{admin, intake};
use crate::store::handle::Store;

/// Reads the configuration again; on any problem the old one stays.
pub type Reload = Arc<dyn Fn() -> Result<(), Vec<Problem>> + Send + Sync>;

/// What every request may need. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What an [`App`] is made of.
pub struct Inner {
    /// The rules in force.
    pub books: Rulebooks,
    /// Where alerts are kept.
    pub store: Store,
    /// Counts.
    pub metrics: Metrics,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Firing alerts that may inhibit others.
    pub active: Mutex<Active>,
    /// Dice for ids.
    pub dice: Mutex<fastrand::Rng>,
    /// Who may use the admin interface.
    pub admin: Auth,
    /// Time for the body of a request.
    pub body_time: Duration,
    /// Reads the configuration again.
    pub reload: Reload,
    /// Series by source, made when first counted.
    pub sources: Mutex<HashMap<String, SourceMetrics>>,
    /// Where things are.
    pub paths: Paths<Endpoint>,
}

/// The parts of a request that its endpoint needs, without the body.
pub(super) struct Head<'a> {
    pub peer: Peer,
    pub headers: &'a HeaderMap,
    pub now: Timestamp,
}

impl App {
    /// Puts it together.
    pub fn new(inner: Inner) -> App {
        App(Arc::new(inner))
    }

    /// The table of endpoints, compiled.
    ///
    /// # Errors
    /// Two rows of the table contradict each other.
    pub fn paths() -> Result<Paths<Endpoint>, String> {
        Paths::new(ENDPOINTS)
    }

    /// Answers one request.
    pub async fn answer(self, peer: Peer, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let found = match self.0.paths.find(&head.method, head.uri.path()) {
            Ok(found) => found,
            Err(missing) => {
                let answer = ProblemDetails::from(missing).into_answer();
                self.0.metrics.request_answered("none", answer.status().as_u16());
                return answer;
            }
        };
        let about = Head { peer, headers: &head.headers, now: self.0.clock.now() };
        let answer = match found.endpoint {
            Endpoint::Hook => intake::hook(&self.0, &about, found.param("source"), None, body).await,
            Endpoint::HookWithToken => {
                intake::hook(&self.0, &about, found.param("source"), Some(found.param("token")), body).await
            }
            Endpoint::PushAlerts => intake::push(&self.0, &about, body).await,
            Endpoint::Healthy => probes::healthy(),
            Endpoint::Ready => probes::ready(&Readiness::Ready),
            Endpoint::Metrics => probes::metrics(&self.0.metrics),
            Endpoint::Reload => admin::reload(&self.0, &about).await,
            Endpoint::Event => admin::event(&self.0, &about, found.param("id")).await,
        };
        self.0.metrics.request_answered(found.pattern, answer.status().as_u16());
        answer
    }
}

impl Inner {
    /// The series of a source.
    pub(super) fn source_metrics(&self, name: &str) -> SourceMetrics {
        let mut known = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(name) {
            Some(metrics) => metrics.clone(),
            None => known.entry(name.to_owned()).or_insert(self.metrics.source(name)).clone(),
        }
    }

    /// A fresh id, ascending with time.
    pub(super) fn fresh_id(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut random);
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// 503 with a reason and a time to come back: never a 4xx for our own trouble.
pub(super) fn unavailable(detail: impl Into<String>) -> Answer {
    const COME_BACK: Duration = Duration::from_secs(2);
    let answer = ProblemDetails::unavailable(detail, COME_BACK).into_answer();
    debug_assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    answer
}
