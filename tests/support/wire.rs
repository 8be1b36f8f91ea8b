//! The other side of the wire, byte by byte: servers that follow a script, and a client that says
//! and hears raw HTTP/1.1. Not a mock of HTTP: faults below HTTP are what it is for.

#![allow(dead_code, reason = "each test driver uses its part")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One step of a scripted server, taken for each connection after its request was read.
#[derive(Debug, Clone)]
pub enum Step {
    /// Writes these bytes.
    Say(Vec<u8>),
    /// Lets time pass.
    Wait(Duration),
    /// Cuts the connection with a reset.
    Reset,
    /// Says nothing more and keeps the connection open.
    Hang,
}

/// Shorthand for a step that writes text.
pub fn say(text: &str) -> Step {
    Step::Say(text.as_bytes().to_vec())
}

/// A server that follows a script.
pub struct Wire {
    /// Where it listens.
    pub addr: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    /// Follows the script on every connection, then closes it.
    pub async fn scripted(script: Vec<Step>) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(follow(stream, script.clone(), Arc::clone(&ears)));
            }
        });
        Wire { addr, heard }
    }

    /// The requests that came, as text.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// A URL at this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

/// A port on which nobody listens.
pub async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn follow(mut stream: TcpStream, script: Vec<Step>, heard: Arc<Mutex<Vec<String>>>) {
    let request = read_message(&mut stream).await;
    heard.lock().unwrap().push(request);
    for step in script {
        match step {
            Step::Say(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Wait(pause) => tokio::time::sleep(pause).await,
            Step::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Step::Hang => std::future::pending().await,
        }
    }
    let _ = stream.shutdown().await;
}

/// Reads one message with its body (`Content-Length` only) or what comes until the end.
pub async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(head_end) = text.find("\r\n\r\n") {
            let length = header_of(&text[..head_end], "content-length").map_or(0, |v| v.parse().unwrap());
            if bytes.len() >= head_end + 4 + length {
                return text;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Reads until the other side closes; an error counts as the end.
pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The value of a header in the head of a message.
pub fn header_of<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().take_while(|line| !line.is_empty()).find_map(|line| {
        let (have, value) = line.split_once(':')?;
        have.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
