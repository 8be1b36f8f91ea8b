//! The package in an empty root: nothing is there but a shell, what its scripts call, and the libraries
//! that it says it needs. Installed by the real dpkg, started by `chroot`, removed, purged.
#![allow(clippy::disallowed_macros, reason = "a machine that cannot do it says so")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::ports::free_port;
use crate::{built, root as project, text};

const CONFIG: &str = "/etc/alert-relay/relay.yaml";
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// A program that has to be root, or to take itself for it.
fn as_root(program: &str) -> Command {
    if text(&Command::new("id").arg("-u").output().unwrap()).trim() == "0" {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", program]);
    command
}

/// Folders and links of a Debian, and the programs that the package's scripts call.
fn furnish(root: &Path) {
    for folder in ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc/ssl/certs", "tmp", "var/lib/dpkg/info"]
    {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for folder in ["updates", "triggers"] {
        fs::create_dir_all(root.join("var/lib/dpkg").join(folder)).unwrap();
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    for program in ["/bin/sh", "/bin/rm", "/bin/rmdir"] {
        copy(root, program);
        libraries(root, program);
    }
    libraries(root, env!("CARGO_BIN_EXE_alert-relay"));
}

fn copy(root: &Path, file: &str) {
    let to = root.join(file.trim_start_matches('/'));
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(file, to).unwrap();
}

fn libraries(root: &Path, program: &str) {
    let needs = text(&Command::new("ldd").arg(program).output().unwrap());
    for library in needs.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(root, library);
    }
}

fn dpkg(root: &Path, arguments: &[&str]) -> Output {
    let mut dpkg = as_root("dpkg");
    // What it depends on was copied, not installed; some of dpkg's own helpers are not there.
    dpkg.args(["--force-depends", "--force-bad-path", "--log=/dev/null"]);
    dpkg.arg(format!("--root={}", root.display())).args(arguments).output().unwrap()
}

fn inside(root: &Path, arguments: &[&str]) -> Command {
    let mut chroot = as_root("chroot");
    chroot.arg(root).arg("/usr/bin/alert-relay").args(arguments).args(["--config", CONFIG]);
    chroot
}

/// Killed when the test falls over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn installed_in_an_empty_root_it_takes_an_alert_and_is_purged_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    furnish(&root);
    let able = as_root("chroot").arg(&root).args(["/bin/sh", "-c", "exit 0"]).output();
    if !able.is_ok_and(|done| done.status.success()) {
        println!("SKIPPED: this machine lets nobody change the root");
        return;
    }
    let package = built(folder.path());
    let said = text(&dpkg(&root, &["--install", package.to_str().unwrap()]));
    assert!(said.contains("then: systemctl enable --now alert-relay"), "{said}");
    text(&inside(&root, &["check"]).output().unwrap());

    let port = free_port();
    let config = root.join(CONFIG.trim_start_matches('/'));
    let edited = fs::read_to_string(&config).unwrap().replace("127.0.0.1:9095", &format!("127.0.0.1:{port}"));
    fs::write(&config, edited).unwrap();
    let bare = inside(&root, &["serve"]).output().unwrap();
    let why = String::from_utf8_lossy(&bare.stderr).into_owned();
    assert!(!bare.status.success() && why.contains("package ca-certificates"), "{why}");

    let own = rcgen::generate_simple_self_signed(["an authority".to_owned()]).unwrap();
    fs::write(root.join(CERTIFICATES), own.cert.pem()).unwrap();
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let mut serve = inside(&root, &["serve"]);
    serve.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
    let mut relay = Running(serve.spawn().unwrap());
    let alert = format!("@{}", project().join("tests/fixtures/alertmanager-firing.json").display());
    let url = format!("http://127.0.0.1:{port}/hooks/alertmanager");
    let post = || Command::new("curl").args(["-sS", "--data-binary", &alert, &url]).output().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let answer = loop {
        let posted = post();
        if posted.status.success() {
            break text(&posted);
        }
        let log = || fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(Instant::now() < until && relay.0.try_wait().unwrap().is_none(), "{}", log());
        sleep(Duration::from_millis(100));
    };
    assert!(answer.starts_with("{\"accepted\":3,"), "{answer}");
    drop(relay);

    text(&dpkg(&root, &["--remove", "alert-relay"]));
    assert!(config.exists() && root.join("var/lib/alert-relay/alert-relay.db").exists());
    assert!(!root.join("usr/bin/alert-relay").exists());
    text(&dpkg(&root, &["--purge", "alert-relay"]));
    let left = Command::new("find").arg(&root).args(["-name", "*alert-relay*"]).output().unwrap();
    assert_eq!(text(&left), "");
}
