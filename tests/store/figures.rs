//! What a report counts of incidents: read in one walk, with what stands beside each.

use std::sync::Arc;

use alert_relay::domain::delivery::State;
use alert_relay::domain::incident::Draft;
use alert_relay::domain::message::{DedupKey, RemoteRef};
use alert_relay::domain::signal::{Event, Signal, Subject};
use alert_relay::store::boundary::Settlement;
use alert_relay::store::follows::Following;
use alert_relay::store::handle::Store;
use alert_relay::store::hearing::{Cast, Hearing};
use alert_relay::store::incidents::IncidentFilter;
use uuid::Uuid;

use crate::ground::{at, news};
use crate::{open, settlement};

/// An incident of this name, told at this target, which took it.
async fn told(store: &Store, place: i64, target: &str, name: &str) {
    let mut event = news(u128::try_from(place).unwrap(), place * 100, target, name, place * 100, None);
    event.parts[0].incident = Some(Arc::new(Draft { title: name.into(), ..Draft::default() }));
    store.accept(event).await.unwrap();
    let begins =
        Following::Begins { remote: RemoteRef(format!("{name} of desk")), ask_at: None, remind_at: None };
    let taken = Settlement {
        lane: place,
        follows: (target == "desk").then(|| Box::new(begins)),
        now: at(place * 100 + 12),
        ..settlement(place, State::Delivered, true, Some("remote"))
    };
    store.settle(taken).await.unwrap();
}

/// The platform tells how a job ended.
async fn ended(store: &Store, id: u128, name: &str, event: Event) {
    let about = Subject::Key(DedupKey::written(name).unwrap());
    let signal =
        Signal { id: id.to_string(), about, event, who: String::new(), text: String::new(), at: at(0) };
    let signals = vec![(Uuid::from_u128(7000 + id), signal)];
    let heard = Hearing { target: "repair".into(), signals, at: at(50_000), cast: Arc::new(Cast::default()) };
    store.hear(heard).await.unwrap();
}

/// Of each incident that is found: its title, whether a job was started and how the last one ended, and
/// whether there is a ticket.
async fn figures(
    store: &Store,
    filter: IncidentFilter,
    jobs: &[&str],
) -> Vec<(String, bool, Option<bool>, bool)> {
    let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
    let read = store.read(move |reader| {
        let mut found = Vec::new();
        reader.figures(&filter, &jobs, &mut |of| {
            found.push((of.title.to_owned(), of.automated_at.is_some(), of.job_ended_well, of.has_ticket));
        })?;
        Ok(found)
    });
    read.await.unwrap()
}

#[tokio::test]
async fn each_incident_is_counted_with_its_own_jobs_and_tickets() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _closing, _) = open(folder.path()).unwrap();
    for (place, target, name) in
        [(1, "repair", "a"), (2, "desk", "b"), (3, "pager", "c"), (4, "repair", "d"), (5, "repair", "e")]
    {
        told(&store, place, target, name).await;
    }
    ended(&store, 1, "a", Event::JobFailed).await;
    ended(&store, 2, "a", Event::JobSucceeded).await;
    ended(&store, 3, "d", Event::JobFailed).await;
    let all = IncidentFilter { limit: 9, ..IncidentFilter::default() };
    let row = |name: &str, starts, ended, ticket| (name.to_owned(), starts, ended, ticket);
    let expected = [
        row("e", true, None, false),
        row("d", true, Some(false), false),
        row("c", false, None, false),
        row("b", false, None, true),
        row("a", true, Some(true), false),
    ];
    assert_eq!(figures(&store, all.clone(), &["other", "repair"]).await, expected);
    assert_eq!(
        figures(&store, IncidentFilter { before: Some(5), limit: 3, ..all.clone() }, &["repair"]).await,
        expected[1..4]
    );
    // Incidents that are left out take nothing of their neighbours along.
    let few = IncidentFilter { since: Some(at(200)), until: Some(at(250)), ..all.clone() };
    assert_eq!(figures(&store, few, &["repair"]).await, expected[3..4]);
    let automated = figures(&store, all, &[]).await.iter().filter(|row| row.1 || row.2.is_some()).count();
    assert_eq!(automated, 0, "none of its targets starts jobs");
}
