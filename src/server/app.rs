//! One request: find its endpoint, hand it over, count the answer.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};

use crate::auth::forwarded;
use crate::server::accept::Peer;
use crate::server::answer::{Answer, ProblemDetails};
use crate::server::paths::{Access, Door, ENDPOINTS, Endpoint, Found, Paths};
use crate::server::probes::{self, Readiness};
use crate::server::queue::{self, Asked};
use crate::server::state::{Head, State};
use crate::server::{admin, callbacks, changes, console, incidents, intake, openapi};

/// What is told when a path belongs to the other listener. The command line knows it again.
pub const OTHER_LISTENER: &str = "this is served by the other listener: senders and admins have one each";

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
        let (mut head, body) = request.into_parts();
        name_host(&mut head);
        let found = match self.0.paths.find(&head.method, head.uri.path()) {
            Ok(found) => found,
            Err(missing) => {
                let answer = ProblemDetails::from(missing).into_answer();
                self.0.metrics.request_answered("none", answer.status().as_u16());
                return answer;
            }
        };
        let answer = match self.admitted(door, found.access, peer, &head.headers) {
            Ok(about) => self.found(&found, &head, &about, body).await,
            Err(refused) => refused.into_answer(),
        };
        self.0.metrics.request_answered(found.pattern, answer.status().as_u16());
        answer
    }

    /// Who calls, if he may: by this door, and with the role that the endpoint asks for.
    fn admitted<'h>(
        &self,
        door: Door,
        access: Access,
        mut peer: Peer,
        headers: &'h HeaderMap,
    ) -> Result<Head<'h>, ProblemDetails> {
        if !door.leads_to(access) {
            return Err(ProblemDetails::new(StatusCode::NOT_FOUND, OTHER_LISTENER));
        }
        let book = self.0.books.current();
        peer.addr.set_ip(forwarded::client(peer.addr.ip(), headers, &book.trusted_proxies));
        let pass = match access {
            Access::Admins(role) => Some(book.admin.check(peer.addr.ip(), headers, role)?),
            Access::Anyone | Access::Lobby | Access::Senders => None,
        };
        Ok(Head { peer, headers, now: self.0.clock.now(), pass })
    }

    async fn found(
        &self,
        found: &Found<'_, Endpoint>,
        head: &Parts,
        about: &Head<'_>,
        body: Incoming,
    ) -> Answer {
        match found.endpoint {
            Endpoint::Hook => intake::hook(&self.0, about, found.param("source"), None, body).await,
            Endpoint::HookWithToken => {
                intake::hook(&self.0, about, found.param("source"), Some(found.param("token")), body).await
            }
            Endpoint::Callback => {
                callbacks::answer(&self.0, about, found.param("target"), &head.uri, body).await
            }
            Endpoint::Change => changes::hook(&self.0, about, found.param("source"), None, body).await,
            Endpoint::ChangeWithToken => {
                changes::hook(&self.0, about, found.param("source"), Some(found.param("token")), body).await
            }
            Endpoint::PushAlerts => intake::push(&self.0, about, body).await,
            Endpoint::Healthy => probes::healthy(),
            Endpoint::Ready => probes::ready(&readiness(&self.0)),
            Endpoint::Metrics => {
                self.0.fleet.count_backlog().await;
                probes::metrics(&self.0.metrics)
            }
            Endpoint::OpenApi => openapi::answer(),
            Endpoint::Console => console::page(),
            Endpoint::Reload => admin::reload(&self.0).await,
            Endpoint::Event => admin::event(&self.0, found.param("id")).await,
            Endpoint::Shadow => admin::shadow(&self.0),
            Endpoint::Events
            | Endpoint::Deliveries
            | Endpoint::Delivery
            | Endpoint::RetryDelivery
            | Endpoint::DropDelivery
            | Endpoint::Orphans
            | Endpoint::ResolveOrphan
            | Endpoint::Replay
            | Endpoint::Signals
            | Endpoint::Audit => {
                let asked = Asked { query: head.uri.query().unwrap_or_default(), body };
                queue::answer(&self.0, about, found, asked).await
            }
            Endpoint::Incidents
            | Endpoint::Incident
            | Endpoint::IncidentReport
            | Endpoint::IncidentAct
            | Endpoint::OnCall
            | Endpoint::Report
            | Endpoint::Jobs
            | Endpoint::Gate
            | Endpoint::Freezes
            | Endpoint::SetFreeze
            | Endpoint::EndFreeze
            | Endpoint::Changes => {
                let asked = Asked { query: head.uri.query().unwrap_or_default(), body };
                incidents::answer(&self.0, about, found, asked).await
            }
        }
    }
}

/// HTTP/2 names the host beside the path (`:authority`), and so may HTTP/1.1 (RFC 9112, 3.2.2): it
/// counts, and is put where it is looked for.
fn name_host(head: &mut Parts) {
    if let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
}
