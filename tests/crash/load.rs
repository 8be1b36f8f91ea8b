//! The load of the crash test: senders that repeat a post until it is accepted, as Alertmanager
//! does, and the book of what was accepted. An alert's name and round travel in its summary, so
//! the auditor can tell them at the vendor without knowing how keys are made.
#![allow(dead_code, reason = "the crash test and the weather test take different parts of this")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::support::relay::Relay;
use crate::support::vendor::dice::Dice;

/// The last accepted word on an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub round: u64,
    pub firing: bool,
}

/// What was accepted, by the name of the alert.
#[derive(Default)]
pub struct Book {
    pub words: Mutex<BTreeMap<String, Word>>,
    pub accepted: AtomicU64,
    /// Posts whose answer never came; they were posted again.
    pub unanswered: AtomicU64,
    /// Answers that asked to come again.
    pub deferred: AtomicU64,
}

/// Senders at work.
pub struct Load {
    pub book: Arc<Book>,
    stop: Arc<AtomicBool>,
    rest: Arc<AtomicBool>,
    senders: Vec<tokio::task::JoinHandle<()>>,
}

const SENDERS: u64 = 16;
/// Alerts of each sender that fire and resolve in turn.
const TURNING: u64 = 4;

impl Load {
    pub fn start(relay: &Relay, seed: u64) -> Load {
        let (book, stop, rest) = (Arc::new(Book::default()), Arc::default(), Arc::default());
        let url = relay.url("/hooks/alertmanager");
        let senders = (0..SENDERS).map(|number| {
            let sender = Sender {
                number,
                url: url.clone(),
                http: relay.http(),
                dice: Dice::new(seed ^ (number << 32)),
                book: Arc::clone(&book),
                stop: Arc::clone(&stop),
                rest: Arc::clone(&rest),
            };
            tokio::spawn(sender.work())
        });
        Load { senders: senders.collect(), book, stop, rest }
    }

    /// Nothing new for a while, or no longer so: a long run on a slow machine must not owe ever more.
    pub fn rests(&self, rests: bool) {
        self.rest.store(rests, Ordering::Relaxed);
    }

    /// No new posts; those under way are brought to their end.
    pub async fn finish(self) -> Arc<Book> {
        self.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.await.unwrap();
        }
        self.book
    }
}

struct Sender {
    number: u64,
    url: String,
    http: reqwest::Client,
    dice: Dice,
    book: Arc<Book>,
    stop: Arc<AtomicBool>,
    rest: Arc<AtomicBool>,
}

impl Sender {
    async fn work(mut self) {
        let mut turning = [Word { round: 0, firing: false }; TURNING as usize];
        for count in 0u64.. {
            while self.rest.load(Ordering::Relaxed) && !self.stop.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if self.dice.between(0, 10) < 6 {
                let name = format!("once-{}-{count}", self.number);
                self.say(&name, Word { round: 1, firing: true }).await;
            } else {
                let which = self.dice.between(0, TURNING) as usize;
                let before = turning[which];
                let round = if before.firing { before.round } else { before.round + 1 };
                let word = Word { round, firing: !before.firing };
                self.say(&format!("turn-{}-{which}", self.number), word).await;
                turning[which] = word;
            }
            tokio::time::sleep(Duration::from_millis(self.dice.between(5, 40))).await;
        }
    }

    /// Posts until it is accepted.
    async fn say(&mut self, name: &str, word: Word) {
        let body = webhook(name, word);
        loop {
            let post = self.http.post(&self.url).header("content-type", "application/json");
            match post.body(body.clone()).send().await {
                Ok(answer) if answer.status().is_success() => break,
                Ok(answer) => {
                    let status = answer.status();
                    assert!(
                        status.is_server_error(),
                        "{status}: Alertmanager drops what is answered with it"
                    );
                    self.book.deferred.fetch_add(1, Ordering::Relaxed);
                }
                Err(why) if why.is_connect() => {}
                Err(_) => {
                    self.book.unanswered.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(Duration::from_millis(self.dice.between(5, 25))).await;
        }
        self.book.accepted.fetch_add(1, Ordering::Relaxed);
        self.book.words.lock().unwrap().insert(name.to_owned(), word);
    }
}

/// A group of one alert, as Alertmanager sends it. A later round starts later.
pub fn webhook(name: &str, word: Word) -> String {
    let at =
        |second: u64| format!("2026-01-01T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
    let status = if word.firing { "firing" } else { "resolved" };
    let ends = if word.firing { "0001-01-01T00:00:00Z".to_owned() } else { at(word.round * 2 + 1) };
    let labels = json!({ "alertname": name, "severity": "critical" });
    let annotations = json!({ "summary": format!("{name} round {}", word.round) });
    let fingerprint = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    json!({
        "version": "4",
        "receiver": "relay",
        "status": status,
        "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"),
        "truncatedAlerts": 0,
        "groupLabels": { "alertname": name },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "http://alertmanager.example",
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": at(word.round * 2),
            "endsAt": ends,
            "generatorURL": "http://prometheus.example/graph",
            "fingerprint": format!("{fingerprint:016x}"),
        }],
    })
    .to_string()
}
