//! Tickets that are followed: begun and ended by settlements, moved once whoever tells of it, and
//! whatever is written twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alert_relay::domain::delivery::State;
use alert_relay::domain::incident::{Draft, Level, Policy, State as Standing};
use alert_relay::domain::message::RemoteRef;
use alert_relay::domain::signal::{Event, Signal, Subject};
use alert_relay::domain::ticket::Phase;
use alert_relay::store::boundary::Settlement;
use alert_relay::store::event::NewEvent;
use alert_relay::store::follows::{Answer, Asked, Following, Reminding, TicketRecord};
use alert_relay::store::handle::Store;
use alert_relay::store::hearing::{Cast, Hearing, Part};
use alert_relay::store::incidents::Story;
use uuid::Uuid;

use crate::ground::{at, event, group, news};
use crate::{open, settlement};

/// The same event, opening incidents; those of one root are one.
fn opening(mut event: NewEvent) -> NewEvent {
    let draft = Arc::new(Draft {
        level: Level::P1,
        title: "disk".into(),
        service: String::new(),
        environment: String::new(),
        owner: String::new(),
        started_at: None,
        root: Some(("root".into(), Duration::from_secs(600))),
        steps: Vec::new(),
        jobs: Vec::new(),
        policy: Policy::default(),
    });
    event.parts.iter_mut().for_each(|part| part.incident = Some(Arc::clone(&draft)));
    event
}

/// The desk took the trigger of a lane and gave this back.
fn taken(lane: i64, remote: &str) -> Settlement {
    let begins = Following::Begins {
        remote: RemoteRef(remote.into()),
        ask_at: Some(at(15_000)),
        remind_at: Some(at(60_000)),
    };
    Settlement {
        lane,
        follows: Some(Box::new(begins)),
        ..settlement(lane, State::Delivered, true, Some(remote))
    }
}

fn cast() -> Arc<Cast> {
    let part = |ends| Part { acknowledges: true, ends, ..Part::default() };
    Arc::new(Cast(BTreeMap::from([("desk".to_owned(), part(true)), ("pager".to_owned(), part(false))])))
}

async fn story(store: &Store) -> Story {
    store.read(|reader| reader.story(1)).await.unwrap().unwrap()
}

async fn ticket(store: &Store, place: usize) -> TicketRecord {
    story(store).await.tickets[place].clone()
}

/// Asks after the first ticket that is due, which comes to this.
async fn ask(store: &Store, now: i64, answer: Answer) -> Asked {
    let due = store.read(move |reader| reader.asking("desk", at(now), 9)).await.unwrap();
    let asked = Asked {
        id: due[0].id,
        due: due[0].due,
        at: at(now),
        next: at(now + 120_000),
        answer,
        uid: Uuid::from_u128(1000 + u128::try_from(now).unwrap()),
        cast: cast(),
    };
    store.asked(asked.clone()).await.unwrap();
    asked
}

fn found(event: Event, state: &str) -> Answer {
    Answer::Found { event, state: state.into(), who: "ann".into() }
}

/// The desk tells of a ticket.
async fn told(store: &Store, id: &str, name: &str, event: Event, state: &str) -> (u32, u32) {
    let about = Subject::Remote(name.into());
    let signal = Signal { id: id.into(), about, event, who: "bob".into(), text: state.into(), at: at(0) };
    let signals = vec![(Uuid::from_u128(u128::from(id.as_bytes()[0]) + 5000), signal)];
    let hearing = Hearing { target: "desk".into(), signals, at: at(50_000), cast: cast() };
    let heard = store.hear(hearing).await.unwrap();
    (heard.echoes, heard.deliveries)
}

fn kinds(story: &Story) -> Vec<&str> {
    story.timeline.iter().map(|entry| entry.kind.as_str()).filter(|kind| *kind != "delivered").collect()
}

#[tokio::test]
async fn a_ticket_is_followed_from_its_making_to_its_end_however_often_that_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(opening(news(1, 0, "desk", "disk", 0, None))).await.unwrap();
    for _ in 0..2 {
        store.settle(taken(1, "t1 DESK-1 critical")).await.unwrap();
    }
    assert_eq!(store.read(|reader| reader.followed()).await.unwrap(), [("desk".to_owned(), 1)]);
    assert!(store.read(|reader| reader.asking("desk", at(14_999), 9)).await.unwrap().is_empty());
    let asked = ask(&store, 15_000, found(Event::TicketMoved, "new")).await;
    assert_eq!(kinds(&story(&store).await), ["opened"], "the state that it is made in");
    // Written again, with other words: it was written already.
    store.asked(Asked { answer: found(Event::TicketClosed, "done"), ..asked }).await.unwrap();
    let one = ticket(&store, 0).await;
    assert_eq!((one.phase, one.state.as_str(), one.who.as_str()), (Phase::Open, "new", "ann"));
    assert_eq!((one.id(), one.name()), ("t1", "DESK-1"));
    ask(&store, 140_000, Answer::Untold).await;
    let over = Settlement {
        follows: Some(Box::new(Following::Ends)),
        ..settlement(2, State::Delivered, false, None)
    };
    store.accept(opening(news(2, 150_000, "desk", "disk", 0, Some(9)))).await.unwrap();
    store.settle(over).await.unwrap();
    assert_eq!(ticket(&store, 0).await.phase, Phase::Over);
    assert!(store.read(|reader| reader.asking("desk", at(9_000_000), 9)).await.unwrap().is_empty());
    assert_eq!(told(&store, "late", "t1", Event::TicketClosed, "solved").await, (0, 0));
    assert_eq!(kinds(&story(&store).await), ["opened", "resolved"]);
}

#[tokio::test]
async fn a_lane_without_an_incident_has_nobody_to_follow_its_ticket_for() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "desk", "disk", 0, None)).await.unwrap();
    store.settle(taken(1, "t1")).await.unwrap();
    assert!(store.read(|reader| reader.followed()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_closes_it_ends_the_incident_once_and_tells_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    let alerts = vec![crate::ground::alert("disk", 0, None)];
    store.accept(opening(event(1, at(0), &["desk", "pager"], &[group("disk", alerts)]))).await.unwrap();
    store.settle(taken(1, "t1 - critical")).await.unwrap();
    let paged = Settlement { lane: 2, ..settlement(2, State::Delivered, true, None) };
    store.settle(paged).await.unwrap();
    assert_eq!(told(&store, "a", "t1", Event::TicketMoved, "In Progress").await, (0, 0));
    assert_eq!(told(&store, "b", "t1", Event::TicketMoved, "in progress").await, (1, 0));
    ask(&store, 15_000, found(Event::TicketMoved, "In progress")).await;
    assert_eq!(told(&store, "c", "t1", Event::TicketClosed, "Done").await, (0, 2), "both are told");
    assert_eq!(told(&store, "d", "t1", Event::TicketClosed, "Done").await, (1, 0));
    let story = story(&store).await;
    assert_eq!(kinds(&story), ["opened", "ticket_moved", "ticket_closed", "resolved"]);
    assert_eq!(story.incident.life.state, Standing::Resolved);
    assert!(store.read(|reader| reader.asking("desk", at(9_000_000), 9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_the_relay_closes_is_an_echo_even_before_it_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    for (uid, name) in [(1, "disk"), (2, "memory")] {
        store.accept(opening(news(uid, 0, "desk", name, 0, None))).await.unwrap();
    }
    for (lane, remote) in [(1, "t1"), (2, "t2")] {
        store.settle(taken(lane, remote)).await.unwrap();
    }
    // One alert of two is over: its ticket is about to be closed, the incident goes on.
    store.accept(opening(news(3, 20_000, "desk", "disk", 0, Some(9)))).await.unwrap();
    assert_eq!(told(&store, "echo", "t1", Event::TicketClosed, "solved").await, (1, 0));
    assert_eq!(kinds(&story(&store).await), ["opened", "joined"]);
}

#[tokio::test]
async fn of_several_tickets_of_an_incident_the_last_one_decides() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    for (uid, name) in [(1, "disk"), (2, "memory")] {
        store.accept(opening(news(uid, 0, "desk", name, 0, None))).await.unwrap();
    }
    for (lane, remote) in [(1, "t1"), (2, "t2")] {
        store.settle(taken(lane, remote)).await.unwrap();
    }
    told(&store, "a", "t1", Event::TicketClosed, "Done").await;
    assert_eq!(story(&store).await.incident.life.state, Standing::Detected);
    told(&store, "b", "t2", Event::TicketClosed, "Done").await;
    assert_eq!(story(&store).await.incident.life.state, Standing::Resolved);
}

#[tokio::test]
async fn a_ticket_that_is_not_found_three_times_in_a_row_is_followed_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(opening(news(1, 0, "desk", "disk", 0, None))).await.unwrap();
    store.settle(taken(1, "t1")).await.unwrap();
    let nothing = || Answer::Nothing("answered 404".into());
    for (now, answer) in [
        (1, nothing()),
        (2, nothing()),
        (3, found(Event::TicketMoved, "new")),
        (4, nothing()),
        (5, Answer::Untold),
        (6, nothing()),
    ] {
        ask(&store, now * 1_000_000, answer).await;
        assert_eq!(ticket(&store, 0).await.phase, Phase::Open, "{now}");
    }
    ask(&store, 7_000_000, nothing()).await;
    assert_eq!(ticket(&store, 0).await.phase, Phase::Lost);
    let story = story(&store).await;
    assert_eq!(
        (kinds(&story), story.incident.life.state),
        (vec!["opened", "ticket_lost"], Standing::Detected)
    );
    assert!(store.read(|reader| reader.asking("desk", at(90_000_000), 9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reminder_is_made_once_and_with_its_comment_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(opening(news(1, 0, "desk", "disk", 0, None))).await.unwrap();
    store.settle(taken(1, "t1 DESK-1")).await.unwrap();
    let pending = |now: i64| {
        let store = store.clone();
        async move { store.read(move |reader| reader.pending(at(now), &Level::ALL, 9)).await.unwrap() }
    };
    assert!(pending(59_999).await.is_empty());
    let due = pending(60_000).await.remove(0);
    assert_eq!((due.name(), due.incident, due.level), ("DESK-1", 1, Level::P1));
    let reminding = Reminding {
        id: due.id,
        due: due.due,
        at: at(60_000),
        again: Duration::from_secs(60),
        uid: Uuid::from_u128(77),
        note: "Reminder".into(),
        said: "nobody has taken it".into(),
        event: Some(Box::new(news(78, 60_000, "chat", "disk", 0, None))),
    };
    for _ in 0..2 {
        store.remind(reminding.clone()).await.unwrap();
    }
    let waiting = store.read(|reader| reader.waiting()).await.unwrap();
    let owed: Vec<(&str, u64)> = waiting.iter().map(|owed| (owed.target.as_str(), owed.waiting)).collect();
    assert_eq!(owed, [("chat", 1), ("desk", 1)]);
    assert_eq!(ticket(&store, 0).await.reminded, 1);
    let next = pending(120_000).await.remove(0);
    told(&store, "moved", "t1", Event::TicketMoved, "In Progress").await;
    store.remind(Reminding { due: next.due, at: at(120_000), ..reminding }).await.unwrap();
    assert_eq!(ticket(&store, 0).await.reminded, 1, "somebody has it now");
    assert!(pending(9_000_000).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_and_its_time_line_are_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(opening(news(1, 0, "desk", "disk", 0, None))).await.unwrap();
    store.settle(taken(1, "t1")).await.unwrap();
    let moving = store.clone();
    let mover = tokio::spawn(async move {
        for n in 1..=400 {
            told(&moving, &format!("signal {n}"), "t1", Event::TicketMoved, &format!("{n}")).await;
        }
    });
    let mut seen = 0;
    while seen < 400 {
        let story = story(&store).await;
        let moves = kinds(&story).len() - 1;
        let state: usize = story.tickets[0].state.parse().unwrap_or_default();
        assert_eq!(moves, state, "the time line tells of every state");
        seen = state;
    }
    mover.await.unwrap();
}
