//! What became of alerts after they were recorded, so that a replay pages nobody for what is over:
//! reads recorded events up to now ahead of the replay, and leaves out of a plan what fires in it
//! and has ended since.
//!
//! Reads for a while at a time and remembers where it is: whoever calls, calls again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::alert::{AlertGroup, Fingerprint, Status};
use crate::domain::lane::{AlertClock, News};
use crate::pace::clock::Clock;
use crate::plan::Plan;
use crate::plan::side::read_again;
use crate::rulebook::Rulebook;
use crate::store::boundary::StoreError;
use crate::store::handle::Store;
use crate::store::orders::{Recorded, Recording};

/// How long one call may read ahead.
const WHILE: Duration = Duration::from_secs(2);
/// Events that are read at once.
const AT_ONCE: usize = 100;
/// Alerts that are followed; about 150 bytes each.
const FOLLOWED_MAX: usize = 500_000;

/// The last range that was asked for, and what is known of it.
#[derive(Debug, Default)]
pub struct Ahead {
    range: Option<Recorded>,
    read_to: i64,
    complete: bool,
    /// Each alert's last word.
    last: HashMap<(Arc<str>, Fingerprint), AlertClock>,
}

/// How far the reading has got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// To the end.
    All,
    /// Not yet: call again.
    InPart,
    /// There are too many alerts to be followed.
    TooMany,
}

impl Ahead {
    /// Reads on, or from `after` on when this is another range than before.
    pub(super) async fn read(
        &mut self,
        store: &Store,
        clock: &dyn Clock,
        book: &Rulebook,
        range: Recorded,
        after: i64,
    ) -> Result<Read, StoreError> {
        if self.range.as_ref() != Some(&range) {
            *self = Ahead { range: Some(range), read_to: after, ..Ahead::default() };
        }
        let until = clock.now().saturating_add(WHILE).unwrap_or(Timestamp::MAX);
        while !self.complete {
            let next = Recorded {
                since: self.range.as_ref().and_then(|range| range.since),
                after: self.read_to,
                limit: AT_ONCE,
                ..Recorded::default()
            };
            let (events, more) = store.read(move |reader| reader.recorded(&next)).await?;
            for event in &events {
                if let Ok(reading) = read_again(book, event) {
                    self.hear(event, &reading.groups);
                }
            }
            match more {
                Some(row) => self.read_to = row,
                None => self.complete = true,
            }
            if self.last.len() > FOLLOWED_MAX {
                return Ok(Read::TooMany);
            }
            if clock.now() > until {
                break;
            }
        }
        Ok(if self.complete { Read::All } else { Read::InPart })
    }

    fn hear(&mut self, event: &Recording, groups: &[AlertGroup]) {
        let source: Arc<str> = event.source.as_str().into();
        for alert in groups.iter().flat_map(|group| &group.alerts) {
            let clock = AlertClock::of(alert);
            let key = (Arc::clone(&source), alert.fingerprint);
            if News::of(self.last.get(&key), &clock) == News::New {
                self.last.insert(key, clock);
            }
        }
    }

    fn is_over(&self, source: &str, print: Fingerprint) -> bool {
        let last = self.last.get(&(Arc::from(source), print));
        last.is_some_and(|clock| clock.status == Status::Resolved)
    }

    /// Takes out of a plan what fires in it and is over by now; gives a sentence for each alert.
    pub(super) fn leave_out(&self, plan: &mut Plan) -> Vec<String> {
        let mut notes = Vec::new();
        for part in &mut plan.parts {
            let Some(group) = plan.groups.get(part.group as usize) else { continue };
            part.alerts.retain(|told| {
                let over = told.clock.status == Status::Firing && self.is_over(&group.source, told.print);
                if over {
                    notes.push(format!("alert {}: over by now, nobody is paged for it", told.print));
                }
                !over
            });
        }
        plan.parts.retain(|part| !part.alerts.is_empty());
        notes.sort();
        notes.dedup();
        notes
    }
}
