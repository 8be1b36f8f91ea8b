//! What every endpoint may need, and what all of them are told of a request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderMap;
use jiff::Timestamp;
use uuid::Uuid;

use crate::auth::admin::Pass;
use crate::auth::check::Caller;
use crate::deliver::fleet::Fleet;
use crate::domain::change::Recent;
use crate::domain::problem::Problem;
use crate::metrics::Metrics;
use crate::metrics::handles::SourceMetrics;
use crate::pace::clock::Clock;
use crate::route::inhibit::Active;
use crate::rulebook::Rulebooks;
use crate::server::accept::Peer;
use crate::server::answer::{Answer, ProblemDetails};
use crate::server::beats::Beats;
use crate::server::budget::Budget;
use crate::server::expiry::Expiries;
use crate::server::history::Ahead;
use crate::server::paths::{Endpoint, Paths};
use crate::server::shadow::Shadow;
use crate::server::sns::Notary;
use crate::store::handle::Store;
use crate::trace::span::Tracer;

/// Reads the configuration again and gives what surprises; on any error the old one stays.
pub type Reload = Arc<dyn Fn() -> Result<Vec<Problem>, Vec<Problem>> + Send + Sync>;

/// What the relay has at hand while it answers.
pub struct State {
    /// The rules in force.
    pub books: Rulebooks,
    /// Where alerts are kept.
    pub store: Store,
    /// Counts.
    pub metrics: Metrics,
    /// The loops of the targets, for the count of what waits.
    pub fleet: Fleet,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Firing alerts that may inhibit others.
    pub active: Mutex<Active>,
    /// The latest changes, for the wording of what they may have caused.
    pub recent: RwLock<Recent>,
    /// When heartbeats were last heard.
    pub beats: Mutex<Beats>,
    /// Alerts that are believed until a certain time.
    pub expiries: Mutex<Expiries>,
    /// What a replay knows of what is to come.
    pub ahead: tokio::sync::Mutex<Ahead>,
    /// Certificates and confirmations of AWS SNS.
    pub notary: Notary,
    /// Dice for ids.
    pub dice: Mutex<fastrand::Rng>,
    /// Memory for the bodies of all requests.
    pub budget: Budget,
    /// The second in which a refusal was last logged.
    pub complained: AtomicI64,
    /// Time for the body of a request.
    pub body_time: Duration,
    /// Reads the configuration again.
    pub reload: Reload,
    /// A candidate configuration that is shown every event.
    pub shadow: Option<Shadow>,
    /// Series by source, made when first counted.
    pub sources: Mutex<HashMap<String, Arc<SourceMetrics>>>,
    /// Where spans are handed in.
    pub tracer: Tracer,
    /// Where things are.
    pub paths: Paths<Endpoint>,
}

/// The parts of a request that its endpoint needs, without the body.
pub(super) struct Head<'a> {
    /// Who called; the client behind proxies that are trusted.
    pub peer: Peer,
    pub headers: &'a HeaderMap,
    pub now: Timestamp,
    /// What the admin interface let him pass by.
    pub pass: Option<Pass>,
}

impl Head<'_> {
    /// Who calls, as sources judge it.
    pub(super) fn caller(&self) -> Caller<'_> {
        Caller { ip: self.peer.addr.ip(), names: &self.peer.names }
    }
}

impl State {
    /// The series of a source.
    pub(super) fn source_metrics(&self, name: &str) -> Arc<SourceMetrics> {
        let mut known = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(name) {
            Some(metrics) => Arc::clone(metrics),
            None => {
                let metrics = Arc::new(self.metrics.source(name));
                known.insert(name.to_owned(), Arc::clone(&metrics));
                metrics
            }
        }
    }

    /// Whether one more refused call is worth a line of the log: one a second is. Thousands would
    /// only make bad times worse; the metrics count them all.
    pub(super) fn may_complain(&self, now: Timestamp) -> bool {
        self.complained.swap(now.as_second(), Ordering::Relaxed) != now.as_second()
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
    unavailable_for(detail, Duration::ZERO)
}

/// The same, for trouble that is expected to last so long.
pub(super) fn unavailable_for(detail: impl Into<String>, wait: Duration) -> Answer {
    const COME_BACK: Duration = Duration::from_secs(2);
    let answer = ProblemDetails::unavailable(detail, COME_BACK.max(wait)).into_answer();
    debug_assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    answer
}
