//! The limit: the least a durable relay can do. Appends each webhook to a file, groups what waits
//! into one fdatasync, answers, and forwards afterwards over 32 connections. No routes, no
//! templates, no retries, no restart: only what durability itself costs on this machine.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, oneshot};

/// Connections to the sink.
pub const FORWARDERS: usize = 32;
/// Alerts in one sync.
pub const LARGEST_GROUP: usize = 1024;

#[derive(Deserialize)]
struct Webhook<'a> {
    #[serde(rename = "groupKey")]
    group_key: String,
    status: &'a str,
    #[serde(rename = "commonAnnotations")]
    annotations: Annotations,
}

#[derive(Deserialize)]
struct Annotations {
    summary: String,
}

/// A webhook that is to be kept, what is told of it, and where to say that it is kept.
pub struct Entry {
    pub raw: Bytes,
    pub event: Bytes,
    pub done: oneshot::Sender<()>,
}

/// Serves until it is killed.
pub fn serve(listen: SocketAddr, sink: SocketAddr, file: &PathBuf) {
    let file = File::create(file).expect("a journal");
    let (append, entries) = std::sync::mpsc::channel::<Entry>();
    let (forward, events) = mpsc::unbounded_channel();
    std::thread::spawn(move || write(file, &entries, &forward));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let events = Arc::new(Mutex::new(events));
        for _ in 0..FORWARDERS {
            tokio::spawn(deliver(sink, Arc::clone(&events)));
        }
        take_in(listen, move |entry| drop(append.send(entry))).await;
    });
}

/// Takes webhooks in and hands each on to be kept; never ends.
pub async fn take_in(listen: SocketAddr, keep: impl Fn(Entry) + Clone + Send + 'static) {
    let listener = TcpListener::bind(listen).await.expect("it cannot listen");
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let keep = keep.clone();
        let service = service_fn(move |request| take(request, keep.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn take(
    request: Request<Incoming>,
    keep: impl Fn(Entry),
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let answer = |status| {
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = status;
        Ok(response)
    };
    let raw = request.into_body().collect().await?.to_bytes();
    if raw.is_empty() {
        return answer(StatusCode::OK); // asked whether it is ready
    }
    let Some(event) = event(&raw) else { return answer(StatusCode::BAD_REQUEST) };
    let (done, kept) = oneshot::channel();
    keep(Entry { raw, event, done });
    answer(if kept.await.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE })
}

/// What PagerDuty is told of a webhook; `None`: it cannot be read.
fn event(raw: &[u8]) -> Option<Bytes> {
    let webhook = serde_json::from_slice::<Webhook<'_>>(raw).ok()?;
    let event = json!({
        "routing_key": "0123456789abcdef0123456789abcdef",
        "event_action": if webhook.status == "firing" { "trigger" } else { "resolve" },
        "dedup_key": webhook.group_key,
        "payload": { "summary": webhook.annotations.summary, "source": "journal", "severity": "critical" },
    });
    Some(event.to_string().into())
}

/// One fdatasync for all that waits, then the answers.
fn write(mut file: File, entries: &std::sync::mpsc::Receiver<Entry>, forward: &mpsc::UnboundedSender<Bytes>) {
    let mut buffer = Vec::new();
    while let Ok(first) = entries.recv() {
        let mut group = vec![first];
        group.extend(entries.try_iter().take(LARGEST_GROUP - 1));
        buffer.clear();
        for entry in &group {
            buffer.extend_from_slice(&u32::try_from(entry.raw.len()).unwrap_or(0).to_le_bytes());
            buffer.extend_from_slice(&entry.raw);
        }
        file.write_all(&buffer).and_then(|()| file.sync_data()).expect("the journal cannot be written");
        for entry in group {
            let _ = entry.done.send(());
            let _ = forward.send(entry.event);
        }
    }
}

/// One connection to the sink, one event after the other.
async fn deliver(sink: SocketAddr, events: Arc<Mutex<mpsc::UnboundedReceiver<Bytes>>>) {
    let stream = TcpStream::connect(sink).await.expect("no sink");
    let _ = stream.set_nodelay(true);
    let (mut line, connection) = handshake(TokioIo::new(stream)).await.expect("no HTTP");
    tokio::spawn(connection);
    loop {
        let next = events.lock().await.recv().await;
        let Some(event) = next else { return };
        let request = Request::post("/v2/enqueue")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .body(Full::new(event))
            .expect("a request");
        let answer = line.send_request(request).await.expect("the sink is gone");
        let _ = answer.into_body().collect().await;
        let _ = line.ready().await;
    }
}
