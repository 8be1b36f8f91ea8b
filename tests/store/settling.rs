//! What a try came to, and forgetting.

use std::sync::Arc;

use alert_relay::domain::delivery::State;
use alert_relay::domain::incident::{Draft, Level, Step};
use alert_relay::store::boundary::{LaneState, Rescue, Settlement, Why};
use alert_relay::store::event::NewEvent;
use alert_relay::store::handle::Store;
use alert_relay::store::incidents::Escalating;
use alert_relay::store::retention::Retention;
use uuid::Uuid;

use crate::ground::{at, news};
use crate::{delivery, open, settlement, waiting, work};

#[tokio::test]
async fn a_settlement_written_twice_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    // Another waits behind it and must not be taken for it.
    store.accept(news(2, 90_000, "pager", "disk", 0, Some(80_000))).await.unwrap();
    for state in [State::Waiting, State::Waiting, State::Delivered, State::Delivered] {
        store.settle(settlement(1, state, true, None)).await.unwrap();
        let record = delivery(&store, 1).await;
        assert_eq!((record.state, record.attempts.len()), (state, 1));
        assert_eq!(waiting(&store).await, 1 + u64::from(state.is_open()));
    }
    // What has ended stays as it ended.
    store.settle(settlement(1, State::Dead, true, None)).await.unwrap();
    assert_eq!(delivery(&store, 1).await.state, State::Delivered);
}

#[tokio::test]
async fn what_was_announced_and_never_settled_is_in_doubt_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let begun = async |store: &Store| work(store, "jobs").await.unwrap().state.begun;
    let (store, closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "jobs", "disk", 0, None)).await.unwrap();
    assert_eq!(begun(&store).await, None);
    store.begin(1, "first").await.unwrap();
    store.begin(1, "second").await.unwrap();
    drop(store);
    closing.wait(std::time::Duration::from_secs(30));
    let (store, closing, _) = open(folder.path()).unwrap();
    assert_eq!(begun(&store).await.as_deref(), Some("first"), "over a restart, and the first stays");
    store.settle(settlement(1, State::Waiting, false, None)).await.unwrap();
    assert_eq!(begun(&store).await, None, "a settlement says how it ended");
    store.begin(1, "third").await.unwrap();
    let given_up = settlement(1, State::Dead, true, None);
    let after = LaneState { begun: Some("third".into()), ..given_up.after.clone() };
    store.settle(Settlement { after, ..given_up }).await.unwrap();
    let fresh = store.accept(news(2, 90_000, "jobs", "disk", 0, None)).await.unwrap();
    assert_eq!(fresh.deliveries, 1);
    assert_eq!(begun(&store).await.as_deref(), Some("third"), "what is in doubt stays so for later news");
    drop(store);
    closing.wait(std::time::Duration::from_secs(30));
}

/// The same story told again: no window and no equal wording keeps it from being told.
fn again(uid: u128, target: &str) -> NewEvent {
    let mut told = news(uid, i64::try_from(uid).unwrap() * 1000, target, "disk", 0, None);
    told.window = std::time::Duration::ZERO;
    told.parts[0].content = 0;
    told
}

/// What waits for this target.
async fn owed(store: &Store, target: &'static str) -> usize {
    work(store, target).await.map_or(0, |work| work.open.len())
}

#[tokio::test]
async fn whatever_a_crash_makes_the_relay_do_again_the_fallback_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    let mut told = news(1, 0, "pager", "disk", 0, None);
    told.parts[0].fall_after = Some(std::time::Duration::from_secs(1));
    store.accept(told).await.unwrap();
    for uid in [2, 3] {
        let event = Some(Box::new(again(uid, "spare")));
        store.rescue(Rescue { lane: 1, why: Why::Fallen, event }).await.unwrap();
        assert_eq!(owed(&store, "spare").await, 1);
    }
    for uid in [4, 5] {
        let tells = Some(Box::new(again(uid, "third")));
        let dead = Settlement { tells, given_up: Some(1), ..settlement(1, State::Dead, false, None) };
        store.settle(dead).await.unwrap();
        assert_eq!(owed(&store, "third").await, 1);
    }
    for uid in [6, 7] {
        let event = Some(Box::new(again(uid, "pager")));
        store.rescue(Rescue { lane: 1, why: Why::Redriven, event }).await.unwrap();
        assert_eq!(owed(&store, "pager").await, 1);
    }
}

#[tokio::test]
async fn a_step_of_an_escalation_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    let step = Step { after: std::time::Duration::from_secs(1), targets: vec!["phone".into()], rota: None };
    let mut told = news(1, 0, "pager", "disk", 0, None);
    told.parts[0].incident = Some(Arc::new(Draft { steps: vec![step], ..Draft::default() }));
    store.accept(told).await.unwrap();
    let due = store.read(|reader| reader.escalations(at(2000), &Level::ALL, 9)).await.unwrap();
    assert_eq!(due.len(), 1);
    for uid in [2, 3] {
        let event = Some(Box::new(again(uid, "phone")));
        let step = Escalating { id: due[0].id, due: due[0].due, at: at(2000), said: "nobody".into(), event };
        store.escalate(step).await.unwrap();
        assert_eq!(owed(&store, "phone").await, 1);
    }
}

#[tokio::test]
async fn pruning_takes_what_is_finished_and_old_and_never_what_is_owed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    for (uid, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        store.accept(news(uid, 0, "pager", name, 0, None)).await.unwrap();
    }
    for id in [1, 3, 4] {
        let mut settled = settlement(id, State::Delivered, false, None);
        settled.lane = id;
        store.settle(settled).await.unwrap();
    }
    let retention = Retention {
        events_before: at(50),
        lanes_before: at(50),
        audit_before: at(50),
        used_max: u64::MAX,
        give_back: false,
        rows_max: 2,
    };
    let mut steps = 0;
    while store.prune(retention).await.unwrap() >= 2 {
        steps += 1;
        assert!(steps < 50, "it never comes to an end");
    }
    assert!(steps > 1, "in small steps");
    let mut left = Vec::new();
    for uid in 1..=4 {
        if store.read(move |reader| reader.event(Uuid::from_u128(uid))).await.unwrap().is_some() {
            left.push(uid);
        }
    }
    assert_eq!(left, [2, 4], "2 is owed; 4 is the newest, from which the next ids are counted");
    assert_eq!(waiting(&store).await, 1);
}
