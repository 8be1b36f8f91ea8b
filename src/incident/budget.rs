//! Error budgets: how long a service may be down in a window, and how long it was. A pure core, and
//! the runner that tells Prometheus of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::domain::incident::State;
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::rulebook::{Budget, Rulebooks};
use crate::store::boundary::StoreError;
use crate::store::handle::Store;
use crate::store::incidents::{IncidentFilter, IncidentRecord};

/// How often Prometheus is told anew.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// Incidents that are looked at for one service.
const INCIDENTS_MAX: usize = 10_000;
/// How much older than the window an incident may be that reaches into it; older ones that still go on
/// are known of those that are open.
const REACH: Duration = Duration::from_secs(90 * 24 * 3600);

/// What is left of a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Balance {
    /// Percent of the window in which the service is to be well.
    pub objective: f64,
    /// The window.
    pub window: Duration,
    /// How long it may be down in it.
    pub allowed: Duration,
    /// How long it was.
    pub spent: Duration,
}

impl Balance {
    /// Nothing is left.
    pub fn is_spent(&self) -> bool {
        self.spent >= self.allowed
    }

    /// How much is left, of 1; below 0 when more was spent than there was.
    pub fn left(&self) -> f64 {
        let allowed = self.allowed.as_secs_f64();
        if allowed > 0.0 { 1.0 - self.spent.as_secs_f64() / allowed } else { 0.0 }
    }
}

/// Which incidents count for a service.
pub fn wanted(rule: &Budget, service: &str, now: Timestamp) -> IncidentFilter {
    IncidentFilter {
        levels: rule.levels.clone(),
        service: Some(service.to_owned()),
        since: now.saturating_sub(rule.window + REACH).ok(),
        limit: INCIDENTS_MAX,
        ..IncidentFilter::default()
    }
}

/// What is left, by these incidents of one service. An incident hurts from when its condition began
/// until it is mitigated or over; several at once count once. Those given twice count once.
pub fn balance<'i>(
    rule: &Budget,
    incidents: impl IntoIterator<Item = &'i IncidentRecord>,
    environment: &str,
    now: Timestamp,
) -> Balance {
    let from = now.saturating_sub(rule.window).unwrap_or(Timestamp::MIN);
    let counts = |incident: &&IncidentRecord| {
        let elsewhere = !environment.is_empty()
            && !incident.environment.is_empty()
            && incident.environment != environment;
        rule.levels.contains(&incident.life.level) && !elsewhere
    };
    let hurts = incidents.into_iter().filter(counts).map(|incident| {
        let life = &incident.life;
        let began = incident.started_at.unwrap_or(life.opened_at).min(life.opened_at);
        let ended = if life.state == State::Detected || life.state == State::Acknowledged {
            now
        } else {
            life.mitigated_at.or(life.resolved_at).unwrap_or(now)
        };
        (began.max(from), ended.min(now))
    });
    let allowed = rule.window.mul_f64((1.0 - rule.objective / 100.0).clamp(0.0, 1.0));
    Balance { objective: rule.objective, window: rule.window, allowed, spent: covered(hurts.collect()) }
}

/// How much time these spans cover together.
fn covered(mut spans: Vec<(Timestamp, Timestamp)>) -> Duration {
    spans.retain(|(from, to)| from < to);
    spans.sort_unstable();
    let mut sum = Duration::ZERO;
    let mut last: Option<Timestamp> = None;
    for (from, to) in spans {
        let from = last.map_or(from, |last| last.max(from));
        if to > from {
            sum += to.duration_since(from).unsigned_abs();
        }
        last = Some(last.map_or(to, |last| last.max(to)));
    }
    sum
}

/// Runs until `stop`: what is left by service, of the scarcest budget where it has several.
pub async fn run(
    store: Store,
    books: Rulebooks,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    loop {
        let (rules, now) = (books.current().gate.budgets.clone(), clock.now());
        if !rules.is_empty() {
            match store
                .read(move |reader| {
                    let mut left: BTreeMap<String, f64> = BTreeMap::new();
                    for rule in &rules {
                        for service in &rule.services {
                            let mut found = reader.incidents(&wanted(rule, service, now))?;
                            let open = State::ALL.into_iter().filter(|state| state.is_open()).collect();
                            let open =
                                IncidentFilter { states: open, since: None, ..wanted(rule, service, now) };
                            found.extend(reader.incidents(&open)?);
                            let ratio = balance(rule, &found, "", now).left();
                            let least = left.entry(service.clone()).or_insert(ratio);
                            *least = least.min(ratio);
                        }
                    }
                    Ok::<_, StoreError>(left)
                })
                .await
            {
                Ok(left) => metrics.budgets_left(left),
                Err(error) => tracing::warn!(%error, "what is left of error budgets could not be read"),
            }
        } else {
            metrics.budgets_left([]);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TELL_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::incident::{Incident, Level};

    const HOUR: i64 = 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn rule(objective: f64, hours: u64) -> Budget {
        Budget {
            services: vec!["checkout".into()],
            objective,
            window: Duration::from_secs(hours * 3600),
            levels: vec![Level::P0, Level::P1],
        }
    }

    /// Opened then, began so long before, over then.
    fn incident(level: Level, opened: i64, began: i64, over: Option<i64>) -> IncidentRecord {
        let mut life = Incident::open(level, String::new(), at(opened));
        if let Some(over) = over {
            (life.resolved_at, life.state) = (Some(at(over)), State::Resolved);
        }
        IncidentRecord {
            id: opened,
            key: opened.to_string(),
            life,
            title: String::new(),
            service: "checkout".into(),
            environment: String::new(),
            source: "am".into(),
            started_at: Some(at(opened - began)),
            touched_at: at(opened),
            news: 1,
            escalate_at: None,
        }
    }

    #[test]
    fn computed_by_hand() {
        // 99 % of 100 hours: one hour may be lost. Now is the hundredth hour.
        let rule = rule(99.0, 100);
        let now = at(100 * HOUR);
        let spent = |incidents: &[IncidentRecord]| balance(&rule, incidents, "", now).spent.as_secs();
        let p1 = |from: i64, to: i64| incident(Level::P1, from, 0, Some(to));
        assert_eq!(spent(&[]), 0);
        assert_eq!(spent(&[p1(1000, 1600)]), 600);
        assert_eq!(spent(&[p1(1000, 1600), p1(1300, 1900), p1(5000, 5060)]), 960, "together, then apart");
        assert_eq!(spent(&[p1(1000, 1600), p1(1000, 1600)]), 600, "given twice");
        assert_eq!(spent(&[incident(Level::P2, 1000, 0, Some(1600))]), 0, "not bad enough");
        assert_eq!(spent(&[incident(Level::P0, 1000, 300, Some(1600))]), 900, "it began before it was known");
        assert_eq!(spent(&[p1(-600, 60)]), 60, "what reaches into the window");
        assert_eq!(spent(&[incident(Level::P1, 100 * HOUR - 90, 0, None)]), 90, "what goes on");
        let mut mitigated = p1(1000, 9000);
        mitigated.life.mitigated_at = Some(at(1200));
        assert_eq!(spent(&[mitigated]), 200, "it hurt no longer");
        let whole = balance(&rule, &[p1(0, HOUR)], "", now);
        assert_eq!((whole.allowed.as_secs(), whole.is_spent()), (3600, true));
        let half = balance(&rule, &[p1(0, HOUR / 2)], "", now);
        assert!(!half.is_spent() && (half.left() - 0.5).abs() < 1e-6);
        assert!((balance(&rule, &[p1(0, 2 * HOUR)], "", now).left() + 1.0).abs() < 1e-6, "twice of it");
        let mut staging = p1(1000, 1600);
        staging.environment = "staging".into();
        assert_eq!(balance(&rule, &[staging.clone()], "prod", now).spent.as_secs(), 0, "elsewhere");
        assert_eq!(balance(&rule, &[staging], "", now).spent.as_secs(), 600);
    }

    fn any_incident() -> impl Strategy<Value = IncidentRecord> {
        let level = prop::sample::select(Level::ALL.to_vec());
        (level, -200_i64..900, 0_i64..100, prop::option::of(0_i64..400)).prop_map(
            |(level, opened, began, lasted)| incident(level, opened, began, lasted.map(|for_| opened + for_)),
        )
    }

    proptest! {
        /// The same by counting: a second is lost when something that counts goes on in it.
        #[test]
        fn as_a_naive_computation_says(incidents in prop::collection::vec(any_incident(), 0..20)) {
            let now = at(900);
            let rule = Budget { window: Duration::from_secs(700), ..rule(90.0, 1) };
            let hurts = |second: i64| incidents.iter().any(|incident| {
                let from = incident.started_at.unwrap().as_second();
                let to = incident.life.resolved_at.map_or(900, |over| over.as_second());
                incident.life.level != Level::P2 && from <= second && second < to
            });
            let naive = (200..900).filter(|second| hurts(*second)).count();
            let found = balance(&rule, &incidents, "", now);
            prop_assert_eq!(found.spent.as_secs(), naive as u64);
            prop_assert_eq!(found.is_spent(), naive >= 70);
        }
    }
}
