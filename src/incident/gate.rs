//! May a pipeline deploy now? Pure: the rules, the open incidents and the time come in, the reasons
//! why not go out.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::freeze::Freeze;
use crate::incident::budget::Balance;
use crate::route::interval::Intervals;
use crate::rulebook::GateRules;
use crate::store::incidents::IncidentRecord;

/// What is to be deployed, and where; an empty environment is any.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The service.
    pub service: &'a str,
    /// The environment.
    pub environment: &'a str,
}

/// What is known of the service.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Incidents that go on.
    pub open: &'a [IncidentRecord],
    /// Freezes that people set.
    pub freezes: &'a [Freeze],
    /// What is left of its error budgets.
    pub balances: &'a [Balance],
}

/// Why not; none: it may.
pub fn reasons(
    rules: &GateRules,
    intervals: &Intervals,
    known: Known<'_>,
    plan: Plan<'_>,
    now: Timestamp,
) -> Vec<String> {
    let names = |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
    let freezes = rules.freezes.iter().filter(|freeze| {
        names(&freeze.services, plan.service)
            && (plan.environment.is_empty() || names(&freeze.environments, plan.environment))
            && intervals.open(&freeze.during, &[], now).is_ok()
    });
    let mut reasons: Vec<String> = freezes.map(|freeze| format!("frozen: {}", freeze.name)).collect();
    let set = known.freezes.iter();
    let set = set.filter(|freeze| freeze.stands(now) && freeze.concerns(plan.service, plan.environment));
    reasons.extend(set.map(|freeze| {
        let (until, who, why) = (freeze.set.until, &freeze.who, &freeze.set.reason);
        format!("frozen until {until:.0} by {who}: {why} (freeze {})", freeze.id)
    }));
    let hurts = |incident: &&IncidentRecord| {
        let elsewhere = !plan.environment.is_empty()
            && !incident.environment.is_empty()
            && incident.environment != plan.environment;
        incident.service == plan.service && !elsewhere && rules.levels.contains(&incident.life.level)
    };
    reasons.extend(known.open.iter().filter(hurts).map(|incident| {
        let life = &incident.life;
        format!("incident {} ({}) is {}: {}", incident.id, life.level, life.state, incident.title)
    }));
    reasons.extend(known.balances.iter().filter(|balance| balance.is_spent()).map(|balance| {
        let minutes = |time: Duration| time.as_secs().div_ceil(60);
        format!(
            "the error budget is spent: down for {} of {} min in the last {} days",
            minutes(balance.spent),
            minutes(balance.allowed),
            balance.window.as_secs() / (24 * 3600)
        )
    }));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::incident::{Incident, Level};

    fn incident(service: &str, environment: &str, level: Level) -> IncidentRecord {
        IncidentRecord {
            id: 7,
            key: "k".into(),
            life: Incident::open(level, String::new(), Timestamp::UNIX_EPOCH),
            title: "it hurts".into(),
            service: service.into(),
            environment: environment.into(),
            source: "am".into(),
            started_at: None,
            touched_at: Timestamp::UNIX_EPOCH,
            news: 1,
            escalate_at: None,
        }
    }

    #[test]
    fn an_incident_denies_for_its_service_where_it_is_and_if_it_is_bad_enough() {
        let rules =
            GateRules { levels: vec![Level::P0, Level::P1], freezes: Vec::new(), budgets: Vec::new() };
        let cases = [
            ("shop", "prod", Level::P1, "prod", true),
            ("shop", "prod", Level::P2, "prod", false),
            ("cart", "prod", Level::P0, "prod", false),
            ("shop", "prod", Level::P0, "staging", false),
            ("shop", "prod", Level::P0, "", true),
            ("shop", "", Level::P0, "staging", true),
        ];
        for (service, environment, level, planned, denies) in cases {
            let open = [incident(service, environment, level)];
            let known = Known { open: &open, freezes: &[], balances: &[] };
            let plan = Plan { service: "shop", environment: planned };
            let found = reasons(&rules, &Intervals::default(), known, plan, Timestamp::UNIX_EPOCH);
            let expected = format!("incident 7 ({level}) is detected: it hurts");
            let expected: &[String] = if denies { &[expected] } else { &[] };
            assert_eq!(found, expected, "{service} in {environment:?} at {level}, planned in {planned:?}");
        }
    }
}
