//! File descriptors: raises what the process may open as far as the system lets it, and says how
//! many of them connections may take, so that senders never keep the relay from calling out or from
//! its own files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Left for calls to targets, the store, listeners.
const FOR_OWN: u64 = 200;

/// As many connections as are wanted, or as the system has room for.
pub fn connections(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = (wanted as u64).saturating_add(FOR_OWN);
    let mut have = current.unwrap_or(u64::MAX);
    if have < needed {
        let raised = maximum.unwrap_or(u64::MAX).min(needed);
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok() {
            have = raised;
        }
    }
    let granted = granted(wanted, have);
    if granted < wanted {
        tracing::warn!(
            wanted,
            granted,
            descriptors = have,
            "fewer connections are taken than server.connections says: the process may not open more files (ulimit -n, LimitNOFILE)"
        );
    }
    granted
}

fn granted(wanted: usize, descriptors: u64) -> usize {
    // Where there are hardly any, half of them.
    let room = descriptors.saturating_sub(FOR_OWN).max(descriptors / 2);
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_what_the_relay_does_by_itself() {
        assert_eq!(granted(10_000, 1_000_000), 10_000);
        assert_eq!(granted(10_000, 1024), 824);
        assert_eq!(granted(10_000, 100), 50);
        assert_eq!(granted(10_000, 1), 1);
    }
}
