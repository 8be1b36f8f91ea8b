//! A real small file system that fills up. Needs the right to mount one.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use alert_relay::domain::delivery::State;
use alert_relay::store::boundary::StoreError;

use crate::ground::news;
use crate::{delivery, open, settlement};

struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new() -> Mounted {
        let folder = tempfile::tempdir().unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs", path(folder.path())]);
        assert!(mounted, "this test must mount a tmpfs of 2 MiB: run it as root");
        Mounted(folder)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &["-l", path(self.0.path())]);
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).status().is_ok_and(|status| status.success())
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_full_disk_refuses_loses_nothing_and_heals_by_itself() {
    let disk = Mounted::new();
    let (store, closing, _) = open(disk.0.path()).unwrap();
    store.accept(news(1, 0, "pager", "first", 0, None)).await.unwrap();
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let big = |uid: u128| {
        let mut event = news(uid, 0, "pager", &format!("n{uid}"), 0, None);
        event.body = (0..60_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        event
    };
    let mut kept = 1;
    let refused = loop {
        match store.accept(big(kept + 1)).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 200, "the disk never fills up");
    };
    assert!(matches!(refused, StoreError::DiskFull), "{refused}");
    let first = settlement(1, State::Delivered, true, None);
    let settled = store.settle(first.clone()).await;
    std::fs::remove_file(&ballast).unwrap();
    if settled.is_err() {
        store.settle(first).await.unwrap();
    }
    store.accept(big(1000)).await.unwrap();
    assert_eq!(delivery(&store, 1).await.state, State::Delivered);
    for uid in 2..=kept {
        assert_eq!(delivery(&store, uid).await.state, State::Waiting);
    }
    drop(store);
    closing.wait(Duration::from_secs(30));
}

#[tokio::test]
async fn between_two_looks_at_the_disk_no_more_is_taken_in_than_the_last_one_found() {
    let disk = Mounted::new();
    let (store, _closing, _) = open(disk.0.path()).unwrap();
    store.set_limits(Duration::from_secs(1), 384 << 10);
    let sent = |uid: u128, body: usize| {
        let mut event = news(uid, 0, "pager", &format!("n{uid}"), 0, None);
        event.body = vec![b'x'; body];
        event
    };
    let room = store.disk().look(0).unwrap();
    assert!(!room.low, "{room:?}");
    // Each is counted at four times its size, and it packs well: the disk itself is far from full.
    let mut kept = 0;
    while kept < 20 && store.accept(sent(kept + 1, 64 << 10)).await.is_ok() {
        kept += 1;
    }
    assert!((1..20).contains(&kept), "{kept} of 64 KiB in {room:?}");
    let refused = store.accept(sent(100, 1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::DiskLow), "{refused}");
    store.accept(sent(101, 0)).await.expect("what the relay says by itself is never turned away");
    store.settle(settlement(1, State::Delivered, true, None)).await.unwrap();
    let after = store.disk().look(0).unwrap();
    assert!(!after.low, "{after:?} after {room:?}");
    store.accept(sent(102, 1)).await.expect("a look shows the room that there is");
}

#[tokio::test]
async fn the_reserve_is_given_up_for_what_is_owed_and_never_for_a_call() {
    let disk = Mounted::new();
    let (store, _closing, _) = open(disk.0.path()).unwrap();
    store.accept(news(1, 0, "pager", "first", 0, None)).await.unwrap();
    store.set_limits(Duration::from_secs(1), 512 << 10);
    store.disk().look(0).unwrap();
    let reserve = disk.0.path().join("reserve");
    assert!(reserve.exists());
    // Somebody else takes all that is left before the next look.
    std::fs::write(disk.0.path().join("ballast"), vec![1; 4 << 20]).unwrap_err();
    let refused = store.accept(news(2, 0, "pager", "second", 0, None)).await.unwrap_err();
    assert!(matches!(refused, StoreError::DiskFull), "{refused}");
    assert!(reserve.exists(), "a call is turned away");
    for _ in 0..2 {
        store.settle(settlement(1, State::Delivered, true, None)).await.unwrap();
    }
    assert_eq!(delivery(&store, 1).await.state, State::Delivered);
    assert!(!reserve.exists());
}
