//! Jobs of incidents: proposed, started, followed to their end, and what follows from that.
//!
//! What comes next is decided purely: by `domain/job` for a run, by [`next`] for an incident. The store
//! makes each step once, with what follows from it; the start itself is a delivery like any other, so
//! all that is promised of deliveries holds for it. [`Runner`] looks twice a second.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::change::{Change, suspects};
use crate::domain::job::{State, Todo, todo};
use crate::domain::message::{JobId, RemoteRef};
use crate::domain::rails::{Facts, Rails, Record, Rule, candidates};
use crate::incident::telling::{failure, start};
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::rulebook::{Rulebook, Rulebooks, TargetRule};
use crate::store::boundary::StoreError;
use crate::store::handle::Store;
use crate::store::jobs::{Asked, Closing, DuePlan, JobMove, JobStep, OpenRun, Proposal};

/// How often it is looked what is to be done.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Runs and incidents looked at in one go.
const LOOKED_AT_MAX: usize = 64;
/// The output of a run that is over is waited for so long, where the platform may not be asked yet.
const OUTPUT_WITHIN: Duration = Duration::from_secs(60);
/// How long before an incident a change may lie, where no incidents are kept by rules.
const CHANGES_WITHIN: Duration = Duration::from_secs(1800);

/// The platforms as the runner reaches them.
pub trait Platforms: Send + Sync + 'static {
    /// How a run stands.
    fn ask(
        &self,
        book: &Rulebook,
        rule: &TargetRule,
        remote: &RemoteRef,
    ) -> impl Future<Output = Asked> + Send;

    /// Ends it early; a sentence where that did not work.
    fn cancel(
        &self,
        book: &Rulebook,
        rule: &TargetRule,
        remote: &RemoteRef,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

/// What the runner works with.
pub struct Runner<P> {
    /// Where runs are kept.
    pub store: Store,
    /// The rules.
    pub books: Rulebooks,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For ends.
    pub metrics: Metrics,
    /// The platforms.
    pub platforms: P,
}

/// The step that is next for an incident.
pub fn next(book: &Rulebook, plan: &DuePlan, now: Timestamp) -> JobMove {
    let incident = plan.about.incident;
    if !plan.is_open || plan.is_busy {
        return JobMove::Rest(incident);
    }
    let about = &plan.about;
    let within = changes_within(book);
    let near = suspects(&plan.changes, &about.service, &about.environment, about.opened_at, within);
    let near: Vec<Change> = near.into_iter().map(|(_, change)| change).collect();
    let facts = Facts { level: about.level, environment: &about.environment, changes: &near };
    let rules = book.jobs.rules.iter().map(|rule| &rule.rule);
    let untried = rules.filter(|rule| {
        let is_named = |names: &[String]| names.iter().any(|name| **name == *rule.name);
        is_named(&plan.rules) && !is_named(&plan.tried) && book.targets.contains_key(&rule.target)
    });
    let Some((rule, change)) = candidates(untried, &facts, &plan.records).into_iter().next() else {
        return JobMove::Rest(incident);
    };
    let until = now.saturating_add(book.jobs.limits.approve_within).unwrap_or(Timestamp::MAX);
    JobMove::Propose(Box::new(Proposal {
        incident,
        rule: Arc::clone(&rule.name),
        target: Arc::clone(&rule.target),
        stops_when_over: rule.stops_when_over,
        approve_until: rule.approval.then_some(until),
        timeout: u32::try_from(rule.timeout.as_secs()).unwrap_or(u32::MAX),
        change: change.filter(|_| !rule.after_change.is_empty()).cloned(),
        rails: rails(book, rule),
        known: plan.records.get(&*rule.name).map(known).unwrap_or_default(),
    }))
}

fn changes_within(book: &Rulebook) -> Duration {
    book.incidents.as_ref().map_or(CHANGES_WITHIN, |rules| rules.changes_within)
}

fn rails(book: &Rulebook, rule: &Rule) -> Rails {
    Rails { cooldown: rule.cooldown, limits: book.jobs.limits }
}

/// `succeeded 9 of 10 times`
fn known(record: &Record) -> String {
    match record.runs {
        0 => String::new(),
        runs => format!("succeeded {} of {runs} times", record.good),
    }
}

/// What is drawn from the end of a run.
fn closing(book: &Rulebook, open: &OpenRun, output: String, uid: Uuid, now: Timestamp) -> Closing {
    let run = &open.run;
    let rule = book.jobs.named(&run.rule);
    let written = if output.is_empty() { open.output.as_str() } else { output.as_str() };
    let event = match rule {
        Some(rule) if run.state == State::Failed => failure(book, rule, open, written, uid, now),
        _ => None,
    };
    Closing {
        run: run.id,
        state: run.state,
        event: event.map(Box::new),
        resolves: run.state == State::Succeeded && rule.is_some_and(|rule| rule.resolves),
        // Whoever says no to one may say yes to another. Where nobody says anything, or nothing may
        // be started, nothing more is asked; nor while nobody knows what the last one did.
        goes_on: match run.state {
            State::Failed | State::Declined => true,
            // The service rests from this one: another may help.
            State::Refused => open.reason.ends_with("(cooldown)"),
            _ => false,
        },
        output,
    }
}

/// Runs whose platform is being spoken to just now: nobody waits for a slow one.
#[derive(Default)]
struct Talks {
    tasks: JoinSet<JobId>,
    about: BTreeSet<JobId>,
}

impl<P: Platforms> Runner<P> {
    /// Moves jobs as they come due, until `stop`.
    pub async fn run(self, seed: u64, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut talks = Talks::default();
        // What an earlier run of the relay left is looked for, whatever the rules are now.
        let mut is_busy = true;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let book = this.books.current();
            if book.jobs.rules.is_empty() && !is_busy {
                continue;
            }
            match this.look(&book, &mut talks, &mut dice).await {
                Ok(found) => is_busy = found,
                Err(error) => tracing::error!(%error, "a job could not be moved; trying again"),
            }
        }
    }

    /// One look; whether anything goes on.
    async fn look(
        self: &Arc<Self>,
        book: &Arc<Rulebook>,
        talks: &mut Talks,
        dice: &mut fastrand::Rng,
    ) -> Result<bool, StoreError> {
        while let Some(ended) = talks.tasks.try_join_next() {
            match ended {
                Ok(id) => drop(talks.about.remove(&id)),
                Err(_) => talks.about.clear(),
            }
        }
        let runs = self.store.read(|reader| reader.open_runs(LOOKED_AT_MAX)).await?;
        let goes_on = !runs.is_empty();
        for open in runs {
            if talks.about.contains(&open.run.id) {
                continue;
            }
            let (now, uid) = (self.clock.now(), self.fresh_id(dice));
            let what = todo(&open.run, open.incident_is_open, now);
            if speaks(&open, what) {
                let (this, book, id) = (Arc::clone(self), Arc::clone(book), open.run.id);
                talks.about.insert(id);
                talks.tasks.spawn(async move {
                    if let Err(error) = this.speak(&book, &open, what, uid).await {
                        tracing::error!(%error, job = id, "a job could not be moved; trying again");
                    }
                    id
                });
            } else if let Some(step) = step(book, &open, what, uid, now) {
                self.make(book, uid, &open, step).await?;
            }
        }
        let within = changes_within(book);
        let plans = self.store.read(move |reader| reader.due_plans(within, LOOKED_AT_MAX)).await?;
        for plan in &plans {
            let what = next(book, plan, self.clock.now());
            self.move_job(book, self.fresh_id(dice), what).await?;
        }
        Ok(goes_on || !plans.is_empty())
    }

    /// A step for which the platform is spoken to first.
    async fn speak(&self, book: &Rulebook, open: &OpenRun, what: Todo, uid: Uuid) -> Result<(), StoreError> {
        let (Some(rule), Some(remote)) = (book.target(&open.run.target), &open.run.remote) else {
            let trouble = "its target is not configured any more, so the platform cannot be asked".to_owned();
            let asked = Asked { trouble, ..Asked::default() };
            return self.make(book, uid, open, JobMove::Asked(open.run.id, Box::new(asked))).await;
        };
        let mut trouble = None;
        if what == Todo::Cancel {
            trouble = self.platforms.cancel(book, &rule, remote).await.err();
        }
        let mut asked = self.platforms.ask(book, &rule, remote).await;
        let waited = self.clock.now().duration_since(open.run.due).unsigned_abs();
        if what == Todo::Close && asked.not_before.is_some() && waited < OUTPUT_WITHIN {
            return Ok(());
        }
        if let Some(trouble) = trouble.filter(|_| asked.ended_well.is_none()) {
            asked.trouble = format!("it could not be cancelled: {trouble}");
        }
        let step = match what {
            Todo::Close => JobMove::Close(Box::new(closing(book, open, asked.output, uid, self.clock.now()))),
            _ => JobMove::Asked(open.run.id, Box::new(asked)),
        };
        self.make(book, uid, open, step).await
    }

    async fn make(
        &self,
        book: &Rulebook,
        uid: Uuid,
        open: &OpenRun,
        what: JobMove,
    ) -> Result<(), StoreError> {
        let (run, is_end) = (&open.run, matches!(what, JobMove::Close(_)));
        tracing::info!(job = run.id, incident = run.incident, rule = run.rule, state = %run.state, "a job moves");
        self.move_job(book, uid, what).await?;
        if is_end {
            self.metrics.job_ended(&run.rule, run.state.as_str());
        }
        Ok(())
    }

    async fn move_job(&self, book: &Rulebook, uid: Uuid, what: JobMove) -> Result<(), StoreError> {
        let cast = Arc::new(book.cast());
        self.store.move_job(JobStep { at: self.clock.now(), uid, cast, what }).await
    }

    fn fresh_id(&self, dice: &mut fastrand::Rng) -> Uuid {
        let mut random = [0; 10];
        dice.fill(&mut random);
        let millis = u64::try_from(self.clock.now().as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// Whether the platform is spoken to for this: one that told of its end by itself is still asked what
/// it has written.
fn speaks(open: &OpenRun, what: Todo) -> bool {
    let ended = matches!(open.run.state, State::Succeeded | State::Failed);
    match what {
        Todo::Ask | Todo::Cancel => true,
        Todo::Close => ended && !open.run.has_output && open.run.remote.is_some(),
        _ => false,
    }
}

/// A step that needs nobody else.
fn step(book: &Rulebook, open: &OpenRun, what: Todo, uid: Uuid, now: Timestamp) -> Option<JobMove> {
    let id = open.run.id;
    Some(match what {
        Todo::Wait | Todo::Ask | Todo::Cancel => return None,
        Todo::Expire if open.incident_is_open => JobMove::Expire(id, "nobody said yes in time"),
        Todo::Expire => JobMove::Expire(id, "the incident is over"),
        Todo::Start => match book.jobs.named(&open.run.rule) {
            Some(rule) => JobMove::Start {
                run: id,
                rails: rails(book, rule),
                event: start(book, rule, open, uid, now).map(Box::new),
            },
            None => JobMove::Expire(id, "its rule is not configured any more"),
        },
        Todo::Withdraw => JobMove::Withdraw(id),
        Todo::Stop(stop) => JobMove::Stop(id, stop),
        Todo::GiveUp => JobMove::GiveUp(id),
        Todo::Close => JobMove::Close(Box::new(closing(book, open, String::new(), uid, now))),
    })
}
