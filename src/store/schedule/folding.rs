//! Folding: what is left to send of a lane. Also of lanes whose target takes nothing, so that an
//! outage leaves at most two deliveries a lane, and not all that was said meanwhile.
//!
//! Known of are lanes in memory; what lies on disk only is folded when it is read.

use jiff::Timestamp;

use super::{Claim, Claimed, Lane, Schedule};
use crate::domain::fold::{self, Unsent};
use crate::store::boundary::{LaneId, LaneState};

/// A story that is folded as far as can be, unless somebody has acknowledged it: a resolve that is
/// still owed, and a trigger.
const STORY_MAX: usize = 2;

impl Schedule {
    /// Claims a lane that may owe more than is left of it when it is folded, whether it is due or
    /// not, or says that it must be read first.
    pub fn claim_overfull(&mut self) -> Option<Claim> {
        loop {
            let free = |id: &LaneId| self.lanes.get(id).is_none_or(|lane| !lane.busy);
            let id = self.overfull.iter().copied().find(free)?;
            self.overfull.remove(&id);
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            self.due.remove(&(lane.due, id));
            self.parked -= usize::from(std::mem::take(&mut lane.parked));
            if lane.must_be_read() {
                self.loading += 1;
                return Some(Claim::Load(vec![(id, lane.begin_loading())]));
            }
            lane.busy = true;
            return Some(Claim::Ready(Box::new(self.fold(id))));
        }
    }

    /// Looks whether a lane is one.
    pub(super) fn note_overfull(&mut self, id: LaneId) {
        let owes = |lane: &Lane| lane.queue.len() + lane.behind;
        if self.lanes.get(&id).is_some_and(|lane| owes(lane) > STORY_MAX) {
            self.overfull.insert(id);
        }
    }

    /// Says what is left to send of a lane and what stands at its head.
    pub(super) fn fold(&self, id: LaneId) -> Claimed {
        let Some(lane) = self.lanes.get(&id) else {
            let (head, superseded, state) = (None, Vec::new(), LaneState::default());
            return Claimed { lane: id, due: Timestamp::UNIX_EPOCH, head, superseded, state };
        };
        let unsent: Vec<Unsent> =
            lane.queue.iter().map(|open| Unsent { id: open.id, action: open.action }).collect();
        let folded = fold::fold(&unsent, lane.state.seen);
        let head = folded.keep.first().and_then(|first| lane.queue.iter().find(|open| open.id == *first));
        let due = Timestamp::from_millisecond(lane.due).unwrap_or(Timestamp::UNIX_EPOCH);
        let (head, state) = (head.cloned(), lane.state.clone());
        Claimed { lane: id, due, head, superseded: folded.superseded, state }
    }
}
