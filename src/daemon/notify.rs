//! Tells the service manager how the relay is: systemd's notify protocol (`sd_notify(3)`), datagrams
//! of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names. Started by hand, it tells nobody.
//!
//! Deliberately a few lines of our own: what the crates for it add is unsafe or not needed here.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

use crate::store::boundary::StoreError;
use crate::store::handle::Store;

/// How long a manager that does not read may hold us up.
const WRITE_TIME: Duration = Duration::from_secs(1);
/// Pings in the time after which the manager would end us: one that comes late does no harm.
const PINGS: u32 = 3;

/// The one who started us and wants to know how we are; clones tell the same one.
#[derive(Debug, Clone, Default)]
pub struct Supervisor(Option<Arc<Line>>);

#[derive(Debug)]
struct Line {
    socket: UnixDatagram,
    to: SocketAddr,
    /// Without a ping for so long we are ended.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    #[expect(clippy::disallowed_methods, reason = "the daemon learns here who started it")]
    pub fn of_this_process() -> Supervisor {
        let Some(to) = std::env::var_os("NOTIFY_SOCKET").filter(|to| !to.is_empty()) else {
            return Supervisor::default();
        };
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| for_us && *micros > 0);
        Supervisor::at(&to, watchdog.map(Duration::from_micros)).unwrap_or_else(|error| {
            tracing::warn!(%error, socket = ?to, "the service manager cannot be told anything (NOTIFY_SOCKET)");
            Supervisor::default()
        })
    }

    /// One that listens at a path, or at an abstract name when that begins with `@`.
    ///
    /// # Errors
    /// This is no such address.
    fn at(to: &OsStr, watchdog: Option<Duration>) -> io::Result<Supervisor> {
        let to = match to.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(to)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(WRITE_TIME))?;
        Ok(Supervisor(Some(Arc::new(Line { socket, to, watchdog }))))
    }

    /// Everything works now.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\n{}", status_line(status)));
    }

    /// The configuration is being read again; [`Supervisor::ready`] ends it, whatever came of it.
    pub fn reloading(&self) {
        // The manager tells by the time whether this answers its order (Type=notify-reload).
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
    }

    /// It goes on starting or stopping, and may take so long from now on.
    pub fn takes(&self, time: Duration, status: &str) {
        self.say(&format!("EXTEND_TIMEOUT_USEC={}\n{}", time.as_micros(), status_line(status)));
    }

    /// It stops, which may take so long.
    pub fn stopping(&self, time: Duration) {
        let status = status_line("stopping: what is under way is finished, what waits is kept");
        self.say(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\n{status}", time.as_micros()));
    }

    /// Pings while tasks run and the store's writer answers, until `stop`. Trouble of the disk is no
    /// reason to be ended: an error is an answer.
    pub async fn keep_alive(self, store: Store, stop: CancellationToken) {
        let Some(watchdog) = self.0.as_ref().and_then(|line| line.watchdog) else { return };
        let every = watchdog / PINGS;
        loop {
            match tokio::time::timeout(every, store.answers()).await {
                Ok(Ok(()) | Err(StoreError::DiskFull | StoreError::DiskLow | StoreError::Engine(_))) => {
                    self.say("WATCHDOG=1\n");
                }
                Ok(Err(error)) => tracing::error!(%error, "the service manager is not told that all is well"),
                Err(_) => tracing::error!(
                    after = ?every,
                    "the store's writer does not answer; the service manager is not told that all is well"
                ),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    fn say(&self, lines: &str) {
        let Some(line) = &self.0 else { return };
        if let Err(error) = line.socket.send_to_addr(lines.as_bytes(), &line.to) {
            tracing::debug!(%error, "the service manager could not be told");
        }
    }
}

/// A status is one line.
fn status_line(status: &str) -> String {
    format!("STATUS={}\n", status.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::pace::clock::Clock;
    use crate::store::handle::open_embedded;
    use crate::store::schedule::Caps;

    #[test]
    fn a_manager_is_told_at_a_path_and_at_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("alert-relay-test-{}", std::process::id());
        let at_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (listens, to) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&at_name).unwrap(), format!("@{name}").into()),
        ] {
            let supervisor = Supervisor::at(&to, None).unwrap();
            let heard = || {
                let mut bytes = [0; 512];
                let length = listens.recv(&mut bytes).unwrap();
                String::from_utf8(bytes[..length].to_vec()).unwrap()
            };
            supervisor.ready("one line\nand what would be an order: STOPPING=1");
            assert_eq!(heard(), "READY=1\nSTATUS=one line\n");
            supervisor.reloading();
            let told = heard();
            let micros = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
            assert!(micros.parse::<u64>().unwrap() > 0);
            supervisor.takes(Duration::from_millis(1500), "waiting");
            assert_eq!(heard(), "EXTEND_TIMEOUT_USEC=1500000\nSTATUS=waiting\n");
        }
    }

    /// Any time will do.
    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_store_whose_writer_is_stuck_is_not_called_alive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listens = UnixDatagram::bind(&path).unwrap();
        let stuck = Arc::new(Mutex::new(()));
        let of_writer = Arc::clone(&stuck);
        let on_commit = Box::new(move |_, _| drop(of_writer.lock().unwrap()));
        let store = folder.path().join("store");
        let (store, _closing, _) =
            open_embedded(&store, Caps::default(), Arc::new(Still), on_commit).unwrap();
        let watchdog = Duration::from_millis(150);
        let supervisor = Supervisor::at(path.as_os_str(), Some(watchdog)).unwrap();
        let stop = CancellationToken::new();
        let pinging = tokio::spawn(supervisor.keep_alive(store, stop.clone()));
        let ping = |patience: Duration| {
            listens.set_read_timeout(Some(patience)).unwrap();
            listens.recv(&mut [0; 64]).is_ok()
        };
        assert!(ping(Duration::from_secs(10)), "it works");
        let held = stuck.lock().unwrap();
        // What was on its way may still come.
        while ping(watchdog / PINGS * 2) {}
        assert!(!ping(watchdog * 3), "nobody answers");
        drop(held);
        assert!(ping(Duration::from_secs(10)), "it works again");
        stop.cancel();
        pinging.await.unwrap();
    }

    #[test]
    fn nobody_who_listens_is_no_failure() {
        Supervisor::default().ready("nobody asked");
        let gone = Supervisor::at(OsStr::new("/nonexistent/notify"), None).unwrap();
        gone.ready("nobody is there");
        assert!(Supervisor::at(OsStr::new(&"x".repeat(200)), None).is_err(), "no address is so long");
    }
}
