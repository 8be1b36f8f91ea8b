//! Connections: takes a listener and an async function from request to answer, serves HTTP/1.1
//! until told to stop.
//!
//! Nobody can hold a connection by being slow: headers have a time limit that runs on an idle
//! connection too, and the number of connections is capped. Over the cap new ones wait in the
//! kernel's queue, because a sender that is turned away may give its alert up. HTTP/2 is spoken inside
//! of TLS (`http2.rs`) and deliberately not in clear text: no sender of alerts does.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;
use crate::server::http2;
use crate::server::tls::{Secured, Shown, secured};

/// Who is on the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Address and port of the connection; a proxy's when there is one between.
    pub addr: SocketAddr,
    /// Names of the client certificate that was proven; empty without one.
    pub names: Arc<[String]>,
}

/// What one listener grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the moment a request may begin to the end of its headers, so also how long a
    /// connection may be idle.
    pub header_time: Duration,
    /// Bytes of the request line and headers together.
    pub header_bytes: usize,
    /// Bytes that a connection may hold of what has been sent and not been asked for yet.
    pub buffer_bytes: usize,
    /// Connections at the same time.
    pub connections: usize,
    /// How long requests in flight may take after the order to stop.
    pub drain_time: Duration,
}

impl Limits {
    fn of_http2(self) -> http2::Bounds {
        http2::Bounds {
            idle: self.header_time,
            header_bytes: self.header_bytes,
            buffer_bytes: self.buffer_bytes,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header_time: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            buffer_bytes: 32 * 1024,
            connections: 1024,
            drain_time: Duration::from_secs(10),
        }
    }
}

/// How long a connection that has asked nothing yet may take to do so after the order to stop: what
/// its sender has on the way must not be lost.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// Pause after a failed accept (out of file descriptors, mostly), so that it is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves, with TLS where there is something to show, until `shutdown`: then accepts no more, closes
/// idle connections, lets requests in flight finish within the drain time, cuts what is left and
/// returns.
pub async fn serve<S, F>(
    listener: TcpListener,
    shown: Option<Shown>,
    service: S,
    limits: Limits,
    metrics: Metrics,
    shutdown: CancellationToken,
) where
    S: Fn(Peer, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let open = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let next = async {
            // The semaphore is never closed, so this waits and cannot fail.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, addr)) => {
                let (shown, metrics) = (shown.clone(), metrics.clone());
                let connection = Connection { stream, addr, limits, shown, metrics: metrics.clone() };
                let (service, shutdown, cut) = (service.clone(), shutdown.clone(), cut.clone());
                let counted = metrics.connection_opened();
                open.spawn(async move {
                    let _held = (place, counted);
                    tokio::select! {
                        () = connection.run(service, shutdown) => {}
                        () = cut.cancelled() => {}
                    }
                });
            }
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections just now");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(limits.drain_time, open.wait()).await.is_err() {
        tracing::warn!(connections = open.len(), "cutting connections that did not finish in time");
        cut.cancel();
        open.wait().await;
    }
}

struct Connection {
    stream: TcpStream,
    addr: SocketAddr,
    limits: Limits,
    shown: Option<Shown>,
    metrics: Metrics,
}

impl Connection {
    async fn run<S, F>(self, service: S, shutdown: CancellationToken)
    where
        S: Fn(Peer, Request<Incoming>) -> F + Send + 'static,
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let Connection { stream, addr, limits, shown, metrics } = self;
        // Answers are small and whole: waiting for more to send would only delay them. A socket
        // that refuses the option still works.
        let _ = stream.set_nodelay(true);
        let asked = Arc::new(Notify::new());
        let end = ordered_to_end(shutdown, Arc::clone(&asked));
        let service = move |names: Arc<[String]>| {
            move |request| {
                asked.notify_one();
                service(Peer { addr, names: Arc::clone(&names) }, request)
            }
        };
        let ended = match shown {
            None => http1(stream, service(Arc::default()), limits, end).await,
            Some(shown) => {
                let mut end = Box::pin(end);
                let agreed = tokio::select! {
                    agreed = secured(stream, &shown, limits.header_time) => agreed,
                    () = &mut end => return,
                };
                match agreed {
                    Ok(Secured { stream, names, is_h2: true }) => {
                        http2::serve(stream, service(names), limits.of_http2(), end).await
                    }
                    Ok(Secured { stream, names, is_h2: false }) => {
                        http1(stream, service(names), limits, end).await
                    }
                    Err(error) => {
                        metrics.handshake_failed();
                        tracing::debug!(peer = %addr, %error, "TLS was not agreed on");
                        return;
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %addr, %error, "connection ended early");
        }
    }
}

/// Serves one connection of HTTP/1.1, until `end` says that it is enough.
async fn http1<IO, S, F>(
    io: IO,
    service: S,
    limits: Limits,
    end: impl Future<Output = ()>,
) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(move |request| {
        let answer = service(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_header_size(limits.header_bytes)
            .max_buf_size(limits.buffer_bytes)
            .serve_connection(TokioIo::new(io), service)
    );
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = end => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

/// The order to stop, once a first request has been heard or has had its time.
async fn ordered_to_end(shutdown: CancellationToken, asked: Arc<Notify>) {
    shutdown.cancelled().await;
    let _silent = tokio::time::timeout(FIRST_REQUEST, asked.notified()).await;
}

/// The connection died before it was taken: nothing is wrong with the listener.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
