//! The unit's filter of system calls lets through what the relay really calls: traced on a run with
//! everything in it, and compared with what this machine's systemd counts among its groups.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::kinds::webhook;
use crate::support::relay::{Relay, config};
use crate::support::vendor::PagerDuty;

/// Called by the store when it runs as root, as a test may; the unit's user is not root.
const AS_ROOT_ONLY: &str = "fchown";

/// The calls of a group and of the groups in it, or the call itself.
fn expanded(name: &str, calls: &mut BTreeSet<String>) {
    if !name.starts_with('@') {
        calls.insert(name.to_owned());
        return;
    }
    let listed =
        Command::new("systemd-analyze").args(["syscall-filter", "--no-pager", name]).output().unwrap();
    assert!(listed.status.success(), "{name}");
    let text = String::from_utf8(listed.stdout).unwrap();
    let inner = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    inner.for_each(|inner| expanded(inner, calls));
}

fn allowed() -> BTreeSet<String> {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/alert-relay.service");
    let text = std::fs::read_to_string(unit).unwrap();
    let mut allowed = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let mut named = BTreeSet::new();
        line.trim_start_matches('~').split_whitespace().for_each(|name| expanded(name, &mut named));
        match line.starts_with('~') {
            true => allowed = &allowed - &named,
            false => allowed.extend(named),
        }
    }
    assert!(allowed.contains("read") && !allowed.contains("ptrace"), "the filter was not understood");
    allowed
}

#[tokio::test]
async fn the_filter_of_system_calls_lets_the_relay_work() {
    let present = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !(present("systemd-analyze") && present("strace")) {
        println!("SKIPPED: this needs systemd-analyze and strace");
        return;
    }
    let pager = PagerDuty::start().await;
    let folder = tempfile::tempdir().unwrap();
    let traced = folder.path().join("calls");
    let strace = ["strace", "-D", "-f", "-qq", "-o", traced.to_str().unwrap()];
    // Templates are looked for and files watched.
    let text = config(&pager, "").replace("listen: LISTEN", "listen: LISTEN, watch: true");
    let text = format!("{text}templates: {{ path: templates }}\n");
    let mut relay = Relay::start_under(&strace, &text).await;
    for status in [true, false] {
        relay.accepts("/hooks/alertmanager", webhook("DiskFull", status).to_string()).await;
    }
    relay.metrics().await;
    relay.accepts("/-/reload", "").await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(relay.stop().await.success());
    let text = std::fs::read_to_string(traced).unwrap();
    let name = |line: &str| {
        let (name, _) = line.split_once(' ')?.1.trim_start().split_once('(')?;
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then(|| name.to_owned())
    };
    let called: BTreeSet<String> = text.lines().filter_map(name).collect();
    assert!(called.contains("accept4") && called.contains("execve"), "{called:?}");
    let allowed = allowed();
    let refused: Vec<&String> = called.difference(&allowed).filter(|name| *name != AS_ROOT_ONLY).collect();
    assert_eq!(refused, Vec::<&String>::new(), "the unit refuses what the relay calls");
}
