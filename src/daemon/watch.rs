//! Files of the configuration that change bring about a reload (`server.watch`).
//!
//! They are looked at every two seconds and not by inotify: a mounted ConfigMap turns a link above
//! them, network disks tell nothing, and editors write in many ways.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::daemon::reload::Reloader;

/// How often they are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Watches until `stop`. A change counts when two looks find the same: what is half written is not
/// taken for a configuration.
pub async fn watch(reloader: Arc<Reloader>, stop: CancellationToken) {
    let mut seen = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if !reloader.watches() {
            seen = None;
            continue;
        }
        let looking = Arc::clone(&reloader);
        let Ok(changed) = tokio::task::spawn_blocking(move || looking.changed()).await else { return };
        match changed {
            Some((mark, path)) if seen == Some(mark) => {
                seen = None;
                let why = format!("{} has changed", path.display());
                let reloading = Arc::clone(&reloader);
                let _done = tokio::task::spawn_blocking(move || reloading.reload(&why)).await;
            }
            changed => seen = changed.map(|(mark, _)| mark),
        }
    }
}
