//! A vendor that says everything back that it was sent, with another status each time: in the body
//! plainly, as JSON, percent-encoded and in Base64, in headers, in the reason, cut in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::support::wire;

pub struct Echo {
    url: String,
    heard: Arc<AtomicUsize>,
}

impl Echo {
    pub async fn start() -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, count.fetch_add(1, Ordering::Relaxed)));
            }
        });
        Echo { url, heard }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Requests so far.
    pub fn heard(&self) -> usize {
        self.heard.load(Ordering::Relaxed)
    }
}

async fn answer(mut stream: TcpStream, number: usize) {
    let request = wire::read_message(&mut stream).await;
    let body = match number % 5 {
        0 => request.clone(),
        1 => serde_json::json!({ "status": "invalid event", "message": request, "errors": [request] })
            .to_string(),
        2 => BASE64.encode(&request),
        3 => request.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        _ => request.lines().map(|line| BASE64.encode(line)).collect::<Vec<_>>().join(" "),
    };
    let status = [500, 503, 429, 401, 400, 302, 404, 200, 600][number % 9];
    let line: String = request.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    let claimed = body.len() + usize::from(number % 7 == 6) * 10;
    let head = format!(
        "HTTP/1.1 {status} {line}\r\nconnection: close\r\nretry-after: {line}\r\nlocation: {line}\r\n\
         content-type: {line}\r\ncontent-length: {claimed}\r\n\r\n",
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
    let _ = stream.shutdown().await;
}
