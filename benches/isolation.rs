//! What one bad target costs the others (promise: less than 5 %): the same alerts to a good target,
//! once alone and once beside a dead target with a backlog and two poisoned lanes. Runs of both
//! take turns, medians are compared, the ratio is printed. `ISOLATION_ALERTS`, `ISOLATION_BACKLOG`
//! and `ISOLATION_ROUNDS` change its size. See `benches/README.md`.
#![allow(clippy::unwrap_used, reason = "a measuring program may fall over")]
#![allow(clippy::disallowed_methods, reason = "measuring is reading clocks")]
#![allow(clippy::disallowed_macros, reason = "its figures go to standard output")]

#[path = "../tests/crash/load.rs"]
mod load;
#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use load::{Word, webhook};
use support::relay::Relay;
use support::vendor::script::Fault;
use support::vendor::{PagerDuty, ROUTING_KEY};

const SENDERS: u64 = 32;
const PATIENCE: Duration = Duration::from_secs(300);

fn config(well: &PagerDuty, dead: &PagerDuty) -> String {
    let (well, dead) = (well.url(), dead.url());
    let common = "rate: { limit: 1000000/s, burst: 1000000 }, retry: { base: 50ms, cap: 1s }, \
                  breaker: { failures: 1000000, open_for: 1s }, concurrency: 8";
    format!(
        r#"
server: {{ listen: LISTEN }}
store: {{ path: STORE }}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: none }}
route: {{ receiver: well, routes: [{{ matchers: ['alertname =~ "dead-.*"'], receiver: dead }}] }}
receivers:
  - {{ name: well, targets: [well] }}
  - {{ name: dead, targets: [dead] }}
targets:
  - {{ name: well, {common}, pagerduty: {{ base_url: "{well}", routing_key: "{ROUTING_KEY}" }} }}
  - {{ name: dead, {common}, pagerduty: {{ base_url: "{dead}", routing_key: "{ROUTING_KEY}" }} }}
"#
    )
}

/// Posts `count` alerts of that name, from several senders at once.
async fn post(relay: &Relay, name: &str, count: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (next, name) = (Arc::clone(&next), name.to_owned());
            let (http, url) = (relay.http(), relay.url("/hooks/alertmanager"));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let body = webhook(&format!("{name}-{number}"), Word { round: 1, firing: true });
                    let answer = http.post(&url).header("content-type", "application/json").body(body).send();
                    assert!(answer.await.unwrap().status().is_success());
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
}

/// Deliveries a second at the good target.
async fn measure(alerts: u64, backlog: u64) -> f64 {
    let (well, dead) = (PagerDuty::start().await, PagerDuty::start().await);
    dead.always(Fault::Hang);
    well.poison(&["poisoned-0", "poisoned-1"], 500);
    let relay = Relay::start(&config(&well, &dead)).await;
    post(&relay, "warm", 200).await;
    well.wait_for("the warm-up", |seen| seen.open() == 200, PATIENCE).await;
    if backlog > 0 {
        post(&relay, "dead", backlog).await;
        post(&relay, "poisoned", 2).await;
    }
    let began = Instant::now();
    post(&relay, "good", alerts).await;
    well.wait_for("all deliveries", |seen| seen.open() == 200 + alerts as usize, PATIENCE).await;
    alerts as f64 / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[tokio::main]
async fn main() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (alerts, backlog) = (number("ISOLATION_ALERTS", 10_000), number("ISOLATION_BACKLOG", 20_000));
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=number("ISOLATION_ROUNDS", 3) {
        alone.push(measure(alerts, 0).await);
        beside.push(measure(alerts, backlog).await);
        println!(
            "round {round}: alone {:.0}/s, beside {:.0}/s",
            alone[alone.len() - 1],
            beside[beside.len() - 1]
        );
    }
    let (alone, beside) = (median(alone), median(beside));
    println!(
        "alone {alone:.0}/s, beside a dead target with {backlog} waiting and two poisoned lanes {beside:.0}/s"
    );
    println!("ratio {:.3} (promised: 0.95 or more)", beside / alone);
}
