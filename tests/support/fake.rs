//! A service that a test scripts in a closure: real HTTP on 127.0.0.1, every request on record. It
//! lives on a thread of its own, so a test that blocks does not stop it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Heard {
    pub method: String,
    /// Percent-encoded, without the query.
    pub path: String,
    /// What follows `?`; may be empty.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Heard {
    /// First value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value)
    }

    /// A body, if there is one, is JSON and says so.
    pub fn is_json(&self) -> bool {
        let typed = self.header("content-type");
        self.body.is_empty()
            || (typed == "application/json" || typed.starts_with("application/json;"))
                && serde_json::from_slice::<serde_json::Value>(&self.body).is_ok()
    }

    /// A body, if there is one, is a form and says so.
    pub fn is_form(&self) -> bool {
        self.body.is_empty() || self.header("content-type") == "application/x-www-form-urlencoded"
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The fields of a form, in order.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The first field of this name in a form; empty when there is none.
    pub fn field(&self, name: &str) -> String {
        self.form().into_iter().find(|(have, _)| have == name).map(|(_, value)| value).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What the service does with a request.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    after: Duration,
    cut: bool,
}

impl Answer {
    pub fn json(status: u16, body: &serde_json::Value) -> Answer {
        Answer::text(status, &body.to_string()).with("content-type", "application/json")
    }

    pub fn text(status: u16, body: &str) -> Answer {
        Answer { status, headers: Vec::new(), body: body.to_owned(), after: Duration::ZERO, cut: false }
    }

    /// The request has been worked on and the connection is cut before an answer.
    pub fn cut() -> Answer {
        Answer { cut: true, ..Answer::text(500, "") }
    }

    #[must_use]
    pub fn with(mut self, header: &str, value: &str) -> Answer {
        self.headers.push((header.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn after(mut self, wait: Duration) -> Answer {
        self.after = wait;
        self
    }
}

type Part = Arc<dyn Fn(&Heard) -> Answer + Send + Sync>;

/// A running fake; gone when dropped.
pub struct Fake {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Fake {
    /// Plays `part` on a free port.
    pub fn start(part: impl Fn(&Heard) -> Answer + Send + Sync + 'static) -> Fake {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let (part, ledger): (Part, _) = (Arc::new(part), Arc::clone(&heard));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, part, ledger, stopped));
        });
        Fake { address, heard, stop: Some(stop), thread: Some(thread) }
    }

    /// For `base_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in order of arrival.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until so many requests have come, at most ten seconds, and gives all that came.
    pub async fn has_heard(&self, count: usize) -> Vec<Heard> {
        for _ in 0..1000 {
            if self.heard.lock().unwrap().len() >= count {
                return self.heard();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} requests were expected and these came: {:#?}", self.heard());
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _gone = thread.join();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    part: Part,
    ledger: Arc<Mutex<Vec<Heard>>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let stream = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted.unwrap().0,
        };
        let (part, ledger) = (Arc::clone(&part), Arc::clone(&ledger));
        tokio::spawn(async move {
            let service = service_fn(move |request| play(request, Arc::clone(&part), Arc::clone(&ledger)));
            let io = TokioIo::new(stream);
            let _cut = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

async fn play(
    request: hyper::Request<Incoming>,
    part: Part,
    ledger: Arc<Mutex<Vec<Heard>>>,
) -> Result<hyper::Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let heard = Heard {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.collect().await.map_err(|_| Cut)?.to_bytes().to_vec(),
    };
    let answer = part(&heard);
    ledger.lock().unwrap().push(heard);
    tokio::time::sleep(answer.after).await;
    if answer.cut {
        return Err(Cut);
    }
    let mut response = hyper::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(answer.body.into())).unwrap())
}

/// Ends the connection.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for Cut {}
