//! Folding: what is left to send of a lane. Also of lanes whose target takes nothing, so that an
//! outage leaves at most two deliveries a lane, and not all that was said meanwhile.
//!
//! Known of are lanes in memory; what lies on disk only is folded when it is read.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{Claim, Claimed, Lane, Schedule};
use crate::domain::fold::{self, Unsent};
use crate::domain::message::Action;
use crate::store::boundary::{LaneId, LaneState, Open};

/// A story that is folded as far as can be, unless somebody has acknowledged it: a resolve that is
/// still owed, and a trigger.
const STORY_MAX: usize = 2;

/// A job that was to be proposed by a message which is folded away is proposed by the one in its place.
fn keep_proposal(head: &mut Open, queue: &VecDeque<Open>, gone: &[fold::Superseded]) {
    if head.action != Action::Trigger || head.proposal.is_some() {
        return;
    }
    let is_gone = |open: &&Open| gone.iter().any(|gone| gone.id == open.id);
    let mut before = queue.iter().rev().filter(|open| open.id < head.id && open.proposal.is_some());
    if let Some(open) = before.find(is_gone) {
        head.proposal = open.proposal;
        head.note = head.note.take().or_else(|| open.note.clone());
    }
}

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
        let (mut head, state) = (head.cloned(), lane.state.clone());
        if let Some(head) = &mut head {
            keep_proposal(head, &lane.queue, &folded.superseded);
        }
        Claimed { lane: id, due, head, superseded: folded.superseded, state }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::alert::{AlertGroup, Labels};
    use crate::domain::message::{DedupKey, Proposal};

    fn open(id: i64, action: Action, proposal: Option<Proposal>) -> Open {
        let group = AlertGroup {
            source: String::new(),
            group_key: String::new(),
            receiver: String::new(),
            group_labels: Labels::new(),
            common_labels: Labels::new(),
            common_annotations: Labels::new(),
            external_url: String::new(),
            truncated: 0,
            reason: String::new(),
            alerts: Vec::new(),
            changes: Vec::new(),
            event: serde_json::Value::Null,
        };
        Open {
            id,
            lane: 1,
            uid: id.to_string(),
            key: DedupKey::hash(&[]),
            action,
            group: Arc::new(group),
            accepted_at: Timestamp::UNIX_EPOCH,
            attempts: 0,
            note: proposal.map(|_| format!("note of {id}")),
            proposal,
        }
    }

    #[test]
    fn a_job_is_proposed_by_the_message_that_takes_the_place_of_the_one_that_did() {
        let gone = |ids: &[i64]| ids.iter().map(|id| fold::Superseded { id: *id, by: 3 }).collect::<Vec<_>>();
        let (made, settled) = (Some(Proposal::Made(7)), Some(Proposal::Settled));
        for (before, head, expected) in [
            ([None, made], open(3, Action::Trigger, None), (made, Some("note of 2"))),
            ([made, None], open(3, Action::Trigger, None), (made, Some("note of 1"))),
            ([made, settled], open(3, Action::Trigger, None), (settled, Some("note of 2"))),
            ([made, None], open(3, Action::Trigger, settled), (settled, Some("note of 3"))),
            ([made, None], open(3, Action::Resolve, None), (None, None)),
        ] {
            let [first, second] = before;
            let queue = VecDeque::from([
                open(1, Action::Trigger, first),
                open(2, Action::Trigger, second),
                head.clone(),
            ]);
            let mut kept = head;
            keep_proposal(&mut kept, &queue, &gone(&[1, 2]));
            assert_eq!((kept.proposal, kept.note.as_deref()), expected);
            let mut left = open(3, Action::Trigger, None);
            keep_proposal(&mut left, &queue, &[]);
            assert_eq!(left.proposal, None, "what is still to be sent says it itself");
        }
    }
}
