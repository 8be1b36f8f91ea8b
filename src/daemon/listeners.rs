//! The sockets that listen: those that the service manager holds for us (`sd_listen_fds(3)`), or our
//! own where it holds none. A socket that was given outlives us: calls wait in it while the relay is
//! started again.
//!
//! A given socket named `admin` is for the admin interface, every other one for senders.

use std::net::{SocketAddr, TcpListener as Bound};

use listenfd::ListenFd;
use tokio::net::TcpListener;

use crate::assemble::Base;
use crate::daemon::failed::Failed;
use crate::server::paths::Door;

/// The name (`FileDescriptorName=`) of a socket for the admin interface.
const ADMIN: &str = "admin";

/// Sockets that were given.
#[derive(Debug, Default)]
pub struct Given {
    senders: Vec<Bound>,
    admins: Vec<Bound>,
}

impl Given {
    /// Takes them. To be called once, before anything else runs: it clears the variables that name
    /// them, so that no child takes them for its own.
    ///
    /// # Errors
    /// One of them is no TCP socket.
    #[expect(clippy::disallowed_methods, reason = "the daemon learns here what it was given")]
    pub fn to_this_process() -> Result<Given, Failed> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut sockets = ListenFd::from_env();
        let mut given = Given::default();
        for index in 0..sockets.len() {
            let name = names.next().unwrap_or_default();
            let wrong = |why: &dyn std::fmt::Display| {
                Failed::new(format!(
                    "the socket {name} that the service manager gave cannot be listened on: {why}; ListenStream= of its unit must be an address with a port, and Accept= must be no"
                ))
            };
            let socket = sockets.take_tcp_listener(index).map_err(|error| wrong(&error))?;
            let socket = socket.ok_or_else(|| wrong(&"it was taken already"))?;
            socket.set_nonblocking(true).map_err(|error| wrong(&error))?;
            if name == ADMIN { &mut given.admins } else { &mut given.senders }.push(socket);
        }
        Ok(given)
    }

    /// What is listened on, each with what it serves.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub async fn or_own(self, base: &Base) -> Result<Vec<(Door, TcpListener)>, Failed> {
        let admins = chosen(self.admins, base.admin_listen, "server.admin.listen").await?;
        let senders = chosen(self.senders, Some(base.listen), "server.listen").await?;
        let first = if admins.is_empty() { Door::Whole } else { Door::Senders };
        let senders = senders.into_iter().map(|listener| (first, listener));
        Ok(senders.chain(admins.into_iter().map(|listener| (Door::Admin, listener))).collect())
    }
}

/// What was given rules over what is configured.
async fn chosen(
    given: Vec<Bound>,
    configured: Option<SocketAddr>,
    key: &str,
) -> Result<Vec<TcpListener>, Failed> {
    if given.is_empty() {
        return match configured {
            Some(address) => Ok(vec![listen(address).await?]),
            None => Ok(Vec::new()),
        };
    }
    let addresses: Vec<SocketAddr> = given.iter().filter_map(|socket| socket.local_addr().ok()).collect();
    if let Some(configured) = configured.filter(|configured| !addresses.contains(configured)) {
        // Who changed `listen` and not the socket unit would look for it in vain.
        tracing::warn!(given = ?addresses, %configured, "{key} is not used: the service manager gave the socket; mend ListenStream= of its unit, or the configuration");
    }
    given.into_iter().map(|socket| TcpListener::from_std(socket).map_err(Failed::new)).collect()
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failed> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Failed::new(format!("cannot listen on {address}: {error}")))
}
