//! Lanes laid aside and taken up again, at any moment.

use alert_relay::store::schedule::{Claim, Claimed};
use proptest::prelude::*;

use crate::{CONCURRENCY, World, at};

impl World {
    pub fn park(&mut self) -> Result<(), TestCaseError> {
        if let Claim::Ready(claimed) = self.claim_only_ready() {
            if self.schedule.park(claimed.lane) {
                self.parked.push(claimed.lane);
            } else {
                prop_assert!(self.parked.len() >= self.caps.lanes_max / 2, "there was room to park");
                self.schedule.put_back(claimed.lane);
            }
        }
        prop_assert_eq!(self.schedule.parked(), self.parked.len());
        Ok(())
    }

    /// A lane that owes much is folded whether it is due or not.
    pub fn fold_early(&mut self, claim: Claim, read_fails: bool) -> Result<(), TestCaseError> {
        match claim {
            Claim::Load(lanes) => {
                for (lane, last) in lanes {
                    self.parked.retain(|parked| *parked != lane);
                    if read_fails {
                        self.schedule.load_failed(lane, at(self.now + 10));
                    } else {
                        self.schedule.loaded(lane, self.lane_work(lane, last));
                    }
                }
            }
            Claim::Ready(claimed) => {
                self.parked.retain(|parked| *parked != claimed.lane);
                if claimed.superseded.is_empty() {
                    self.schedule.put_back(claimed.lane);
                } else {
                    let (due, state) = (self.disk[&claimed.lane].due.max(self.now), claimed.state.clone());
                    self.settle(&Claimed { head: None, ..*claimed }, None, due, state);
                }
            }
            Claim::Idle(_) => {}
        }
        self.bounded()
    }

    /// A claim that reads nothing.
    fn claim_only_ready(&mut self) -> Claim {
        self.schedule
            .claim_at_hand(at(self.now))
            .map_or(Claim::Idle(None), |claimed| Claim::Ready(claimed.into()))
    }

    pub fn unpark(&mut self, place: usize, at_once: bool) -> Result<(), TestCaseError> {
        if self.parked.is_empty() {
            return Ok(());
        }
        let lane = self.parked.remove(place % self.parked.len());
        prop_assert!(self.schedule.claim_lane(lane, at(self.now)).is_none(), "a parked lane is not claimed");
        prop_assert!(self.schedule.unpark(lane), "it was parked");
        prop_assert!(!self.schedule.unpark(lane), "it is not any more");
        match self
            .schedule
            .claim_lane(lane, at(self.now))
            .filter(|_| at_once && self.in_flight.len() < CONCURRENCY)
        {
            Some(claimed) => self.claimed(claimed),
            None => {
                self.schedule.put_back(lane);
                Ok(())
            }
        }
    }
}
