//! Calls that cost money are counted on disk before they are made.

use alert_relay::store::charge::{Charge, Charged};
use alert_relay::store::handle::Store;
use alert_relay::store::retention::Retention;

use crate::ground::at;
use crate::open;

const DAY: i64 = 86_400_000;

async fn charge(store: &Store, key: &str, began: i64) -> Charged {
    let charge = Charge { target: "phone".into(), key: key.into(), began: at(began), limit: 2 };
    store.charge(charge).await.unwrap()
}

fn paid(left: u32) -> Charged {
    Charged::Paid { left }
}

fn spent(first: bool) -> Charged {
    Charged::Spent { first }
}

#[tokio::test]
async fn each_number_has_its_own_count_and_each_day_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    let mut came = Vec::new();
    for _ in 0..4 {
        came.push(charge(&store, "+15550100", 0).await);
    }
    assert_eq!(came, [paid(1), paid(0), spent(true), spent(false)]);
    assert_eq!(charge(&store, "+15550101", 0).await, paid(1));
    assert_eq!(charge(&store, "+15550100", DAY).await, paid(1));
}

#[tokio::test]
async fn what_was_spent_stays_spent_after_a_restart_however_the_run_ended() {
    let folder = tempfile::tempdir().unwrap();
    for (cut_short, expected) in
        [(true, paid(1)), (true, paid(0)), (false, spent(true)), (false, spent(false))]
    {
        let (store, closing, _) = open(folder.path()).unwrap();
        assert_eq!(charge(&store, "+15550100", 0).await, expected);
        if cut_short {
            store.leave_in_doubt();
        }
        drop(store);
        closing.wait(std::time::Duration::from_secs(30));
    }
}

#[tokio::test]
async fn days_that_are_over_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    for day in 0..5 {
        charge(&store, "a", day * DAY).await;
    }
    let retention = Retention {
        events_before: at(0),
        lanes_before: at(3 * DAY),
        audit_before: at(0),
        used_max: u64::MAX,
        give_back: false,
        rows_max: 2,
    };
    assert_eq!(store.prune(retention).await.unwrap(), 2);
    assert_eq!(store.prune(retention).await.unwrap(), 1);
    assert_eq!(charge(&store, "a", 4 * DAY).await, paid(0), "today is remembered");
}
