//! Where everything is delivered: answers as PagerDuty does, at once, on one thread, and notes when
//! each numbered alert arrived first. It checks nothing; the fake PagerDuty of the tests does that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::clock::now;

/// Highest alert number plus one.
pub const CAPACITY: usize = 400_000;
const MARK: &[u8] = b"seq-";
const DIGITS: usize = 6;

/// What has arrived.
pub struct Seen {
    /// First arrival by alert number; 0: not yet.
    pub arrived: Vec<AtomicU64>,
    /// Alerts that arrived at least once.
    pub distinct: AtomicU64,
    /// Requests, repeats and strangers included.
    pub requests: AtomicU64,
}

/// The summary of an alert of this number, as [`digits`] writes it.
pub fn summary(number: &str) -> String {
    format!("seq-{number} disk of db1 is 95% full")
}

/// A number as it is found again.
pub fn digits(number: usize) -> String {
    format!("{number:0DIGITS$}")
}

/// A sink on a free port, for as long as the program runs.
pub fn start() -> (SocketAddr, Arc<Seen>) {
    let seen = Arc::new(Seen {
        arrived: (0..CAPACITY).map(|_| AtomicU64::new(0)).collect(),
        distinct: AtomicU64::new(0),
        requests: AtomicU64::new(0),
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("the sink cannot listen");
    listener.set_nonblocking(true).expect("non-blocking");
    let address = listener.local_addr().expect("an address");
    let inside = Arc::clone(&seen);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let seen = Arc::clone(&inside);
                let service = service_fn(move |request| take(request, Arc::clone(&seen)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    (address, seen)
}

async fn take(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    seen.requests.fetch_add(1, Ordering::Relaxed);
    if let Some(number) = number_in(&body) {
        let first = seen.arrived[number].compare_exchange(0, now(), Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() {
            seen.distinct.fetch_add(1, Ordering::Relaxed);
        }
    }
    let answer = r#"{"status":"success","message":"Event processed","dedup_key":"k"}"#;
    let mut response = Response::new(Full::new(Bytes::from_static(answer.as_bytes())));
    *response.status_mut() = hyper::StatusCode::ACCEPTED;
    Ok(response)
}

/// The number behind the first mark.
fn number_in(body: &[u8]) -> Option<usize> {
    let at = body.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let digits = body.get(at..at + DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number| *number < CAPACITY)
}
