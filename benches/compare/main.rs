//! Whole processes side by side, in one run on one machine: the relay, Debian's Alertmanager and a
//! bare journal, each under the same sender and in front of the same sink. See `benches/README.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measuring program may fall over")]
#![allow(clippy::disallowed_methods, reason = "measuring is reading clocks")]
#![allow(clippy::disallowed_macros, reason = "its table goes to standard output")]

mod clock;
mod journal;
mod load;
mod sink;
mod stack;
mod subject;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use clock::{now, percentile};
use load::{Loop, Sent};
use subject::Subject;

#[derive(Parser)]
#[command(about = "Measures the relay, Alertmanager and a bare journal side by side")]
struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    /// Who is measured.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "relay,relay-only,alertmanager,journal,stack"
    )]
    only: Vec<Subject>,
    /// How it is loaded: `closed`, or webhooks a second; `/20` behind it: with 20 alerts each.
    #[arg(long, value_delimiter = ',', default_value = "closed,200,1000,closed/20,200/20", value_parser = point)]
    points: Vec<Point>,
    /// How long each point is loaded, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Most webhooks of a point.
    #[arg(long, default_value_t = 200_000)]
    count: usize,
    /// Cargo says this to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Part {
    /// Is the bare journal; the comparison starts it.
    Journal { listen: SocketAddr, sink: SocketAddr, file: PathBuf },
    /// Is the bare stack; the comparison starts it.
    Stack { listen: SocketAddr, sink: SocketAddr, file: PathBuf },
}

/// How a subject is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    kind: Loop,
    /// Alerts of each webhook.
    alerts: usize,
}

fn point(text: &str) -> Result<Point, String> {
    let (kind, alerts) = text.split_once('/').unwrap_or((text, "1"));
    let number =
        |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is neither `closed` nor a number"));
    let kind = if kind == "closed" { Loop::Closed } else { Loop::Open(number(kind)?.max(1)) };
    let alerts = usize::try_from(number(alerts)?).map_err(|why| why.to_string())?.max(1);
    Ok(Point { kind, alerts })
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Loop::Closed => f.write_str("closed")?,
            Loop::Open(rate) => write!(f, "{rate}/s")?,
        }
        if self.alerts > 1 { write!(f, ", {} alerts", self.alerts) } else { Ok(()) }
    }
}

/// One line of the table.
struct Line {
    subject: Subject,
    point: Point,
    sent: u64,
    refused: u64,
    missing: u64,
    repeated: u64,
    delivered_a_second: f64,
    cpu_micros: f64,
    ack: [Duration; 2],
    through: [Duration; 2],
    ready_after: Duration,
    idle: f64,
    peak: f64,
}

fn main() {
    let args = Args::parse();
    match args.part {
        Some(Part::Journal { listen, sink, file }) => return journal::serve(listen, sink, &file),
        Some(Part::Stack { listen, sink, file }) => return stack::serve(listen, sink, &file),
        None => {}
    }
    println!(
        "| who | load | delivered/s | CPU µs each | ack p50 / p99 ms | accepted to delivered p50 / p99 ms | ready ms | idle / peak MiB | sent | refused | missing | repeated |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut lines = Vec::new();
    for point in &args.points {
        for subject in &args.only {
            match measure(*subject, *point, &args) {
                Ok(line) => {
                    show(&line);
                    lines.push(line);
                }
                Err(why) => println!("| {} | {point} | not measured: {why} |", subject.name()),
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    ratios(&lines);
}

fn measure(subject: Subject, point: Point, args: &Args) -> Result<Line, String> {
    let (address, seen) = sink::start();
    let running = subject.start(address, point.alerts)?;
    std::thread::sleep(Duration::from_millis(300));
    let idle = running.memory();
    let sent = Sent::new();
    let arrived = || seen.distinct.load(Ordering::Relaxed);
    let drain = |wanted: u64| {
        let until = Instant::now() + Duration::from_secs(60);
        while arrived() < wanted && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    load::run(&running.aim, Loop::Open(400), Duration::from_millis(500), 200, &sent);
    let warm = sent.next();
    drain(sent.acks.lock().unwrap().len() as u64);
    if arrived() == 0 {
        return Err("nothing of the warm-up was delivered".to_owned());
    }
    std::thread::sleep(Duration::from_millis(500));
    let (warm_arrived, warm_requests) = (arrived(), seen.requests.load(Ordering::Relaxed));
    sent.acks.lock().unwrap().clear();

    let (began, cpu) = (now(), running.cpu());
    load::run(&running.aim, point.kind, Duration::from_secs(args.seconds), args.count, &sent);
    let mut acks = std::mem::take(&mut *sent.acks.lock().unwrap());
    drain(warm_arrived + acks.len() as u64);
    let cpu = running.cpu() - cpu;

    let mut through = Vec::with_capacity(acks.len());
    let mut last = began;
    for number in warm..sent.next() {
        let (due, at) =
            (sent.due[number].load(Ordering::Relaxed), seen.arrived[number].load(Ordering::Relaxed));
        if due > 0 && at > 0 {
            through.push(at.saturating_sub(due));
            last = last.max(at);
        }
    }
    acks.sort_unstable();
    through.sort_unstable();
    let delivered = through.len() as u64;
    let requests = seen.requests.load(Ordering::Relaxed) - warm_requests;
    Ok(Line {
        subject,
        point,
        sent: acks.len() as u64,
        refused: sent.refused.load(Ordering::Relaxed),
        missing: (acks.len() as u64).saturating_sub(delivered),
        repeated: requests.saturating_sub(arrived() - warm_arrived),
        delivered_a_second: delivered as f64 / Duration::from_nanos(last - began).as_secs_f64(),
        cpu_micros: cpu.as_micros() as f64 / delivered.max(1) as f64,
        ack: [percentile(&acks, 0.5), percentile(&acks, 0.99)],
        through: [percentile(&through, 0.5), percentile(&through, 0.99)],
        ready_after: running.ready_after,
        idle,
        peak: running.peak_memory(),
    })
}

fn show(line: &Line) {
    let millis = |pair: [Duration; 2]| {
        let [half, most] = pair.map(|time| time.as_secs_f64() * 1000.0);
        format!("{half:.2} / {most:.2}")
    };
    println!(
        "| {} | {} | {:.0} | {:.0} | {} | {} | {:.0} | {:.0} / {:.0} | {} | {} | {} | {} |",
        line.subject.name(),
        line.point,
        line.delivered_a_second,
        line.cpu_micros,
        millis(line.ack),
        millis(line.through),
        line.ready_after.as_secs_f64() * 1000.0,
        line.idle,
        line.peak,
        line.sent,
        line.refused,
        line.missing,
        line.repeated,
    );
}

/// The relay against the others, point by point.
fn ratios(lines: &[Line]) {
    println!();
    let is_relay = |line: &&Line| matches!(line.subject, Subject::Relay | Subject::RelayOnly);
    for relay in lines.iter().filter(is_relay) {
        for other in lines.iter().filter(|line| line.point == relay.point && !is_relay(line)) {
            println!(
                "{} against {}, {}: {:.2} x deliveries/s, {:.2} x CPU each, {:.2} x memory",
                relay.subject.name(),
                other.subject.name(),
                relay.point,
                relay.delivered_a_second / other.delivered_a_second,
                relay.cpu_micros / other.cpu_micros,
                relay.peak / other.peak,
            );
        }
    }
}
