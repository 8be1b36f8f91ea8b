//! A lane is found by its key, whether the file knows the key yet or only the writer's memory does.

use alert_relay::domain::delivery::State;
use alert_relay::store::boundary::Settlement;
use alert_relay::store::handle::Store;
use alert_relay::store::retention::Retention;

use crate::ground::{at, news};
use crate::{open, settlement};

/// More than the writer keeps in memory.
const LANES: u128 = 5_000;

/// Tells of all lanes, under ids from `from` on; returns how many of the events were repeats.
async fn tell_all(store: &Store, from: u128, now: i64) -> usize {
    let told: Vec<_> = (0..LANES)
        .map(|n| {
            let (store, name) =
                (store.clone(), format!("disk-{:x}", n.wrapping_mul(0x9e37_79b9) % (1 << 32)));
            tokio::spawn(async move { store.accept(news(from + n, now, "pager", &name, 0, None)).await })
        })
        .collect();
    let mut repeats = 0;
    for told in told {
        repeats += usize::from(told.await.unwrap().unwrap().duplicate);
    }
    repeats
}

#[tokio::test]
async fn a_lane_is_known_by_its_key_over_ends_and_crashes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, closing, _) = open(folder.path()).unwrap();
    let all = usize::try_from(LANES).unwrap();
    assert_eq!(tell_all(&store, LANES, 0).await, 0);
    assert_eq!(tell_all(&store, 2 * LANES, 1).await, all, "while it runs");
    // The files as a crash at this moment would leave them.
    let copy = tempfile::tempdir().unwrap();
    for file in ["alert-relay.db", "alert-relay.db-wal"] {
        std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
    }
    let (after_crash, _closing, _) = open(copy.path()).unwrap();
    assert_eq!(tell_all(&after_crash, 3 * LANES, 2).await, all, "after a crash");
    drop(store);
    closing.wait(std::time::Duration::from_secs(9));
    let (again, _closing, _) = open(folder.path()).unwrap();
    assert_eq!(tell_all(&again, 3 * LANES, 2).await, all, "after a clean end");
}

#[tokio::test]
async fn a_lane_that_is_forgotten_can_come_again_under_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    let all = usize::try_from(LANES).unwrap();
    tell_all(&store, LANES, 0).await;
    let settled: Vec<_> = (1..=i64::try_from(LANES).unwrap())
        .map(|id| {
            let (store, done) = (store.clone(), settlement(id, State::Delivered, false, None));
            tokio::spawn(async move { store.settle(Settlement { lane: id, ..done }).await })
        })
        .collect();
    for settled in settled {
        settled.await.unwrap().unwrap();
    }
    let old = at(1_000_000);
    let retention = Retention {
        events_before: old,
        lanes_before: old,
        audit_before: old,
        used_max: u64::MAX,
        give_back: false,
        rows_max: 1_000,
    };
    while store.prune(retention).await.unwrap() == retention.rows_max {}
    let repeats = tell_all(&store, 2 * LANES, 2_000_000).await;
    assert!(repeats <= 1, "the newest lane stays, no other is remembered: {repeats}");
    assert_eq!(tell_all(&store, 3 * LANES, 2_000_001).await, all);
}
