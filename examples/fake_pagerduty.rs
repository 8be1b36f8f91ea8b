//! The scripted PagerDuty of the tests as a program, for a first run without an account and for
//! long runs by hand: point a target's `base_url` at it and watch what would have been paged.
#![allow(clippy::disallowed_macros, reason = "speaking is what this program is for")]

#[path = "../tests/support/vendor/mod.rs"]
mod vendor;

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use vendor::PagerDuty;
use vendor::script::{Chaos, Fault};

/// A PagerDuty Events API v2 that checks, remembers and fails on command.
#[derive(Parser)]
struct Args {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8600")]
    listen: SocketAddr,
    /// A routing key that it knows, besides 0123456789abcdef0123456789abcdef.
    #[arg(long)]
    key: Vec<String>,
    /// How long an answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency: u64,
    /// Events a minute and routing key, then 429 (the real one: 120).
    #[arg(long)]
    limit: Option<usize>,
    /// Of a thousand requests, so many meet a fault: 500, 429, reset, lost answer, in equal parts.
    #[arg(long, default_value_t = 0)]
    faults: u64,
    /// Seed of the faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() {
    let args = Args::parse();
    let pd = PagerDuty::start_on(args.listen);
    args.key.iter().for_each(|key| pd.know(key));
    pd.latency(Duration::from_millis(args.latency));
    if let Some(limit) = args.limit {
        pd.limit(limit, Duration::from_secs(60));
    }
    let faults = [Fault::status(500), Fault::retry_after(2), Fault::Reset, Fault::ResetAfter];
    pd.chaos(Chaos::new(args.seed, faults.into_iter().map(|fault| (args.faults / 4, fault)).collect()));
    println!("listening on {}", pd.url());
    let mut shown = 0;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let fresh = pd.ledger().calls[shown..].to_vec();
        shown += fresh.len();
        for call in fresh {
            let said = match call.event {
                Some(event) => format!("{:?} {} {:?}", event.action, event.dedup_key, event.summary),
                None => format!("{} {}", call.method, call.path),
            };
            println!("{:>9.3}s  {:?}  {said}  {}", call.at.as_secs_f64(), call.answered, call.note);
        }
    }
}
