//! The real `alert-relay` binary as a child process: started on a config in a folder of its own,
//! asked until it is ready, stopped politely or killed, started again on the same folder. Its log
//! goes to a file there, whose end is shown when something fails.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::ports::free_port;
use super::vendor::{PagerDuty, ROUTING_KEY};

/// How long a start or a stop may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A relay, running or killed; its folder goes with it.
pub struct Relay {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
    http: reqwest::Client,
    /// Program and arguments that the binary is started by; empty: by nothing.
    under: Vec<String>,
}

/// A config for end-to-end tests: Alertmanager and Guance in, one PagerDuty out, no rate limit to
/// speak of, quick retries. `wording` are templated fields of the target, each with a comma behind.
/// `LISTEN` and `STORE` are filled in at the start.
pub fn config(pagerduty: &PagerDuty, wording: &str) -> String {
    let url = pagerduty.url();
    format!(
        r#"
server: {{ listen: LISTEN }}
store: {{ path: STORE }}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: none }}
  - {{ name: guance, kind: guance, auth: {{ path_token: "guance-path-token-0123456789" }} }}
route: {{ receiver: oncall }}
receivers:
  - {{ name: oncall, targets: [pagerduty-core] }}
targets:
  - name: pagerduty-core
    pagerduty: {{ {wording} base_url: "{url}", routing_key: "{ROUTING_KEY}" }}
    rate: {{ limit: 100000/s, burst: 100000 }}
    retry: {{ base: 50ms, cap: 500ms }}
    breaker: {{ failures: 1000, open_for: 100ms }}
    concurrency: 8
"#
    )
}

/// The Guance path token of [`config`].
pub const GUANCE_TOKEN: &str = "guance-path-token-0123456789";

impl Relay {
    /// Writes the config, starts the binary and waits until it is ready.
    pub async fn start(config: &str) -> Relay {
        Relay::start_under(&[], config).await
    }

    /// The same, but the binary is the last argument of another program (a tracer). That program
    /// has to let the binary run as its own process id.
    pub async fn start_under(under: &[&str], config: &str) -> Relay {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let store = folder.path().join("store");
        let text = config.replace("LISTEN", &format!("127.0.0.1:{port}"));
        let text = text.replace("STORE", store.to_str().unwrap());
        std::fs::create_dir_all(&store).unwrap();
        std::fs::write(folder.path().join("relay.yaml"), text).unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let under = under.iter().map(|word| (*word).to_owned()).collect();
        let mut relay = Relay { folder, port, child: None, http, under };
        relay.start_again().await;
        relay
    }

    /// After [`Relay::kill9`] or [`Relay::stop`]: the same folder, the same port.
    pub async fn start_again(&mut self) {
        self.spawn();
        self.wait_until_ready().await;
    }

    /// Starts the process and does not wait for it.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "the relay runs already");
        let log = || -> File { OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap() };
        let mut command = match self.under.split_first() {
            None => Command::new(binary()),
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg(binary());
                command
            }
        };
        let child = command
            .args(["serve", "--config"])
            .arg(self.folder.path().join("relay.yaml"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .expect("alert-relay cannot be started");
        self.child = Some(child);
    }

    /// Until `/-/ready` says so.
    pub async fn wait_until_ready(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = self.child.as_mut().and_then(|child| child.try_wait().unwrap()) {
                self.child = None;
                panic!("alert-relay ended while starting ({ended}); its log:\n{}", self.log());
            }
            let answer = self.http.get(self.url("/-/ready")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(
                Instant::now() < until,
                "alert-relay is not ready after {PATIENCE:?}; its log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGKILL: no goodbye.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("the relay does not run");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// `STOP`, `CONT` or another signal, to the running process.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "kill -{name} {} failed", self.pid());
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the relay does not run");
        terminate(&child);
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = child.try_wait().unwrap() {
                return ended;
            }
            if Instant::now() > until {
                let _ = child.kill();
                panic!("alert-relay does not stop on SIGTERM within {PATIENCE:?}; its log:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// `http://127.0.0.1:port` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Posts JSON; status and answer. `Err` when there was no whole answer, so nobody knows whether
    /// it was accepted.
    pub async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Result<(u16, String), reqwest::Error> {
        let request = self.http.post(self.url(path)).header("content-type", "application/json");
        let answer = request.body(body.into()).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await?))
    }

    /// Posts JSON that has to be accepted.
    #[track_caller]
    pub fn accepts(&self, path: &str, body: impl Into<Vec<u8>>) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let posted = self.post(path, body);
        async move {
            let (status, text) = posted.await.unwrap_or_else(|why| panic!("{place}: no answer: {why}"));
            assert!((200..300).contains(&status), "{place}: {status} {text}\nlog:\n{}", self.log());
        }
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> String {
        self.http.get(self.url("/metrics")).send().await.unwrap().text().await.unwrap()
    }

    /// A client for the relay, for tests that post in parallel.
    pub fn http(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// The process that runs now.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the relay does not run").id()
    }

    /// Config, store and log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The end of what it logged, over all its starts.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// All that it wrote to standard output and standard error, over all its starts.
    pub fn whole_log(&self) -> Vec<u8> {
        std::fs::read(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("relay.log")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            // The only trace of why, since the folder goes away now.
            let mut out = std::io::stderr();
            let _ =
                std::io::Write::write_all(&mut out, format!("--- relay log\n{}\n", self.log()).as_bytes());
        }
    }
}

/// The binary of this build, or the one that `ALERT_RELAY_BIN` names (an installed package).
fn binary() -> PathBuf {
    std::env::var_os("ALERT_RELAY_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_alert-relay").into()).into()
}

/// SIGTERM without unsafe code.
pub fn terminate(child: &Child) {
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill -TERM {} failed", child.id());
}
