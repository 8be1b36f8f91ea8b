//! Shapes of `server`, `store`, `templates` and `retention`, with their defaults.

use std::path::{Path, PathBuf};

use crate::config::admin::AdminFile;
use crate::config::network::{LISTEN, Listen, TlsFile};
use crate::config::sources::Network;
use crate::config::units::{Duration, Size};
use crate::document::node::At;
use crate::domain::secret::Secret;

/// Largest body taken in. Alertmanager's are far smaller; Guance's with long messages come near 1 MiB.
pub const BODY_LIMIT: Size = Size(4 << 20);
/// What the bodies that are being read may take in memory, over all connections; and once more what
/// is being understood and kept.
pub const BODY_BUDGET: Size = Size(64 << 20);
/// How long a call may wait for the store before calls are turned away.
pub const STORE_WAIT: Duration = Duration::from_secs(1);
/// Room on the disk below which no more calls are taken in.
pub const KEEP_FREE: Size = Size(64 << 20);
/// How long an identical body counts as the same call said twice (two Alertmanagers, a repeat).
pub const DEDUP_WINDOW: Duration = Duration::from_secs(60);
/// Connections at once.
pub const CONNECTIONS: u32 = 10_000;
/// How long calls under way may take to end when the relay stops.
pub const DRAIN: Duration = Duration::from_secs(20);
/// How long a sender may take for the head of a request.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a sender may take for the body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Folder of the embedded store.
pub const STORE_PATH: &str = "/var/lib/alert-relay";
/// How long events, and deliveries that ended, are kept.
pub const KEEP_EVENTS: Duration = Duration::from_days(30);
/// How long incidents are kept: a year and its comparison.
pub const KEEP_INCIDENTS: Duration = Duration::from_days(400);
/// Size of the store at which the oldest goes first.
pub const DISK_LIMIT: Size = Size(10 << 30);

/// `server`: where and how the relay listens.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerFile {
    /// Address and port for senders, as in `127.0.0.1:9095`.
    pub listen: At<Listen>,
    /// TLS of that port. Left out: clear text.
    pub tls: Option<At<TlsFile>>,
    /// Proxies whose `X-Forwarded-For` is believed, as networks or addresses.
    pub trusted_proxies: Vec<At<Network>>,
    /// The admin API and the console. Left out: on the same port, from this machine only.
    pub admin: Option<AdminFile>,
    /// Largest body taken in, unpacked.
    pub body_limit: Size,
    /// What the bodies being read may take in memory, over all connections; what does not fit is
    /// answered with 503.
    pub body_budget: Size,
    /// How long a call may have to wait for the store; beyond it calls are answered with 503.
    pub store_wait: Duration,
    /// How people and vendors reach the relay, as in `https://relay.example.com`: for links in
    /// messages, and the URL that vendors sign. May be empty.
    pub external_url: At<String>,
    /// An identical body within this time is accepted and makes no new delivery.
    pub dedup_window: Duration,
    /// Connections at once; more wait to be accepted.
    pub connections: u32,
    /// How long calls under way may take to end when the relay stops.
    pub drain: Duration,
    /// How long a sender may take for the head of a request.
    pub header_timeout: Duration,
    /// How long a sender may take for the body.
    pub body_timeout: Duration,
    /// Read the configuration again when its files change, unasked.
    pub watch: bool,
    /// What becomes of what a target is owed that is taken out of the configuration.
    pub removed_targets: RemovedTargets,
}

/// What becomes of what a target is owed that is taken out of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovedTargets {
    /// It is kept until the target is back, or a person drops it.
    #[default]
    Park,
    /// The old settings go on working in this process: what waits is delivered, and what is open there
    /// gets its resolve. What is left at the next start is parked.
    Drain,
}

impl Default for ServerFile {
    fn default() -> ServerFile {
        ServerFile {
            listen: At { value: LISTEN, place: Default::default() },
            tls: None,
            trusted_proxies: Vec::new(),
            admin: None,
            body_limit: BODY_LIMIT,
            body_budget: BODY_BUDGET,
            store_wait: STORE_WAIT,
            external_url: At::default(),
            dedup_window: DEDUP_WINDOW,
            connections: CONNECTIONS,
            drain: DRAIN,
            header_timeout: HEADER_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            watch: false,
            removed_targets: RemovedTargets::Park,
        }
    }
}

/// `store`: where accepted alerts are kept. One of the two keys; left out: `path` with its default.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreFile {
    /// Folder of the embedded store.
    pub path: Option<At<PathBuf>>,
    /// Room on its disk that is left free: with less no more calls are taken in, so that what is
    /// owed can still be delivered. 0: down to the last byte.
    pub keep_free: Size,
    /// Connection string of a PostgreSQL server, for several relays that share the work.
    pub postgres: Option<At<Secret>>,
}

impl Default for StoreFile {
    fn default() -> StoreFile {
        StoreFile { path: None, keep_free: KEEP_FREE, postgres: None }
    }
}

impl StoreFile {
    /// The folder of the embedded store.
    pub fn folder(&self) -> &Path {
        self.path.as_ref().map_or(Path::new(STORE_PATH), |path| &path.value)
    }
}

/// `templates`: the wording of messages.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplatesFile {
    /// A folder laid out like the built-in one (`<kind>/<field>.hbs`); a file there replaces the
    /// built-in wording. Left out: the built-in wording only.
    pub path: Option<At<PathBuf>>,
    /// Language of the built-in wording.
    pub language: Language,
}

/// A language of the built-in wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Language {
    /// The word in the file: `en` or `zh`.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Zh => "zh",
        }
    }
}

/// `retention`: how long what is over is kept.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionFile {
    /// Events as they came in, for replay and audit.
    pub events: Duration,
    /// Deliveries that ended, with their attempts.
    pub deliveries: Duration,
    /// What people ordered (the audit), and incidents with their time lines.
    pub incidents: Duration,
    /// Size of the store at which the oldest that is over goes first, whatever its age.
    pub disk_limit: Size,
}

impl Default for RetentionFile {
    fn default() -> RetentionFile {
        RetentionFile {
            events: KEEP_EVENTS,
            deliveries: KEEP_EVENTS,
            incidents: KEEP_INCIDENTS,
            disk_limit: DISK_LIMIT,
        }
    }
}
