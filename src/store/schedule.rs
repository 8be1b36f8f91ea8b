//! What one target owes, in memory: which lanes are due and what stands at their heads.
//!
//! Pure: now comes in, nothing sleeps, no row is read here. The rows are the truth; this holds the
//! lanes that are due first, at most `lanes_max` of them, and says when to read more. A lane is
//! busy from its claim to its release, so one delivery of a lane is in flight at a time.
//!
//! Memory is bounded twice: by the number of lanes, and by the number of deliveries held whole.
//! What does not fit stays on disk, marked by `due_on_disk` (lanes) or `on_disk` (deliveries of a
//! lane).

mod folding;
mod parking;

use std::collections::{BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;

use crate::domain::fold;
use crate::store::boundary::{DeliveryId, DueLane, Fresh, LaneId, LaneState, LaneWork, Open};

/// How much one target may hold in memory.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Lanes. About 150 bytes each.
    pub lanes_max: usize,
    /// Deliveries held whole, over all lanes. What was read for lanes about to be
    /// sent may come on top.
    pub deliveries_max: usize,
}

impl Default for Caps {
    fn default() -> Caps {
        Caps { lanes_max: 50_000, deliveries_max: 2_000 }
    }
}

/// The work of one target.
#[derive(Debug)]
pub struct Schedule {
    caps: Caps,
    lanes: HashMap<LaneId, Lane>,
    /// Lanes that are not busy, by when they are due.
    due: BTreeSet<(i64, LaneId)>,
    /// Deliveries held whole in `lanes`.
    held: usize,
    /// Lanes that are being read.
    loading: usize,
    /// Lanes that are laid aside.
    parked: usize,
    /// Lanes that may owe more than is left of them when they are folded.
    overfull: BTreeSet<LaneId>,
    /// No lane that is on disk only is due before this; `None`: there is no such lane.
    due_on_disk: Option<i64>,
    /// Counts lanes that were left on disk, so that a refill that raced with one notices.
    left_on_disk: u64,
}

#[derive(Debug)]
struct Lane {
    due: i64,
    /// Claimed, or being read.
    busy: bool,
    /// Its deliveries are being read from disk.
    loading: bool,
    /// Laid aside, see `parking.rs`.
    parked: bool,
    /// Oldest first.
    queue: VecDeque<Open>,
    /// More open deliveries lie on disk behind `queue`.
    on_disk: bool,
    /// So many of these are known of.
    behind: usize,
    /// Deliveries up to this id have been here.
    last: DeliveryId,
    state: LaneState,
}

impl Lane {
    /// A lane of which only its due time is known.
    fn on_disk(due: i64) -> Lane {
        Lane {
            due,
            busy: false,
            loading: false,
            parked: false,
            queue: VecDeque::new(),
            on_disk: true,
            behind: 0,
            last: 0,
            state: LaneState::default(),
        }
    }
}

/// What to do next.
#[derive(Debug)]
pub enum Claim {
    /// A lane has something to do; it is busy until `release`.
    Ready(Box<Claimed>),
    /// These lanes are due but their deliveries lie on disk: read them (after the delivery named
    /// beside each) and call `loaded`. They are busy until then.
    Load(Vec<(LaneId, DeliveryId)>),
    /// Nothing before this time; `None`: nothing at all.
    Idle(Option<Timestamp>),
}

/// A claimed lane.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Which.
    pub lane: LaneId,
    /// Since when it has been due.
    pub due: Timestamp,
    /// What is to be sent; `None` when folding left nothing.
    pub head: Option<Open>,
    /// What need not be sent any more.
    pub superseded: Vec<fold::Superseded>,
    /// What the lane knows.
    pub state: LaneState,
}

/// Stands for the time of a lane that was not known here when it was withheld.
const DUE_UNKNOWN: i64 = i64::MAX;
/// How many lanes one `Load` asks for.
const LOAD_LANES_MAX: usize = 256;

impl Schedule {
    /// An empty schedule that must first be refilled from disk.
    pub fn new(caps: Caps) -> Schedule {
        Schedule {
            caps,
            lanes: HashMap::new(),
            due: BTreeSet::new(),
            held: 0,
            loading: 0,
            parked: 0,
            overfull: BTreeSet::new(),
            due_on_disk: Some(i64::MIN),
            left_on_disk: 0,
        }
    }

    /// Takes in a delivery that has just been committed.
    pub fn push(&mut self, fresh: Fresh) {
        let Fresh { open, due, lane: state, .. } = fresh;
        let id = open.lane;
        let room = self.held + self.loading < self.caps.deliveries_max;
        if let Some(lane) = self.lanes.get_mut(&open.lane) {
            if lane.on_disk || lane.loading || !room {
                lane.on_disk = true;
                lane.behind += 1;
            } else {
                lane.last = open.id;
                lane.queue.push_back(open);
                self.held += 1;
            }
            self.note_overfull(id);
            return;
        }
        let due = due.as_millisecond();
        if !self.make_room(due) {
            self.leave_on_disk(due);
            return;
        }
        // While lanes lie on disk, this one may too, with older deliveries than the one in hand:
        // its head has to be read.
        let whole = room && self.due_on_disk.is_none();
        let mut lane = Lane { state, on_disk: !whole, ..Lane::on_disk(due) };
        if whole {
            lane.last = open.id;
            lane.queue.push_back(open);
            self.held += 1;
        }
        self.lanes.insert(id, lane);
        self.due.insert((due, id));
    }

    /// When the lane that is due first is due; `None` when no lane waits here.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().and_then(|(due, _)| Timestamp::from_millisecond(*due).ok())
    }

    /// Claims the lane that is due first.
    pub fn claim(&mut self, now: Timestamp) -> Claim {
        let now = now.as_millisecond();
        let load_max =
            self.caps.deliveries_max.saturating_sub(self.held + self.loading).clamp(1, LOAD_LANES_MAX);
        let mut to_load = Vec::new();
        while let Some(&(due, id)) = self.due.first() {
            if due > now || to_load.len() >= load_max {
                break;
            }
            let Some(lane) = self.lanes.get_mut(&id) else {
                self.due.pop_first();
                continue;
            };
            if lane.must_be_read() {
                self.due.pop_first();
                self.loading += 1;
                to_load.push((id, lane.begin_loading()));
            } else if to_load.is_empty() {
                self.due.pop_first();
                lane.busy = true;
                return Claim::Ready(Box::new(self.fold(id)));
            } else {
                break;
            }
        }
        if to_load.is_empty() {
            return Claim::Idle(self.next_due());
        }
        Claim::Load(to_load)
    }

    /// Takes in what a `Load` read and makes the lane claimable again. All of it is taken, room or
    /// not: what is folded in part pages somebody for history.
    pub fn loaded(&mut self, id: LaneId, work: LaneWork) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        self.loading = self.loading.saturating_sub(1);
        lane.on_disk |= work.more;
        lane.behind += usize::from(work.more);
        lane.state = work.state;
        lane.busy = false;
        lane.loading = false;
        if let Some(newest) = work.open.last() {
            lane.last = newest.id;
        }
        self.held += work.open.len();
        lane.queue.extend(work.open);
        self.note_overfull(id);
        self.settle_down(id);
    }

    /// Gives up a `Load` that failed; it will be asked for again at `due`.
    pub fn load_failed(&mut self, id: LaneId, due: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            self.loading = self.loading.saturating_sub(1);
            lane.on_disk = true;
            lane.busy = false;
            lane.loading = false;
            // One that is read before it is due does not become due by it.
            lane.due = lane.due.max(due.as_millisecond());
            self.settle_down(id);
        }
    }

    /// Keeps a lane from being claimed, whether it is known here or not; false when it is busy.
    pub fn withhold(&mut self, id: LaneId) -> bool {
        let lane = self.lanes.entry(id).or_insert_with(|| Lane::on_disk(DUE_UNKNOWN));
        self.due.remove(&(lane.due, id));
        self.parked -= usize::from(std::mem::take(&mut lane.parked));
        !std::mem::replace(&mut lane.busy, true)
    }

    /// Ends [`Schedule::withhold`]: what the lane owes has changed on disk and is read again, at
    /// `due` or when it was due before.
    pub fn readmit(&mut self, id: LaneId, due: Option<Timestamp>) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        self.held -= lane.queue.len();
        if lane.due == DUE_UNKNOWN {
            self.lanes.remove(&id);
            self.leave_on_disk(i64::MIN);
            return;
        }
        *lane = Lane::on_disk(due.map_or(lane.due, Timestamp::as_millisecond));
        self.settle_down(id);
    }

    /// Ends a claim of which nothing came: the lane is as it was.
    pub fn put_back(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.busy = false;
            self.settle_down(id);
        }
    }

    /// Ends a claim, after its settlement is on disk. `done` are the deliveries that are open no
    /// more, `tried` is one that stays open with its number of attempts; what is left is due at
    /// `due`.
    pub fn release(
        &mut self,
        id: LaneId,
        done: &[DeliveryId],
        tried: Option<(DeliveryId, u32)>,
        due: Timestamp,
        state: LaneState,
    ) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let before = lane.queue.len();
        lane.queue.retain(|open| !done.contains(&open.id));
        self.held -= before - lane.queue.len();
        if let Some((tried, attempts)) = tried
            && let Some(open) = lane.queue.iter_mut().find(|open| open.id == tried)
        {
            open.attempts = attempts;
        }
        lane.state = state;
        lane.busy = false;
        lane.due = due.as_millisecond();
        self.let_go(id);
        self.note_overfull(id);
        self.settle_down(id);
    }

    /// A lane that is busy no more waits for its time, or goes when it owes nothing.
    fn settle_down(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get(&id) else { return };
        if lane.queue.is_empty() && !lane.on_disk {
            self.lanes.remove(&id);
        } else {
            self.due.insert((lane.due, id));
        }
    }

    /// Before this no lane that is on disk only is due; `None`: there is no such lane.
    pub fn due_on_disk(&self) -> Option<Timestamp> {
        self.due_on_disk.map(|due| Timestamp::from_millisecond(due).unwrap_or(Timestamp::MIN))
    }

    /// Whether lanes should be read from disk: how many, and the mark to give back to `refilled`.
    /// Asked for when something there may be due, and memory is half empty or has nothing due.
    pub fn wants_refill(&self, now: Timestamp) -> Option<(usize, u64)> {
        let now = now.as_millisecond();
        let idle = match self.due.first() {
            Some((due, _)) => *due > now,
            // All are busy: there is nothing to do, but if there are that many, no room either.
            None => self.lanes.len() < self.caps.lanes_max,
        };
        let may_be_due = self.due_on_disk.is_some_and(|due| due <= now);
        let wanted = may_be_due && (idle || self.lanes.len() <= self.caps.lanes_max / 2);
        wanted.then_some((self.caps.lanes_max, self.left_on_disk))
    }

    /// Takes in the lanes that are due first, as read after `mark` was given out.
    pub fn refilled(&mut self, lanes: &[DueLane], mark: u64) {
        if self.left_on_disk == mark {
            // What was not read is due after what was.
            let full = lanes.len() >= self.caps.lanes_max;
            self.due_on_disk = lanes.last().filter(|_| full).map(|last| last.due.as_millisecond());
        }
        for DueLane { lane: id, due } in lanes {
            let due = due.as_millisecond();
            // One that is known is here with its newest due time already.
            if self.lanes.contains_key(id) {
                continue;
            }
            if !self.make_room(due) {
                self.leave_on_disk(due);
                break;
            }
            self.lanes.insert(*id, Lane::on_disk(due));
            self.due.insert((due, *id));
        }
    }

    /// Lanes in memory, busy ones included.
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Deliveries held whole.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Nothing is owed, here or on disk.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.due_on_disk.is_none()
    }

    fn leave_on_disk(&mut self, due: i64) {
        self.left_on_disk += 1;
        self.due_on_disk = Some(self.due_on_disk.map_or(due, |first| first.min(due)));
    }

    /// Room for a lane that is due at `due`. When memory is full an idle lane that is due later
    /// goes: it is on disk and will be read again when its time comes.
    fn make_room(&mut self, due: i64) -> bool {
        if self.lanes.len() < self.caps.lanes_max {
            return true;
        }
        match self.due.last() {
            Some(&(latest, id)) if latest > due => {
                self.due.pop_last();
                if let Some(lane) = self.lanes.remove(&id) {
                    self.held -= lane.queue.len();
                }
                self.leave_on_disk(latest);
                true
            }
            _ => false,
        }
    }
}
