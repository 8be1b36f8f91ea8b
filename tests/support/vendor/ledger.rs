//! What the vendor remembers: every call in order of arrival, and the incidents that the processed
//! ones made. Pure book-keeping; who calls and what is answered is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::rules::{self, Action, Event};

/// One request, from its arrival to its answer.
#[derive(Debug, Clone)]
pub struct Call {
    /// Since the vendor was started.
    pub at: Duration,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What was read from it, when it was valid.
    pub event: Option<Event>,
    /// Whether the event took effect.
    pub processed: bool,
    /// The status answered; `None`: not yet, or never.
    pub answered: Option<u16>,
    /// Why it was refused, or the fault it met.
    pub note: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    Acknowledged,
    Resolved,
}

/// All that happened under one dedup key of one routing key.
#[derive(Debug, Clone)]
pub struct Incident {
    pub routing_key: String,
    pub dedup_key: String,
    pub state: State,
    /// Triggers processed.
    pub triggers: usize,
    /// Resolves processed, those that found nothing open included.
    pub resolves: usize,
    /// How often a trigger found nothing open: the number of incidents on the vendor's list.
    pub opened: usize,
    /// Of the last trigger.
    pub summary: String,
    /// Of the last trigger.
    pub severity: String,
}

/// The vendor's memory.
#[derive(Debug, Default)]
pub struct Ledger {
    pub calls: Vec<Call>,
    /// By routing key and dedup key. A key that was only ever resolved is not in it, as with the real one.
    pub incidents: BTreeMap<(String, String), Incident>,
    /// Requests that have arrived and have not been answered.
    pub in_progress: usize,
}

impl Ledger {
    /// Events that took effect, in order of arrival.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.calls.iter().filter(|call| call.processed).filter_map(|call| call.event.as_ref())
    }

    /// Incidents that are open or acknowledged.
    pub fn open(&self) -> usize {
        self.incidents.values().filter(|incident| incident.state != State::Resolved).count()
    }

    /// The incident with this dedup key, whatever its routing key.
    pub fn incident(&self, dedup_key: &str) -> Option<&Incident> {
        self.incidents.values().find(|incident| incident.dedup_key == dedup_key)
    }

    /// Takes an event as if it had been posted, for tests of those who read ledgers.
    pub fn record(&mut self, body: &str, routing_key: &str) {
        let known = BTreeSet::from([routing_key.to_owned()]);
        let event =
            rules::read("application/json", body.as_bytes(), &known, "made-up").expect("a valid event");
        self.calls.push(Call {
            at: Duration::ZERO,
            method: "POST".to_owned(),
            path: "/v2/enqueue".to_owned(),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            event: Some(event),
            processed: false,
            answered: Some(202),
            note: String::new(),
        });
        self.process(self.calls.len() - 1);
    }

    /// Lets call number `at` take effect.
    pub(super) fn process(&mut self, at: usize) {
        self.calls[at].processed = true;
        let Some(event) = self.calls[at].event.clone() else { return };
        let key = (event.routing_key.clone(), event.dedup_key.clone());
        match (event.action, self.incidents.get_mut(&key)) {
            (Action::Trigger, Some(incident)) => {
                incident.triggers += 1;
                if incident.state == State::Resolved {
                    incident.opened += 1;
                    incident.state = State::Open;
                }
                incident.summary = event.summary;
                incident.severity = event.severity;
            }
            (Action::Trigger, None) => {
                let incident = Incident {
                    routing_key: event.routing_key,
                    dedup_key: event.dedup_key,
                    state: State::Open,
                    triggers: 1,
                    resolves: 0,
                    opened: 1,
                    summary: event.summary,
                    severity: event.severity,
                };
                self.incidents.insert(key, incident);
            }
            (Action::Acknowledge, Some(incident)) if incident.state == State::Open => {
                incident.state = State::Acknowledged;
            }
            (Action::Resolve, Some(incident)) => {
                incident.resolves += 1;
                incident.state = State::Resolved;
            }
            (Action::Acknowledge | Action::Resolve, _) => {}
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.calls.len().saturating_sub(40);
        writeln!(f, "  {} calls, the last of them:", self.calls.len())?;
        for call in &self.calls[skipped..] {
            write!(f, "    {:>9.3}s {} {}", call.at.as_secs_f64(), call.method, call.path)?;
            if let Some(event) = &call.event {
                write!(f, " {:?} {} {:?}", event.action, event.dedup_key, event.summary)?;
            }
            writeln!(f, " -> {:?} processed={} {}", call.answered, call.processed, call.note)?;
        }
        writeln!(f, "  {} incidents, the first of them:", self.incidents.len())?;
        for incident in self.incidents.values().take(20) {
            writeln!(
                f,
                "    {:?} {} {:?}: {} triggers, {} resolves, opened {} times",
                incident.state,
                incident.dedup_key,
                incident.summary,
                incident.triggers,
                incident.resolves,
                incident.opened,
            )?;
        }
        Ok(())
    }
}
