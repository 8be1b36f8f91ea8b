//! What is fuzzed: each entry takes bytes that a stranger (or an operator) chose and gives them to
//! one reader of the relay. Nothing is asserted but what must hold for all bytes: no panic, and the
//! few laws written beside the calls. Shared by libFuzzer's targets here and by
//! `tests/fuzz_replay.rs`, which has only the stable toolchain.

use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use alert_relay::assemble::assemble;
use alert_relay::auth::signature::{Hmac, STANDARD_HEADER, TOLERANCE};
use alert_relay::auth::sns::{Certificate, Sns};
use alert_relay::config::secrets::World;
use alert_relay::document::node::At;
use alert_relay::domain::alert::AlertGroup;
use alert_relay::domain::exchange::Reply;
use alert_relay::domain::message::{Action, DedupKey, Message};
use alert_relay::route::matcher::{Braced, parse_matchers};
use alert_relay::server::body::{Bounds, Encoding, read_within};
use alert_relay::server::budget::Budget;
use alert_relay::source::cloudevents::CloudEvents;
use alert_relay::source::contract::{Arrival, Reading, Source as _};
use alert_relay::source::json::{JsonPaths, JsonSource};
use alert_relay::target::verdict::{WAIT_MAX, retry_after};
use alert_relay::template::escape::Escape;
use alert_relay::template::library::Library;
use alert_relay::template::view::View;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

/// A reader that is fuzzed.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Also the folder of its seeds.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
}

/// All of them.
pub const ENTRIES: &[Entry] = &[
    Entry { name: "alertmanager", run: |bytes| source("alertmanager", bytes) },
    Entry { name: "guance", run: |bytes| source("guance", bytes) },
    Entry { name: "grafana", run: |bytes| source("grafana", bytes) },
    Entry { name: "push", run: |bytes| source("prometheus", bytes) },
    Entry { name: "datadog", run: |bytes| source("datadog", bytes) },
    Entry { name: "newrelic", run: |bytes| source("newrelic", bytes) },
    Entry { name: "zabbix", run: |bytes| source("zabbix", bytes) },
    Entry { name: "tencent", run: |bytes| source("tencent", bytes) },
    Entry { name: "alibaba", run: |bytes| source("alibaba", bytes) },
    Entry { name: "cloudevents", run: cloudevents },
    Entry { name: "sns", run: sns },
    Entry { name: "json_paths", run: json_paths },
    Entry { name: "matchers", run: matchers },
    Entry { name: "config_yaml", run: config_yaml },
    Entry { name: "template", run: template },
    Entry { name: "retry_after", run: reply_header },
    Entry { name: "signatures", run: signatures },
    Entry { name: "gzip", run: gzip },
];

/// Feeds the entry of that name.
///
/// # Panics
/// There is none of that name, or what is fuzzed has a bug.
#[allow(clippy::expect_used, dead_code, reason = "a wrong name is a mistake of the target's file")]
pub fn feed(name: &str, bytes: &[u8]) {
    let entry = ENTRIES.iter().find(|entry| entry.name == name).expect("a name of the table");
    (entry.run)(bytes);
}

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn arrival(body: &[u8]) -> Arrival<'_> {
    Arrival { source: "fuzz", headers: &[], body, at: AT }
}

/// The body as it is. The same bytes must always be read the same way: a sender repeats them.
fn source(kind: &str, bytes: &[u8]) {
    let Some(kind) = alert_relay::source::find(kind) else { panic!("no such kind: {kind}") };
    let source = (kind.build)();
    let read = source.read(&arrival(bytes));
    assert!(read == source.read(&arrival(bytes)), "the same body was read in two ways");
}

/// Both modes: the body alone, and with the lines before a blank one as attributes in headers. What
/// would be recorded of the latter says the same without them.
fn cloudevents(bytes: &[u8]) {
    source("cloudevents", bytes);
    let split = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(split);
    let head = String::from_utf8_lossy(head);
    let attribute =
        |line: &str| line.split_once(':').map(|(name, value)| (format!("ce-{name}"), value.to_owned()));
    let headers: Vec<_> = head.lines().filter_map(attribute).collect();
    let read = CloudEvents.read(&Arrival { headers: &headers, ..arrival(body) });
    if let Ok(Reading { whole: Some(whole), .. }) = read {
        assert!(CloudEvents.read(&arrival(&whole)).is_ok(), "what is recorded cannot be read again");
    }
}

/// A message, with and without the header of raw delivery, and the proof of one. Nobody can sign
/// with a key he does not know; no wish leads anywhere but to SNS.
fn sns(bytes: &[u8]) {
    source("sns", bytes);
    let topic = "arn:aws:sns:eu-west-1:123456789012:alarms".to_owned();
    let headers = [("x-amz-sns-topic-arn".to_owned(), topic.clone())];
    let read = alert_relay::source::sns::Sns.read(&Arrival { headers: &headers, ..arrival(bytes) });
    if let Ok(Reading { confirm: Some(wish), .. }) = read {
        let host = wish.url.host_str().unwrap_or_default();
        assert!(host.starts_with("sns.") && host.contains(".amazonaws.com"), "a wish to call {host}");
    }
    if let Ok(signed) = (Sns { topics: vec![topic] }).signed(bytes, AT) {
        let host = signed.certificate_url.host_str().unwrap_or_default();
        assert!(host.starts_with("sns.") && host.contains(".amazonaws.com"), "a certificate at {host}");
    }
    let _ = Certificate::read(bytes);
}

/// Paths as JSON, a line of `---`, a body.
fn json_paths(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Some((paths, body)) = text.split_once("\n---\n") else { return };
    let Ok(paths) = serde_json::from_str::<JsonPaths>(paths) else { return };
    if let Ok(source) = JsonSource::new(&paths) {
        let _ = source.read(&arrival(body.as_bytes()));
    }
}

/// What was understood, written down again, must be understood as the same.
fn matchers(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(parsed) = parse_matchers(&text) {
        let written = Braced(&parsed.matchers).to_string();
        let again = parse_matchers(&written);
        let same = again.as_ref().is_ok_and(|again| Braced(&again.matchers).to_string() == written);
        assert!(same, "{text:?} is written as {written:?}, which is read as {again:?}");
    }
}

/// A world in which every variable has a value and no file can be read.
struct Nowhere;

impl World for Nowhere {
    fn env(&self, _: &str) -> Option<String> {
        Some("a-secret-of-some-length".to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::Error::from(io::ErrorKind::NotFound))
    }

    fn beside(&self, _: &Path) -> io::Result<String> {
        Err(io::Error::from(io::ErrorKind::NotFound))
    }
}

/// A file is either put into force or refused with at least one problem; the report never fails.
fn config_yaml(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let assembled = assemble(&text, &Nowhere);
    let shown = alert_relay::config::show::show(&assembled.problems, "relay.yaml", &text, false);
    assert!(assembled.ready.is_some() || !shown.is_empty(), "refused without a word");
}

static MESSAGE: LazyLock<Option<Message>> = LazyLock::new(|| {
    let body = include_bytes!("seeds/alertmanager/every-field.json");
    let kind = alert_relay::source::find("alertmanager")?;
    let group: AlertGroup = (kind.build)().read(&arrival(body)).ok()?.groups.into_iter().next()?;
    Some(Message {
        id: "01978f3e-0000-7000-8000-000000000001".to_owned(),
        target: "fuzz".to_owned(),
        action: Action::Trigger,
        dedup_key: DedupKey::hash(&["fuzz"]),
        group: Arc::new(group),
        remote: None,
        may_exist: false,
        begun: None,
        note: None,
        proposal: None,
        digest: Vec::new(),
        accepted_at: AT,
    })
});

/// An operator's template: compiled and rendered for every destination, or refused.
fn template(bytes: &[u8]) {
    let Some(message) = MESSAGE.as_ref() else { panic!("the seed of the message is broken") };
    let view = View::of(message, "https://relay.example.com", AT);
    let text = At { value: String::from_utf8_lossy(bytes).into_owned(), ..At::default() };
    for escape in Escape::ALL {
        if let Ok(template) = Library::default().template("field", &text, escape) {
            let _ = template.render(&view);
        }
    }
}

/// A vendor's `Retry-After`, and on a second line its `Date`.
fn reply_header(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (wait, date) = text.split_once('\n').unwrap_or((&text, ""));
    let headers = vec![("retry-after".to_owned(), wait.to_owned()), ("date".to_owned(), date.to_owned())];
    let reply = Reply { status: 429, headers, body: Vec::new() };
    assert!(retry_after(&reply).is_none_or(|wait| wait <= WAIT_MAX), "a wait beyond all bounds");
}

/// Lines of headers, a blank line, a body; checked in each of the three forms. Nobody can sign with
/// a key he does not know.
fn signatures(bytes: &[u8]) {
    let split = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(split);
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let header = "x-grafana-alerting-signature";
    let timed = Some("x-grafana-alerting-timestamp".to_owned());
    let forms = [(header, None), (header, timed), (STANDARD_HEADER, None)];
    for secret in ["8d1f7c52b0a94e6f", "whsec_OGQxZjdjNTJiMGE5NGU2Zg==", "whsec_not base64"] {
        for (header, timestamp_header) in forms.clone() {
            let hmac = Hmac {
                header: header.to_owned(),
                secret: secret.into(),
                timestamp_header,
                tolerance: TOLERANCE,
            };
            assert!(hmac.check(&headers, body, AT).is_err(), "a signature was guessed");
        }
    }
}

/// A body said to be gzip: within the limit or refused, never more in memory than the limit.
fn gzip(bytes: &[u8]) {
    const LIMIT: usize = 64 * 1024;
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
    let body = Full::new(Bytes::copy_from_slice(bytes));
    let bounds = Bounds { bytes: LIMIT, time: Duration::from_secs(5) };
    let mut held = Budget::new(1 << 30).held();
    let read = runtime.block_on(read_within(body, Encoding::Gzip, bounds, &mut held));
    assert!(read.map_or(0, |plain| plain.len()) <= LIMIT, "unpacked beyond the limit");
}
