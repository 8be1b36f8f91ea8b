//! Secrets that can be told from everything else, a configuration that holds one in every field for
//! secrets, and the hunt for them.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

pub const BEARER: &str = "QxBearer7fq2LmZk93Tw";
pub const PASSWORD: &str = "QxPassword4hVn8sRj1Ya";
pub const PATH_TOKEN: &str = "QxPathToken6cXd0pGe5Ub";
pub const HMAC: &str = "QxHmac9wKz3rBt7Mfq1Jv";
pub const ADMIN: &str = "QxAdmin2yHs6nDo4Gie8Lx";
const ROUTING_KEY: &str = "QxRoutingKey5aWc1vTu7mEz3kPb9dNf";
const URL_TOKEN: &str = "QxUrl8jSo2bGy6eCq0Rht";
const URL_QUERY: &str = "QxQuery3lIf9uXn5aZw7Vd";
const API_KEY: &str = "QxApiKey1gMt4cJp8oBs2K";
const SECRET_HEADER: &str = "QxHeader6rEy0hLv3fDx9Q";
const OUT_BEARER: &str = "QxOutBearer7kTz5iNw1sC";
const OUT_PASSWORD: &str = "QxOutPassword2vGb8mHq6";
pub const READER: &str = "QxReader8bNc3yTm5vLp0K";
const OTLP: &str = "QxOtlp5vTn2kWd8jRb7Gz";
const SIGN: &str = "QxSign4eUj0yOa9pRf3XlT";

pub const CANARIES: &[&str] = &[
    BEARER,
    PASSWORD,
    PATH_TOKEN,
    HMAC,
    ADMIN,
    ROUTING_KEY,
    URL_TOKEN,
    URL_QUERY,
    API_KEY,
    SECRET_HEADER,
    OUT_BEARER,
    OUT_PASSWORD,
    READER,
    SIGN,
    OTLP,
];

/// Every kind of source proof and target, all targets at `echo`, and every span to a collector.
pub fn traced(echo: &str, collector: &str) -> String {
    let header = format!("headers: {{ Authorization: \"Bearer {OTLP}\" }}");
    config(echo) + &format!("tracing: {{ otlp: {{ endpoint: \"{collector}/\", {header}, sample: 1 }} }}\n")
}

/// The same without a collector.
pub fn config(echo: &str) -> String {
    format!(
        r#"
server: {{ listen: LISTEN, admin: {{ tokens: ["{ADMIN}", {{ token: "{READER}", role: read, name: reader }}] }} }}
store: {{ path: STORE }}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: {{ bearer: ["{BEARER}"] }} }}
  - {{ name: basic, kind: alertmanager, auth: {{ basic: {{ username: prometheus, password: "{PASSWORD}" }} }} }}
  - {{ name: guance, kind: guance, auth: {{ path_token: "{PATH_TOKEN}" }} }}
  - {{ name: grafana, kind: grafana, auth: {{ hmac: {{ header: X-Grafana-Alerting-Signature, secret: "{HMAC}" }} }} }}
route: {{ receiver: all }}
receivers:
  - {{ name: all, targets: [pd, keyed, signed, basic, screen, dry] }}
targets:
  - name: pd
    pagerduty: {{ base_url: "{echo}/pd", routing_key: "{ROUTING_KEY}", summary: "{{{{commonAnnotations.no_such}}}}" }}
    retry: {{ base: 50ms, cap: 100ms }}
    breaker: {{ failures: 1000, open_for: 100ms }}
  - name: keyed
    webhook: {{ url: "{echo}/in/{URL_TOKEN}?key={URL_QUERY}", headers: {{ X-Api-Key: "{API_KEY}" }}, secret_headers: {{ X-Plain: "{SECRET_HEADER}" }}, body: "{{{{commonAnnotations.no_such}}}}" }}
    retry: {{ base: 50ms, cap: 100ms }}
    breaker: {{ failures: 1000, open_for: 100ms }}
  - name: signed
    webhook: {{ url: "{echo}/in/signed", bearer: "{OUT_BEARER}", sign: {{ secret: "{SIGN}" }} }}
    retry: {{ base: 50ms, cap: 100ms }}
    breaker: {{ failures: 1000, open_for: 100ms }}
  - name: basic
    webhook: {{ url: "{echo}/in/basic", basic: {{ username: relay, password: "{OUT_PASSWORD}" }} }}
    retry: {{ base: 50ms, cap: 100ms }}
    breaker: {{ failures: 1000, open_for: 100ms }}
  - {{ name: screen, console: {{}} }}
  - {{ name: dry, dry_run: true, webhook: {{ url: "https://example.com/in/{URL_TOKEN}", bearer: "{OUT_BEARER}", headers: {{ X-Token: "{API_KEY}" }} }} }}
"#
    )
}

/// Every spelling that is hunted, with the secret that it is one of.
static SPELLINGS: LazyLock<(AhoCorasick, Vec<&str>)> = LazyLock::new(|| {
    let mut spellings = Vec::new();
    for canary in CANARIES {
        spellings.push((canary[canary.len() - 12..].to_owned(), *canary));
        spellings.push((canary[..14].to_owned(), *canary));
        for before in ["", "x", "xx"] {
            // Without what its neighbours have a part in.
            let coded = BASE64.encode(format!("{before}{canary}"));
            spellings.push((coded[before.len() * 2..coded.len() - 4].to_owned(), *canary));
        }
    }
    let (texts, canaries): (Vec<String>, Vec<&str>) = spellings.into_iter().unzip();
    (AhoCorasick::new(texts).unwrap(), canaries)
});

/// The secrets found in these bytes. Half of one is a hit too: its end is hunted without its
/// beginning; Base64 is hunted at each of the three places where a secret may stand in it.
pub fn hits(place: &str, bytes: &[u8]) -> Vec<String> {
    let (spellings, canaries) = &*SPELLINGS;
    let mut found: Vec<String> = Vec::new();
    for hit in spellings.find_iter(bytes) {
        let canary = canaries[hit.pattern().as_usize()];
        if found.iter().all(|told| !told.starts_with(canary)) {
            let around = &bytes[hit.start().saturating_sub(80)..(hit.start() + 60).min(bytes.len())];
            found.push(format!("{canary} in {place}: …{}…", String::from_utf8_lossy(around)));
        }
    }
    found
}
