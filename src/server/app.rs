//! One request: find its endpoint, hand it over, count the answer.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};

use crate::server::accept::Peer;
use crate::server::answer::{Answer, ProblemDetails};
use crate::server::paths::{Door, ENDPOINTS, Endpoint, Paths};
use crate::server::probes::{self, Readiness};
use crate::server::queue::{self, Asked};
use crate::server::state::{Head, State};
use crate::server::{admin, callbacks, changes, incidents, intake};

/// Whether alerts are taken in. A busy store is no reason: that passes in a moment.
fn readiness(state: &State) -> Readiness {
    match state.store.disk().is_low() {
        false => Readiness::Ready,
        true => Readiness::NotReady(
            "the disk is nearly full: calls are answered with 503 until there is room (store.keep_free); what is owed is delivered".to_owned(),
        ),
    }
}

/// What every request may need. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<State>);

impl App {
    /// Puts it together.
    pub fn new(state: State) -> App {
        App(Arc::new(state))
    }

    /// The table of endpoints, compiled.
    ///
    /// # Errors
    /// Two rows of the table contradict each other.
    pub fn paths() -> Result<Paths<Endpoint>, String> {
        Paths::new(ENDPOINTS)
    }

    /// What it was put together from.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.0)
    }

    /// Answers one request that came through this door.
    pub async fn answer(self, door: Door, peer: Peer, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let found = match self.0.paths.find(&head.method, head.uri.path()) {
            Ok(found) => found,
            Err(missing) => {
                let answer = ProblemDetails::from(missing).into_answer();
                self.0.metrics.request_answered("none", answer.status().as_u16());
                return answer;
            }
        };
        if !door.leads_to(found.endpoint) {
            let detail = "this is served by the other listener: senders and admins have one each";
            return ProblemDetails::new(StatusCode::NOT_FOUND, detail).into_answer();
        }
        let about = Head { peer, headers: &head.headers, now: self.0.clock.now() };
        let answer = match found.endpoint {
            Endpoint::Hook => intake::hook(&self.0, &about, found.param("source"), None, body).await,
            Endpoint::HookWithToken => {
                intake::hook(&self.0, &about, found.param("source"), Some(found.param("token")), body).await
            }
            Endpoint::Callback => {
                callbacks::answer(&self.0, &about, found.param("target"), &head.uri, body).await
            }
            Endpoint::Change => changes::hook(&self.0, &about, found.param("source"), None, body).await,
            Endpoint::ChangeWithToken => {
                changes::hook(&self.0, &about, found.param("source"), Some(found.param("token")), body).await
            }
            Endpoint::PushAlerts => intake::push(&self.0, &about, body).await,
            Endpoint::Healthy => probes::healthy(),
            Endpoint::Ready => probes::ready(&readiness(&self.0)),
            Endpoint::Metrics => {
                self.0.fleet.count_backlog().await;
                probes::metrics(&self.0.metrics)
            }
            Endpoint::Reload => admin::reload(&self.0, &about).await,
            Endpoint::Event => admin::event(&self.0, &about, found.param("id")).await,
            Endpoint::Deliveries
            | Endpoint::Delivery
            | Endpoint::RetryDelivery
            | Endpoint::DropDelivery
            | Endpoint::Orphans
            | Endpoint::ResolveOrphan
            | Endpoint::Replay
            | Endpoint::Signals
            | Endpoint::Audit => {
                let asked = Asked { query: head.uri.query().unwrap_or_default(), body };
                queue::answer(&self.0, &about, &found, asked).await
            }
            Endpoint::Incidents
            | Endpoint::Incident
            | Endpoint::IncidentReport
            | Endpoint::IncidentAct
            | Endpoint::OnCall
            | Endpoint::Report
            | Endpoint::Gate
            | Endpoint::Changes => {
                let asked = Asked { query: head.uri.query().unwrap_or_default(), body };
                incidents::answer(&self.0, &about, &found, asked).await
            }
        };
        self.0.metrics.request_answered(found.pattern, answer.status().as_u16());
        answer
    }
}
