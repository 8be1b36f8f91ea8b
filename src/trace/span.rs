//! Spans, and the queue that they wait in. Never waits: when nobody sends them fast enough they are
//! counted and dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::trace::ids::{self, Caller, Sample, SpanId};

/// Spans that may wait to be sent; some hundred bytes each.
const WAITING_MAX: usize = 4096;

/// What a span stands for, by OTLP's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A call that was answered.
    Server = 2,
    /// A call that was made.
    Client = 3,
    /// Work on what was promised before.
    Consumer = 5,
}

/// A value that a span carries beside its name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Bool(bool),
}

/// One span, complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its trace: the event's id.
    pub trace: Uuid,
    /// Its own id.
    pub id: SpanId,
    /// The span that it is a part of.
    pub parent: Option<SpanId>,
    /// Another trace that led to it.
    pub link: Option<Caller>,
    /// What was done.
    pub name: String,
    /// What it stands for.
    pub kind: Kind,
    /// When it began.
    pub start: Timestamp,
    /// When it was over.
    pub end: Timestamp,
    /// What else is known of it, under OpenTelemetry's names where it has one.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed; `None`: it did not.
    pub error: Option<String>,
}

/// Where spans are handed in. A clone hands in to the same queue; the default is off.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<Recording>>);

#[derive(Debug)]
struct Recording {
    queue: mpsc::Sender<Span>,
    sample: Sample,
    dropped: Arc<AtomicU64>,
}

/// The other end of the queue.
#[derive(Debug)]
pub struct Waiting {
    /// Spans as they come.
    pub queue: mpsc::Receiver<Span>,
    /// Spans for which there was no room.
    pub dropped: Arc<AtomicU64>,
}

impl Tracer {
    /// A tracer that records this share, and where what it records comes out.
    pub fn new(sample: Sample) -> (Tracer, Waiting) {
        let (sender, queue) = mpsc::channel(WAITING_MAX);
        let dropped = Arc::<AtomicU64>::default();
        let recording = Recording { queue: sender, sample, dropped: Arc::clone(&dropped) };
        (Tracer(Some(Arc::new(recording))), Waiting { queue, dropped })
    }

    /// Whether anything is recorded at all.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether spans of this event are recorded. Ask before one is made.
    pub fn records(&self, event: Uuid) -> bool {
        self.0.as_ref().is_some_and(|recording| recording.sample.holds(event))
    }

    /// The id for a new event, so that the trace of a caller who records his is recorded here too.
    pub fn id_for(&self, fresh: Uuid, caller: Option<&Caller>) -> Uuid {
        if self.is_on() && caller.is_some_and(|caller| caller.sampled) { ids::wanted(fresh) } else { fresh }
    }

    /// Hands one in.
    pub fn record(&self, span: Span) {
        if let Some(recording) = &self.0
            && recording.queue.try_send(span).is_err()
        {
            recording.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
