//! The limit of the stack: what hyper, serde_json, SQLite and reqwest alone cost, at the least that a
//! durable relay can ask of them. One row for each alert, one commit for all that waits, an answer after
//! it, one call, one more row that says how the call ended. No routes, no lanes, no templates, no
//! incidents, no retries, no restart.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hyper::body::Bytes;
use rusqlite::{Connection, params};
use tokio::sync::{Mutex, mpsc};

use crate::journal::{Entry, FORWARDERS, LARGEST_GROUP, take_in};

enum Ask {
    Keep(Entry),
    Ended { id: i64, status: u16 },
}

type Asks = std::sync::mpsc::Sender<Ask>;

/// Serves until it is killed.
pub fn serve(listen: SocketAddr, sink: SocketAddr, file: &Path) {
    let store = opened(file).expect("a store");
    let (asks, waiting) = std::sync::mpsc::channel::<Ask>();
    let (forward, events) = mpsc::unbounded_channel();
    std::thread::spawn(move || write(&store, &waiting, &forward).expect("the store cannot be written"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let events = Arc::new(Mutex::new(events));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        for _ in 0..FORWARDERS {
            tokio::spawn(deliver(client.clone(), sink, Arc::clone(&events), asks.clone()));
        }
        take_in(listen, move |entry| drop(asks.send(Ask::Keep(entry)))).await;
    });
}

/// As the relay opens its own, with two tables instead of a dozen.
fn opened(file: &Path) -> rusqlite::Result<Connection> {
    let store = Connection::open(file)?;
    store.execute_batch(
        "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=500;
         CREATE TABLE events(id INTEGER PRIMARY KEY, body BLOB NOT NULL);
         CREATE TABLE ended(id INTEGER PRIMARY KEY, status INTEGER NOT NULL);",
    )?;
    Ok(store)
}

/// One commit for all that waits, then the answers.
fn write(
    store: &Connection,
    waiting: &std::sync::mpsc::Receiver<Ask>,
    forward: &mpsc::UnboundedSender<(i64, Bytes)>,
) -> rusqlite::Result<()> {
    let mut next = 1;
    while let Ok(first) = waiting.recv() {
        let (mut kept, mut begin) = (Vec::new(), store.prepare_cached("BEGIN IMMEDIATE")?);
        begin.execute([])?;
        for ask in std::iter::once(first).chain(waiting.try_iter().take(LARGEST_GROUP - 1)) {
            match ask {
                Ask::Keep(Entry { raw, event, done }) => {
                    let mut insert = store.prepare_cached("INSERT INTO events(id, body) VALUES (?1, ?2)")?;
                    insert.execute(params![next, &raw[..]])?;
                    kept.push((next, event, done));
                    next += 1;
                }
                Ask::Ended { id, status } => {
                    let mut insert = store.prepare_cached("INSERT INTO ended(id, status) VALUES (?1, ?2)")?;
                    insert.execute(params![id, status])?;
                }
            }
        }
        store.prepare_cached("COMMIT")?.execute([])?;
        for (id, event, done) in kept {
            let _ = done.send(());
            let _ = forward.send((id, event));
        }
    }
    Ok(())
}

async fn deliver(
    client: reqwest::Client,
    sink: SocketAddr,
    events: Arc<Mutex<mpsc::UnboundedReceiver<(i64, Bytes)>>>,
    asks: Asks,
) {
    let url = format!("http://{sink}/v2/enqueue");
    loop {
        let next = events.lock().await.recv().await;
        let Some((id, event)) = next else { return };
        let call = client.post(&url).header("content-type", "application/json").body(event);
        let answer = call.send().await.expect("the sink is gone");
        let status = answer.status().as_u16();
        let _ = answer.bytes().await;
        let _ = asks.send(Ask::Ended { id, status });
    }
}
