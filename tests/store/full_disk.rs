//! A real small file system that fills up. Needs the right to mount one.

use std::path::Path;
use std::process::Command;

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
    closing.wait(std::time::Duration::from_secs(30));
}
