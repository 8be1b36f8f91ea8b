//! Those who are compared, each as a fresh process for each point: the relay, Debian's
//! Alertmanager, the bare journal. Also what the kernel says of a process: CPU and memory.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::load::{Aim, Form};
use crate::sink::summary;

/// Who runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    Relay,
    /// The relay as Alertmanager is: without incidents.
    RelayOnly,
    Alertmanager,
    Journal,
    /// The asked-for stack with the least that a durable relay can ask of it.
    Stack,
}

/// A subject that runs; killed when dropped.
pub struct Running {
    child: Child,
    pub aim: Aim,
    /// From the start of the process to its first 200 for readiness.
    pub ready_after: Duration,
    _folder: tempfile::TempDir,
}

impl Subject {
    /// How it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Relay => "alert-relay",
            Subject::RelayOnly => "alert-relay, no incidents",
            Subject::Alertmanager => "Alertmanager, PagerDuty (not durable)",
            Subject::Journal => "bare journal (the limit)",
            Subject::Stack => "bare hyper, SQLite and reqwest (the limit of the stack)",
        }
    }

    /// Starts it in a fresh folder on the disk of `target/` and waits until it answers, or says why
    /// it does not.
    pub fn start(self, sink: SocketAddr, alerts: usize) -> Result<Running, String> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|why| why.to_string())?;
        let spare = TcpListener::bind("127.0.0.1:0").and_then(|spare| spare.local_addr());
        let address = spare.map_err(|why| why.to_string())?;
        let mut command = match self {
            Subject::Relay => relay(folder.path(), address, sink, true)?,
            Subject::RelayOnly => relay(folder.path(), address, sink, false)?,
            Subject::Alertmanager => alertmanager(folder.path(), address, sink)?,
            Subject::Journal => part("journal", folder.path(), address, sink)?,
            Subject::Stack => part("stack", folder.path(), address, sink)?,
        };
        let log = folder.path().join("log");
        let out = std::fs::File::create(&log).map_err(|why| why.to_string())?;
        let err = out.try_clone().map_err(|why| why.to_string())?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let began = Instant::now();
        let child = command.spawn().map_err(|why| format!("{:?}: {why}", command.get_program()))?;
        let (path, body) = match self {
            Subject::Alertmanager => ("/api/v2/alerts", pushed(alerts)),
            _ => ("/hooks/alertmanager", webhook(alerts)),
        };
        let aim = Aim { address, path, form: Form::of(&body) };
        let mut running = Running { child, aim, ready_after: Duration::ZERO, _folder: folder };
        running.wait_until_ready(&log)?;
        running.ready_after = began.elapsed();
        Ok(running)
    }
}

impl Running {
    fn wait_until_ready(&mut self, log: &Path) -> Result<(), String> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let ended = self.child.try_wait().map_err(|why| why.to_string())?;
            if ended.is_some() || Instant::now() > until {
                let text = std::fs::read_to_string(log).unwrap_or_default();
                let end = text.lines().last().unwrap_or("nothing in its log").to_owned();
                return Err(format!("did not become ready: {end}"));
            }
            if is_ready(self.aim.address) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// CPU time used so far, user and system, all threads.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // Fields 14 and 15, counted behind the name, which may hold spaces. Ticks of 10 ms on Linux.
        let behind = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<&str> = behind.split_whitespace().collect();
        let ticks = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum::<u64>();
        Duration::from_millis(ticks * 10)
    }

    /// Resident memory now, in MiB.
    pub fn memory(&self) -> f64 {
        self.mebibytes("VmRSS:")
    }

    /// Highest resident memory so far, in MiB.
    pub fn peak_memory(&self) -> f64 {
        self.mebibytes("VmHWM:")
    }

    fn mebibytes(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or(0.0) / 1024.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `GET /-/ready` is answered with 200.
fn is_ready(address: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(address) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let asked = stream.write_all(b"GET /-/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut answer = [0; 12];
    asked.is_ok() && stream.read_exact(&mut answer).is_ok() && answer.ends_with(b" 200")
}

fn relay(folder: &Path, listen: SocketAddr, sink: SocketAddr, incidents: bool) -> Result<Command, String> {
    let config = format!(
        r#"
server: {{ listen: "{listen}" }}
store: {{ path: "{}" }}
incidents: {{ enabled: {incidents} }}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: none }}
route: {{ receiver: oncall }}
receivers:
  - {{ name: oncall, targets: [pagerduty-core] }}
targets:
  - name: pagerduty-core
    pagerduty: {{ base_url: "http://{sink}", routing_key: "0123456789abcdef0123456789abcdef" }}
    rate: {{ limit: 1000000/s, burst: 1000000 }}
    concurrency: 64
"#,
        folder.join("store").display()
    );
    std::fs::create_dir_all(folder.join("store")).map_err(|why| why.to_string())?;
    let file = written(folder, "relay.yaml", &config)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_alert-relay"));
    // As quiet as Alertmanager is made below: it writes no line for a delivery at its usual level either.
    command.args(["serve", "--log-level=error", "--config"]).arg(file).current_dir(folder);
    Ok(command)
}

fn alertmanager(folder: &Path, listen: SocketAddr, sink: SocketAddr) -> Result<Command, String> {
    let config = format!(
        r#"
route: {{ receiver: pagerduty, group_by: [number], group_wait: 0s, group_interval: 5m, repeat_interval: 4h }}
receivers:
  - name: pagerduty
    pagerduty_configs:
      - url: "http://{sink}/v2/enqueue"
        routing_key: "0123456789abcdef0123456789abcdef"
        description: '{{{{ .CommonAnnotations.summary }}}}'
"#
    );
    let file = written(folder, "alertmanager.yml", &config)?;
    let mut command = Command::new("prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={listen}"))
        .args(["--cluster.listen-address=", "--log.level=error"]);
    Ok(command)
}

/// This program as one of its own subjects.
fn part(name: &str, folder: &Path, listen: SocketAddr, sink: SocketAddr) -> Result<Command, String> {
    let mut command = Command::new(std::env::current_exe().map_err(|why| why.to_string())?);
    command.args([name, &listen.to_string(), &sink.to_string()]).arg(folder.join(name));
    Ok(command)
}

fn written(folder: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let file = folder.join(name);
    std::fs::write(&file, text).map_err(|why| why.to_string())?;
    Ok(file)
}

/// A problem as Alertmanager's webhook sends it: a group of its own, about 1 KB with one alert.
fn webhook(alerts: usize) -> String {
    let number = Form::NUMBER;
    let alerts: Vec<Value> = (0..alerts)
        .map(|nth| {
            json!({
                "status": "firing",
                "labels": labels(nth),
                "annotations": annotations(),
                "startsAt": "2026-01-01T00:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": GENERATOR,
                // Sixteen digits with those of the number.
                "fingerprint": format!("{number}{nth:010x}"),
            })
        })
        .collect();
    let mut common = labels(0);
    if let (Some(labels), true) = (common.as_object_mut(), alerts.len() > 1) {
        labels.remove("instance");
    }
    json!({
        "version": "4",
        "receiver": "relay",
        "status": "firing",
        "groupKey": format!("{{}}:{{alertname=\"DiskFull\", number=\"{number}\"}}"),
        "truncatedAlerts": 0,
        "groupLabels": { "alertname": "DiskFull", "number": number },
        "commonLabels": common,
        "commonAnnotations": annotations(),
        "externalURL": "http://alertmanager.example:9093",
        "alerts": alerts,
    })
    .to_string()
}

/// A problem as Prometheus pushes it.
fn pushed(alerts: usize) -> String {
    let alert = |nth| {
        json!({
            "labels": labels(nth),
            "annotations": annotations(),
            "generatorURL": GENERATOR,
        })
    };
    Value::Array((0..alerts).map(alert).collect()).to_string()
}

const GENERATOR: &str = "http://prometheus.example:9090/graph?g0.expr=disk_free+%3C+5&g0.tab=1";

fn labels(nth: usize) -> Value {
    json!({
        "alertname": "DiskFull",
        "number": Form::NUMBER,
        "instance": format!("db{}.example:9100", nth + 1),
        "job": "node",
        "severity": "critical",
        "team": "storage",
    })
}

fn annotations() -> Value {
    json!({
        "summary": summary(Form::NUMBER),
        "description": "The file system of /var on db1 has less than 5% of its space left.",
        "runbook_url": "https://runbooks.example/disk-full",
    })
}
