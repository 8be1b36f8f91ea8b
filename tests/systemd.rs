//! The relay under systemd: the units are as walled in as promised and systemd can read them, and the
//! real binary speaks its protocols: it is told of sockets, tells how it is, and can be started again
//! under load without anybody being refused. Beside it (`systemd/`): reading the configuration again, and
//! candidates for the next one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a test says what it leaves out")]

#[path = "systemd/calls.rs"]
mod calls;
#[path = "systemd/played.rs"]
mod played;
#[path = "systemd/reload.rs"]
mod reload;
#[path = "systemd/shadow.rs"]
mod shadow;
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use played::Played;
use support::fake::{Answer, Fake, Heard};
use support::kinds::webhook;

/// What `systemd-analyze security` may find at most: 10 is open, 0 is a service without a network.
const EXPOSURE_MAX: f64 = 1.1;

/// One target that is told the alert's name.
fn config(target: &Fake, server: &str) -> String {
    format!(
        r#"
server: {{ listen: 127.0.0.1:1, admin: {{ listen: 127.0.0.1:1, tokens: ["an-admin-token-of-32-characters!"] }}, {server} }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [it] }}]
targets:
  - name: it
    rate: {{ limit: 10000/s, burst: 10000 }}
    webhook: {{ url: "{}/in" }}
"#,
        target.url()
    )
}

#[test]
fn a_reload_is_announced_and_ended_whatever_comes_of_it() {
    let target = Fake::start(|_| Answer::text(204, ""));
    let mut systemd = Played::new(&config(&target, ""));
    let ready = systemd.start();
    assert!(ready.contains("STATUS=1 sources, 1 targets; configuration in force since 20"), "{ready}");
    systemd.signal("HUP");
    let began = systemd.hears("RELOADING=1");
    assert!(began.contains("\nMONOTONIC_USEC="), "{began}");
    assert!(systemd.hears("READY=1").contains("in force since"));
    systemd.write("relay.yaml", "route: {}");
    systemd.signal("HUP");
    systemd.hears("RELOADING=1");
    assert!(
        systemd.hears("READY=1").contains("STATUS=the new configuration was refused"),
        "{}",
        systemd.log()
    );
    systemd.signal("TERM");
    let stopping = systemd.hears("STOPPING=1");
    // Twice the drain of 20 s and of the store's 10 s: longer than TimeoutStopSec= of any unit.
    assert!(stopping.contains("EXTEND_TIMEOUT_USEC=60000000\n"), "{stopping}");
}

#[test]
fn the_watchdog_is_fed_while_the_relay_turns_and_not_while_it_stands() {
    let target = Fake::start(|_| Answer::text(204, ""));
    let mut systemd = Played::new(&config(&target, ""));
    systemd.set("WATCHDOG_USEC", "300000");
    systemd.start();
    for _ in 0..3 {
        systemd.hears("WATCHDOG=1");
    }
    systemd.set("WATCHDOG_PID", "1");
    systemd.stop();
    systemd.hears("STOPPING=1");
    systemd.start();
    systemd.signal("HUP");
    // Somebody else's watchdog: what comes is what was ordered.
    assert!(systemd.hears("").starts_with("RELOADING=1"));
}

#[tokio::test]
async fn a_secret_comes_as_a_credential() {
    let target = Fake::start(|_| Answer::text(204, ""));
    let with_key = config(&target, "").replace("/in\"", r#"/in", headers: { X-Key: "${file:key}" }"#);
    let mut systemd = Played::new(&with_key);
    systemd.write("run/credentials/key", "a-key-that-only-the-relay-sees\n");
    systemd.set("CREDENTIALS_DIRECTORY", systemd.path("run/credentials").to_str().unwrap());
    systemd.start();
    let url = format!("http://{}/hooks/alertmanager", systemd.senders());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(
        http.post(url).body(webhook("One", true).to_string()).send().await.unwrap().status().is_success()
    );
    assert_eq!(target.has_heard(1).await[0].header("x-key"), "a-key-that-only-the-relay-sees");
    assert!(!systemd.log().contains("a-key-that"), "{}", systemd.log());
}

#[tokio::test]
async fn each_socket_serves_what_its_name_says() {
    let target = Fake::start(|_| Answer::text(204, ""));
    let mut systemd = Played::new(&config(&target, ""));
    systemd.start();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let status = async |address, path: &str| {
        let asked =
            http.get(format!("http://{address}{path}")).bearer_auth("an-admin-token-of-32-characters!");
        asked.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(systemd.admins(), "/api/v1/deliveries").await, 200);
    assert_eq!(status(systemd.senders(), "/api/v1/deliveries").await, 404);
    assert_eq!(status(systemd.senders(), "/-/ready").await, 200);
    assert!(systemd.log().contains("the service manager gave the socket"), "{}", systemd.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_under_load_refuse_nobody_and_lose_nothing() {
    const SENDERS: usize = 8;
    const RESTARTS: usize = 4;
    let target = Fake::start(|_| Answer::text(204, ""));
    let mut systemd = Played::new(&config(&target, ""));
    systemd.start();
    let url = format!("http://{}/hooks/alertmanager", systemd.senders());
    let (goes_on, accepted) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (url, goes_on, accepted) = (url.clone(), Arc::clone(&goes_on), Arc::clone(&accepted));
            tokio::spawn(async move {
                // Each call comes by a connection of its own: nobody talks into one that is being closed.
                let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
                let (mut names, mut refused) = (BTreeSet::new(), Vec::new());
                while goes_on.load(Ordering::Relaxed) {
                    let name = format!("Alert{sender}x{}", names.len() + refused.len());
                    let call = http.post(&url).body(webhook(&name, true).to_string());
                    match call.send().await {
                        Ok(answer) if answer.status().is_success() => {
                            accepted.fetch_add(1, Ordering::Relaxed);
                            names.insert(name);
                        }
                        Ok(answer) => refused.push(format!("{name}: {}", answer.status())),
                        Err(error) => refused.push(format!("{name}: {error:?}")),
                    }
                }
                (names, refused)
            })
        })
        .collect();
    for _ in 0..RESTARTS {
        let before = accepted.load(Ordering::Relaxed);
        while accepted.load(Ordering::Relaxed) < before + 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let ended = systemd.stop();
        assert!(ended.success(), "{ended}\n{}", systemd.log());
        systemd.start();
    }
    let before = accepted.load(Ordering::Relaxed);
    while accepted.load(Ordering::Relaxed) < before + 100 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    goes_on.store(false, Ordering::Relaxed);
    let (mut accepted, mut refused) = (BTreeSet::new(), Vec::new());
    for sender in senders {
        let (names, failures) = sender.await.unwrap();
        accepted.extend(names);
        refused.extend(failures);
    }
    assert_eq!(refused, Vec::<String>::new(), "of {} calls; log:\n{}", accepted.len(), systemd.log());
    let heard = target.has_heard(accepted.len()).await;
    let name = |heard: &Heard| heard.json()["commonLabels"]["alertname"].as_str().unwrap().to_owned();
    let told: BTreeSet<String> = heard.iter().map(name).collect();
    assert!(told == accepted, "not told: {:?}", accepted.difference(&told).collect::<Vec<_>>());
    assert_eq!(heard.len(), accepted.len(), "and each once: these were clean ends");
}

/// The units with the binary of this build in them, in a folder of their own.
fn units() -> (tempfile::TempDir, Vec<PathBuf>) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let folder = tempfile::tempdir().unwrap();
    let names = ["alert-relay.service", "alert-relay.socket", "alert-relay-admin.socket"];
    let units = names.map(|name| {
        let text = std::fs::read_to_string(from.join(name)).unwrap();
        let text = text.replace("/usr/bin/alert-relay", env!("CARGO_BIN_EXE_alert-relay"));
        let unit = folder.path().join(name);
        std::fs::write(&unit, text).unwrap();
        unit
    });
    (folder, units.into())
}

/// What `systemd-analyze` says; `None`, and said aloud, where there is none.
fn analyze(words: &[&str], units: &[PathBuf]) -> Option<(bool, String)> {
    match Command::new("systemd-analyze").args(words).args(units).output() {
        Ok(done) => {
            let said = [done.stdout, done.stderr].concat();
            Some((done.status.success(), String::from_utf8_lossy(&said).into_owned()))
        }
        Err(error) => {
            println!(
                "SKIPPED: systemd-analyze cannot be run here ({error}); Debian's package `systemd` has it"
            );
            None
        }
    }
}

#[test]
fn systemd_reads_the_units_without_a_word() {
    let (_folder, units) = units();
    let Some((fine, said)) = analyze(&["verify"], &units) else { return };
    assert!(fine && said.trim().is_empty(), "{said}");
}

#[test]
fn the_service_is_walled_in() {
    let (_folder, units) = units();
    let Some((_, said)) = analyze(&["security", "--offline=true", "--no-pager"], &units[..1]) else { return };
    let level = said.lines().find_map(|line| line.split_once("exposure level for alert-relay.service: "));
    let level = level.and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<f64>().ok());
    assert!(level.is_some_and(|level| level <= EXPOSURE_MAX), "{level:?} of at most {EXPOSURE_MAX}\n{said}");
}
