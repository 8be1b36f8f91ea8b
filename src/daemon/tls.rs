//! The certificates of the listeners: read at the start, at each reload, and when their files change.
//! A new one that cannot be used is told, and the old one stays.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::assemble::Base;
use crate::assemble::wire::{TlsFiles, TlsTexts};
use crate::auth::certificate::{Fault, Identity};
use crate::config::secrets::ThisMachine;
use crate::daemon::failed::Failed;
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::server::paths::Door;
use crate::server::tls::Shown;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often an age is told that is no good.
const TELL_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The certificates of all listeners. Clones share them.
#[derive(Clone)]
pub struct Certificates {
    listeners: Arc<[Listener; 2]>,
    world: Arc<ThisMachine>,
    metrics: Metrics,
}

/// One listener, with TLS or without.
struct Listener {
    /// For logs and metrics.
    name: &'static str,
    shown: Option<Shown>,
    known: Mutex<Option<Known>>,
}

/// What is known of the files.
struct Known {
    files: TlsFiles,
    /// What they held when they were looked at last.
    texts: Result<TlsTexts, Fault>,
    /// What they held has been judged.
    judged: bool,
    /// When its age was last told.
    told: Option<Timestamp>,
}

impl Certificates {
    /// Reads those of the configuration.
    ///
    /// # Errors
    /// A file has become bad since it was checked.
    pub fn open(base: &Base, config: &Path, metrics: &Metrics) -> Result<Certificates, Failed> {
        let world = ThisMachine::new(config);
        let listener = |name: &'static str, files: &Option<TlsFiles>| -> Result<Listener, Failed> {
            let Some(files) = files else {
                return Ok(Listener { name, shown: None, known: Mutex::default() });
            };
            let fault =
                |fault: Fault| Failed::new(format!("the certificate for {name}: {}", sentence(&fault)));
            let texts = files.texts(&world).map_err(fault)?;
            let identity = texts.identity().map_err(fault)?;
            metrics.certificate_in_use(name, identity.expires);
            let shown = Some(Shown::new(identity));
            let known = Known { files: files.clone(), texts: Ok(texts), judged: true, told: None };
            Ok(Listener { name, shown, known: Mutex::new(Some(known)) })
        };
        let listeners = [listener("senders", &base.tls)?, listener("admin", &base.admin_tls)?];
        Ok(Certificates { listeners: listeners.into(), world: Arc::new(world), metrics: metrics.clone() })
    }

    /// What the listener of this door shows.
    pub fn shown(&self, door: Door) -> Option<Shown> {
        let [senders, admin] = &*self.listeners;
        match door {
            Door::Whole | Door::Senders => senders.shown.clone(),
            Door::Admin => admin.shown.clone(),
        }
    }

    /// A configuration is in force anew: perhaps with other files.
    pub fn follow(&self, base: &Base) {
        for (listener, files) in self.listeners.iter().zip([&base.tls, &base.admin_tls]) {
            let mut known = listener.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(known), Some(files)) = (known.as_mut(), files) {
                known.files.clone_from(files);
                // Twice: what is there now counts.
                self.look_at(listener, known);
                self.look_at(listener, known);
            }
        }
    }

    /// Looks at the files.
    fn look(&self, now: Timestamp) {
        for listener in self.listeners.iter() {
            let mut known = listener.known.lock().unwrap_or_else(PoisonError::into_inner);
            let (Some(known), Some(shown)) = (known.as_mut(), &listener.shown) else { continue };
            self.look_at(listener, known);
            let since = known.told.map_or(TELL_EVERY, |told| now.duration_since(told).unsigned_abs());
            if since >= TELL_EVERY
                && let Some(what) = shown.current().age_fault(now)
            {
                known.told = Some(now);
                tracing::warn!(listener = listener.name, file = %known.files.cert.display(), "TLS: {what}");
            }
        }
    }

    /// What is new is taken when it is found good, and refused when it is found bad twice: between
    /// two looks somebody may be in the middle of writing certificate and key.
    fn look_at(&self, listener: &Listener, known: &mut Known) {
        let texts = known.files.texts(self.world.as_ref());
        let is_same = texts == known.texts;
        if is_same && known.judged {
            return;
        }
        known.texts = texts;
        known.judged = is_same;
        match known.texts.as_ref().map_err(Clone::clone).and_then(TlsTexts::identity) {
            Ok(identity) => {
                known.judged = true;
                self.take(listener, identity);
            }
            Err(fault) if is_same => {
                tracing::error!(
                    listener = listener.name,
                    "the new certificate is not used, the old one stays: {}",
                    sentence(&fault)
                );
            }
            Err(_) => {}
        }
    }

    /// Looks at the files until `stop`.
    pub async fn watch(self, clock: Arc<dyn Clock>, stop: CancellationToken) {
        if self.listeners.iter().all(|listener| listener.shown.is_none()) {
            return;
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let (certificates, now) = (self.clone(), clock.now());
            // Files may lie on a disk that is slow.
            let _looked = tokio::task::spawn_blocking(move || certificates.look(now)).await;
        }
    }

    fn take(&self, listener: &Listener, identity: Identity) {
        let expires = identity.expires;
        self.metrics.certificate_in_use(listener.name, expires);
        if let Some(shown) = &listener.shown {
            shown.replace(identity);
            tracing::info!(listener = listener.name, %expires, "the certificate was read anew");
        }
    }
}

/// `key does not belong to the certificate …`
fn sentence(fault: &Fault) -> String {
    format!("{} {}; {}", fault.part.as_str(), fault.what, fault.cure)
}
