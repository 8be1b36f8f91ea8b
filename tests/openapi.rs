//! The OpenAPI document and the running relay say the same. schemathesis makes calls of the document,
//! right ones and wrong ones, and looks whether the answers are of the status, the type and the shape
//! that it names; `./test` installs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "SCHEMATHESIS is asked of the environment")]
#![expect(clippy::disallowed_macros, reason = "what was not tried is told")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use alert_relay::server::openapi::document;
use serde_json::Value;
use support::relay::Relay;

const TOKEN: &str = "openapi-token-0123456789";
/// Calls of each operation, beside those that cover each rule of its schema.
const EXAMPLES: &str = "20";

fn config() -> String {
    format!(
        r#"
server: {{ listen: LISTEN, admin: {{ tokens: ["{TOKEN}"] }} }}
store: {{ path: STORE }}
sources:
  - {{ name: prod, kind: alertmanager, auth: {{ bearer: ["{TOKEN}"] }} }}
  - {{ name: prom, kind: prometheus, auth: {{ bearer: ["{TOKEN}"] }} }}
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [hook] }}]
targets: [{{ name: hook, console: {{}} }}]
"#
    )
}

/// The program: named by `SCHEMATHESIS`, or where `./test` puts it.
fn schemathesis() -> Option<PathBuf> {
    let named = std::env::var_os("SCHEMATHESIS").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/schemathesis/bin/st");
    named.or_else(|| usual.exists().then_some(usual))
}

#[tokio::test]
async fn anybody_may_read_the_document() {
    let relay = Relay::start(&config()).await;
    let answer = relay.http().get(relay.url("/api/v1/openapi.json")).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let served: Value = answer.json().await.unwrap();
    assert_eq!(served, document().unwrap());
    assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn an_id_at_the_end_of_its_range_is_not_there_and_nothing_breaks() {
    let relay = Relay::start(&config()).await;
    for id in [i64::MAX, i64::MIN, 0, -1] {
        let get = relay.http().get(relay.url(&format!("/api/v1/deliveries/{id}")));
        assert_eq!(get.bearer_auth(TOKEN).send().await.unwrap().status(), 404, "{id}");
        for order in ["deliveries/{}/retry", "deliveries/{}/drop", "orphans/{}/resolve"] {
            let path = format!("/api/v1/{}", order.replace("{}", &id.to_string()));
            let status =
                relay.http().post(relay.url(&path)).bearer_auth(TOKEN).send().await.unwrap().status();
            assert_eq!(status, 404, "{path}");
        }
    }
    assert!(!relay.log().contains("panicked"), "{}", relay.log());
}

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let Some(program) = schemathesis() else {
        eprintln!("NOT TRIED: schemathesis is not installed; ./test installs it where it can");
        return;
    };
    let relay = Relay::start(&config()).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi/schemathesis.toml");
    let mut run = Command::new(program);
    run.arg("--config-file")
        .arg(settings)
        .args([
            "run",
            &relay.url("/api/v1/openapi.json"),
            "--header",
            &format!("Authorization: Bearer {TOKEN}"),
        ])
        .args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--workers", "1", "--generation-database", "none"])
        .args(["--no-color", "--warnings", "off"])
        .current_dir(folder.path())
        .env("PYTHONUTF8", "1");
    let done = tokio::task::spawn_blocking(move || run.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}\n{}", String::from_utf8_lossy(&done.stderr), relay.log());
    assert!(!relay.log().contains("panicked"), "{}", relay.log());
}
