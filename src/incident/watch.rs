//! Looks what became of incidents, for the histograms that Prometheus reads. What was missed while
//! the relay did not run is in the report, which reads the store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::store::handle::Store;
use crate::store::incidents::IncidentRecord;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What is kept takes a moment from when it happened; what was counted is remembered as long.
const OVERLAP: Duration = Duration::from_secs(120);

/// What was counted: incident, stage, when.
type Counted = BTreeSet<(Timestamp, i64, &'static str)>;

/// One stage that an incident came to the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// `acknowledge` or `resolve`.
    pub stage: &'static str,
    /// How bad it was.
    pub level: &'static str,
    /// After so long.
    pub after: Duration,
}

/// What is new among these since `from`, and remembers it.
pub fn news(found: &[IncidentRecord], from: Timestamp, counted: &mut Counted) -> Vec<Ended> {
    let mut ended = Vec::new();
    for incident in found {
        let life = &incident.life;
        for (stage, at) in [("acknowledge", life.acknowledged_at), ("resolve", life.resolved_at)] {
            let Some(at) = at.filter(|at| *at >= from) else { continue };
            if counted.insert((at, incident.id, stage)) {
                let after = at.duration_since(life.opened_at).unsigned_abs();
                ended.push(Ended { stage, level: life.level.as_str(), after });
            }
        }
    }
    counted.retain(|(at, _, _)| *at >= from);
    ended
}

/// Runs until `stop`.
pub async fn run(store: Store, metrics: Metrics, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut counted = Counted::new();
    let began = clock.now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let from = clock.now().saturating_sub(OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH).max(began);
        match store.read(move |reader| reader.moved(from)).await {
            Ok(found) => {
                for Ended { stage, level, after } in news(&found, from, &mut counted) {
                    metrics.incident_moved(stage, level, after);
                }
            }
            Err(error) => tracing::warn!(%error, "what became of incidents could not be read"),
        }
    }
}
