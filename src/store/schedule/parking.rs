//! Lanes that are due and have to wait for something else than time (a token of their channel):
//! laid aside, so that they keep no other lane from being claimed.
//!
//! A parked lane stays in memory and is never due; whoever parked it unparks it. At most half of
//! the lanes may be parked: the rest is room for those that can be sent.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{Claim, Claimed, Lane, Schedule};
use crate::domain::fold;
use crate::store::boundary::{DeliveryId, LaneId};

impl Lane {
    /// What is folded in part pages somebody for history: while more lies on disk, it is read
    /// before anything is sent.
    pub(super) fn must_be_read(&self) -> bool {
        self.queue.is_empty() || (self.on_disk && self.queue.len() <= fold::KEPT_MAX)
    }

    /// Its deliveries are about to be read; returns after which one.
    pub(super) fn begin_loading(&mut self) -> DeliveryId {
        self.busy = true;
        self.loading = true;
        // What is pushed while the rows are read must be looked for again afterwards.
        self.on_disk = false;
        self.behind = 0;
        self.last
    }
}

impl Schedule {
    /// Ends a claim of which nothing came by laying the lane aside. False when too many are: then
    /// it is claimed still.
    pub fn park(&mut self, id: LaneId) -> bool {
        if self.parked >= self.caps.lanes_max / 2 {
            return false;
        }
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        lane.busy = false;
        lane.parked = true;
        self.parked += 1;
        self.let_go(id);
        true
    }

    /// A parked lane may be claimed again, as of when it was due. False when it is not parked (any
    /// more).
    pub fn unpark(&mut self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.parked) else { return false };
        lane.parked = false;
        self.parked -= 1;
        self.settle_down(id);
        true
    }

    /// Claims this very lane, if it is due, not parked, and all that it owes is in memory.
    pub fn claim_lane(&mut self, id: LaneId, now: Timestamp) -> Option<Claimed> {
        let lane = self.lanes.get_mut(&id)?;
        let ready = !lane.busy && !lane.parked && lane.due <= now.as_millisecond() && !lane.must_be_read();
        if !ready || !self.due.remove(&(lane.due, id)) {
            return None;
        }
        lane.busy = true;
        Some(self.fold(id))
    }

    /// Claims the lane that is due first, if all that it owes is in memory.
    pub fn claim_at_hand(&mut self, now: Timestamp) -> Option<Claimed> {
        let (due, id) = *self.due.first()?;
        let at_hand =
            due <= now.as_millisecond() && self.lanes.get(&id).is_some_and(|lane| !lane.must_be_read());
        match at_hand.then(|| self.claim(now))? {
            Claim::Ready(claimed) => Some(*claimed),
            Claim::Load(_) | Claim::Idle(_) => None,
        }
    }

    /// Lanes that are parked.
    pub fn parked(&self) -> usize {
        self.parked
    }

    /// Lanes that wait must not keep others from being read. What is let go is on disk as it is
    /// here, and is read again from its first.
    pub(super) fn let_go(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        if self.held > self.caps.deliveries_max / 2 && !lane.queue.is_empty() {
            self.held -= lane.queue.len();
            lane.behind += lane.queue.len();
            lane.queue = VecDeque::new();
            lane.last = 0;
            lane.on_disk = true;
        }
    }
}
