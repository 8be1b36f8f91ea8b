//! Orders of people and what they look for, on real SQLite.

use std::sync::Arc;
use std::time::Duration;

use alert_relay::domain::delivery::State;
use alert_relay::domain::incident::Draft;
use alert_relay::domain::message::Action;
use alert_relay::store::boundary::{AttemptRow, Settled, Settlement};
use alert_relay::store::handle::Store;
use alert_relay::store::hearing::Cast;
use alert_relay::store::incidents::{Act, Acting};
use alert_relay::store::orders::{
    AuditRecord, Filter, Order, Ordered, Orphan, OrphanFilter, Recorded, Refused, What,
};
use alert_relay::store::retention::Retention;
use uuid::Uuid;

use crate::ground::{at, news};
use crate::{open, settlement, waiting, work};

pub fn order(what: What) -> Order {
    Order { who: "alice".into(), at: at(50), uid: Uuid::from_u128(77), what, still: None }
}

async fn refusal(store: &Store, what: What) -> String {
    match store.manage(order(what)).await.unwrap() {
        Err(Refused::Unknown(why) | Refused::Not(why)) => why,
        Ok(done) => panic!("{done:?}"),
    }
}

pub async fn audit(store: &Store) -> Vec<AuditRecord> {
    store.read(|reader| reader.audit(9)).await.unwrap()
}

async fn orphans(store: &Store, now: i64, silent_for: u64) -> Vec<Orphan> {
    let silent_for = Duration::from_millis(silent_for);
    let filter = OrphanFilter { now: at(now), silent_for, lane: None, limit: 9 };
    store.read(move |reader| reader.orphans(&filter)).await.unwrap()
}

#[tokio::test]
async fn a_dead_letter_is_sent_again_as_a_new_delivery_whose_number_is_never_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (store, closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    store.settle(settlement(1, State::Dead, false, None)).await.unwrap();
    let done = store.manage(order(What::Retry(1))).await.unwrap();
    assert_eq!(done, Ok(Ordered { delivery: 2, at_once: true }));
    let owed = work(&store, "pager").await.unwrap();
    let [again] = owed.open.as_slice() else { panic!("{owed:?}") };
    assert_eq!((again.id, again.action, again.attempts, again.accepted_at), (2, Action::Trigger, 0, at(50)));
    assert_eq!(again.group.alerts[0].labels["alertname"], "disk");
    let first = store.read(|reader| reader.delivery(1)).await.unwrap().unwrap();
    assert_eq!((first.state, first.by), (State::Dead, Some(2)));
    let event = store.read(|reader| reader.event(Uuid::from_u128(77))).await.unwrap().unwrap();
    assert_eq!(
        (event.notes.as_slice(), event.deliveries[0].reason.as_str()),
        (&["redriven by alice: delivery 1".to_owned()][..], "redriven by alice")
    );
    drop(store);
    closing.wait(Duration::from_secs(9));

    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(2, 60, "pager", "cpu", 0, None)).await.unwrap();
    let newest = store.read(|reader| reader.delivery(3)).await.unwrap().unwrap();
    assert_eq!(newest.event, Uuid::from_u128(2));
    store.settle(settlement(2, State::Delivered, true, None)).await.unwrap();
    let old = Retention {
        events_before: at(1000),
        lanes_before: at(0),
        audit_before: at(0),
        used_max: u64::MAX,
        give_back: false,
        rows_max: 100,
    };
    store.prune(old).await.unwrap();
    let gone = store.read(|reader| reader.delivery(2)).await.unwrap();
    assert_eq!(gone, None, "it is forgotten with its event");
}

#[tokio::test]
async fn what_a_person_sent_again_the_relay_does_not_send_again_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    let given_up = Settlement { given_up: Some(1), ..settlement(1, State::Dead, false, None) };
    store.settle(given_up).await.unwrap();
    let left = async || store.read(|reader| reader.given_up("pager", 9)).await.unwrap().len();
    assert_eq!(left().await, 1);
    store.manage(order(What::Retry(1))).await.unwrap().unwrap();
    assert_eq!(left().await, 0);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_in_a_sentence_and_written_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    assert_eq!(
        refusal(&store, What::Resolve(1)).await,
        "something is waiting to be sent there; see to that first (retry or drop)"
    );
    store.settle(settlement(1, State::Dead, false, None)).await.unwrap();
    store.accept(news(2, 20, "pager", "disk", 0, Some(15))).await.unwrap();
    assert_eq!(
        refusal(&store, What::Retry(1)).await,
        "all its alerts are over by now; nobody is paged for what is over"
    );
    assert_eq!(
        refusal(&store, What::Retry(2)).await,
        "it was never to be sent: a resolve of something never opened"
    );
    assert_eq!(
        refusal(&store, What::Drop(1, String::new())).await,
        "it is dead already; only what waits can be dropped"
    );
    assert_eq!(
        refusal(&store, What::Drop(9, String::new())).await,
        "there is no delivery 9; it may be past its retention"
    );
    assert_eq!(refusal(&store, What::Resolve(1)).await, "nothing is open there");
    assert_eq!(audit(&store).await, []);
}

#[tokio::test]
async fn what_is_dropped_is_owed_no_more_and_one_that_may_have_arrived_leaves_its_resolve_owed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    store.leave_in_doubt();
    drop(store);
    closing.wait(Duration::from_secs(9));
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.manage(order(What::Drop(1, "planned".into()))).await.unwrap().unwrap();
    assert_eq!(waiting(&store).await, 0);
    let dropped = store.read(|reader| reader.delivery(1)).await.unwrap().unwrap();
    assert_eq!((dropped.state, dropped.reason.as_str()), (State::Expired, "dropped by alice: planned"));
    let written = &audit(&store).await[0];
    assert_eq!(
        (written.what.as_str(), written.about.as_str(), written.detail.as_str()),
        ("drop", "delivery 1", "planned")
    );
    store.accept(news(2, 60, "pager", "disk", 0, Some(55))).await.unwrap();
    assert_eq!(work(&store, "pager").await.unwrap().open[0].action, Action::Resolve);
}

#[tokio::test]
async fn orphans_are_over_or_silent_and_a_resolve_begins_the_lane_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    assert_eq!(orphans(&store, 99_999, 0).await, [], "what is owed is no orphan");
    store.settle(settlement(1, State::Delivered, true, None)).await.unwrap();
    assert_eq!(orphans(&store, 20, 10).await, [], "touched a moment ago");
    let silent = orphans(&store, 30, 10).await;
    assert_eq!((silent.len(), silent[0].over, silent[0].latest), (1, false, 1));
    store.accept(news(2, 40, "pager", "disk", 0, Some(35))).await.unwrap();
    let attempt = AttemptRow {
        n: 1,
        at: at(41),
        took: Duration::ZERO,
        status: 400,
        outcome: "rejected",
        excerpt: String::new(),
    };
    let mut refused = settlement(2, State::Dead, true, None);
    refused.settled =
        vec![Settled { id: 2, state: State::Dead, reason: "no".into(), by: None, attempt: Some(attempt) }];
    store.settle(refused).await.unwrap();
    assert!(orphans(&store, 45, 999_999).await[0].over, "its resolve never got through");
    store.manage(order(What::Resolve(1))).await.unwrap().unwrap();
    let owed = work(&store, "pager").await.unwrap();
    let group = &owed.open[0].group;
    assert_eq!(
        (owed.open[0].action, group.alerts[0].labels["alertname"].as_str()),
        (Action::Resolve, "disk")
    );
    store.settle(settlement(3, State::Delivered, false, None)).await.unwrap();
    assert_eq!(orphans(&store, 99_999, 0).await, []);
    let told = store.accept(news(3, 70, "pager", "disk", 0, None)).await.unwrap();
    assert_eq!(told.deliveries, 1, "what still fires is told as a new story");
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    for n in 1..=5_i64 {
        let uid = u128::try_from(n).unwrap();
        store.accept(news(uid, n * 100, "pager", &format!("disk{n}"), 0, None)).await.unwrap();
    }
    let page = async |filter: Filter| {
        let (found, next) = store.read(move |reader| reader.deliveries(&filter)).await.unwrap();
        (found.iter().map(|record| record.id).collect::<Vec<_>>(), next)
    };
    let two = Filter { limit: 2, ..Filter::default() };
    assert_eq!(page(two.clone()).await, (vec![5, 4], Some(4)));
    assert_eq!(page(Filter { before: Some(2), ..two.clone() }).await, (vec![1], None));
    assert_eq!(
        page(Filter { since: Some(at(200)), until: Some(at(400)), ..two.clone() }).await,
        (vec![3, 2], Some(2))
    );
    assert_eq!(page(Filter { event: Some(Uuid::from_u128(4)), ..two.clone() }).await, (vec![4], None));
    assert_eq!(page(Filter { event: Some(Uuid::from_u128(9)), ..two.clone() }).await, (vec![], None));
    assert_eq!(page(Filter { key: Some("disk3".into()), ..two.clone() }).await, (vec![3], None));
    assert_eq!(page(Filter { states: vec![State::Dead], ..two }).await, (vec![], None));

    let events = async |wanted: Recorded| {
        let (found, next) = store.read(move |reader| reader.recorded(&wanted)).await.unwrap();
        (found.into_iter().map(|event| String::from_utf8(event.body).unwrap()).collect::<Vec<_>>(), next)
    };
    let named = |n: &[i64]| n.iter().map(|n| format!("event {n}")).collect::<Vec<_>>();
    let two = Recorded { limit: 2, ..Recorded::default() };
    assert_eq!(events(two.clone()).await, (named(&[1, 2]), Some(2)));
    assert_eq!(events(Recorded { after: 4, ..two.clone() }).await, (named(&[5]), None));
    assert_eq!(
        events(Recorded { since: Some(at(200)), until: Some(at(300)), ..two.clone() }).await,
        (named(&[2]), None)
    );
    assert_eq!(events(Recorded { uids: vec![Uuid::from_u128(3)], ..two.clone() }).await, (named(&[3]), None));
    assert_eq!(events(Recorded { source: Some("other".into()), ..two }).await, (named(&[]), None));
}

#[tokio::test]
async fn what_people_and_replays_made_is_not_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    store.settle(settlement(1, State::Dead, false, None)).await.unwrap();
    store.manage(order(What::Retry(1))).await.unwrap().unwrap();
    let mut replayed = news(3, 60, "pager", "disk", 0, None);
    replayed.notes = vec!["replay of 1 by alice".into(), "more".into()];
    store.accept(replayed).await.unwrap();
    let wanted = Recorded { limit: 9, ..Recorded::default() };
    let (found, _) = store.read(move |reader| reader.recorded(&wanted)).await.unwrap();
    assert_eq!(found.iter().map(|event| event.uid).collect::<Vec<_>>(), [Uuid::from_u128(1)]);
    let recent = store.read(|reader| reader.recent(at(0), 9)).await.unwrap();
    assert_eq!(recent.len(), 2, "a retry tells old news");
}

#[tokio::test]
async fn a_time_line_that_is_full_takes_the_words_of_people_only() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    let told = |uid: u128, now: i64| {
        let mut event = news(uid, now, "pager", "disk", now, None);
        event.parts[0].incident = Some(Arc::new(Draft::default()));
        event
    };
    store.accept(told(1, 0)).await.unwrap();
    let entries = async || {
        let story = store.read(|reader| reader.story(1)).await.unwrap().unwrap();
        story.timeline.iter().map(|entry| entry.kind.clone()).collect::<Vec<_>>()
    };
    store.accept(told(2, 100_000)).await.unwrap();
    assert_eq!(entries().await, ["opened", "alert"]);
    let raw = rusqlite::Connection::open(folder.path().join("alert-relay.db")).unwrap();
    let fill = "INSERT INTO timeline SELECT 1, 2000, at, 'filler', who, target, text FROM timeline";
    raw.execute(fill, []).unwrap();
    store.accept(told(3, 200_000)).await.unwrap();
    assert_eq!(entries().await, ["opened", "alert", "filler"], "it goes on without writing it down");
    let acting = Acting { id: 1, act: Act::Note, note: "seen".into(), cast: Arc::new(Cast::default()) };
    store.manage(order(What::Incident(acting))).await.unwrap().unwrap();
    assert_eq!(entries().await, ["opened", "alert", "filler", "commented"]);
}
