//! Debian's real Alertmanager as a child process, alone or one of several that do not know each
//! other (two with the same config and the same alerts behave as a pair whose gossip is late). A
//! machine without it fails the test with the way to install it: skipping would be a lie.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ports::free_port;
use super::relay::terminate;

const INSTALL: &str = "this test needs Debian's Alertmanager: ./test installs it, or, as root: \
                       apt-get install -y --no-install-recommends prometheus-alertmanager";

/// A running Alertmanager; gone when dropped.
pub struct Alertmanager {
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
    http: reqwest::Client,
}

/// A config that tells one webhook everything at once and again quickly when something changes.
pub fn config(webhook: &str) -> String {
    format!(
        r#"
route:
  receiver: relay
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: relay
    webhook_configs:
      - url: "{webhook}"
        send_resolved: true
"#
    )
}

impl Alertmanager {
    /// Starts one on a free port; `flags` come on top (`--web.external-url=…`).
    pub async fn start(config: &str, flags: &[&str]) -> Alertmanager {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = folder.path().join("alertmanager.yml");
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(folder.path().join("alertmanager.log")).unwrap();
        let child = Command::new(program())
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect(INSTALL);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let mut alertmanager = Alertmanager { folder, port, child, http };
        alertmanager.wait_until_ready().await;
        alertmanager
    }

    async fn wait_until_ready(&mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        let url = format!("http://127.0.0.1:{}/-/ready", self.port);
        while !self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "Alertmanager does not start:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Posts alerts as Prometheus does.
    pub async fn post(&self, alerts: &[Value]) {
        let url = format!("http://127.0.0.1:{}/api/v2/alerts", self.port);
        let answer = self.http.post(url).json(alerts).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "Alertmanager answered {status}: {}", answer.text().await.unwrap());
    }

    /// How many notifications its webhooks have been given, failed tries included.
    pub async fn notified(&self) -> u64 {
        let url = format!("http://127.0.0.1:{}/metrics", self.port);
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| {
            line.starts_with("alertmanager_notification_requests_total{") && line.contains("\"webhook\"")
        });
        line.and_then(|line| line.rsplit(' ').next()).map_or(0, |count| count.parse().unwrap())
    }

    /// Waits until it has notified at least `count` times.
    #[track_caller]
    pub fn has_notified(&self, count: u64) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let until = Instant::now() + Duration::from_secs(20);
            while self.notified().await < count {
                assert!(Instant::now() < until, "{place}: fewer than {count} notifications:\n{}", self.log());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(mut self) {
        terminate(&self.child);
        let _ = self.child.wait();
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("alertmanager.log")).unwrap_or_default()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An alert that fires since `since`.
pub fn firing(name: &str, instance: &str, since: jiff::Timestamp) -> Value {
    json!({
        "labels": { "alertname": name, "instance": instance, "severity": "critical" },
        "annotations": { "summary": format!("{name} is not well") },
        "startsAt": since.to_string(),
        "generatorURL": "http://prometheus.example/graph",
    })
}

/// The same alert, over since `until`.
pub fn resolved(name: &str, instance: &str, since: jiff::Timestamp, until: jiff::Timestamp) -> Value {
    let mut alert = firing(name, instance, since);
    alert["endsAt"] = json!(until.to_string());
    alert
}

/// Debian's name first, upstream's second; `PATH` of the test or the usual folder.
fn program() -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/bin", "/usr/local/bin"]).map(PathBuf::from);
    let found =
        folders.flat_map(|folder| ["prometheus-alertmanager", "alertmanager"].map(|name| folder.join(name)));
    found.into_iter().find(|file| file.is_file()).unwrap_or_else(|| panic!("{INSTALL}"))
}
