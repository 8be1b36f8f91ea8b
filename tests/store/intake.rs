//! What becomes of what arrives.

use alert_relay::domain::delivery::State;
use alert_relay::domain::lane::Told;
use alert_relay::domain::message::Action;
use alert_relay::store::event::NewEvent;

use crate::ground::{alert, at, event, group, news, part};
use crate::{delivery, open, settlement, waiting, work};

#[tokio::test]
async fn what_is_accepted_is_on_disk_when_the_answer_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    let accepted = store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    assert_eq!((accepted.deliveries, accepted.duplicate), (1, false));
    // A copy of the files, as a crash at this moment would leave them.
    let copy = tempfile::tempdir().unwrap();
    for file in ["alert-relay.db", "alert-relay.db-wal"] {
        std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
    }
    let (after_crash, _closing, found) = open(copy.path()).unwrap();
    let kept = delivery(&after_crash, 1).await;
    assert_eq!((kept.state, kept.action, kept.target.as_str()), (State::Waiting, Action::Trigger, "pager"));
    assert_eq!(found.perhaps_sent, kept.id, "the head may have been in flight");
    // So its resolve is sent rather than folded.
    after_crash.accept(news(2, 10, "pager", "disk", 0, Some(9))).await.unwrap();
    let owed = work(&after_crash, "pager").await.unwrap();
    assert!(owed.state.seen && owed.open.len() == 2);
}

#[tokio::test]
async fn the_same_news_twice_is_a_repeat_that_names_the_first_even_beside_lanes_not_concerned() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    let told = |uid: u128, now: i64| -> NewEvent {
        let disk = group("disk", vec![alert("disk", 0, None)]);
        let mut event = event(uid, at(now), &["pager"], std::slice::from_ref(&disk));
        let mut passing = part("chat", 0, &group("disk", vec![alert("disk", 0, Some(5))]));
        passing.alerts.iter_mut().for_each(|told: &mut Told| told.only_if_known = true);
        event.parts.push(passing);
        event
    };
    assert!(!store.accept(told(1, 0)).await.unwrap().duplicate);
    assert!(store.accept(told(2, 59_000)).await.unwrap().duplicate);
    let (first, repeat) = (delivery(&store, 1).await, delivery(&store, 2).await);
    assert_eq!((repeat.state, repeat.by), (State::Superseded, Some(first.id)));
    assert_eq!(waiting(&store).await, 1);
    assert!(!store.accept(told(3, 61_000)).await.unwrap().duplicate, "a reminder is news");
}

#[tokio::test]
async fn old_news_is_stale_and_a_resolve_of_nothing_expires_and_neither_names_a_delivery_0() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 100, "pager", "disk", 0, Some(50))).await.unwrap();
    assert_eq!(delivery(&store, 1).await.state, State::Expired);
    store.accept(news(2, 200, "pager", "disk", 0, None)).await.unwrap();
    let stale = delivery(&store, 2).await;
    assert_eq!((stale.state, stale.by), (State::Superseded, None));
    assert_eq!(waiting(&store).await, 0);
}

#[tokio::test]
async fn a_resolve_follows_its_trigger_to_a_lane_that_routing_no_longer_reaches() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    store.settle(settlement(1, State::Delivered, true, Some("ticket-7"))).await.unwrap();
    let mut over = news(2, 100, "pager", "disk", 0, Some(90));
    over.parts[0].alerts[0].only_if_known = true;
    assert_eq!(store.accept(over).await.unwrap().deliveries, 1);
    let owed = work(&store, "pager").await.unwrap();
    assert_eq!(owed.open[0].action, Action::Resolve);
    assert_eq!(owed.state.remote.unwrap().0, "ticket-7");
}

#[tokio::test]
async fn an_operation_that_fails_does_not_fail_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    let mut broken = news(2, 0, "pager", "b", 0, None);
    broken.parts[0].group = 9;
    let (a, b, c) = tokio::join!(
        store.accept(news(1, 0, "pager", "a", 0, None)),
        store.accept(broken),
        store.accept(news(3, 0, "pager", "c", 0, None)),
    );
    assert!(a.is_ok() && b.is_err() && c.is_ok());
    assert_eq!(waiting(&store).await, 2);
}

#[tokio::test]
async fn what_a_lane_owes_is_read_from_disk_oldest_first_and_a_piece_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    for (uid, starts, ends) in
        [(1, 0, None), (2, 0, Some(90_000)), (3, 200_000, None), (4, 200_000, Some(290_000))]
    {
        let now = ends.unwrap_or(starts);
        store.accept(news(uid, now, "pager", "disk", starts, ends)).await.unwrap();
    }
    let read = async |after: i64, each: usize| {
        let read = store.read(move |reader| Ok(reader.lane_work(&[(1, after)], each))).await.unwrap();
        let work = read.into_iter().next().unwrap().1.unwrap();
        (work.open.iter().map(|open| (open.id, open.action)).collect::<Vec<_>>(), work.more)
    };
    use Action::{Resolve, Trigger};
    assert_eq!(read(0, 2).await, (vec![(1, Trigger), (2, Resolve)], true));
    assert_eq!(read(2, 2).await, (vec![(3, Trigger), (4, Resolve)], false));
    assert_eq!(read(0, 9).await.0.len(), 4);
}
