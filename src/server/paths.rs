//! Paths: takes a method and a path, gives the endpoint with its parameters, or what is missing.
//!
//! The table is plain data, so that documentation and metrics show the same patterns that are
//! dispatched on. Deliberately not here: what an endpoint does.

use std::borrow::Cow;

use hyper::Method;
use matchit::Router;
use percent_encoding::percent_decode_str;

use crate::auth::admin::Role;

/// One row of a table of endpoints.
#[derive(Debug, Clone)]
pub struct Row<E> {
    /// The method; `GET` answers `HEAD` too.
    pub method: Method,
    /// The pattern: `/hooks/{source}`.
    pub pattern: &'static str,
    /// What is there.
    pub endpoint: E,
    /// Who may use it.
    pub access: Access,
}

/// Who may use an endpoint. Each row says it, so that none can be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Those who watch the relay; it tells nothing of alerts.
    Anyone,
    /// Senders: the source or the target judges their proofs.
    Senders,
    /// Callers of the admin interface with this role.
    Admins(Role),
    /// Anybody who reaches the admin interface: the page itself, which holds nothing of alerts.
    Lobby,
}

/// What the relay offers to senders, to those who watch it, and to those who run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Alerts in, for a named source.
    Hook,
    /// The same with the token in the path, for senders that cannot set a header.
    HookWithToken,
    /// What pipelines changed, from a named source.
    Change,
    /// The same with the token in the path.
    ChangeWithToken,
    /// What services post back.
    Callback,
    /// Alertmanager's push interface.
    PushAlerts,
    /// Is the process alive?
    Healthy,
    /// Can it take alerts in?
    Ready,
    /// Read the configuration again.
    Reload,
    /// For Prometheus.
    Metrics,
    /// The description of all endpoints.
    OpenApi,
    /// What became of one accepted event.
    Event,
    /// Recorded events with their bodies.
    Events,
    /// What a candidate configuration would make of what comes in.
    Shadow,
    /// Deliveries by target, state, key and time.
    Deliveries,
    /// One delivery with its attempts.
    Delivery,
    /// Send it once more, or now.
    RetryDelivery,
    /// Never send it.
    DropDelivery,
    /// Incidents that nothing is going to close.
    Orphans,
    /// Close one.
    ResolveOrphan,
    /// Send recorded events through the routing again.
    Replay,
    /// What services told us.
    Signals,
    /// What people changed.
    Audit,
    /// Problems as people work on them.
    Incidents,
    /// One, with its time line.
    Incident,
    /// Its report, for people.
    IncidentReport,
    /// Something done with it.
    IncidentAct,
    /// Who is on call.
    OnCall,
    /// The numbers over many incidents.
    Report,
    /// What was run against incidents.
    Jobs,
    /// May a pipeline deploy now?
    Gate,
    /// What pipelines changed.
    Changes,
    /// Times in which nothing is to be deployed.
    Freezes,
    /// One more.
    SetFreeze,
    /// It ends before its time.
    EndFreeze,
    /// The page for people.
    Console,
}

/// Which endpoints a listener serves. Probes and metrics are served by each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// All of them: there is one listener.
    Whole,
    /// What senders post to: the admin interface has a listener of its own.
    Senders,
    /// The admin interface.
    Admin,
}

impl Door {
    /// Whether endpoints of this access are behind it.
    pub fn leads_to(self, access: Access) -> bool {
        match access {
            Access::Anyone => true,
            Access::Senders => self != Door::Admin,
            Access::Admins(_) | Access::Lobby => self != Door::Senders,
        }
    }
}

/// The table of [`Endpoint`].
pub const ENDPOINTS: &[Row<Endpoint>] = &[
    post("/hooks/{source}", Endpoint::Hook, Access::Senders),
    post("/hooks/{source}/{token}", Endpoint::HookWithToken, Access::Senders),
    post("/api/v2/alerts", Endpoint::PushAlerts, Access::Senders),
    post("/callbacks/{target}", Endpoint::Callback, Access::Senders),
    get("/-/healthy", Endpoint::Healthy, Access::Anyone),
    get("/-/ready", Endpoint::Ready, Access::Anyone),
    post("/-/reload", Endpoint::Reload, OPERATE),
    get("/metrics", Endpoint::Metrics, Access::Anyone),
    get("/api/v1/openapi.json", Endpoint::OpenApi, Access::Anyone),
    get("/api/v1/events/{id}", Endpoint::Event, READ),
    get("/api/v1/events", Endpoint::Events, READ),
    get("/api/v1/shadow", Endpoint::Shadow, READ),
    get("/api/v1/deliveries", Endpoint::Deliveries, READ),
    get("/api/v1/deliveries/{id}", Endpoint::Delivery, READ),
    post("/api/v1/deliveries/{id}/retry", Endpoint::RetryDelivery, OPERATE),
    post("/api/v1/deliveries/{id}/drop", Endpoint::DropDelivery, OPERATE),
    get("/api/v1/orphans", Endpoint::Orphans, READ),
    post("/api/v1/orphans/{lane}/resolve", Endpoint::ResolveOrphan, OPERATE),
    post("/api/v1/replay", Endpoint::Replay, OPERATE),
    get("/api/v1/signals", Endpoint::Signals, READ),
    get("/api/v1/audit", Endpoint::Audit, READ),
    post("/changes/{source}", Endpoint::Change, Access::Senders),
    post("/changes/{source}/{token}", Endpoint::ChangeWithToken, Access::Senders),
    get("/api/v1/incidents", Endpoint::Incidents, READ),
    get("/api/v1/incidents/{id}", Endpoint::Incident, READ),
    get("/api/v1/incidents/{id}/report", Endpoint::IncidentReport, READ),
    post("/api/v1/incidents/{id}/{act}", Endpoint::IncidentAct, OPERATE),
    get("/api/v1/on-call", Endpoint::OnCall, READ),
    get("/api/v1/report", Endpoint::Report, READ),
    get("/api/v1/jobs", Endpoint::Jobs, READ),
    get("/api/v1/gate", Endpoint::Gate, READ),
    get("/api/v1/changes", Endpoint::Changes, READ),
    get("/api/v1/freezes", Endpoint::Freezes, READ),
    post("/api/v1/freezes", Endpoint::SetFreeze, OPERATE),
    delete("/api/v1/freezes/{id}", Endpoint::EndFreeze, OPERATE),
    get("/", Endpoint::Console, LOBBY),
];

const READ: Access = Access::Admins(Role::Read);
const OPERATE: Access = Access::Admins(Role::Operate);
const LOBBY: Access = Access::Lobby;

const fn get(pattern: &'static str, endpoint: Endpoint, access: Access) -> Row<Endpoint> {
    Row { method: Method::GET, pattern, endpoint, access }
}

const fn post(pattern: &'static str, endpoint: Endpoint, access: Access) -> Row<Endpoint> {
    Row { method: Method::POST, pattern, endpoint, access }
}

const fn delete(pattern: &'static str, endpoint: Endpoint, access: Access) -> Row<Endpoint> {
    Row { method: Method::DELETE, pattern, endpoint, access }
}

/// A table compiled for look-ups.
#[derive(Debug, Clone)]
pub struct Paths<E> {
    router: Router<usize>,
    places: Vec<Place<E>>,
}

#[derive(Debug, Clone)]
struct Place<E> {
    pattern: &'static str,
    endpoints: Vec<(Method, E, Access)>,
}

/// An endpoint that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<'p, E> {
    /// What is there.
    pub endpoint: E,
    /// Who may use it.
    pub access: Access,
    /// Its pattern, for metrics and logs, where the path itself must not show.
    pub pattern: &'static str,
    params: Vec<(&'static str, Cow<'p, str>)>,
}

impl<E> Found<'_, E> {
    /// A parameter of the pattern, percent-decoded; empty when the pattern has none of that name.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(have, _)| *have == name).map_or("", |(_, value)| value)
    }
}

/// What is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// No such path.
    Path {
        /// The pattern that comes closest, if any comes close.
        nearest: Option<&'static str>,
    },
    /// The path is there, for other methods.
    Method {
        /// The pattern of the path.
        pattern: &'static str,
        /// Value of the `Allow` header.
        allow: String,
    },
}

impl<E: Copy> Paths<E> {
    /// Compiles a table.
    ///
    /// # Errors
    /// A sentence that names the pattern that is malformed, conflicts with another, or stands
    /// twice for a method: a mistake in the program.
    pub fn new(table: &[Row<E>]) -> Result<Paths<E>, String> {
        let mut paths = Paths { router: Router::new(), places: Vec::new() };
        for row in table {
            let known = paths.places.iter().position(|place: &Place<E>| place.pattern == row.pattern);
            let at = match known {
                Some(at) => at,
                None => {
                    let at = paths.places.len();
                    paths
                        .router
                        .insert(row.pattern, at)
                        .map_err(|error| format!("{}: {error}", row.pattern))?;
                    paths.places.push(Place { pattern: row.pattern, endpoints: Vec::new() });
                    at
                }
            };
            let endpoints = &mut paths.places[at].endpoints;
            if endpoints.iter().any(|(method, ..)| *method == row.method) {
                return Err(format!("{} {} stands twice", row.method, row.pattern));
            }
            endpoints.push((row.method.clone(), row.endpoint, row.access));
        }
        Ok(paths)
    }

    /// Looks a request up; `path` as sent, without the query.
    ///
    /// # Errors
    /// [`Missing`], which turns into the answer.
    pub fn find<'p>(&self, method: &Method, path: &'p str) -> Result<Found<'p, E>, Missing> {
        let hit = self.router.at(path).map_err(|_| Missing::Path { nearest: self.nearest(path) })?;
        let place = &self.places[*hit.value];
        let asked = if method == Method::HEAD { &Method::GET } else { method };
        let endpoint = place.endpoints.iter().find(|(method, ..)| method == asked);
        let Some((_, endpoint, access)) = endpoint else {
            return Err(Missing::Method { pattern: place.pattern, allow: place.allow() });
        };
        let params = hit
            .params
            .iter()
            .map(|(name, value)| {
                (name_in(place.pattern, name), percent_decode_str(value).decode_utf8_lossy())
            })
            .collect();
        Ok(Found { endpoint: *endpoint, access: *access, pattern: place.pattern, params })
    }

    /// Patterns are compared with as many of their segments as the path has, so that a parameter's
    /// value costs nothing.
    fn nearest(&self, path: &str) -> Option<&'static str> {
        let asked: Vec<&str> = path.trim_end_matches('/').split('/').skip(1).collect();
        let distance = |pattern: &str| {
            let segments: Vec<&str> = pattern.split('/').skip(1).collect();
            let pairs = segments.iter().zip(&asked).map(|(segment, asked)| {
                if segment.starts_with('{') { 0 } else { strsim::damerau_levenshtein(segment, asked) }
            });
            pairs.sum::<usize>() + 2 * segments.len().abs_diff(asked.len())
        };
        // Long paths are not worth the comparison, and the sender chooses the length.
        if path.len() > 128 {
            return None;
        }
        let near = self.places.iter().map(|place| (distance(place.pattern), place.pattern)).min()?;
        (near.0 <= 3).then_some(near.1)
    }
}

impl<E> Place<E> {
    fn allow(&self) -> String {
        let mut methods: Vec<&str> = self.endpoints.iter().map(|(method, ..)| method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        methods.join(", ")
    }
}

/// The parameter's name with the pattern's own lifetime.
fn name_in(pattern: &'static str, name: &str) -> &'static str {
    pattern.split(['{', '}', '*']).find(|part| *part == name).unwrap_or_default()
}

#[cfg(test)]
mod tests;
