//! The store as the rest of the house holds it: a cheap handle on the writer and a few readers.

use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::pace::clock::Clock;
use crate::store::boundary::{Done, LaneId, Op, Rescue, Settlement, StoreError};
use crate::store::charge::{Charge, Charged};
use crate::store::disk::Disk;
use crate::store::event::{Changed, NewEvent};
use crate::store::follows::{Asked, Reminding};
use crate::store::hearing::{Heard, Hearing};
use crate::store::incidents::Escalating;
use crate::store::jobs::JobStep;
use crate::store::orders::{Order, Ordered, Refused, What};
use crate::store::pressure::Pressure;
use crate::store::queues::Queues;
use crate::store::reader::Reader;
use crate::store::records::{Accepted, Quarantined};
use crate::store::reserved::Reserved;
use crate::store::retention::Retention;
use crate::store::schedule::Caps;
use crate::store::sqlite::{Found, Place};
use crate::store::sqlite_read::SqliteReader;
use crate::store::sqlite_write::SqliteEngine;
use crate::store::writer::{self, Ask, BATCH_MAX, OnCommit, WAITING_MAX};

/// Of the operations that may wait, so many places are left to what the relay writes by itself:
/// intake gives way to deliveries.
const FOR_OWN: usize = WAITING_MAX / 4;
/// Idle readers kept for the next question.
const READERS_KEPT: usize = 4;

type OpenReader = Box<dyn Fn() -> Result<Box<dyn Reader>, StoreError> + Send + Sync>;

/// A handle; clones share one store.
#[derive(Clone)]
pub struct Store {
    asks: mpsc::Sender<Ask>,
    in_doubt: Arc<AtomicBool>,
    queues: Arc<Queues>,
    readers: Arc<Readers>,
    pressure: Arc<Pressure>,
    disk: Arc<Disk>,
    clock: Arc<dyn Clock>,
}

struct Readers {
    open: OpenReader,
    idle: Mutex<Vec<Box<dyn Reader>>>,
}

/// What the store will say to something that it was handed. Ready when that is on disk.
#[derive(Debug)]
pub struct Answer(oneshot::Receiver<Result<Done, StoreError>>);

impl Answer {
    /// What it has said, without waiting.
    pub fn at_hand(&mut self) -> Option<Result<(), StoreError>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer.map(|_| ())),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Closed) => Some(Err(StoreError::Closed)),
        }
    }
}

impl Future for Answer {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        let answer = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(answer.unwrap_or(Err(StoreError::Closed)).map(|_| ()))
    }
}

/// Ends the store: waits for the writer to finish once all handles are gone.
#[derive(Debug)]
pub struct Closing(JoinHandle<()>);

impl Closing {
    /// Blocks until the last commit is on disk and the clean end is marked, or until `limit`. Every
    /// [`Store`] handle must be dropped first; one that is left over keeps the writer waiting, and
    /// then the next start counts this end as unclean, which is safe.
    pub fn wait(self, limit: Duration) {
        const LOOK_EVERY: Duration = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        while !self.0.is_finished() && waited < limit {
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
        if !self.0.is_finished() {
            tracing::warn!("the store is still in use and is left as it is");
        } else if self.0.join().is_err() {
            tracing::error!("the store's writer panicked; what was answered with 2xx is on disk");
        }
    }
}

/// Opens the embedded store in a folder.
///
/// # Errors
/// Another relay holds the folder, the schema is newer than this binary, or the disk says no.
pub fn open_embedded(
    folder: &Path,
    caps: Caps,
    clock: Arc<dyn Clock>,
    on_commit: OnCommit,
) -> Result<(Store, Closing, Found), StoreError> {
    let place = Arc::new(Place::take(folder)?);
    let disk = Arc::new(Disk::of(folder));
    let (connection, found) = open_on_full_disk(&place, &disk)?;
    let engine = Box::new(Reserved::new(SqliteEngine::new(connection, found)?, Arc::clone(&disk)));
    let queues = Arc::new(Queues::new(caps));
    let (asks, inbox) = mpsc::channel(WAITING_MAX);
    let for_readers = Arc::clone(&place);
    let open: OpenReader = Box::new(move || {
        let reader = SqliteReader::new(for_readers.reader()?, found.perhaps_sent);
        Ok(Box::new(reader) as Box<dyn Reader>)
    });
    let for_writer = Arc::clone(&queues);
    let in_doubt = Arc::new(AtomicBool::new(false));
    let doubt_at_end = Arc::clone(&in_doubt);
    let pressure = Arc::<Pressure>::default();
    let (of_writer, ticking) = (Arc::clone(&pressure), Arc::clone(&clock));
    let thread = std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || {
            let mut engine = writer::run(engine, inbox, &for_writer, &ticking, &of_writer, &on_commit);
            if !doubt_at_end.load(Ordering::SeqCst) {
                writer::close(engine.as_mut());
            }
            drop(engine);
            drop(place);
        })
        .map_err(|error| StoreError::Engine(format!("writer thread: {error}")))?;
    let readers = Arc::new(Readers { open, idle: Mutex::default() });
    Ok((Store { asks, in_doubt, queues, readers, pressure, disk, clock }, Closing(thread), found))
}

/// On a full disk not even opening works, unless the reserve gives way.
fn open_on_full_disk(place: &Place, disk: &Disk) -> Result<(Connection, Found), StoreError> {
    match place.writer() {
        Err(StoreError::SchemaNewer { found, known }) => Err(StoreError::SchemaNewer { found, known }),
        Err(_) if disk.is_full() => {
            if disk.give_up_reserve() {
                place.writer()
            } else {
                Err(StoreError::DiskFull)
            }
        }
        opened => opened,
    }
}

impl Store {
    /// Whether calls from outside can be kept just now. What the relay writes by itself is never
    /// turned away.
    ///
    /// # Errors
    /// [`StoreError::DiskLow`] and [`StoreError::Busy`].
    pub fn takes_calls(&self) -> Result<(), StoreError> {
        if self.disk.is_low() {
            return Err(StoreError::DiskLow);
        }
        let places = self.asks.capacity();
        let commits = self.asks.max_capacity().saturating_sub(places) / BATCH_MAX;
        let now = self.clock.now();
        match self.pressure.too_long(commits, now) {
            Some(wait) => Err(StoreError::Busy { wait }),
            None if places <= FOR_OWN => Err(StoreError::Busy { wait: self.pressure.expected(commits, now) }),
            None => Ok(()),
        }
    }

    /// How long calls may have to wait, and how much of the disk is left free.
    pub fn set_limits(&self, wait: Duration, keep_free: u64) {
        self.pressure.set_limit(wait);
        self.disk.keep_free(keep_free);
    }

    /// The disk that it is on.
    pub fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    /// Keeps an event with its deliveries. Returns only when it is on disk: this is promise P1.
    ///
    /// # Errors
    /// Nothing was kept; the sender must come again.
    pub async fn accept(&self, event: NewEvent) -> Result<Accepted, StoreError> {
        if !event.body.is_empty() && !self.disk.take(event.body.len()) {
            return Err(StoreError::DiskLow);
        }
        match self.ask(Op::Accept(Box::new(event))).await? {
            Done::Accepted(accepted, _) => Ok(accepted),
            _ => Err(mixed_up()),
        }
    }

    /// Records what a try came to. Returns only when it is on disk.
    pub async fn settle(&self, settlement: impl Into<Arc<Settlement>>) -> Result<(), StoreError> {
        self.ask(Op::Settle(settlement.into())).await.map(|_| ())
    }

    /// Hands over what a try came to, to be recorded in the order in which it is handed over. `None`
    /// when there is no room for it just now, or the store is closed.
    pub fn hand_over(&self, settlement: &Arc<Settlement>) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.asks.try_send((Op::Settle(Arc::clone(settlement)), answer)).ok()?;
        Some(Answer(answered))
    }

    /// Announces that a delivery is about to be sent that must never be sent twice. Returns only
    /// when that is on disk.
    pub async fn begin(&self, lane: LaneId, uid: &str) -> Result<(), StoreError> {
        self.ask(Op::Begin(lane, uid.to_owned())).await.map(|_| ())
    }

    /// Keeps unreadable bytes.
    pub async fn quarantine(&self, bytes: Quarantined) -> Result<(), StoreError> {
        if !self.disk.take(bytes.body.len()) {
            return Err(StoreError::DiskLow);
        }
        self.ask(Op::Quarantine(Box::new(bytes))).await.map(|_| ())
    }

    /// Counts a call that costs money, before it is made. Returns only when it is on disk.
    pub async fn charge(&self, charge: Charge) -> Result<Charged, StoreError> {
        match self.ask(Op::Charge(Box::new(charge))).await? {
            Done::Charged(charged) => Ok(charged),
            _ => Err(mixed_up()),
        }
    }

    /// Keeps what a service told us. Returns only when it is on disk, with what follows from it.
    pub async fn hear(&self, hearing: Hearing) -> Result<Heard, StoreError> {
        match self.ask(Op::Hear(Box::new(hearing))).await? {
            Done::Heard(heard, _) => Ok(heard),
            _ => Err(mixed_up()),
        }
    }

    /// Keeps a change with what is to be told of it. Returns only when it is on disk.
    pub async fn change(&self, changed: Changed) -> Result<(), StoreError> {
        self.ask(Op::Change(Box::new(changed))).await.map(|_| ())
    }

    /// Makes a step of an escalation, unless somebody has acknowledged meanwhile. Returns only when
    /// it is on disk.
    pub async fn escalate(&self, step: Escalating) -> Result<(), StoreError> {
        self.ask(Op::Escalate(Box::new(step))).await.map(|_| ())
    }

    /// Moves a job of an incident, unless that was done already. Returns only when it is on disk.
    pub async fn move_job(&self, step: JobStep) -> Result<(), StoreError> {
        self.ask(Op::Job(Box::new(step))).await.map(|_| ())
    }

    /// Keeps what asking after a ticket came to. Returns only when it is on disk, with what follows.
    pub async fn asked(&self, asked: Asked) -> Result<Heard, StoreError> {
        match self.ask(Op::Asked(Box::new(asked))).await? {
            Done::Heard(heard, _) => Ok(heard),
            _ => Err(mixed_up()),
        }
    }

    /// Reminds somebody of a ticket, unless it was taken meanwhile. Returns only when it is on disk.
    pub async fn remind(&self, reminding: Reminding) -> Result<(), StoreError> {
        self.ask(Op::Remind(Box::new(reminding))).await.map(|_| ())
    }

    /// Tells of a lane elsewhere or later, unless that was done already. Returns only when it is on
    /// disk.
    pub async fn rescue(&self, rescue: Rescue) -> Result<(), StoreError> {
        self.ask(Op::Rescue(Box::new(rescue))).await.map(|_| ())
    }

    /// Returns once the writer has come to it: it works.
    ///
    /// # Errors
    /// It has ended, or cannot use its file just now.
    pub async fn answers(&self) -> Result<(), StoreError> {
        self.ask(Op::Nothing).await.map(|_| ())
    }

    /// One small step of forgetting; returns how much went.
    pub async fn prune(&self, retention: Retention) -> Result<u32, StoreError> {
        match self.ask(Op::Prune(retention)).await? {
            Done::Pruned(rows) => Ok(rows),
            _ => Err(mixed_up()),
        }
    }

    /// Carries out what a person ordered. Returns only when it is on disk, with the audit of it.
    pub async fn manage(&self, mut order: Order) -> Result<Result<Ordered, Refused>, StoreError> {
        if let What::Retry(id) | What::Drop(id, _) = order.what {
            let found = self.read(move |reader| reader.delivery(id)).await?;
            let open = found.filter(|record| record.state.is_open());
            order.still = open.map(|record| (record.target.into(), record.lane));
        }
        match self.ask(Op::Manage(Box::new(order))).await? {
            Done::Managed(ordered, _) => Ok(ordered),
            _ => Err(mixed_up()),
        }
    }

    /// Something that was under way has not been settled and never will be: this run's end counts
    /// as unclean, so that the next one takes it for perhaps sent.
    pub fn leave_in_doubt(&self) {
        self.in_doubt.store(true, Ordering::SeqCst);
    }

    /// The schedules.
    pub fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Asks a reader something, off the async threads. The answer is of one moment, however many
    /// reads it takes.
    pub async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let asked = tokio::task::spawn_blocking(move || {
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = idle.map_or_else(|| (readers.open)(), Ok)?;
            reader.hold()?;
            let answer = question(reader.as_mut())?;
            reader.let_go()?;
            let mut idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < READERS_KEPT {
                idle.push(reader);
            }
            Ok(answer)
        });
        asked.await.map_err(|_| StoreError::Closed)?
    }

    async fn ask(&self, op: Op) -> Result<Done, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send((op, answer)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

fn mixed_up() -> StoreError {
    StoreError::Engine("the writer mixed up its answers".into())
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}
