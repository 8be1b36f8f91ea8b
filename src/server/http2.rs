//! One connection of HTTP/2, inside of TLS only. Its limits are those of HTTP/1 as far as they have a
//! meaning: who asks nothing is sent away after the time of a head, whatever else he says on the
//! wire, and what a connection may hold in memory is small.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// What one connection is granted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How long it may ask nothing.
    pub idle: Duration,
    /// Bytes of the headers of a request.
    pub header_bytes: usize,
    /// Bytes of answers that wait to be taken.
    pub buffer_bytes: usize,
}

/// Requests at once of one connection.
const STREAMS: u32 = 32;
/// Bytes of bodies that are under way to nobody: the least that the protocol allows to announce
/// at the start (RFC 9113, 6.9.2).
const WINDOW: u32 = 65_535;
/// Streams that a client may open and take back at once ("rapid reset", CVE-2023-44487).
const RESETS: usize = 20;
/// A client that is gone is noticed by a ping.
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// Serves until the client leaves, asks nothing for too long, or `end` says that it is enough.
pub(super) async fn serve<IO, S, F>(
    io: IO,
    service: S,
    bounds: Bounds,
    end: impl Future<Output = ()>,
) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let (asked, mut under_way) = watch::channel(0_usize);
    let asked = Arc::new(asked);
    let service = service_fn(move |request| {
        let (answer, counted) = (service(request), Counted::new(&asked));
        async move {
            let answer = answer.await;
            drop(counted);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_pending_accept_reset_streams(RESETS)
            .max_header_list_size(u32::try_from(bounds.header_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(bounds.buffer_bytes)
            .keep_alive_interval(bounds.idle)
            .keep_alive_timeout(PONG_WITHIN)
            .serve_connection(TokioIo::new(io), service)
    );
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = end => {}
        () = idle(&mut under_way, bounds.idle) => {}
    }
    connection.as_mut().graceful_shutdown();
    // What is under way is answered; who keeps the connection open after that is cut.
    tokio::select! {
        ended = connection => ended,
        () = idle(&mut under_way, bounds.idle) => Ok(()),
    }
}

/// Ends when no request has been under way for so long.
async fn idle(under_way: &mut watch::Receiver<usize>, time: Duration) {
    loop {
        if under_way.wait_for(|count| *count == 0).await.is_err() {
            return;
        }
        if tokio::time::timeout(time, under_way.wait_for(|count| *count > 0)).await.is_err() {
            return;
        }
    }
}

/// A request under way.
struct Counted(Arc<watch::Sender<usize>>);

impl Counted {
    fn new(asked: &Arc<watch::Sender<usize>>) -> Counted {
        asked.send_modify(|count| *count += 1);
        Counted(Arc::clone(asked))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
