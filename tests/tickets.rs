//! Laws of tickets, over any order of messages and any failures of the service: an episode has one
//! ticket, what is over is closed, and its comment is not lost. The target is a real one of kind
//! `ticket`; the service and the lane (`deliver/resolution.rs`) are played here.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use alert_relay::domain::alert::{Fingerprint, Status};
use alert_relay::domain::exchange::{HttpRequest, Method, Reply, Request};
use alert_relay::domain::message::{Action, Message, RemoteRef};
use alert_relay::domain::outcome::Outcome;
use alert_relay::target::contract::{Target, Turn};
use alert_relay::target::find;
use alert_relay::template::library::Language;
use alert_relay::template::view::View;
use jiff::Timestamp;
use proptest::prelude::*;
use samples::{build, sample};
use serde_json::{Value, json};

#[allow(dead_code, reason = "shared with the other drivers")]
mod samples;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Luck {
    Good,
    /// Refused before anything was done.
    Busy,
    /// Done, and then it fell over.
    Broken,
    /// Done, and the answer was lost.
    Lost,
}

/// Tries that come to an end, however unlucky.
const ENOUGH: u32 = 100;

/// What is to be said, and how many tries it gets before something newer takes its place.
#[derive(Debug, Clone, Copy)]
enum Said {
    /// So many alerts fire.
    Trigger(u64, u32),
    Acknowledge,
    Resolve(u32),
}

#[derive(Debug, Default)]
struct Service {
    tickets: Vec<Value>,
    now: i64,
}

impl Service {
    fn answer(&mut self, request: &HttpRequest) -> Reply {
        let url = request.url.expose();
        let below = url.strip_prefix("https://t.example/tickets").expect("a ticket");
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let json =
            |status: u16, body: Value| Reply { status, headers: vec![], body: body.to_string().into() };
        if request.method == Method::Get && below.starts_with('?') {
            let found: Vec<&Value> =
                self.tickets.iter().filter(|one| below.ends_with(text(&one["external_id"]))).collect();
            return json(200, json!({ "tickets": found }));
        }
        if request.method == Method::Post && below.is_empty() {
            let mut ticket = body["ticket"].clone();
            ticket["id"] = self.tickets.len().into();
            ticket["status"] = "open".into();
            ticket["comments"] = json!([]);
            ticket["created_at"] = at(self.now).to_string().into();
            self.tickets.push(ticket.clone());
            return json(201, json!({ "ticket": ticket }));
        }
        let mut words = below.trim_start_matches('/').split('/');
        let place: usize = words.next().and_then(|id| id.parse().ok()).expect("an id");
        let ticket = &mut self.tickets[place];
        match request.method {
            Method::Put => ticket["status"] = body["ticket"]["status"].clone(),
            Method::Post => {
                ticket["comments"].as_array_mut().expect("a list").push(body["comment"]["body"].clone())
            }
            _ => {}
        }
        json(200, json!({ "ticket": ticket }))
    }

    /// The latest ticket has the comment that all is over.
    fn is_told(&self) -> bool {
        let ends = |ticket: &Value| {
            let comments = ticket["comments"].as_array().expect("a list");
            comments.iter().any(|comment| text(comment).starts_with("**Resolved**"))
        };
        self.tickets.last().is_none_or(ends)
    }

    fn open(&self) -> usize {
        self.tickets.iter().filter(|ticket| ticket["status"] == "open").count()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

#[derive(Debug, Default, Clone)]
struct Lane {
    seen: bool,
    remote: Option<RemoteRef>,
}

struct Stage {
    target: Box<dyn Target>,
    service: Service,
    lane: Lane,
    luck: std::vec::IntoIter<Luck>,
}

impl Stage {
    /// One try: its outcome, and what it achieved on the way.
    fn attempt(&mut self, message: &Message) -> (Outcome, Option<RemoteRef>) {
        let view = View::of(message, "", at(self.service.now));
        let mut worded = self.target.request(message, &view).expect("sayable");
        let (mut replies, mut kept) = (Vec::new(), None);
        loop {
            let Request::Http(request) = worded.request else { panic!("a call") };
            self.service.now += 1;
            let reply = match self.luck.next().unwrap_or(Luck::Good) {
                Luck::Good => self.service.answer(&request),
                Luck::Busy => Reply { status: 503, ..Reply::default() },
                Luck::Broken => {
                    self.service.answer(&request);
                    Reply { status: 500, ..Reply::default() }
                }
                Luck::Lost => {
                    self.service.answer(&request);
                    let reason = "no answer".to_owned();
                    let outcome = match request.method {
                        Method::Get => Outcome::Retry { reason, after: None, whole_target: false },
                        _ => Outcome::Unknown { reason },
                    };
                    return (outcome, kept);
                }
            };
            replies.push(reply);
            match self.target.follow(message, &view, &replies) {
                Turn::Over(outcome) => return (outcome, kept),
                Turn::Call(step) => {
                    kept = step.keep.or(kept);
                    worded = step.worded;
                }
            }
        }
    }

    /// Tries until it is in, or something newer takes its place; whether it is in.
    fn say(&mut self, mut message: Message, tries: u32) -> bool {
        for _ in 0..tries {
            message.remote = self.lane.remote.clone();
            message.may_exist = self.lane.seen;
            let (outcome, kept) = self.attempt(&message);
            let known = kept.clone().or(self.lane.remote.clone());
            match (message.action, outcome) {
                (Action::Resolve, Outcome::Delivered { .. }) => {
                    self.lane = Lane::default();
                    return true;
                }
                (_, Outcome::Delivered { remote }) => {
                    self.lane = Lane { seen: true, remote: remote.or(known) };
                    return true;
                }
                (Action::Trigger, Outcome::Unknown { .. }) => self.lane = Lane { seen: true, remote: known },
                (_, Outcome::Unknown { .. } | Outcome::Retry { .. }) if kept.is_some() => {
                    self.lane = Lane { seen: true, remote: known };
                }
                (_, Outcome::Unknown { .. } | Outcome::Retry { .. }) => {}
                (_, other) => panic!("{other:?}"),
            }
        }
        assert!(tries < ENOUGH, "{message:?} never came to an end");
        false
    }
}

/// The message with so many alerts, firing or over.
fn message(action: Action, alerts: u64, now: i64) -> Message {
    let mut message = sample(Path::new("tests/samples/messages/firing.json")).message;
    let mut group = (*message.group).clone();
    let first = group.alerts[0].clone();
    group.alerts = (0..alerts.max(1))
        .map(|number| {
            let mut alert = first.clone();
            alert.fingerprint = Fingerprint(number);
            alert.status = if action == Action::Resolve { Status::Resolved } else { Status::Firing };
            alert.ends_at = (action == Action::Resolve).then(|| at(now));
            alert
        })
        .collect();
    message.group = Arc::new(group);
    message.action = action;
    message.accepted_at = at(now);
    message
}

fn luck() -> impl Strategy<Value = Vec<Luck>> {
    let one = prop_oneof![
        3 => Just(Luck::Good),
        1 => Just(Luck::Busy),
        1 => Just(Luck::Broken),
        1 => Just(Luck::Lost),
    ];
    proptest::collection::vec(one, 0..40)
}

fn tries() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1_u32), Just(2), Just(ENOUGH)]
}

fn story() -> impl Strategy<Value = Vec<Said>> {
    let one = prop_oneof![
        4 => (1_u64..4, tries())
            .prop_map(|(alerts, tries)| Said::Trigger(alerts, tries)),
        1 => Just(Said::Acknowledge),
        2 => tries().prop_map(Said::Resolve),
    ];
    proptest::collection::vec(one, 1..12)
}

proptest! {
    #[test]
    fn an_episode_has_one_ticket_and_what_is_over_is_closed(story in story(), luck in luck()) {
        let settings = "base_url: https://t.example\napi_key: k\nreopen: never\nlook_up: '/tickets?external_id={{dedupKey}}'";
        let target = build(find("ticket").expect("a kind"), settings, Language::En).expect("good settings").target;
        let mut stage = Stage { target, service: Service::default(), lane: Lane::default(), luck: luck.into_iter() };
        let mut episodes = 0;
        let (mut is_on, mut is_cut_short) = (false, false);
        for said in story {
            stage.service.now += 60;
            let now = stage.service.now;
            match said {
                Said::Trigger(alerts, tries) => {
                    episodes += usize::from(!is_on);
                    is_on = true;
                    if stage.say(message(Action::Trigger, alerts, now), tries) {
                        prop_assert_eq!(stage.service.open(), 1);
                    }
                }
                Said::Acknowledge if stage.lane.seen => {
                    stage.say(message(Action::Acknowledge, 1, now), ENOUGH);
                }
                Said::Resolve(tries) if stage.lane.seen => {
                    is_on = false;
                    if stage.say(message(Action::Resolve, 1, now), tries) {
                        prop_assert_eq!(stage.service.open(), 0);
                        // When it was on again before all was told, the end that was no end is left untold.
                        prop_assert!(is_cut_short || stage.service.is_told(), "{:#?}", stage.service.tickets);
                    } else {
                        is_cut_short = true;
                    }
                }
                // The relay itself folds away what was never sent.
                Said::Acknowledge => {}
                Said::Resolve(_) => is_on = false,
            }
            prop_assert!(stage.service.open() <= 1, "{:#?}", stage.service.tickets);
            prop_assert!(stage.service.tickets.len() <= episodes, "{:#?}", stage.service.tickets);
        }
    }
}
