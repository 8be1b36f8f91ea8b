//! Alerts that end by themselves: the push interface gives each firing alert a time until which it
//! is to be believed. One that is not told again by then is over, as it is for Alertmanager.
//!
//! Pure: groups and now come in, groups that are over go out.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::alert::{AlertGroup, Fingerprint, Status};

/// Alerts that may be watched; about 1 KiB each. One more is believed until it is resolved.
const WATCHED_MAX: usize = 50_000;

type Key = (String, Fingerprint);

/// The alerts that are believed until a certain time.
#[derive(Debug, Default)]
pub struct Expiries {
    watched: HashMap<Key, (Timestamp, Arc<AlertGroup>, u32)>,
    due: BTreeSet<(Timestamp, Key)>,
}

impl Expiries {
    /// Takes in what was accepted.
    pub fn hear(&mut self, groups: &[Arc<AlertGroup>]) {
        for group in groups {
            for (place, alert) in (0_u32..).zip(&group.alerts) {
                let until = alert.ends_at.filter(|_| alert.status == Status::Firing);
                if until.is_none() && self.watched.is_empty() {
                    continue;
                }
                let key = (group.source.clone(), alert.fingerprint);
                if let Some((before, _, _)) = self.watched.remove(&key) {
                    self.due.remove(&(before, key.clone()));
                }
                if let Some(until) = until
                    && self.watched.len() < WATCHED_MAX
                {
                    self.due.insert((until, key.clone()));
                    self.watched.insert(key, (until, Arc::clone(group), place));
                }
            }
        }
    }

    /// What is over by now: each alert in a group of its own, resolved at its time.
    pub fn over(&mut self, now: Timestamp) -> Vec<AlertGroup> {
        let mut over = Vec::new();
        while let Some((until, key)) = self.due.first().cloned() {
            if until > now {
                break;
            }
            self.due.pop_first();
            if let Some((_, group, place)) = self.watched.remove(&key) {
                let mut part = group.part(&[place]);
                part.alerts.iter_mut().for_each(|alert| alert.status = Status::Resolved);
                over.push(part);
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::contract::{Arrival, Source};
    use crate::source::push::Push;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn posted(body: &str, now: i64) -> Vec<Arc<AlertGroup>> {
        let arrival = Arrival { source: "prometheus", headers: &[], body: body.as_bytes(), at: at(now) };
        Push::default().read(&arrival).unwrap().groups.into_iter().map(Arc::new).collect()
    }

    const FIRING: &str = r#"[{"labels":{"alertname":"Down"},"startsAt":"2023-11-14T22:13:20Z"}]"#;

    #[test]
    fn what_is_not_told_again_is_over_after_five_minutes() {
        let mut expiries = Expiries::default();
        expiries.hear(&posted(FIRING, 0));
        expiries.hear(&posted(FIRING, 60));
        assert_eq!(expiries.over(at(359)), []);
        let over = expiries.over(at(360));
        assert_eq!(over.len(), 1);
        assert_eq!((over[0].status(), over[0].alerts[0].ends_at), (Status::Resolved, Some(at(360))));
        assert_eq!(over[0].group_key, posted(FIRING, 0)[0].group_key, "it closes what was opened");
        assert_eq!(expiries.over(at(9999)), []);
    }

    #[test]
    fn what_was_resolved_is_not_over_again() {
        let mut expiries = Expiries::default();
        expiries.hear(&posted(FIRING, 0));
        let resolved = FIRING.replace("\"}]", "\",\"endsAt\":\"2023-11-14T22:14:00Z\"}]");
        expiries.hear(&posted(&resolved, 60));
        assert_eq!(expiries.over(at(9999)), []);
    }
}
