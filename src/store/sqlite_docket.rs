//! What one accepted event means for incidents: opened, gone on, come back, joined, over. In the
//! transaction that keeps the event, so that no incident is lost and none is told twice.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use uuid::Uuid;

use crate::domain::alert::Status;
use crate::domain::incident::{Belongs, Draft};
use crate::domain::lane::{Admission, Clocks};
use crate::domain::life::Happening;
use crate::domain::message::{Action, DedupKey};
use crate::store::boundary::{Fresh, LaneId, StoreError};
use crate::store::event::{NewEvent, NewPart};
use crate::store::incidents::IncidentId;
use crate::store::rows;
use crate::store::sqlite::{Ids, engine};
use crate::store::sqlite_casebook::{Case, Casebook, Line};
use crate::store::sqlite_orders::is_over;
use crate::store::sqlite_runs::plan;
use crate::store::sqlite_telling::{Occasion, Teller, Telling, over};

/// Makes the id of an event that follows from another of the id of that one.
const FOLLOWS: u128 = 0x0001_0000_0000_0000;

/// Dedup keys of one incident: all of them are looked at when one of them ends.
const KEYS_MAX: usize = 500;

/// The incidents that one event touches: most events touch one.
#[derive(Default)]
pub struct Docket {
    touched: BTreeMap<DedupKey, Touched>,
}

struct Touched {
    case: Option<Case>,
    /// This event has been counted.
    counted: bool,
    /// Something of it ended.
    ends: bool,
}

impl Docket {
    /// What becomes of a part: the incident that its lane is told of. `is_known`: there is a lane of its
    /// dedup key, and so perhaps an incident.
    pub fn part(
        &mut self,
        book: Casebook<'_>,
        event: &NewEvent,
        part: &NewPart,
        admission: &Admission,
        is_known: bool,
    ) -> Result<Option<IncidentId>, StoreError> {
        let (fires, ends) = match admission {
            Admission::Enqueue { action: Action::Trigger, .. } => (true, false),
            Admission::Enqueue { .. } | Admission::NothingOpen => (false, true),
            Admission::Duplicate | Admission::Reminder | Admission::Stale | Admission::NotConcerned => {
                return Ok(None);
            }
        };
        if !self.touched.contains_key(&part.key) {
            let case = if is_known { book.of_key(part.key.as_str())? } else { None };
            self.touched.insert(part.key.clone(), Touched { case, counted: false, ends: false });
        }
        let Some(touched) = self.touched.get_mut(&part.key) else { return Ok(None) };
        touched.ends |= ends;
        match &part.incident {
            Some(draft) if fires && !touched.counted => {
                touched.counted = true;
                fired(book, touched, event, part, draft)?;
            }
            _ => {}
        }
        Ok(touched.case.as_ref().filter(|case| case.life.state.is_open() || ends).map(|case| case.id))
    }

    /// Closes incidents of which nothing goes on, once all lanes are written. A lane that this event
    /// could not reach (an escalation, a fallback with keys of its own) is told here.
    pub fn close(
        self,
        transaction: &Transaction<'_>,
        next: &mut Ids,
        event: &NewEvent,
    ) -> Result<Vec<Fresh>, StoreError> {
        let book = Casebook(transaction);
        let mut fresh = Vec::new();
        if !self.touched.values().any(|touched| touched.ends) {
            return Ok(fresh);
        }
        let reach = Reach::of(event);
        for (n, touched) in self.touched.into_values().enumerate() {
            let Some(mut case) = touched.case.filter(|case| touched.ends && case.life.state.is_open()) else {
                continue;
            };
            let Some(left) = left_open(book, &case, &reach)? else { continue };
            let line = Line { kind: "resolved", text: "all its alerts are over", ..Line::default() };
            // What is open may always end.
            let _moved = book.happen(&mut case, Happening::Over, event.received_at, line)?;
            if !left.is_empty() {
                let uid = Uuid::from_u128(event.uid.as_u128() ^ (FOLLOWS + n as u128));
                fresh.extend(tell_over(transaction, next, event, uid, &left)?);
            }
        }
        Ok(fresh)
    }
}

fn fired(
    book: Casebook<'_>,
    touched: &mut Touched,
    event: &NewEvent,
    part: &NewPart,
    draft: &Arc<Draft>,
) -> Result<(), StoreError> {
    let at = event.received_at;
    let belongs =
        touched.case.as_ref().map_or(Belongs::New, |case| case.life.takes(draft.policy.reopen_within, at));
    match (&mut touched.case, belongs) {
        (Some(case), Belongs::GoesOn) => {
            let text = counts(part);
            book.count(case.id, draft.level, at)?;
            book.write(case.id, at, Line { kind: "alert", text: &text, ..Line::default() })?;
            planned(book, case, draft, at, false)?;
        }
        (Some(case), Belongs::Returns) => {
            let times = case.life.reopened + 1;
            let flaps = if draft.policy.is_flapping(times) { ", flapping" } else { "" };
            let text = format!("came back for the {times}. time{flaps}");
            let line = Line { kind: "reopened", text: &text, ..Line::default() };
            let _moved = book.happen(case, Happening::Fired(draft.level, draft.policy), at, line)?;
            book.count(case.id, draft.level, at)?;
            planned(book, case, draft, at, true)?;
        }
        _ => touched.case = Some(opened(book, event, part, draft)?),
    }
    Ok(())
}

fn opened(
    book: Casebook<'_>,
    event: &NewEvent,
    part: &NewPart,
    draft: &Arc<Draft>,
) -> Result<Case, StoreError> {
    let (key, at) = (part.key.as_str(), event.received_at);
    if let Some((root, within)) = &draft.root
        && let Some(case) = book.of_root(root, *within, at)?
        && book.keys(&case)?.len() < KEYS_MAX
    {
        book.join(case.id, key)?;
        book.count(case.id, draft.level, at)?;
        book.write(case.id, at, Line { kind: "joined", text: &draft.title, ..Line::default() })?;
        planned(book, &case, draft, at, false)?;
        return Ok(case);
    }
    let case = book.open(key, draft, &event.source, at)?;
    planned(book, &case, draft, at, true)?;
    Ok(case)
}

/// What may help is looked at next; nothing is written where there are no rules.
fn planned(
    book: Casebook<'_>,
    case: &Case,
    draft: &Draft,
    at: Timestamp,
    anew: bool,
) -> Result<(), StoreError> {
    if draft.jobs.is_empty() { Ok(()) } else { plan(book.0, case.id, &draft.jobs, at, anew) }
}

/// `2 firing, 1 resolved`
fn counts(part: &NewPart) -> Cow<'static, str> {
    let firing = part.alerts.iter().filter(|told| told.clock.status == Status::Firing).count();
    match (firing, part.alerts.len() - firing) {
        (1, 0) => "1 firing".into(),
        (firing, 0) => format!("{firing} firing").into(),
        (firing, resolved) => format!("{firing} firing, {resolved} resolved").into(),
    }
}

/// Whom an event could tell of the end.
struct Reach<'e> {
    lanes: HashSet<(&'e str, &'e str)>,
    keys: HashSet<&'e str>,
    targets: HashSet<&'e str>,
}

impl<'e> Reach<'e> {
    fn of(event: &'e NewEvent) -> Reach<'e> {
        let parts = || event.parts.iter().map(|part| (&*part.target, part.key.as_str()));
        Reach {
            lanes: parts().collect(),
            keys: parts().map(|(_, key)| key).collect(),
            targets: parts().map(|(target, _)| target).collect(),
        }
    }

    /// Whether a lane on which something fires on keeps the incident open. One of a target that is no
    /// longer configured, or of an escalation, hears only what it is told on purpose.
    fn counts(&self, case: &Case, target: &str, key: &str) -> bool {
        if self.keys.contains(key) {
            return self.lanes.contains(&(target, key));
        }
        self.targets.contains(target) && !case.escalated_to().any(|escalated| escalated == target)
    }
}

/// Lanes of an incident that is over which have not heard so; `None`: it goes on.
fn left_open(book: Casebook<'_>, case: &Case, reach: &Reach<'_>) -> Result<Option<Vec<LaneId>>, StoreError> {
    let mut left = Vec::new();
    for key in book.keys(case)? {
        let mut query = book
            .0
            .prepare_cached(
                "SELECT id, target, seen OR waiting > 0, clocks FROM lanes
                 WHERE id IN (SELECT lane FROM keyed WHERE key = ?1)",
            )
            .map_err(engine)?;
        let mut found = query.query([&key]).map_err(engine)?;
        while let Some(row) = found.next().map_err(engine)? {
            let read = || -> rusqlite::Result<(LaneId, String, bool, Vec<u8>)> {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            };
            let (id, target, is_open, clocks) = read().map_err(engine)?;
            if is_over(&rows::clocks(&clocks)?) {
                continue;
            }
            if reach.counts(case, &target, &key) {
                return Ok(None);
            }
            if is_open {
                left.push(id);
            }
        }
    }
    Ok(Some(left))
}

fn tell_over(
    transaction: &Transaction<'_>,
    next: &mut Ids,
    event: &NewEvent,
    uid: Uuid,
    lanes: &[LaneId],
) -> Result<Vec<Fresh>, StoreError> {
    const WHY: &str = "the incident is over";
    let mut rows = Teller { transaction, next };
    let mut tellings = Vec::with_capacity(lanes.len());
    for id in lanes {
        let Some(lane) = rows.lane(*id)? else { continue };
        let told_last = rows.last_told(&lane)?;
        let group = over(told_last.as_deref(), &lane.key, event.received_at).into();
        rows.change(
            "UPDATE lanes SET clocks = ?2, content = 0 WHERE id = ?1",
            params![id, rows::clocks_blob(&Clocks::new())],
        )?;
        tellings.push((*id, lane, Telling { action: Action::Resolve, group, note: None, proposal: None }));
    }
    let occasion = Occasion { uid, at: event.received_at, source: &event.source, note: WHY, reason: WHY };
    rows.tell(occasion, tellings)
}
