//! What is looked after while the relay runs: the room on the disk, and what is past its retention.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::deliver::attempt::Voice;
use crate::domain::own_alerts::Own;
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::rulebook::Rulebooks;
use crate::store::boundary::Retention;
use crate::store::disk::Room;
use crate::store::handle::Store;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause between rounds of forgetting what is past its retention.
const PRUNE_EVERY: Duration = Duration::from_secs(10);
/// Pause between the steps of a round, so that intake can breathe.
const STEP_EVERY: Duration = Duration::from_millis(100);
/// Rows of one step of forgetting; a step takes some ten milliseconds of the writer.
const PRUNE_ROWS: u32 = 500;
/// Closed lanes are remembered this long, so that a late peer cannot open them again.
const KEEP_LANES: Duration = Duration::from_secs(48 * 3600);

/// Looks at the disk until `stop`: the store turns calls away while it is low, and people are told.
pub async fn watch_disk(store: Store, metrics: Metrics, voice: Voice, stop: CancellationToken) {
    let mut low = false;
    loop {
        let disk = Arc::clone(store.disk());
        let looked = tokio::task::spawn_blocking(move || disk.look()).await;
        match looked {
            Ok(Ok(room)) => {
                if room.low != low {
                    low = room.low;
                    log(&room);
                }
                let used = store.read(|reader| reader.used()).await.unwrap_or(0);
                metrics.disk_seen(room.free, used);
                voice.say(if low { Own::DiskLow { reason: reason(&room) } } else { Own::DiskFine });
            }
            Ok(Err(error)) => tracing::warn!(%error, "the room on the disk is not known"),
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
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

/// Forgets what is past its retention, until `stop`, in small steps.
pub async fn prune(store: Store, books: Rulebooks, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut pause = PRUNE_EVERY;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let (now, book) = (clock.now(), books.current());
        let before = |age: Duration| now.saturating_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
        let retention = Retention {
            events_before: before(book.keep_events),
            lanes_before: before(KEEP_LANES),
            audit_before: before(book.keep_audit),
            used_max: book.disk_limit,
            rows_max: PRUNE_ROWS,
        };
        pause = match store.prune(retention).await {
            Ok(rows) if rows >= PRUNE_ROWS => STEP_EVERY,
            Ok(_) => PRUNE_EVERY,
            Err(error) => {
                tracing::warn!(%error, "old events could not be removed; trying again");
                PRUNE_EVERY
            }
        };
    }
}
