//! The sender: 64 connections, every webhook a new problem of one alert or several. Closed loop: the next request
//! follows the answer. Open loop: requests are due at a fixed rate, and all latencies count from
//! when they were due, so a slow daemon cannot slow the measuring down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use crate::clock::now;
use crate::sink::{CAPACITY, digits};

const CONNECTIONS: usize = 64;

/// How requests follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loop {
    Closed,
    /// Requests a second.
    Open(u64),
}

/// Where to and what.
#[derive(Clone)]
pub struct Aim {
    pub address: SocketAddr,
    pub path: &'static str,
    pub form: Form,
}

/// The body of a webhook around its number. Made once: who sends and who is measured share the machine.
#[derive(Clone)]
pub struct Form(Arc<[String]>);

impl Form {
    /// Stands for the number in a body that is made a form.
    pub const NUMBER: &str = "#number#";

    /// A form of a body.
    pub fn of(body: &str) -> Form {
        Form(body.split(Form::NUMBER).map(str::to_owned).collect())
    }

    fn filled(&self, number: usize) -> String {
        self.0.join(&digits(number))
    }
}

/// What was sent, by alert number.
pub struct Sent {
    /// When it was due; 0: never sent.
    pub due: Vec<AtomicU64>,
    /// Nanoseconds until the answer, of accepted ones.
    pub acks: std::sync::Mutex<Vec<u64>>,
    /// Answers that were no 2xx, and broken connections.
    pub refused: AtomicU64,
    next: AtomicUsize,
}

impl Sent {
    pub fn new() -> Arc<Sent> {
        Arc::new(Sent {
            due: (0..CAPACITY).map(|_| AtomicU64::new(0)).collect(),
            acks: std::sync::Mutex::new(Vec::with_capacity(CAPACITY)),
            refused: AtomicU64::new(0),
            next: AtomicUsize::new(0),
        })
    }

    /// The number of the next alert.
    pub fn next(&self) -> usize {
        self.next.load(Ordering::Relaxed).min(CAPACITY)
    }
}

/// Sends for `time`, or until `count` alerts are out or the numbers are used up; blocks until the
/// last answer is there.
pub fn run(aim: &Aim, kind: Loop, time: Duration, count: usize, sent: &Arc<Sent>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let last = sent.next().saturating_add(count).min(CAPACITY);
    runtime.block_on(async {
        let until = now() + u64::try_from(time.as_nanos()).expect("a sane time");
        let (tick, ticks) = mpsc::unbounded_channel();
        let ticks = Arc::new(Mutex::new(ticks));
        if let Loop::Open(rate) = kind {
            std::thread::spawn(move || pace(rate, until, &tick));
        }
        let mut connections = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (aim, sent, ticks) = (aim.clone(), Arc::clone(sent), Arc::clone(&ticks));
            connections.spawn(async move {
                let mut line = connect(aim.address).await;
                loop {
                    let due = match kind {
                        Loop::Closed => Some(now()).filter(|now| *now < until),
                        Loop::Open(_) => ticks.lock().await.recv().await,
                    };
                    let Some(due) = due else { return };
                    let number = sent.next.fetch_add(1, Ordering::Relaxed);
                    if number >= last {
                        return;
                    }
                    if !send(&mut line, &aim, number, due, &sent).await {
                        line = connect(aim.address).await;
                    }
                }
            });
        }
        while connections.join_next().await.is_some() {}
    });
}

/// Says when requests are due. A thread, because the runtime's timer is good to a millisecond only.
fn pace(rate: u64, until: u64, tick: &mpsc::UnboundedSender<u64>) {
    let step = 1_000_000_000 / rate;
    let mut due = now();
    while due < until {
        std::thread::sleep(Duration::from_nanos(due.saturating_sub(now())));
        if tick.send(due).is_err() {
            return;
        }
        due += step;
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            let _ = stream.set_nodelay(true);
            if let Ok((line, connection)) = handshake(TokioIo::new(stream)).await {
                tokio::spawn(connection);
                return line;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether the connection can be used again.
async fn send(line: &mut SendRequest<Full<Bytes>>, aim: &Aim, number: usize, due: u64, sent: &Sent) -> bool {
    let request = Request::post(aim.path)
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(aim.form.filled(number))))
        .expect("a request");
    sent.due[number].store(due, Ordering::Relaxed);
    let answer = line.send_request(request).await;
    let accepted = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
    let whole = match answer {
        Ok(answer) => answer.into_body().collect().await.is_ok(),
        Err(_) => false,
    };
    if accepted && whole {
        sent.acks.lock().expect("no poison").push(now() - due);
    } else {
        sent.due[number].store(0, Ordering::Relaxed);
        sent.refused.fetch_add(1, Ordering::Relaxed);
    }
    whole && line.ready().await.is_ok()
}
