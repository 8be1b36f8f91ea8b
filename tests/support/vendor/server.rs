//! The vendor's socket: takes requests on a thread of its own, asks rules and script what to do
//! with each, writes the ledger, and breaks the connection in the ways the script wants.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ledger::Call;
use super::rules::{self, Answer};
use super::script::Fault;
use super::{Power, Stage};

/// Runs until the power is gone.
pub fn run(listener: std::net::TcpListener, stage: &Arc<Stage>, power: watch::Receiver<Power>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { live(TcpListener::from_std(listener).unwrap(), stage, power).await });
}

async fn live(listener: TcpListener, stage: &Arc<Stage>, mut power: watch::Receiver<Power>) {
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    loop {
        let mut connections = JoinSet::new();
        let open = match listener.take() {
            Some(open) => open,
            None => again(address).await,
        };
        while *power.borrow_and_update() == Power::On {
            tokio::select! {
                Ok((stream, _)) = open.accept() => {
                    connections.spawn(serve(stream, Arc::clone(stage)));
                }
                Some(_) = connections.join_next() => {}
                _ = power.changed() => {}
            }
        }
        drop(open);
        connections.shutdown().await;
        if power.wait_for(|power| *power != Power::Off).await.is_ok_and(|power| *power == Power::Gone) {
            return;
        }
    }
}

/// The same port as before.
async fn again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// One connection. A reset is a close with a zero linger: the kernel then sends RST.
async fn serve(stream: TcpStream, stage: Arc<Stage>) {
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let wish = Arc::clone(&reset);
    let service = service_fn(move |request| {
        let (stage, reset) = (Arc::clone(&stage), Arc::clone(&wish));
        async move {
            let answer = take(request, &stage).await;
            if answer.is_none() {
                reset.store(true, Ordering::Relaxed);
            }
            answer.ok_or_else(|| std::io::Error::other("scripted reset"))
        }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = (&mut connection).await;
    if reset.load(Ordering::Relaxed) {
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

/// One request: recorded, judged, answered, or `None` for a reset.
async fn take(request: Request<Incoming>, stage: &Stage) -> Option<Response<Paper>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, 4 * rules::MAX_BODY).collect().await;
    let body = body.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let name_and_value = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let call = Call {
        at: stage.began.elapsed(),
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        headers: head.headers.iter().map(name_and_value).collect(),
        body,
        event: None,
        processed: false,
        answered: None,
        note: String::new(),
    };
    let (number, answer, fault, latency) = judge(call, stage);
    let _in_progress = InProgress::begin(stage);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    if let Some(Fault::Delay(time)) = fault {
        tokio::time::sleep(time).await;
    }
    let paper = match fault {
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Reset | Fault::ResetAfter) => None,
        Some(Fault::Reply { status, headers, body }) => Some((status, headers, Paper::whole(body))),
        Some(Fault::ReplyAfter { status }) => Some((status, Vec::new(), Paper::whole(String::new()))),
        Some(Fault::Truncate) => Some((answer.0, Vec::new(), Paper::half(answer.1.to_string(), false))),
        Some(Fault::Stall) => Some((answer.0, Vec::new(), Paper::half(answer.1.to_string(), true))),
        Some(Fault::Delay(_)) | None => Some((answer.0, Vec::new(), Paper::whole(answer.1.to_string()))),
    };
    let (status, headers, paper) = paper?;
    stage.ledger.lock().unwrap().calls[number].answered = Some(status);
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    response = response.header("content-length", paper.claimed);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Some(response.body(paper).unwrap())
}

/// Puts the call into the ledger and lets it take effect, or not.
fn judge(mut call: Call, stage: &Stage) -> (usize, Answer, Option<Fault>, Duration) {
    let mut ledger = stage.ledger.lock().unwrap();
    let mut script = stage.script.lock().unwrap();
    let number = ledger.calls.len();
    let content_type = call.headers.iter().find(|(name, _)| name == "content-type");
    let content_type = content_type.map_or("", |(_, value)| value.as_str());
    let read = match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/v2/enqueue") => {
            rules::read(content_type, &call.body, &script.routing_keys, &format!("made-up-{number}"))
        }
        ("POST", _) => Err((404, serde_json::json!({ "error": "no such path" }))),
        _ => Err((405, serde_json::json!({ "error": "POST only" }))),
    };
    let fault = script.fault(&call.body);
    let untouched = matches!(fault, Some(Fault::Reply { .. } | Fault::Hang | Fault::Reset));
    let mut process = false;
    let answer = match read {
        Ok(event) => {
            let throttled = !untouched && script.throttles(&event.routing_key, call.at);
            process = !untouched && !throttled;
            let answer = if throttled { rules::throttled() } else { rules::accepted(&event) };
            call.event = Some(event);
            answer
        }
        Err(refusal) => {
            call.note = refusal.1.to_string();
            refusal
        }
    };
    if let Some(fault) = &fault {
        call.note = format!("{}{fault:?}", call.note);
    }
    ledger.calls.push(call);
    if process {
        ledger.process(number);
    }
    (number, answer, fault, script.latency)
}

/// Counts a request as in progress, even if its sender dies and the future is dropped.
struct InProgress<'a>(&'a Stage);

impl InProgress<'_> {
    fn begin(stage: &Stage) -> InProgress<'_> {
        stage.ledger.lock().unwrap().in_progress += 1;
        InProgress(stage)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.ledger.lock().unwrap().in_progress -= 1;
    }
}

/// An answer's body, perhaps less of it than its length claims.
struct Paper {
    claimed: usize,
    text: Option<Bytes>,
    whole: bool,
    stalls: bool,
}

impl Paper {
    fn whole(text: String) -> Paper {
        Paper { claimed: text.len(), text: Some(text.into()), whole: true, stalls: false }
    }

    fn half(mut text: String, stalls: bool) -> Paper {
        let claimed = text.len();
        text.truncate(claimed / 2);
        Paper { claimed, text: Some(text.into()), whole: false, stalls }
    }
}

impl Body for Paper {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.text.take() {
            Some(text) if !text.is_empty() => Poll::Ready(Some(Ok(Frame::data(text)))),
            // Nobody wakes this task again: that is what a stall is.
            _ if self.stalls => Poll::Pending,
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.whole && self.text.as_ref().is_none_or(Bytes::is_empty)
    }
}
