//! TLS of a listener: takes a fresh connection, gives the encrypted one with the names that the
//! client proved, or ends it. What is shown and asked for can be exchanged while it runs; a
//! handshake takes what is there when it begins.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::auth::certificate::{H2, Identity, names};

/// What a listener shows and asks for, exchangeable. Clones share it.
#[derive(Debug, Clone)]
pub struct Shown(Arc<ArcSwap<Identity>>);

impl Shown {
    /// Begins with this one.
    pub fn new(first: Identity) -> Shown {
        Shown(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// From the next handshake on it is this one.
    pub fn replace(&self, next: Identity) {
        self.0.store(Arc::new(next));
    }

    /// The one of now.
    pub fn current(&self) -> Arc<Identity> {
        self.0.load_full()
    }
}

/// A connection whose handshake is done.
pub(super) struct Secured {
    pub stream: TlsStream<TcpStream>,
    /// Names of the certificate that the client proved to hold; empty when it showed none.
    pub names: Arc<[String]>,
    /// The client chose HTTP/2.
    pub is_h2: bool,
}

/// Bytes that are read of a client that speaks no TLS.
const UNREAD_MAX: usize = 1 << 20;

/// First byte of a handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// Said to who speaks HTTP where TLS is spoken. A 503, because senders of alerts drop what is
/// answered with 4xx, and this will be mended.
const NOT_TLS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 72\r\nconnection: close\r\n\r\n\
    This port speaks TLS: write https:// instead of http:// in the address.\n";

/// Tells a client that speaks no TLS. What it still says is read, or the answer would be lost with it.
async fn told(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(NOT_TLS).await?;
    stream.shutdown().await?;
    let mut unread = [0; 4096];
    for _ in 0..UNREAD_MAX / unread.len() {
        if stream.read(&mut unread).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// Agrees on TLS within the time.
///
/// # Errors
/// The client speaks no TLS, took too long, or did not prove what is asked for.
pub(super) async fn secured(mut stream: TcpStream, shown: &Shown, time: Duration) -> io::Result<Secured> {
    let agreed = tokio::time::timeout(time, async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            told(&mut stream).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks no TLS"));
        }
        TlsAcceptor::from(Arc::clone(&shown.current().config)).accept(stream).await
    });
    let stream = agreed.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let session = stream.get_ref().1;
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let names = certificate.map(|leaf| names(leaf)).unwrap_or_default().into();
    let is_h2 = session.alpn_protocol() == Some(H2);
    Ok(Secured { stream, names, is_h2 })
}
