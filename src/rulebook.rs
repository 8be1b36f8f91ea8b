//! Everything of the configuration, checked, compiled and frozen, behind one swap pointer.
//!
//! `assemble.rs` makes it; intake and delivery read it. A reload makes a new one and swaps it in;
//! whoever is in the middle of something ends it with the one it began with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use jiff::Timestamp;

use crate::auth::admin::Admin;
use crate::auth::check::Auth;
use crate::client::TimeLimits;
use crate::config::server::RemovedTargets;
use crate::domain::delivery::RetryPolicy;
use crate::domain::incident::{Level, Policy, Step};
use crate::domain::message::Action;
use crate::domain::rails::{Limits, Rule};
use crate::domain::reminders::Reminders;
use crate::domain::secret::Redactor;
use crate::pace::breaker::BreakerPolicy;
use crate::pace::bucket::{Pace, Rate};
use crate::pace::quota::Quota;
use crate::route::enrich::Enrichment;
use crate::route::inhibit::InhibitRule;
use crate::route::interval::Intervals;
use crate::route::matcher::Matcher;
use crate::route::rota::Rota;
use crate::route::tree::Tree;
use crate::source::contract::Source;
use crate::store::hearing::{Cast, Part};
use crate::target::contract::{Repeat, Target};
use crate::template::library::Template;

/// The rulebook in force. Clones share the pointer.
#[derive(Debug, Clone)]
pub struct Rulebooks(Arc<ArcSwap<Rulebook>>);

impl Rulebooks {
    /// Puts the first one in force.
    pub fn new(first: Rulebook) -> Rulebooks {
        Rulebooks(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// The one in force now.
    pub fn current(&self) -> Arc<Rulebook> {
        self.0.load_full()
    }

    /// Puts another one in force.
    pub fn replace(&self, next: Rulebook) {
        self.0.store(Arc::new(next));
    }
}

/// The frozen configuration.
#[derive(Debug)]
pub struct Rulebook {
    /// Who may post, by name.
    pub sources: BTreeMap<String, SourceRule>,
    /// Who may use the admin interface.
    pub admin: Admin,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Labels added before routing, in order.
    pub enrich: Vec<Enrichment>,
    /// Which receiver an alert reaches.
    pub tree: Tree,
    /// Named time intervals.
    pub intervals: Intervals,
    /// Which alerts silence which.
    pub inhibit: Vec<InhibitRule>,
    /// Names of targets by name of receiver.
    pub receivers: HashMap<String, Vec<Arc<str>>>,
    /// Who is told when nobody acknowledges, by name of receiver.
    pub escalations: HashMap<String, Vec<Step>>,
    /// How problems are kept as incidents; `None`: they are not.
    pub incidents: Option<IncidentRules>,
    /// When a pipeline may not deploy.
    pub gate: GateRules,
    /// Which jobs may help.
    pub jobs: JobRules,
    /// Who is told of changes.
    pub announce: Vec<Announce>,
    /// Where people are reached: names of targets.
    pub people: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// Who is on call when.
    pub rotas: BTreeMap<Arc<str>, Rota>,
    /// Destinations by name.
    pub targets: BTreeMap<Arc<str>, Arc<TargetRule>>,
    /// Hunts for every secret of this configuration.
    pub redactor: Redactor,
    /// Public base URL of this relay; may be empty.
    pub external_url: String,
    /// Alerts that must keep coming.
    pub heartbeats: Vec<Heartbeat>,
    /// The same news again within this time makes no new delivery.
    pub dedup_window: Duration,
    /// Bytes of a body that are taken.
    pub body_limit: usize,
    /// How long finished events are kept.
    pub keep_events: Duration,
    /// How long it is kept what people ordered.
    pub keep_audit: Duration,
    /// Bytes of the store beyond which the oldest that is over goes first, whatever its age.
    pub disk_limit: u64,
    /// Read the files again when they change.
    pub watch: bool,
    /// What becomes of what removed targets are owed.
    pub removed_targets: RemovedTargets,
    /// Targets that are not in it any more and that are still owed something.
    pub former: Formers,
}

impl Rulebook {
    /// What speaks to this target: as configured, or as it was when it is being drained.
    pub fn target(&self, name: &str) -> Option<Arc<TargetRule>> {
        let former = || self.former.current().get(name).filter(|former| former.drains)?.rule.clone();
        self.targets.get(name).cloned().or_else(former)
    }

    /// What each target can be told.
    pub fn cast(&self) -> Cast {
        let ends = self.incidents.as_ref().is_some_and(|rules| rules.tickets.ends);
        let part = |rule: &Arc<TargetRule>| {
            let part = Part {
                acknowledges: rule.target.says(Action::Acknowledge),
                mirrors: rule.target.mirrors(),
                talks: rule.target.talks(),
                ends: ends && rule.target.keeps_tickets(),
            };
            (rule.name.to_string(), part)
        };
        Cast(self.spoken_to().iter().map(part).collect())
    }

    /// All that are spoken to: as configured, and those that are being drained.
    pub fn spoken_to(&self) -> Vec<Arc<TargetRule>> {
        let formers = self.former.current();
        let gone = formers.iter().filter(|(name, former)| former.drains && !self.targets.contains_key(*name));
        let drained = gone.filter_map(|(_, former)| former.rule.clone());
        self.targets.values().cloned().chain(drained).collect()
    }
}

/// Targets that were taken out of the configuration while they are owed something or have something
/// open: their resolves are still kept for them. The one thing of a rulebook that is not frozen: what
/// earlier runs left behind is found after the start.
#[derive(Debug, Clone, Default)]
pub struct Formers(Arc<ArcSwap<BTreeMap<Arc<str>, Former>>>);

/// A target that was taken out.
#[derive(Debug, Clone)]
pub struct Former {
    /// What it was; `None`: it was taken out before this process began.
    pub rule: Option<Arc<TargetRule>>,
    /// Its old settings go on working.
    pub drains: bool,
}

impl Formers {
    /// As they are known now.
    pub fn current(&self) -> Arc<BTreeMap<Arc<str>, Former>> {
        self.0.load_full()
    }

    /// From now on it is these.
    pub fn replace(&self, formers: BTreeMap<Arc<str>, Former>) {
        self.0.store(Arc::new(formers));
    }
}

impl Rulebook {
    /// Who is on call, by rota; where nobody is, the text is empty.
    pub fn on_call(&self, now: Timestamp) -> BTreeMap<String, String> {
        let who = |rota: &Rota| rota.at(&self.intervals, now).map(ToString::to_string).unwrap_or_default();
        self.rotas.iter().map(|(name, rota)| (name.to_string(), who(rota))).collect()
    }
}

/// An alert that must keep coming; when it does not, that is an alert.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Its name.
    pub name: String,
    /// What counts as a beat: all must match.
    pub matchers: Vec<Matcher>,
    /// Longest time between two beats.
    pub every: Duration,
    /// Who is told.
    pub receiver: String,
}

/// Which jobs may help, and what goes for all of them.
#[derive(Debug, Clone)]
pub struct JobRules {
    /// In the order of the file.
    pub rules: Vec<JobRule>,
    /// Of all of them together.
    pub limits: Limits,
}

impl JobRules {
    /// A rule by its name.
    pub fn named(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().map(|rule| &rule.rule).find(|rule| *rule.name == *name)
    }
}

/// A rule, and for which alerts it is.
#[derive(Debug, Clone)]
pub struct JobRule {
    /// All must match.
    pub matchers: Vec<Matcher>,
    /// The rest.
    pub rule: Rule,
}

/// Who is told of which changes.
#[derive(Debug, Clone)]
pub struct Announce {
    /// Which: all must match.
    pub matchers: Vec<Matcher>,
    /// These are told; they have a word for it.
    pub targets: Vec<Arc<str>>,
}

/// When a pipeline may not deploy.
#[derive(Debug, Clone, Default)]
pub struct GateRules {
    /// An open incident of one of these levels denies for its service.
    pub levels: Vec<Level>,
    /// When nothing is to be deployed.
    pub freezes: Vec<Freeze>,
    /// How long services may be down.
    pub budgets: Vec<Budget>,
}

/// How long services may be down.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Each of these by itself.
    pub services: Vec<String>,
    /// Percent of the window in which it is to be well; above 0 and below 100.
    pub objective: f64,
    /// How far back is looked.
    pub window: Duration,
    /// What counts: incidents of these levels.
    pub levels: Vec<Level>,
}

/// A time when nothing is to be deployed.
#[derive(Debug, Clone)]
pub struct Freeze {
    /// What it is called.
    pub name: String,
    /// Names of time intervals.
    pub during: Vec<String>,
    /// For these services; empty: for all.
    pub services: Vec<String>,
    /// In these environments; empty: in all.
    pub environments: Vec<String>,
}

/// How problems are kept as incidents.
#[derive(Debug, Clone)]
pub struct IncidentRules {
    /// How bad: the first of which all matchers match.
    pub levels: Vec<(Vec<Matcher>, Level)>,
    /// Labels that say whose.
    pub owner: Vec<String>,
    /// Labels that say what hurts.
    pub service: Vec<String>,
    /// Labels that say where.
    pub environment: Vec<String>,
    /// What belongs to the same root.
    pub merge: Vec<Merge>,
    /// When escalations wait.
    pub quiet: Vec<Quiet>,
    /// How long before an incident a change may lie that is shown with it.
    pub changes_within: Duration,
    /// How tickets are followed.
    pub tickets: TicketRules,
    /// The rest.
    pub policy: Policy,
}

/// How tickets are followed.
#[derive(Debug, Clone)]
pub struct TicketRules {
    /// How often they are asked after while they are young; zero: never.
    pub every: Duration,
    /// The incident is over when a ticket of it is closed.
    pub ends: bool,
    /// When somebody is reminded of one that nobody has taken; zero: never.
    pub remind_after: Duration,
    /// Who is reminded besides: names of targets.
    pub remind: Vec<Arc<str>>,
}

/// What belongs to the same root.
#[derive(Debug, Clone)]
pub struct Merge {
    /// Which alerts: all must match.
    pub matchers: Vec<Matcher>,
    /// Labels that must have the same values.
    pub equal: Vec<String>,
    /// How young the incident must be that others join.
    pub within: Duration,
}

/// When escalations wait.
#[derive(Debug, Clone)]
pub struct Quiet {
    /// For incidents of these levels.
    pub levels: Vec<Level>,
    /// During these time intervals.
    pub during: Vec<String>,
}

/// One configured source.
#[derive(Debug)]
pub struct SourceRule {
    /// Its dialect's name.
    pub kind: &'static str,
    /// Its dialect.
    pub source: Box<dyn Source>,
    /// Who may post to it.
    pub auth: Auth,
}

/// Whether a target hears of a group as one problem or of each alert by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// One lane a group.
    Group,
    /// One lane an alert.
    Alert,
}

/// Who is told when a target does not take what it is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// These.
    pub targets: Vec<Arc<str>>,
    /// Once it has waited this long.
    pub after: Duration,
    /// Or once this many tries have failed.
    pub attempts: Option<u32>,
}

/// One configured target.
#[derive(Debug)]
pub struct TargetRule {
    /// Its name.
    pub name: Arc<str>,
    /// Its kind's name.
    pub kind: &'static str,
    /// What speaks to it.
    pub target: Box<dyn Target>,
    /// How groups are split for it.
    pub per: Per,
    /// The operator's own dedup key.
    pub dedup_key: Option<Template>,
    /// How many calls in a time.
    pub rate: Rate,
    /// When to try again and when to stop.
    pub retry: RetryPolicy,
    /// What may follow an unknown outcome.
    pub repeat: Repeat,
    /// Time limits of one call.
    pub limits: TimeLimits,
    /// Calls at once.
    pub concurrency: usize,
    /// When to leave it alone for a while.
    pub breaker: BreakerPolicy,
    /// Messages that wait for the rate limit go out as one.
    pub digest: bool,
    /// What it hears of what goes on unchanged.
    pub reminders: Reminders,
    /// How often it may be asked how things stand, beside `rate`.
    pub inquiries: Pace,
    /// How many calls may be paid for; `None`: they cost nothing.
    pub quota: Option<Quota>,
    /// Who is told instead.
    pub fallback: Option<Fallback>,
    /// Whether it wants to hear that something is over.
    pub send_resolved: bool,
    /// Show what would be sent instead of sending it.
    pub dry_run: bool,
}
