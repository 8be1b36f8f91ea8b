//! Whole processes side by side, in one run on one machine: the relay, Debian's Alertmanager and a
//! bare journal, each under the same sender and in front of the same sink. See `benches/README.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measuring program may fall over")]
#![allow(clippy::disallowed_methods, reason = "measuring is reading clocks")]
#![allow(clippy::disallowed_macros, reason = "its table goes to standard output")]

mod clock;
mod journal;
mod load;
mod sink;
mod subject;

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
    #[arg(long, value_enum, value_delimiter = ',', default_value = "relay,alertmanager,journal")]
    only: Vec<Subject>,
    /// How it is loaded: `closed`, or requests a second.
    #[arg(long, value_delimiter = ',', default_value = "closed,200,1000")]
    points: Vec<String>,
    /// How long each point is loaded, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Most alerts of a point.
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
}

/// One line of the table.
struct Line {
    subject: Subject,
    kind: Loop,
    sent: u64,
    refused: u64,
    missing: u64,
    repeated: u64,
    delivered_a_second: f64,
    cpu_micros: f64,
    ack: [Duration; 2],
    through: [Duration; 2],
    memory: f64,
}

fn main() {
    let args = Args::parse();
    if let Some(Part::Journal { listen, sink, file }) = args.part {
        return journal::serve(listen, sink, &file);
    }
    println!(
        "| who | load | delivered/s | CPU µs each | ack p50 / p99 ms | accepted to delivered p50 / p99 ms | peak MiB | sent | refused | missing | repeated |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let mut lines = Vec::new();
    for point in &args.points {
        let kind = match point.as_str() {
            "closed" => Loop::Closed,
            rate => Loop::Open(rate.parse().expect("--points takes `closed` and rates")),
        };
        for subject in &args.only {
            match measure(*subject, kind, &args) {
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

fn measure(subject: Subject, kind: Loop, args: &Args) -> Result<Line, String> {
    let (address, seen) = sink::start();
    let running = subject.start(address)?;
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
    load::run(&running.aim, kind, Duration::from_secs(args.seconds), args.count, &sent);
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
        kind,
        sent: acks.len() as u64,
        refused: sent.refused.load(Ordering::Relaxed),
        missing: (acks.len() as u64).saturating_sub(delivered),
        repeated: requests.saturating_sub(arrived() - warm_arrived),
        delivered_a_second: delivered as f64 / Duration::from_nanos(last - began).as_secs_f64(),
        cpu_micros: cpu.as_micros() as f64 / delivered.max(1) as f64,
        ack: [percentile(&acks, 0.5), percentile(&acks, 0.99)],
        through: [percentile(&through, 0.5), percentile(&through, 0.99)],
        memory: running.peak_memory(),
    })
}

fn show(line: &Line) {
    let kind = match line.kind {
        Loop::Closed => "closed, 64".to_owned(),
        Loop::Open(rate) => format!("{rate}/s"),
    };
    let millis = |pair: [Duration; 2]| {
        let [half, most] = pair.map(|time| time.as_secs_f64() * 1000.0);
        format!("{half:.2} / {most:.2}")
    };
    println!(
        "| {} | {kind} | {:.0} | {:.0} | {} | {} | {:.0} | {} | {} | {} | {} |",
        line.subject.name(),
        line.delivered_a_second,
        line.cpu_micros,
        millis(line.ack),
        millis(line.through),
        line.memory,
        line.sent,
        line.refused,
        line.missing,
        line.repeated,
    );
}

/// The relay against the others, where the loop was closed.
fn ratios(lines: &[Line]) {
    let of = |subject| lines.iter().find(|line| line.subject == subject && line.kind == Loop::Closed);
    let Some(relay) = of(Subject::Relay) else { return };
    println!();
    for other in [Subject::Alertmanager, Subject::Journal].into_iter().filter_map(of) {
        println!(
            "alert-relay against {}: {:.2} x deliveries/s, {:.2} x CPU each, {:.2} x memory",
            other.subject.name(),
            relay.delivered_a_second / other.delivered_a_second,
            relay.cpu_micros / other.cpu_micros,
            relay.memory / other.memory,
        );
    }
}
