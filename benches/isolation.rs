//! What one bad target costs the others (promise: less than 5 %): the same alerts to a good target,
//! once alone and once beside a dead target with a backlog and two poisoned lanes. Runs of both
//! take turns, medians are compared, ratios are printed: of deliveries a second, and of the relay's
//! CPU for each, which says more on a machine that is not quiet. `ISOLATION_ALERTS`,
//! `ISOLATION_BACKLOG` and `ISOLATION_ROUNDS` change its size. See `benches/README.md`.
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

/// What the good deliveries of one run cost.
#[derive(Clone, Copy)]
struct Run {
    /// Deliveries a second at the good target.
    rate: f64,
    /// CPU of the relay for each, in microseconds.
    cpu: f64,
}

async fn measure(alerts: u64, backlog: u64) -> Run {
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
    let (began, cpu) = (Instant::now(), cpu_of(relay.pid()));
    post(&relay, "good", alerts).await;
    well.wait_for("all deliveries", |seen| seen.open() == 200 + alerts as usize, PATIENCE).await;
    let cpu = cpu_of(relay.pid()) - cpu;
    Run { rate: alerts as f64 / began.elapsed().as_secs_f64(), cpu: cpu.as_secs_f64() * 1e6 / alerts as f64 }
}

/// CPU time that a process has used, in ticks of 10 ms.
fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Fields 14 and 15, counted behind the name, which may hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn median(runs: &[Run], of: fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (alerts, backlog) = (number("ISOLATION_ALERTS", 10_000), number("ISOLATION_BACKLOG", 50_000));
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=number("ISOLATION_ROUNDS", 5) {
        let pair = [measure(alerts, 0).await, measure(alerts, backlog).await];
        let [a, b] = pair.map(|run| format!("{:.0}/s at {:.0} µs", run.rate, run.cpu));
        println!("round {round}: alone {a}, beside {b}");
        alone.push(pair[0]);
        beside.push(pair[1]);
    }
    println!("beside a dead target with {backlog} waiting and two poisoned lanes, against alone:");
    let ratio = |of| median(&beside, of) / median(&alone, of);
    println!("deliveries a second {:.3} (promised: 0.95 or more)", ratio(|run| run.rate));
    println!("CPU for each {:.3}", ratio(|run| run.cpu));
}
