//! May a pipeline deploy now? Pure: the rules, the open incidents and the time come in, the reasons
//! why not go out.

use jiff::Timestamp;

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

/// Why not; none: it may. `open` are incidents that go on.
pub fn reasons(
    rules: &GateRules,
    intervals: &Intervals,
    open: &[IncidentRecord],
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
    let hurts = |incident: &&IncidentRecord| {
        let elsewhere = !plan.environment.is_empty()
            && !incident.environment.is_empty()
            && incident.environment != plan.environment;
        incident.service == plan.service && !elsewhere && rules.levels.contains(&incident.life.level)
    };
    reasons.extend(open.iter().filter(hurts).map(|incident| {
        let life = &incident.life;
        format!("incident {} ({}) is {}: {}", incident.id, life.level, life.state, incident.title)
    }));
    reasons
}
