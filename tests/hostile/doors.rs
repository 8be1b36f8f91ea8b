//! Who may do what at the admin interface, tried on every row of the table of endpoints, and who
//! counts as what behind a proxy.

use alert_relay::auth::admin::Role;
use alert_relay::server::paths::{Access, ENDPOINTS};
use reqwest::RequestBuilder;

use crate::alert;
use crate::support::ports::free_port;
use crate::support::relay::{self, Relay};
use crate::support::vendor::PagerDuty;

const READER: &str = "reading-token-0123456789";
const OPERATOR: &str = "operating-token-0123456789";
const PLAIN: &str = "plain-token-0123456789";

async fn stage(server: &str, auth: &str) -> (PagerDuty, Relay) {
    let pagerduty = PagerDuty::start().await;
    let config = relay::config(&pagerduty, "")
        .replace("listen: LISTEN", &format!("listen: LISTEN, {server}"))
        .replace("auth: none", auth);
    let relay = Relay::start(&config).await;
    (pagerduty, relay)
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_asks_for_the_role_that_its_row_says() {
    let tokens = format!(
        "admin: {{ tokens: [\"{PLAIN}\", {{ token: {READER}, role: read, name: grafana }}, {{ token: {OPERATOR}, role: operate, name: \"ops  team\" }}] }}"
    );
    let (_pagerduty, relay) = stage(&tokens, "auth: none").await;
    let mut tried = 0;
    for row in ENDPOINTS {
        let Access::Admins(role) = row.access else { continue };
        let path = row.pattern.replace(['{', '}'], "");
        let ask = |token: Option<&str>| {
            let request = relay.http().request(row.method.clone(), relay.url(&path));
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            status(request.body("{\"dry_run\": true}"))
        };
        let place = format!("{} {}", row.method, row.pattern);
        assert_eq!(ask(None).await, 401, "{place}");
        assert_eq!(ask(Some("wrong-token-0123456789")).await, 401, "{place}");
        assert_eq!(ask(Some(&READER[..READER.len() - 1])).await, 401, "{place}");
        let read = ask(Some(READER)).await;
        assert_eq!(read == 403, role == Role::Operate, "{place}: {read}");
        for token in [OPERATOR, PLAIN] {
            let operated = ask(Some(token)).await;
            assert!(operated != 401 && operated != 403 && operated < 500, "{place}: {operated}");
        }
        tried += 1;
    }
    assert!(tried > 10, "{tried} rows");
    let refused = relay.http().post(relay.url("/-/reload")).bearer_auth(READER).send().await.unwrap();
    assert!(refused.text().await.unwrap().contains("to change something use one with `role: operate`"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_names_the_token_and_tokens_are_exchanged_by_a_reload() {
    let tokens = format!(
        "admin: {{ tokens: [{{ token: {READER}, role: read, name: grafana }}, {{ token: {OPERATOR}, name: \"ops  team\" }}] }}"
    );
    let (pagerduty, relay) = stage(&tokens, "auth: none").await;
    pagerduty.fail_next(400);
    relay.accepts("/hooks/alertmanager", alert("audited")).await;
    let dead = || relay.http().get(relay.url("/api/v1/deliveries?state=dead")).bearer_auth(READER);
    for _ in 0..400 {
        if dead().send().await.unwrap().text().await.unwrap().contains("\"dead\"") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let retry = || relay.http().post(relay.url("/api/v1/deliveries/1/retry")).header("x-actor", "alice");
    assert_eq!(status(retry().bearer_auth(READER)).await, 403);
    assert_eq!(status(retry().bearer_auth(OPERATOR)).await, 200);
    let audit = relay.http().get(relay.url("/api/v1/audit")).bearer_auth(READER).send().await.unwrap();
    let audit: serde_json::Value = serde_json::from_str(&audit.text().await.unwrap()).unwrap();
    assert_eq!(audit["audit"].as_array().unwrap().len(), 1, "{audit}");
    assert_eq!(audit["audit"][0]["who"], "alice (token ops team)");

    let file = relay.folder().join("relay.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(OPERATOR, PLAIN)).unwrap();
    let reload = |token: &str| status(relay.http().post(relay.url("/-/reload")).bearer_auth(token));
    assert_eq!(reload(OPERATOR).await, 200);
    assert_eq!((reload(OPERATOR).await, reload(PLAIN).await), (401, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forwarded_addresses_are_believed_of_trusted_proxies_only() {
    let addresses = "auth: { addresses: [203.0.113.0/24] }";
    let admin = "admin: { tokens: [], addresses: [127.0.0.0/8, 203.0.113.0/24] }";
    for (server, near, forged, far) in [
        (admin.to_owned(), 403, 403, 403),
        (format!("{admin}, trusted_proxies: [10.0.0.0/8]"), 403, 403, 403),
        (format!("{admin}, trusted_proxies: [127.0.0.1]"), 200, 403, 403),
    ] {
        let (_pagerduty, relay) = stage(&server, addresses).await;
        let post = |forwarded: &str| {
            let hook = relay.http().post(relay.url("/hooks/alertmanager")).body(alert("forwarded"));
            status(hook.header("x-forwarded-for", forwarded))
        };
        assert_eq!(post("203.0.113.7").await, near, "{server}");
        assert_eq!(post("203.0.113.7, 198.51.100.1").await, forged, "{server}");
        assert_eq!(post("198.51.100.1").await, far, "{server}");
        assert_eq!(post("::1, nonsense").await, 403, "{server}");
        // Without tokens the admin interface is for this machine: nobody else becomes it by a header,
        // and nobody comes in through a proxy on it.
        let list = || relay.http().get(relay.url("/api/v1/deliveries"));
        assert_eq!(status(list()).await, 200, "{server}");
        for forwarded in ["127.0.0.1", "203.0.113.7", "198.51.100.1", "::1", ""] {
            let seen = status(list().header("x-forwarded-for", forwarded)).await;
            assert_eq!(seen, 403, "{forwarded:?} with {server}");
        }
        assert_eq!(status(list().header("forwarded", "for=127.0.0.1")).await, 403);
        assert_eq!(status(list().header("host", "relay.evil.example")).await, 403);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_for_anybody_at_the_admin_door_and_opens_nothing() {
    let admin = format!("127.0.0.1:{}", free_port());
    let tokens = format!("admin: {{ listen: \"{admin}\", tokens: [\"{PLAIN}\"] }}");
    let (_pagerduty, relay) = stage(&tokens, "auth: none").await;
    relay.accepts("/hooks/alertmanager", alert("secretive")).await;
    assert_eq!(status(relay.http().get(relay.url("/"))).await, 404, "not where senders knock");
    let page = relay.http().get(format!("http://{admin}/")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    for (name, value) in [("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")] {
        assert_eq!(page.headers()[name], value);
    }
    let text = page.text().await.unwrap();
    assert!(!text.contains("secretive") && !text.contains(PLAIN));
    let list = relay.http().get(format!("http://{admin}/api/v1/incidents"));
    assert_eq!(status(list).await, 401, "what it shows needs the token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tokens_the_relays_own_page_may_order_and_no_other_may() {
    let (_pagerduty, relay) = stage("admin: { tokens: [] }", "auth: none").await;
    let own = relay.url("");
    let other_port = "http://127.0.0.1:1".to_owned();
    let freeze =
        || relay.http().post(relay.url("/api/v1/freezes")).body("{\"until\": \"1h\", \"reason\": \"x\"}");
    assert_eq!(status(freeze().header("origin", &own)).await, 200);
    for origin in [other_port.as_str(), "https://evil.example", "null", "http://localhost"] {
        assert_eq!(status(freeze().header("origin", origin)).await, 403, "{origin}");
    }
    let rebound = freeze().header("host", "evil.example:9095").header("origin", "http://evil.example:9095");
    assert_eq!(status(rebound).await, 403);
}
