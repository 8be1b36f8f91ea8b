//! What is looked after while the relay runs: the room on the disk, and what is past its retention.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::deliver::attempt::Voice;
use crate::domain::own_alerts::Own;
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::rulebook::Rulebooks;
use crate::store::boundary::StoreError;
use crate::store::disk::{Extent, Room};
use crate::store::handle::Store;
use crate::store::retention::Retention;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same while its room is tight: much may change in a second.
const LOOK_CLOSELY: Duration = Duration::from_millis(200);
/// Pause between rounds of forgetting what is past its retention.
const PRUNE_EVERY: Duration = Duration::from_secs(10);
/// Pause between the steps of a round, so that intake can breathe.
const STEP_EVERY: Duration = Duration::from_millis(100);
/// Rows of one step of forgetting; a step takes some ten milliseconds of the writer.
const PRUNE_ROWS: u32 = 500;
/// Closed lanes are remembered this long, so that a late peer cannot open them again.
const KEEP_LANES: Duration = Duration::from_secs(48 * 3600);

/// Looks at the disk until `stop`: the store turns calls away while it is low, people are told, and
/// `tight` is rung so that history gives way at once.
pub async fn watch_disk(
    store: Store,
    metrics: Metrics,
    voice: Voice,
    tight: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut low = false;
    let mut pause = LOOK_EVERY;
    loop {
        match look(&store).await {
            Ok((extent, room)) => {
                if room.low != low {
                    low = room.low;
                    log(&room);
                }
                pause = LOOK_EVERY;
                if room.is_tight() {
                    tight.notify_one();
                    pause = LOOK_CLOSELY;
                }
                metrics.disk_seen(room.free, extent.used, room.low);
                voice.say(if low { Own::DiskLow { reason: reason(&room) } } else { Own::DiskFine });
            }
            Err(error) => tracing::warn!(%error, "the room on the disk is not known"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn log(room: &Room) {
    match room.low {
        true => tracing::error!(
            free = room.free,
            keep_free = room.keep_free,
            "the disk is nearly full: calls are answered with 503 until there is room, deliveries go on"
        ),
        false => tracing::info!(free = room.free, "there is room on the disk again: calls are taken in"),
    }
}

fn reason(room: &Room) -> String {
    let mebibytes = |bytes: u64| bytes >> 20;
    format!(
        "{} MiB are free, {} MiB are to be left free (store.keep_free); senders are answered with 503 until there is room, deliveries go on",
        mebibytes(room.free),
        mebibytes(room.keep_free)
    )
}

/// What the rows take, and the room that is left.
async fn look(store: &Store) -> io::Result<(Extent, Room)> {
    let extent = store.read(|reader| reader.extent()).await.unwrap_or_default();
    let disk = Arc::clone(store.disk());
    let looked = tokio::task::spawn_blocking(move || disk.look(extent.reusable)).await;
    Ok((extent, looked.map_err(io::Error::other)??))
}

/// Forgets what is past its retention, until `stop`, in small steps; does not wait for its time
/// where the disk is `tight`.
pub async fn prune(
    store: Store,
    books: Rulebooks,
    clock: Arc<dyn Clock>,
    tight: Arc<Notify>,
    stop: CancellationToken,
) {
    let (mut pause, mut rows_max) = (PRUNE_EVERY, PRUNE_ROWS);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            () = tight.notified() => {}
        }
        let (now, book) = (clock.now(), books.current());
        let seen = look(&store).await.ok();
        let before = |age: Duration| now.saturating_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
        let retention = Retention {
            events_before: before(book.keep_events),
            lanes_before: before(KEEP_LANES),
            audit_before: before(book.keep_audit),
            used_max: seen.map_or(u64::MAX, |(extent, room)| room.used_max(extent.used)).min(book.disk_limit),
            give_back: seen.is_some_and(|(_, room)| room.wants_back()),
            rows_max,
        };
        let pruned = store.prune(retention).await;
        // To forget much at once takes room as well.
        rows_max = if matches!(pruned, Err(StoreError::DiskFull)) { 1 } else { PRUNE_ROWS };
        pause = match pruned {
            Ok(rows) if rows >= retention.rows_max => STEP_EVERY,
            Ok(_) => PRUNE_EVERY,
            Err(StoreError::DiskFull) if retention.rows_max > 1 => STEP_EVERY,
            Err(error) => {
                tracing::warn!(%error, "old events could not be removed; trying again");
                PRUNE_EVERY
            }
        };
    }
}
