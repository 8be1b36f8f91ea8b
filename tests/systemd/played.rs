//! Plays systemd: holds the sockets, starts the real binary with them as `sd_listen_fds(3)` says, and
//! hears what it tells (`sd_notify(3)`).

use std::fs::{File, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::relay::terminate;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Moves the two sockets, which come as standard input and output, to where the protocol has them.
const HAND_OVER: &str = "exec 3<&0 4>&1 0</dev/null 1>>relay.log 2>&1; export LISTEN_PID=$$; exec \"$@\"";

/// The one who starts the relay.
pub struct Played {
    folder: tempfile::TempDir,
    senders: TcpListener,
    admins: TcpListener,
    notified: UnixDatagram,
    /// Variables besides.
    env: Vec<(String, String)>,
    child: Option<Child>,
}

impl Played {
    /// Binds both sockets; nothing runs yet. In the config `STORE` is filled in.
    pub fn new(config: &str) -> Played {
        let folder = tempfile::tempdir().unwrap();
        let notified = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        notified.set_read_timeout(Some(PATIENCE)).unwrap();
        let played = Played {
            senders: TcpListener::bind("127.0.0.1:0").unwrap(),
            admins: TcpListener::bind("127.0.0.1:0").unwrap(),
            notified,
            env: Vec::new(),
            child: None,
            folder,
        };
        played.write("relay.yaml", config);
        played
    }

    /// Writes a file beside the configuration.
    pub fn write(&self, name: &str, text: &str) {
        let store = self.folder.path().join("store");
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace("STORE", store.to_str().unwrap())).unwrap();
    }

    /// Where a file of that name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives it one more variable from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it and waits until it says READY=1; gives what it said then.
    pub fn start(&mut self) -> String {
        let socket = |listener: &TcpListener| Stdio::from(OwnedFd::from(listener.try_clone().unwrap()));
        let child = Command::new("sh")
            .args(["-c", HAND_OVER, "sh"])
            .arg(env!("CARGO_BIN_EXE_alert-relay"))
            .args(["serve", "--config"])
            .arg(self.folder.path().join("relay.yaml"))
            .current_dir(self.folder.path())
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "alerts:admin")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(socket(&self.senders))
            .stdout(socket(&self.admins))
            .stderr(self.log_file())
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.hears("READY=1")
    }

    fn log_file(&self) -> File {
        OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("relay.log")
    }

    /// Waits for a message that holds this line; those before it are passed over.
    #[track_caller]
    pub fn hears(&self, line: &str) -> String {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let message = self.next().unwrap_or_else(|| panic!("no {line} came; log:\n{}", self.log()));
            if message.lines().any(|have| have.starts_with(line)) {
                return message;
            }
        }
        panic!("no {line} came; log:\n{}", self.log());
    }

    fn next(&self) -> Option<String> {
        let mut bytes = [0; 2048];
        let length = self.notified.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// SIGTERM, and waits for the end. The sockets stay.
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        terminate(&child);
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = child.try_wait().unwrap() {
                return ended;
            }
            if Instant::now() > until {
                let _gone = child.kill();
                panic!("the relay does not stop; log:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where senders post.
    pub fn senders(&self) -> SocketAddr {
        self.senders.local_addr().unwrap()
    }

    /// Where admins ask.
    pub fn admins(&self) -> SocketAddr {
        self.admins.local_addr().unwrap()
    }

    /// All that it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}
