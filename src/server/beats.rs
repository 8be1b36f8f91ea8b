//! Heartbeats: alerts that must keep coming. Pure: what arrived and now come in, what is missing
//! goes out.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::domain::alert::{Alert, Status};
use crate::domain::own_alerts::Own;
use crate::rulebook::Heartbeat;

/// When each heartbeat was last heard.
#[derive(Debug, Default)]
pub struct Beats(HashMap<String, Beat>);

#[derive(Debug, Clone, Copy)]
struct Beat {
    last: Timestamp,
    /// It has been heard, and not only waited for since the start.
    heard: bool,
}

impl Beats {
    /// Takes in an alert that arrived.
    pub fn hear(&mut self, heartbeats: &[Heartbeat], alert: &Alert, now: Timestamp) {
        if alert.status == Status::Firing {
            for beat in
                heartbeats.iter().filter(|beat| beat.matchers.iter().all(|m| m.matches(&alert.labels)))
            {
                self.0.insert(beat.name.clone(), Beat { last: now, heard: true });
            }
        }
    }

    /// What is missing and what has come back. One that has never been heard counts from `now`
    /// on: a relay that has just started must not cry.
    pub fn look(&mut self, heartbeats: &[Heartbeat], now: Timestamp) -> Vec<(Own, String)> {
        self.0.retain(|name, _| heartbeats.iter().any(|beat| beat.name == *name));
        let mut found = Vec::new();
        for beat in heartbeats {
            let Beat { last, heard } =
                *self.0.entry(beat.name.clone()).or_insert(Beat { last: now, heard: false });
            let name = beat.name.clone();
            let silent = now.duration_since(last).unsigned_abs();
            if silent > beat.every {
                let reason = format!("last heard {last:.0}, expected every {} s", beat.every.as_secs());
                found.push((Own::HeartbeatMissing { name, reason }, beat.receiver.clone()));
            } else if heard {
                found.push((Own::HeartbeatBack { name }, beat.receiver.clone()));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::alert::{Fingerprint, Labels};
    use crate::route::matcher::parse_matchers;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_heartbeat_is_missed_and_comes_back() {
        let watchdog = [Heartbeat {
            name: "prometheus-alive".into(),
            matchers: parse_matchers("alertname=Watchdog").unwrap().matchers,
            every: Duration::from_secs(300),
            receiver: "oncall".into(),
        }];
        let alert = |name: &str| Alert {
            status: Status::Firing,
            labels: Labels::from([("alertname".into(), name.into())]),
            annotations: Labels::new(),
            starts_at: None,
            ends_at: None,
            generator_url: String::new(),
            fingerprint: Fingerprint(1),
            extra: serde_json::Map::new(),
        };
        let missing = |beats: &mut Beats, now| {
            matches!(beats.look(&watchdog, at(now)).as_slice(), [(Own::HeartbeatMissing { .. }, _)])
        };
        let beats = &mut Beats::default();
        assert!(!missing(beats, 0), "it has just started");
        assert!(!missing(beats, 300));
        assert!(missing(beats, 301));
        beats.hear(&watchdog, &alert("Other"), at(302));
        assert!(missing(beats, 302));
        beats.hear(&watchdog, &alert("Watchdog"), at(303));
        assert!(!missing(beats, 303));
    }
}
