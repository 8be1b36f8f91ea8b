//! Jobs of incidents over the admin interface: what was run, what is proposed, and what each rule came
//! to.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::domain::rails::Record;
use crate::rulebook::JobRule;
use crate::server::answer::{self, Answer};
use crate::server::ordering::stumbled;
use crate::server::query::{Query, Refusal};
use crate::server::state::State;
use crate::store::incidents::IncidentId;
use crate::store::jobs::{JobFilter, JobRecord};

/// Rows of an answer, unless asked otherwise.
const ROWS: usize = 100;
/// Most rows of an answer.
const ROWS_MAX: usize = 1000;

/// The runs of one incident, in order.
pub(super) async fn of_incident(app: &State, incident: IncidentId) -> Result<Vec<Value>, Refusal> {
    let filter = JobFilter { incident: Some(incident), limit: ROWS, ..JobFilter::default() };
    let found = app.store.read(move |reader| reader.jobs(&filter)).await.map_err(stumbled)?;
    Ok(found.iter().rev().map(|job| job_json(job, true)).collect())
}

/// Answers `GET /api/v1/jobs`; whoever asks has been admitted.
pub(super) async fn list(app: &State, query: &str) -> Result<Answer, Refusal> {
    let query = Query::read(query, &["rule", "limit"])?;
    let filter = JobFilter {
        rule: query.text("rule").map(str::to_owned),
        limit: query.limit(ROWS, ROWS_MAX)?,
        ..JobFilter::default()
    };
    let read = move |reader: &mut dyn crate::store::reader::Reader| {
        Ok((reader.jobs(&filter)?, reader.job_records()?))
    };
    let (found, records) = app.store.read(read).await.map_err(stumbled)?;
    let book = app.books.current();
    let rule = |rule: &JobRule| rule_json(rule, records.get(&*rule.rule.name));
    let rules: Vec<Value> = book.jobs.rules.iter().map(rule).collect();
    let jobs: Vec<Value> = found.iter().map(|job| job_json(job, false)).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "rules": rules, "jobs": jobs })))
}

fn rule_json(rule: &JobRule, record: Option<&Record>) -> Value {
    let record = record.copied().unwrap_or_default();
    let known = record.runs > 0;
    json!({
        "name": &*rule.rule.name,
        "target": &*rule.rule.target,
        "approval": rule.rule.approval,
        "runs": record.runs,
        "succeeded": record.good,
        "success_rate": known.then(|| record.success_rate()),
        "weight": record.weight(),
        "mean_seconds": known.then_some(record.mean_seconds),
    })
}

fn job_json(job: &JobRecord, whole: bool) -> Value {
    let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
    let mut shown = json!({
        "id": job.id,
        "incident": job.incident,
        "rule": job.rule,
        "target": job.target,
        "state": job.state.as_str(),
        "proposed_at": job.proposed_at.to_string(),
        "decided_by": job.who,
        "started_at": time(job.started_at),
        "running_at": time(job.running_at),
        "ended_at": time(job.ended_at),
        "run": job.remote,
        "platform_state": job.word,
        "reason": job.reason,
    });
    if whole {
        shown["output"] = job.output.as_str().into();
    }
    shown
}
