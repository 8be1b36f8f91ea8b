//! Forgetting before its time, when the store is larger than it may be; and what has a time of its own.

use std::path::Path;

use alert_relay::domain::delivery::State;
use alert_relay::store::event::NewEvent;
use alert_relay::store::handle::Store;
use alert_relay::store::orders::{Order, What};
use alert_relay::store::records::Quarantined;
use alert_relay::store::retention::Retention;
use uuid::Uuid;

use crate::ground::{at, news};
use crate::{open, settlement, waiting};

/// Nothing is too old, and the rows may take so much.
fn at_most(used_max: u64) -> Retention {
    Retention {
        events_before: at(0),
        lanes_before: at(0),
        audit_before: at(0),
        used_max,
        give_back: false,
        rows_max: 20,
    }
}

/// An event whose body does not shrink.
fn large(uid: u128) -> NewEvent {
    let mut event = news(uid, 0, "pager", &format!("n{uid}"), 0, None);
    event.body = noise(uid as u64, 20_000);
    event
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    fastrand::Rng::with_seed(seed).fill(&mut noise);
    noise
}

async fn used(store: &Store) -> u64 {
    store.read(|reader| reader.extent()).await.unwrap().used
}

/// Prunes to the end of the round; gives the number of steps.
async fn prune(store: &Store, retention: Retention) -> usize {
    for step in 1..1000 {
        if store.prune(retention).await.unwrap() < retention.rows_max {
            return step;
        }
    }
    panic!("it never comes to an end");
}

async fn known(store: &Store, uid: u128) -> bool {
    store.read(move |reader| reader.event(Uuid::from_u128(uid))).await.unwrap().is_some()
}

fn file(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("alert-relay.db")).unwrap().len()
}

#[tokio::test]
async fn beyond_its_limit_the_oldest_that_is_over_goes_and_never_what_is_owed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, closing, _) = open(folder.path()).unwrap();
    for uid in 1..=200 {
        store.accept(large(uid)).await.unwrap();
        if uid % 10 != 0 {
            let mut settled = settlement(uid as i64, State::Delivered, false, None);
            settled.lane = uid as i64;
            store.settle(settled).await.unwrap();
        }
    }
    let before = used(&store).await;
    assert!(before > 200 * 20_000);
    prune(&store, at_most(before)).await;
    assert_eq!(used(&store).await, before);

    assert!(prune(&store, at_most(before / 2)).await > 2, "in small steps");
    let after = used(&store).await;
    assert!(after <= before / 2 && after > before / 3, "{before} became {after}");
    let kept: Vec<u128> = {
        let mut kept = Vec::new();
        for uid in 1..=200 {
            if known(&store, uid).await {
                kept.push(uid);
            }
        }
        kept
    };
    let first_young = kept.iter().position(|uid| uid % 10 != 0).unwrap();
    assert!(first_young > 8, "the oldest went first: {kept:?}");
    assert!((1..=20).all(|ten| kept.contains(&(ten * 10))), "what is owed was forgotten: {kept:?}");
    assert_eq!(waiting(&store).await, 20);

    // Asked for, room goes back to the disk. What the file takes may still lie in the log.
    let size =
        store.read(|reader| reader.extent()).await.map(|extent| extent.used + extent.reusable).unwrap();
    prune(&store, Retention { give_back: true, ..at_most(after) }).await;
    drop(store);
    closing.wait(std::time::Duration::from_secs(30));
    assert!(file(folder.path()) < size / 10 * 6, "{} of {size}", file(folder.path()));
    let (store, closing, _) = open(folder.path()).unwrap();
    prune(&store, at_most(after / 2)).await;

    // The room is used again before the file grows.
    let size = file(folder.path());
    for uid in 201..=260 {
        store.accept(large(uid)).await.unwrap();
    }
    assert_eq!(file(folder.path()), size);
    // With nothing but open work left there is nothing to do, and that comes to an end.
    prune(&store, at_most(0)).await;
    assert_eq!(waiting(&store).await, 80);
    drop(store);
    closing.wait(std::time::Duration::from_secs(30));
}

#[tokio::test]
async fn what_nobody_can_read_goes_first_and_orders_are_kept_for_a_time_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(large(1)).await.unwrap();
    store.settle(settlement(1, State::Delivered, false, None)).await.unwrap();
    for second in 0..50 {
        let bytes = Quarantined {
            source: "am".into(),
            received_at: at(second * 1000),
            reason: "no JSON".into(),
            body: noise(second as u64, 20_000),
        };
        store.quarantine(bytes).await.unwrap();
        let order = Order {
            who: "alice".into(),
            at: at(second * 1000),
            uid: Uuid::from_u128(7),
            what: What::Note(format!("order {second}")),
            still: None,
        };
        store.manage(order).await.unwrap().unwrap();
    }
    let orders = async || store.read(|reader| reader.audit(100)).await.unwrap().len();
    let full = used(&store).await;
    let old =
        Retention { events_before: at(25_000), lanes_before: at(0), audit_before: at(0), ..at_most(full) };
    prune(&store, old).await;
    assert!(used(&store).await < full - 20 * 20_000, "half of the quarantine is past its time");
    assert_eq!(orders().await, 50);
    let limit = used(&store).await - 10 * 20_000;
    prune(&store, at_most(limit)).await;
    assert!(used(&store).await <= limit);
    assert!(known(&store, 1).await, "an event went before bytes that nobody can read");
    prune(&store, Retention { audit_before: at(40_000), ..at_most(full) }).await;
    assert_eq!(orders().await, 10);
}
