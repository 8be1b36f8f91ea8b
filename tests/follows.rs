//! Tickets in the real binary: made once, commented, asked after until somebody closes them, which ends
//! the incident at every target; remembered when nobody takes them; never asked more often than the
//! budget allows; a second desk where the first is closed. Whatever is killed in between.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]

#[path = "follows/desk.rs"]
mod desk;
mod support;

use std::process::Command;
use std::time::Duration;

use desk::{Desk, TOKEN};
use serde_json::{Value, json};
use support::fake::{Answer, Fake};
use support::kinds::{tell, tell_again};
use support::relay::Relay;
use support::vendor::ledger::State;
use support::vendor::rules::Action;
use support::vendor::{PagerDuty, ROUTING_KEY};

/// A pager, a chat that hears of reminders only, and a desk.
struct Stage {
    pager: PagerDuty,
    chat: Fake,
    desk: Desk,
    relay: Relay,
}

impl Stage {
    /// `tickets` are the rules of tickets, `more` further keys of the desk's target.
    async fn set(tickets: &str, more: &str) -> Stage {
        Stage::with(Desk::open(), tickets, more, "").await
    }

    async fn with(desk: Desk, tickets: &str, more: &str, targets: &str) -> Stage {
        let pager = PagerDuty::start().await;
        let chat = Fake::start(|_| Answer::text(204, ""));
        let (pager_url, chat_url, settings) = (pager.url(), chat.url(), desk.settings());
        let config = format!(
            r#"
server: {{ listen: LISTEN, external_url: "https://relay.example.com", dedup_window: 0s }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [pager, desk] }}]
incidents: {{ tickets: {{ {tickets} }} }}
targets:
  - name: pager
    pagerduty: {{ base_url: "{pager_url}", routing_key: "{ROUTING_KEY}" }}
    rate: {{ limit: 1000/s, burst: 1000 }}
  - {{ name: chat, webhook: {{ url: "{chat_url}/in" }}, rate: {{ limit: 1000/s, burst: 1000 }} }}
  - name: desk
    {settings}
    rate: {{ limit: 1000/s, burst: 1000 }}
    retry: {{ base: 50ms, cap: 200ms }}
    {more}
{targets}
"#
        );
        Stage { pager, chat, desk, relay: Relay::start(&config).await }
    }

    /// The first incident with its time line.
    async fn story(&self) -> Value {
        let url = self.relay.url("/api/v1/incidents/1");
        let answer = self.relay.http().get(url).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
    }

    /// Until the first incident is like that.
    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let story = self.story().await;
            if is_so(&story) {
                return story;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("never {what}: {:#}", self.story().await);
    }

    /// Until the ticket of the first incident is followed and was found in this state.
    async fn stands(&self, state: &str) -> Value {
        self.until(state, |story| story["tickets"][0]["state"] == state).await
    }

    async fn pager_is(&self, state: State) {
        for _ in 0..600 {
            if self.pager.incidents().first().is_some_and(|incident| incident.state == state) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the page never became {state:?}: {:?}", self.pager.incidents());
    }

    /// The desk tells of a ticket by itself.
    async fn desk_says(&self, status: &str, who: &str) {
        let body = json!({ "ticket": { "id": "t1", "status": status }, "by": who }).to_string();
        let post = self.relay.http().post(self.relay.url("/callbacks/desk")).bearer_auth(TOKEN).body(body);
        assert_eq!(post.send().await.unwrap().status().as_u16(), 200);
    }
}

/// How often something of this kind stands on the time line.
fn count(story: &Value, kind: &str) -> usize {
    story["timeline"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind).count()
}

/// Deliveries of a target that are on record.
fn delivered(story: &Value, target: &str) -> usize {
    let entries = story["timeline"].as_array().unwrap().iter();
    entries.filter(|entry| entry["kind"] == "delivered" && entry["target"] == target).count()
}

/// Long enough for several questions, were any due.
async fn some_time() {
    tokio::time::sleep(Duration::from_millis(3500)).await;
}

/// Until this holds.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..800 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn a_ticket_is_made_once_commented_and_asked_after_until_its_end_ends_the_incident() {
    let mut stage = Stage::set("every: 1s", "").await;
    tell(&stage.relay, "DiskFull", true).await;
    let story = stage.stands("new").await;
    assert_eq!(
        (&story["tickets"][0]["name"], &story["tickets"][0]["phase"], &story["tickets"][0]["target"]),
        (&json!("DESK-1"), &json!("open"), &json!("desk"))
    );
    assert_eq!(count(&story, "ticket_moved"), 0, "the state that it is made in is no news");
    tell_again(&stage.relay, "DiskFull", "97 % full").await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.relay.kill9();
    stage.desk.set(0, "pending", "ann");
    stage.relay.start_again().await;
    let story = stage.stands("pending").await;
    assert_eq!((count(&story, "ticket_moved"), &story["tickets"][0]["assignee"]), (1, &json!("ann")));
    stage.pager_is(State::Open).await;
    stage.relay.kill9();
    stage.desk.set(0, "solved", "ann");
    stage.relay.start_again().await;
    stage.pager_is(State::Resolved).await;
    let story = stage.until("resolved", |story| story["state"] == "resolved").await;
    assert_eq!([count(&story, "ticket_closed"), count(&story, "resolved")], [1, 1], "{story:#}");
    let entries = story["timeline"].as_array().unwrap();
    let end = entries.iter().find(|entry| entry["kind"] == "resolved").unwrap();
    assert_eq!(
        (&end["who"], &end["target"], &end["text"]),
        (&json!("ann"), &json!("desk"), &json!("its ticket was closed: solved"))
    );
    assert_eq!(stage.desk.tickets().len(), 1, "made once");
    let report = stage.relay.http().get(stage.relay.url("/api/v1/incidents/1/report")).send().await.unwrap();
    let report = report.text().await.unwrap();
    let line = "## Tickets\n\n- DESK-1 `desk` **closed**: solved, ann, `20";
    assert!(report.contains(line), "{report}");
    let url = stage.relay.url("");
    let mut show = Command::new(env!("CARGO_BIN_EXE_alert-relay"));
    let shown = show.args(["incident", "show", "1", "--url", &url]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout);
    let line = shown.lines().find(|line| line.starts_with("DESK-1")).unwrap_or_default();
    assert!(line.contains("desk") && line.contains("closed (solved)") && line.contains("ann"), "{shown}");
    let asked = stage.desk.asked();
    some_time().await;
    let more: usize = stage.desk.asked()[0] - asked[0];
    assert!(more <= 1, "the resolve of the desk's own lane reads it once: {more}");
    assert_eq!(stage.pager.processed(Action::Resolve), 1);
}

#[tokio::test]
async fn what_is_pushed_and_asked_for_is_one_and_the_same() {
    let stage = Stage::set("every: 1s", "").await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.stands("new").await;
    stage.desk.set(0, "pending", "ann");
    for _ in 0..2 {
        stage.desk_says("pending", "ann").await;
    }
    some_time().await;
    assert_eq!(count(&stage.story().await, "ticket_moved"), 1);
    stage.desk.set(0, "solved", "ann");
    let (first, second) = tokio::join!(stage.desk_says("solved", "ann"), stage.desk_says("solved", "bob"));
    assert_eq!((first, second), ((), ()));
    stage.pager_is(State::Resolved).await;
    some_time().await;
    let story = stage.story().await;
    assert_eq!([count(&story, "ticket_closed"), count(&story, "resolved")], [1, 1], "{story:#}");
    assert_eq!(stage.pager.processed(Action::Resolve), 1);
}

#[tokio::test]
async fn a_ticket_that_the_relay_closes_itself_is_an_echo() {
    let stage = Stage::set("every: 1s", "").await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.stands("new").await;
    tell(&stage.relay, "DiskFull", false).await;
    until("the desk's ticket is closed", || stage.desk.tickets()[0]["status"] == "solved").await;
    stage.desk_says("solved", "alert-relay").await;
    let story = stage.until("over", |story| story["tickets"][0]["phase"] == "over").await;
    some_time().await;
    assert_eq!([count(&story, "ticket_closed"), count(&story, "resolved")], [0, 1], "{story:#}");
    assert_eq!(stage.pager.processed(Action::Resolve), 1);
    assert_eq!(stage.desk.comments().len(), 1, "{:?}", stage.desk.comments());
}

#[tokio::test]
async fn where_the_rule_says_so_a_closed_ticket_stands_on_the_time_line_and_no_more() {
    let stage = Stage::set("every: 1s, on_closed: note", "").await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.stands("new").await;
    stage.desk.set(0, "closed", "ann");
    let story = stage.until("closed", |story| story["tickets"][0]["phase"] == "closed").await;
    let asked = stage.desk.asked();
    some_time().await;
    assert_eq!((&story["state"], count(&story, "ticket_closed")), (&json!("detected"), 1));
    assert_eq!(stage.desk.asked(), asked, "nobody asks after a closed one");
    stage.pager_is(State::Open).await;
}

#[tokio::test]
async fn of_a_ticket_that_nobody_takes_somebody_is_reminded_three_times_and_not_more() {
    let mut stage = Stage::set("every: 1s, remind_after: 3s, remind: [chat]", "").await;
    tell(&stage.relay, "DiskFull", true).await;
    until("there is a ticket", || !stage.desk.tickets().is_empty()).await;
    stage.desk.set(0, "new", "ann");
    stage.stands("new").await;
    until("a reminder", || !stage.desk.comments().is_empty()).await;
    // A kill before that is on record may repeat the comment.
    stage.until("settled", |story| delivered(story, "desk") == 2 && delivered(story, "chat") == 1).await;
    stage.relay.kill9();
    stage.relay.start_again().await;
    until("three reminders", || stage.desk.comments().len() >= 3).await;
    let heard = stage.chat.has_heard(3).await;
    some_time().await;
    let comments = stage.desk.comments();
    assert_eq!((comments.len(), stage.chat.heard().len()), (3, 3), "{comments:#?}");
    assert!(comments[0].contains("Reminder for ann: this has not been taken up for"), "{comments:#?}");
    let note = heard[0].json()["note"].as_str().unwrap_or_default().to_owned();
    assert!(note.contains("ticket DESK-1 (desk) has not been taken up for"), "{note}");
    assert_eq!(count(&stage.story().await, "reminded"), 3);
    assert_eq!(stage.pager.processed(Action::Trigger), 1, "nobody is paged by it");
    tell(&stage.relay, "DiskFull", false).await;
    let heard = stage.chat.has_heard(4).await;
    assert_eq!(heard[3].json()["action"], "resolve", "whoever was told hears of the end");
}

#[tokio::test]
async fn nobody_is_reminded_of_what_somebody_has() {
    let rules = "every: 1s, remind_after: 4s, remind: [chat]";
    let (taken, moved) = tokio::join!(Stage::set(rules, ""), Stage::set(rules, ""));
    for stage in [&taken, &moved] {
        tell(&stage.relay, "DiskFull", true).await;
        until("there is a ticket", || !stage.desk.tickets().is_empty()).await;
    }
    taken.relay.accepts("/api/v1/incidents/1/acknowledge", "{}").await;
    moved.until("followed", |story| story["tickets"][0]["name"] == "DESK-1").await;
    moved.desk.set(0, "pending", "ann");
    moved.desk_says("pending", "ann").await;
    moved.stands("pending").await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    for stage in [taken, moved] {
        let story = stage.story().await;
        assert_eq!((count(&story, "reminded"), stage.chat.heard().len()), (0, 0), "{story:#}");
    }
}

#[tokio::test]
async fn the_budget_bounds_how_often_a_desk_is_asked_and_none_is_forgotten() {
    const TICKETS: usize = 12;
    let stage = Stage::set("every: 1s", "inquiries: 120/min").await;
    let began = stage.pager.age();
    for number in 0..TICKETS {
        tell(&stage.relay, &format!("Disk{number}"), true).await;
    }
    until("all are made", || stage.desk.tickets().len() == TICKETS).await;
    until("each was asked after twice", || stage.desk.asked().iter().all(|asked| *asked >= 2)).await;
    let asked = stage.desk.asked();
    let allowed = 5 + (stage.pager.age() - began).as_secs_f64().ceil() as usize * 2;
    assert!(asked.iter().sum::<usize>() <= allowed, "{asked:?} of {allowed}");
    let most = asked.iter().max().unwrap();
    assert!(*most <= 4, "the longest due goes first: {asked:?}");
    let metrics = stage.relay.metrics().await;
    assert!(metrics.contains(r#"alert_relay_inquiries_total{target="desk",outcome="known"}"#), "{metrics}");
}

#[tokio::test]
async fn a_desk_that_wants_to_be_left_alone_is_and_so_by_deliveries() {
    let mut stage = Stage::set("every: 1s", "").await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.stands("new").await;
    stage.desk.wants_rest(600);
    let asked = stage.desk.asked()[0];
    until("it is asked once more", || stage.desk.asked()[0] > asked).await;
    let is_heard = r#"alert_relay_inquiries_total{target="desk",outcome="retry"}"#;
    for _ in 0..400 {
        if stage.relay.metrics().await.contains(is_heard) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let requests = stage.desk.requests();
    tell(&stage.relay, "Another", true).await;
    some_time().await;
    assert_eq!(stage.desk.requests(), requests, "neither questions nor deliveries");
    assert_eq!(stage.desk.tickets().len(), 1);
    stage.pager.wait_for("two pages", |ledger| ledger.open() == 2, Duration::from_secs(20)).await;
    assert_eq!(stage.relay.stop().await.code(), Some(0));
}

#[tokio::test]
async fn where_the_first_desk_is_closed_the_second_has_the_one_ticket_until_the_end() {
    let (first, second) = (Desk::open(), Desk::open());
    first.goes_down(true);
    let target =
        format!("  - name: backup\n    {}\n    rate: {{ limit: 1000/s, burst: 1000 }}\n", second.settings());
    let more =
        "fallback: { targets: [backup], attempts: 2 }\n    breaker: { failures: 1000, open_for: 100ms }";
    let mut stage = Stage::with(first, "every: 1s", more, &target).await;
    tell(&stage.relay, "DiskFull", true).await;
    let story = stage.until("followed", |story| story["tickets"][0]["state"] == "new").await;
    assert_eq!((&story["tickets"][0]["target"], &story["tickets"][1]), (&json!("backup"), &Value::Null));
    let description = second.tickets()[0]["description"].as_str().unwrap().to_owned();
    assert!(description.contains("Sent by fallback: desk has not taken this for"), "{description}");
    assert!(description.contains("the desk is closed"), "{description}");
    stage.until("left to the second", |story| count(story, "expired") == 1).await;
    stage.desk.goes_down(false);
    stage.relay.kill9();
    stage.relay.start_again().await;
    let mut body = support::kinds::webhook("DiskFull", true);
    let mut another = body["alerts"][0].clone();
    another["fingerprint"] = "b0d1c2e3f4a59688".into();
    another["labels"]["instance"] = "db-2:9100".into();
    body["alerts"].as_array_mut().unwrap().push(another);
    stage.relay.accepts("/hooks/alertmanager", body.to_string()).await;
    until("the second hears what is new", || !second.comments().is_empty()).await;
    assert!(stage.desk.tickets().is_empty(), "no second ticket");
    second.set(0, "solved", "ann");
    stage.pager_is(State::Resolved).await;
    let story = stage.until("resolved", |story| story["state"] == "resolved").await;
    some_time().await;
    assert_eq!((count(&story, "ticket_closed"), second.tickets().len()), (1, 1), "{story:#}");
    assert_eq!(second.comments().len(), 1, "{:#?}", second.comments());
    assert!(stage.desk.tickets().is_empty(), "nobody is told of history");
    let again = support::kinds::webhook("Another", true).to_string();
    stage.relay.accepts("/hooks/alertmanager", again).await;
    until("the first is back at work", || stage.desk.tickets().len() == 1).await;
    assert_eq!(second.tickets().len(), 1);
}
