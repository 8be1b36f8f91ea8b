//! Sends spans to an OTLP collector, several at once. Whatever becomes of them, nobody waits: a
//! collector that does not answer costs its spans and a line of the log a minute.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::assemble::Base;
use crate::assemble::traces::Collector;
use crate::client::{Client, TimeLimits};
use crate::domain::exchange::{HeaderText, HttpRequest, Method};
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::trace::otlp;
use crate::trace::span::{Span, Tracer, Waiting};

/// Spans of one call.
const AT_ONCE: usize = 256;
/// How long the first of them waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// Time for one call.
const CALL_TIME: Duration = Duration::from_secs(5);
/// Pauses before a call is made again, where the collector says that it may be.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// Time for what is left when the relay stops.
const LAST_CALL: Duration = Duration::from_secs(2);
/// Seconds between lines of the log about trouble.
const COMPLAIN_EVERY: i64 = 60;

/// What runs, if anything does.
pub(super) struct Running {
    /// Told to send what is left, and to end.
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Running {
    /// Sends what is left.
    pub async fn finish(self) {
        self.stop.cancel();
        if let Some(task) = self.task {
            let _ended = task.await;
        }
    }
}

/// Where spans are handed in, and what sends them; nothing runs when the configuration names nobody
/// who wants them.
pub(super) fn start(
    base: &Base,
    client: &Client,
    metrics: &Metrics,
    clock: &Arc<dyn Clock>,
) -> (Tracer, Running) {
    let stop = CancellationToken::new();
    let Some(collector) = base.collector.clone() else {
        return (Tracer::default(), Running { stop, task: None });
    };
    let (tracer, waiting) = Tracer::new(collector.sample);
    let (client, metrics, clock) = (client.clone(), metrics.clone(), Arc::clone(clock));
    let exporter = Exporter { client, collector, metrics, clock };
    let task = Some(tokio::spawn(exporter.run(waiting, stop.clone())));
    (tracer, Running { stop, task })
}

/// What it sends with.
struct Exporter {
    client: Client,
    collector: Collector,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

impl Exporter {
    /// Runs until `stop`, then sends what is left.
    async fn run(self, mut waiting: Waiting, stop: CancellationToken) {
        let Ok(client) = self.client.with_limits(TimeLimits::whole(CALL_TIME)) else { return };
        let exporter = Exporter { client, ..self };
        let mut complained = Timestamp::UNIX_EPOCH;
        let mut batch = Vec::with_capacity(AT_ONCE);
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                read = waiting.queue.recv_many(&mut batch, AT_ONCE) => read == 0,
            };
            if stopping {
                break;
            }
            if batch.len() < AT_ONCE {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(GATHER) => {}
                }
                while batch.len() < AT_ONCE
                    && let Ok(span) = waiting.queue.try_recv()
                {
                    batch.push(span);
                }
            }
            let sent = tokio::select! {
                sent = exporter.send(&batch, &AGAIN) => sent,
                () = stop.cancelled() => break,
            };
            exporter.account(&mut batch, sent, &waiting, &mut complained);
        }
        while let Ok(span) = waiting.queue.try_recv() {
            batch.push(span);
        }
        if !batch.is_empty() {
            let sent = tokio::time::timeout(LAST_CALL, exporter.send(&batch, &[])).await;
            let sent = sent.unwrap_or_else(|_| Err("the relay is stopping".to_owned()));
            exporter.account(&mut batch, sent, &waiting, &mut complained);
        }
    }

    /// Sends them; again where OTLP says that a client may: after 429, 502, 503, 504 and no answer.
    async fn send(&self, batch: &[Span], again: &[Duration]) -> Result<(), String> {
        let body = otlp::body(batch, env!("CARGO_PKG_VERSION")).to_string();
        let mut request = HttpRequest::new(Method::Post, self.collector.url.clone())
            .header("Content-Type", HeaderText::Plain("application/json".to_owned()));
        for (name, value) in &self.collector.headers {
            request = request.header(name, HeaderText::Hidden(value.clone()));
        }
        request.body = body.into_bytes();
        let mut pauses = again.iter();
        loop {
            let why = match self.client.send(&request).await {
                Ok(reply) if (200..300).contains(&reply.status) => return Ok(()),
                Ok(reply) if !matches!(reply.status, 429 | 502..=504) => {
                    return Err(format!("it answered {}", reply.status));
                }
                Ok(reply) => format!("it answered {}", reply.status),
                Err(error) => error.reason,
            };
            match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(why),
            }
        }
    }

    fn account(
        &self,
        batch: &mut Vec<Span>,
        sent: Result<(), String>,
        waiting: &Waiting,
        complained: &mut Timestamp,
    ) {
        let spans = batch.len() as u64;
        batch.clear();
        self.metrics.spans_dropped(waiting.dropped.swap(0, Ordering::Relaxed));
        match sent {
            Ok(()) => self.metrics.spans_sent(spans),
            Err(why) => {
                self.metrics.spans_failed(spans);
                let now = self.clock.now();
                if now.as_second() - complained.as_second() >= COMPLAIN_EVERY {
                    *complained = now;
                    tracing::warn!(why, spans, "the collector of traces did not take them; they are dropped");
                }
            }
        }
    }
}
