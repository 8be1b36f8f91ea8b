//! From the text of relay.yaml to a rulebook, or every problem of meaning at once.
//!
//! `config/` has read the form; here names are followed to what they name, and grammars (matchers,
//! templates, intervals) are read. Nothing stops at the first problem: a broken part is left out
//! and the checks go on, so that one run of `check` tells all.

mod changes;
mod incidents;
mod jobs;
mod pacing;
pub mod reading;
mod routing;
mod senders;
mod targets;
pub mod traces;
pub mod wire;
mod wordings;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::assemble::wire::TlsFiles;
use crate::client::outbound::Outbound;
use crate::config::file::File;
use crate::config::load::{in_order, load};
use crate::config::secrets::World;
use crate::config::server::ServerFile;
use crate::config::units::Size;
use crate::document::nearest;
use crate::document::node::At;
use crate::domain::problem::{Place, Problem, Severity};
use crate::domain::secret::Redactor;
use crate::rulebook::{Formers, Rulebook};
use crate::target::KINDS;

/// What is needed once, at the start: a reload does not change it.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// Where senders post.
    pub listen: SocketAddr,
    /// Where the admin interface listens, when not with the senders.
    pub admin_listen: Option<SocketAddr>,
    /// TLS for senders.
    pub tls: Option<TlsFiles>,
    /// TLS of the admin interface's own listener.
    pub admin_tls: Option<TlsFiles>,
    /// How calls leave the relay.
    pub outbound: Outbound,
    /// Folder of the embedded store.
    pub store: PathBuf,
    /// Bytes of its disk that are left free.
    pub keep_free: u64,
    /// How long a call may have to wait for the store.
    pub store_wait: Duration,
    /// Bytes that all bodies together may take in memory.
    pub body_budget: usize,
    /// Connections at once.
    pub connections: usize,
    /// Time for what is under way when the relay stops.
    pub drain: Duration,
    /// Time a sender has for the head of a request.
    pub header_timeout: Duration,
    /// Time a sender has for the body.
    pub body_timeout: Duration,
    /// Who is told of spans.
    pub collector: Option<traces::Collector>,
}

/// What came of assembling.
#[derive(Debug)]
pub struct Assembled {
    /// The rulebook and the base; `None` beside any problem that is an error.
    pub ready: Option<(Rulebook, Base)>,
    /// Everything found, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Assembles the text of relay.yaml.
pub fn assemble(text: &str, world: &dyn World) -> Assembled {
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let loaded = load(text, &kinds, world);
    let mut problems = loaded.problems;
    let of_form = problems.len();
    let built = loaded.file.map(|file| build(&file, world, &mut problems));
    let of_meaning = problems.split_off(of_form);
    let (told, mut new): (Vec<Problem>, Vec<Problem>) =
        of_meaning.into_iter().partition(|found| follows(found, &problems));
    // What an alias repeats elsewhere has been told where it stands.
    new.retain(|found| !told.iter().any(|told| told.place == found.place && told.what == found.what));
    problems.extend(new);
    in_order(&mut problems);
    let sound = problems.iter().all(|problem| problem.severity == Severity::Warning);
    let ready = built.flatten().filter(|_| sound);
    Assembled { ready, problems }
}

/// Whether it comes of a fault of form that has been told: one inside of what it speaks of, or one
/// of the thing that it is a part of.
fn follows(found: &Problem, told: &[Problem]) -> bool {
    let holds = |outer: &str, inner: &str| {
        !outer.is_empty()
            && inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    told.iter().any(|told| holds(&found.path, &told.path) || holds(&told.path, &found.path))
}

/// Whether there is an error already in the part of the file that begins with `root`: what is said
/// to be unused or out of reach would then often be so because of it.
fn is_broken(root: &str, problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error && problem.path.starts_with(root))
}

/// Parts a sentence of a lower room into what is wrong and what to do.
fn parted(sentence: &str) -> (&str, &str) {
    sentence.split_once("; ").unwrap_or((sentence, ""))
}

fn build(file: &File, world: &dyn World, problems: &mut Vec<Problem>) -> Option<(Rulebook, Base)> {
    let sources = senders::sources(&file.sources, problems);
    let enrich = senders::enrichment(&file.enrich, world, problems);
    let targets = targets::targets(file, world, problems);
    let receivers = receivers(file, problems);
    targets::unused(file, problems);
    let routing = routing::routing(file, problems);
    let escalations = incidents::escalations(file, problems);
    let (people, rotas) = (incidents::people(file, problems), incidents::rotas(file, problems));
    let base = base(file, world, problems);
    wire::client_certificates(file, problems);
    let admin = wire::admin(&file.server, problems);
    let of_proxy = wire::proxy_password(&base.outbound);
    let of_admin = admin.tokens.iter().map(|token| &token.secret).chain(&of_proxy);
    let of_sources = sources.values().flat_map(|source| source.auth.secrets());
    let of_traces =
        file.tracing.otlp.iter().flat_map(|otlp| otlp.headers.values().map(|header| &header.value));
    let of_targets = targets.values().flat_map(|target| target.target.secrets());
    let redactor = Redactor::new(of_admin.chain(of_sources).chain(of_traces).chain(of_targets));
    let rulebook = Rulebook {
        redactor,
        admin,
        trusted_proxies: wire::networks(&file.server.trusted_proxies),
        sources,
        enrich,
        tree: routing.tree?,
        intervals: routing.intervals,
        inhibit: routing.inhibit,
        heartbeats: routing.heartbeats,
        receivers,
        escalations,
        incidents: incidents::rules(file, problems),
        gate: changes::gate(file, problems),
        jobs: jobs::rules(file, problems),
        announce: changes::announce(file, &targets, problems),
        people,
        rotas,
        targets,
        external_url: file.server.external_url.value.trim_end_matches('/').to_owned(),
        dedup_window: file.server.dedup_window.0,
        body_limit: usize::try_from(file.server.body_limit.0).unwrap_or(usize::MAX),
        keep_events: file.retention.events.0.max(file.retention.deliveries.0),
        keep_audit: file.retention.incidents.0.max(file.retention.events.0),
        disk_limit: file.retention.disk_limit.0,
        watch: file.server.watch,
        removed_targets: file.server.removed_targets,
        former: Formers::default(),
    };
    Some((rulebook, base))
}

fn receivers(file: &File, problems: &mut Vec<Problem>) -> HashMap<String, Vec<Arc<str>>> {
    let known: Vec<&str> = file.targets.iter().map(|target| target.common.name.value.as_str()).collect();
    let mut names = Names::new("receiver");
    let mut receivers = HashMap::new();
    for (index, receiver) in file.receivers.iter().enumerate() {
        let path = format!("receivers[{index}]");
        names.add(&receiver.name, &format!("{path}.name"), problems);
        let steps = receiver.escalate.iter().enumerate();
        let escalated = steps.map(|(step, file)| (format!("{path}.escalate[{step}]"), &file.targets));
        for (path, targets) in [(path.clone(), &receiver.targets)].into_iter().chain(escalated) {
            for (place, target) in targets.iter().enumerate() {
                refer("target", target, &format!("{path}.targets[{place}]"), &known, problems);
            }
        }
        if receiver.targets.is_empty() {
            let what = "names no target: alerts that reach it go nowhere";
            let cure = "add one, or leave it so on purpose";
            problems.push(Problem::warning(format!("{path}.targets"), receiver.name.place, what, cure));
        }
        let targets = receiver.targets.iter().map(|target| Arc::from(target.value.as_str())).collect();
        receivers.insert(receiver.name.value.clone(), targets);
    }
    receivers
}

fn base(file: &File, world: &dyn World, problems: &mut Vec<Problem>) -> Base {
    let server: &ServerFile = &file.server;
    if let Some(postgres) = &file.store.postgres {
        let what = "the PostgreSQL engine is not part of this version";
        problems.push(Problem::error(
            "store.postgres",
            postgres.place,
            what,
            "use `path`, the embedded store",
        ));
    }
    let admin = server.admin.as_ref();
    let (tls, admin_tls) = wire::listeners(server, world, problems);
    let url = &server.external_url;
    let is_web = url.value.starts_with("http://") || url.value.starts_with("https://");
    if !url.value.is_empty() && !is_web {
        let what = "is not a web address";
        problems.push(Problem::error(
            "server.external_url",
            url.place,
            what,
            "write it with its scheme: https://relay.example.com",
        ));
    }
    Base {
        listen: server.listen.value.0,
        admin_listen: admin.and_then(|admin| admin.listen.as_ref()).map(|listen| listen.value.0),
        tls,
        admin_tls,
        outbound: wire::outbound(&file.outbound, world, problems),
        store: file.store.folder().to_owned(),
        keep_free: file.store.keep_free.0,
        store_wait: server.store_wait.0,
        body_budget: body_budget(server),
        connections: server.connections.max(1) as usize,
        drain: server.drain.0,
        header_timeout: server.header_timeout.0,
        body_timeout: server.body_timeout.0,
        collector: traces::collector(&file.tracing, problems),
    }
}

/// At least one body of the largest size fits, packed and unpacked, beside what is left to small ones.
fn body_budget(server: &ServerFile) -> usize {
    let bytes = |size: Size| usize::try_from(size.0).unwrap_or(usize::MAX);
    bytes(server.body_budget).max(bytes(server.body_limit).saturating_mul(3))
}

/// Names of one sort: each may stand once.
struct Names {
    sort: &'static str,
    seen: BTreeMap<String, Place>,
}

impl Names {
    fn new(sort: &'static str) -> Names {
        Names { sort, seen: BTreeMap::new() }
    }

    /// An empty name was missing, which has been told.
    fn add(&mut self, name: &At<String>, path: &str, problems: &mut Vec<Problem>) {
        if name.value.is_empty() {
            return;
        }
        if let Some(first) = self.seen.insert(name.value.clone(), name.place) {
            let what =
                format!("a {} named `{}` stands already on line {}", self.sort, name.value, first.line);
            problems.push(Problem::error(path, name.place, what, "give one of them another name"));
        }
    }
}

/// Follows a reference to a name.
fn refer(sort: &str, name: &At<String>, path: &str, known: &[&str], problems: &mut Vec<Problem>) {
    if name.value.is_empty() || known.contains(&name.value.as_str()) {
        return;
    }
    let what = format!("there is no {sort} named `{}`", name.value);
    const LISTED_MAX: usize = 10;
    let cure = match known.len() {
        0 => format!("add it under `{}s`", sort.replace(' ', "_")),
        many if many > LISTED_MAX && nearest::nearest(&name.value, known.iter().copied()).is_none() => {
            format!("add it to the {many} there are, or name one of them")
        }
        _ => nearest::cure(&name.value, known.iter().copied()),
    };
    problems.push(Problem::error(path, name.place, what, cure));
}
