//! The store as the house holds it: real SQLite in a folder of its own, time standing still.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may fall over")]

#[path = "store/ends.rs"]
mod ends;
#[path = "store/figures.rs"]
mod figures;
#[path = "store/forms.rs"]
mod forms;
#[path = "store/full_disk.rs"]
mod full_disk;
#[path = "store/ground.rs"]
mod ground;
#[path = "store/intake.rs"]
mod intake;
#[path = "store/jobs.rs"]
mod jobs;
#[path = "store/keys.rs"]
mod keys;
#[path = "store/orders.rs"]
mod orders;
#[path = "store/pruning.rs"]
mod pruning;
#[path = "store/quotas.rs"]
mod quotas;
#[path = "store/settling.rs"]
mod settling;
#[path = "store/tickets.rs"]
mod tickets;
#[path = "store/upgrade.rs"]
mod upgrade;

use std::path::Path;
use std::sync::Arc;

use alert_relay::domain::delivery::State;
use alert_relay::domain::message::RemoteRef;
use alert_relay::pace::clock::StoppedClock;
use alert_relay::store::boundary::{AttemptRow, LaneState, LaneWork, Settled, Settlement, StoreError};
use alert_relay::store::handle::{Closing, Store, open_embedded};
use alert_relay::store::records::DeliveryRecord;
use alert_relay::store::schedule::Caps;
use alert_relay::store::sqlite::Found;
use uuid::Uuid;

use crate::ground::at;

type Opened = Result<(Store, Closing, Found), StoreError>;

fn open(folder: &Path) -> Opened {
    open_embedded(folder, Caps::default(), Arc::new(StoppedClock::at(at(0))), Box::new(|_, _| {}))
}

/// The only delivery of an event.
async fn delivery(store: &Store, uid: u128) -> DeliveryRecord {
    let record = store.read(move |reader| reader.event(Uuid::from_u128(uid))).await.unwrap().unwrap();
    record.deliveries.into_iter().next().unwrap()
}

async fn waiting(store: &Store) -> u64 {
    store.read(|reader| reader.waiting()).await.unwrap().iter().map(|backlog| backlog.waiting).sum()
}

/// What the lane of the target that is due first owes.
async fn work(store: &Store, target: &'static str) -> Option<LaneWork> {
    let lanes = store.read(move |reader| reader.due_lanes(target, 9)).await.unwrap();
    let lane = lanes.first()?.lane;
    let read = store.read(move |reader| Ok(reader.lane_work(&[(lane, 0)], 9))).await.unwrap();
    read.into_iter().next().map(|(_, work)| work.unwrap())
}

/// The first try of a delivery in lane 1 came to this.
fn settlement(id: i64, state: State, seen: bool, remote: Option<&str>) -> Settlement {
    let attempt = AttemptRow {
        n: 1,
        at: at(5),
        took: std::time::Duration::from_millis(7),
        status: 202,
        outcome: if state == State::Delivered { "delivered" } else { "retry" },
        excerpt: "e".into(),
    };
    Settlement {
        epoch: 0,
        lane: 1,
        settled: vec![Settled { id, state, reason: "r".into(), by: None, attempt: Some(attempt) }],
        due: at(1000),
        after: LaneState { seen, remote: remote.map(|text| RemoteRef(text.into())), begun: None },
        now: at(12),
        fall_now: false,
        given_up: None,
        tells: None,
        follows: None,
    }
}
