//! The page for people, in a real browser against the real relay with real incidents: it shows what is
//! so, does what it is told, and what alerts say stays text whatever they say.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "CONSOLE_PICTURES is asked of the environment")]

mod support;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::browser::{Browser, Eyes};
use support::fake::{Answer, Fake, Heard};
use support::kinds::webhook;
use support::relay::Relay;

const WIDE: Eyes = Eyes { width: 1280, height: 860, dark: false, language: "en-GB" };
const READER: &str = "reading-token-0123456789";
const OPERATOR: &str = "operating-token-0123456789";
/// What must stay text, wherever it stands.
const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>";

fn config(chat: &Fake, admin: &str) -> String {
    let chat = chat.url();
    format!(
        r#"
server: {{ listen: LISTEN, dedup_window: 0s{admin} }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [chat] }}]
targets: [{{ name: chat, webhook: {{ url: "{chat}/in" }}, rate: {{ limit: 1000/s, burst: 1000 }} }}]
"#
    )
}

fn ago(minutes: i64) -> String {
    Timestamp::now().checked_sub(SignedDuration::from_mins(minutes)).unwrap().to_string()
}

fn alert(name: &str, service: &str, severity: &str, summary: &str, minutes: i64) -> Value {
    let mut body = webhook(name, true);
    let labels = json!({ "alertname": name, "severity": severity, "service": service, "team": "shop" });
    body["alerts"][0]["labels"] = labels;
    body["alerts"][0]["annotations"]["summary"] = summary.into();
    body["alerts"][0]["startsAt"] = ago(minutes).into();
    body["alerts"][0].as_object_mut().unwrap().remove("fingerprint");
    body["commonAnnotations"] = json!({});
    body
}

/// Some days in the life of a shop: three incidents go on, one of them after a deploy, one is over.
async fn live(relay: &Relay) {
    for (service, title, who, minutes) in [
        ("checkout", "release 4.2.1", "ann", 4),
        ("cart", "raise the pool to 80", "bob", 190),
        ("search", MARKUP, "eve", 2),
    ] {
        let change = json!({ "service": service, "environment": "prod", "title": title, "who": who, "at": ago(minutes), "link": "https://ci.example.com/7" });
        relay.accepts("/changes/alertmanager", change.to_string()).await;
    }
    let freeze =
        json!({ "service": "check*", "environment": "prod", "until": "6h", "reason": "year-end close" });
    relay.post("/api/v1/freezes", freeze.to_string()).await.unwrap();
    for body in [
        alert("Errors", "checkout", "P0", "5xx above 8 % at checkout", 0),
        alert("Lag", "billing", "warning", "Replication of billing-db is 40 s behind", 0),
        alert("Odd", "search", "critical", MARKUP, 0),
        alert("Disk", "cart", "critical", "Disk of cart-3 is 92 % full", 0),
    ] {
        relay.accepts("/hooks/alertmanager", body.to_string()).await;
    }
    relay.post("/api/v1/incidents/4/acknowledge", json!({ "note": "on it" }).to_string()).await.unwrap();
    relay.post("/api/v1/incidents/4/resolve", json!({ "note": "cleaned up" }).to_string()).await.unwrap();
}

/// Keeps a picture where `CONSOLE_PICTURES` says, for people to look at.
fn picture(browser: &mut Browser, name: &str) {
    let picture = browser.picture();
    assert!(picture.starts_with(b"\x89PNG"));
    if let Some(folder) = std::env::var_os("CONSOLE_PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
}

async fn incident(relay: &Relay, id: u32) -> Value {
    let answer =
        relay.http().get(relay.url(&format!("/api/v1/incidents/{id}"))).bearer_auth(READER).send().await;
    serde_json::from_str(&answer.unwrap().text().await.unwrap()).unwrap()
}

async fn gate(relay: &Relay, service: &str) -> Value {
    let answer =
        relay.http().get(relay.url(&format!("/api/v1/gate?service={service}"))).send().await.unwrap();
    serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap()["answer"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_what_goes_on_and_a_click_acknowledges_everywhere() {
    let chat = Fake::start(|_| Answer::text(204, ""));
    let relay = Relay::start(&config(&chat, "")).await;
    let mut browser = Browser::start(WIDE);
    browser.open(&relay.url("/"));
    browser.reads("All is quiet");
    live(&relay).await;
    browser.reads("5xx above 8 % at checkout");
    browser.reads("deploy release 4.2.1 by ann, 4 min before");
    let levels = "[...document.querySelectorAll('.row .level')].map((one) => one.textContent).join()";
    assert_eq!(browser.value(levels), "P0,P1,P2", "the worst first; what is over is elsewhere");

    browser.click("a.row");
    browser.until("document.getElementById('incident')");
    browser.reads("nobody has taken it");
    picture(&mut browser, "light");
    browser.click("#act-acknowledge");
    browser.until("document.getElementById('state').textContent.startsWith('acknowledged')");
    let taken = incident(&relay, 1).await;
    assert_eq!(
        (taken["state"].as_str(), taken["acknowledged_by"].as_str()),
        (Some("acknowledged"), Some("local"))
    );
    let hears = |heard: &Heard| {
        let heard = heard.json();
        heard["action"] == "acknowledge" && heard["title"] == "5xx above 8 % at checkout"
    };
    for _ in 0..500 {
        if chat.heard().iter().any(hears) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(chat.heard().iter().any(hears), "the chat heard of it");

    // By keyboard alone: to the next one, in, and resolved with a note.
    browser.value("document.body.focus()");
    for key in ["Escape", "j", "j", "Enter"] {
        browser.press(key);
        if key == "Escape" {
            browser.until("!document.getElementById('incident')");
        }
    }
    browser.until("document.getElementById('incident')");
    browser.press("r");
    browser.until("document.getElementById('ask').open");
    browser.types("cause: a <b>bad</b> query");
    browser.press("Enter");
    browser.until("document.querySelectorAll('.row').length === 2");
    assert_eq!(incident(&relay, 3).await["state"], "resolved");
    browser.reads("cause: a <b>bad</b> query");

    // A freeze: set, seen at the gate, ended.
    browser.click("[data-key='nav-changes']");
    browser.click("#freeze");
    browser.until("document.getElementById('ask').open");
    browser.types("billing");
    for word in ["", "2h", "the ledger moves"] {
        browser.press("Tab");
        browser.types(word);
    }
    browser.press("Enter");
    browser.reads("the ledger moves");
    assert_eq!(gate(&relay, "billing").await, "deny");
    browser.click("[data-key='end-2']");
    browser.until("!document.getElementById('main').innerText.includes('the ledger moves')");
    assert_eq!(gate(&relay, "billing").await, "allow");
    assert_eq!(browser.complaints, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_alerts_say_stays_text_on_every_page_and_every_page_reads_well() {
    let chat = Fake::start(|_| Answer::text(204, ""));
    let relay = Relay::start(&config(&chat, "")).await;
    live(&relay).await;
    let mut browser = Browser::start(WIDE);
    browser.open(&relay.url("/#/incidents/3"));
    browser.until("document.getElementById('incident')");
    browser.until(&format!("document.querySelector('h1').textContent.includes({})", json!(MARKUP)));
    browser.until(&format!(
        "document.querySelector('.row .cause').parentElement && document.body.innerText.includes({})",
        json!(format!("deploy {MARKUP} by eve"))
    ));
    let made = "document.querySelectorAll('img, iframe, object, main script').length";
    for (page, text) in [
        ("#/incidents/3", MARKUP),
        ("#/over", "Disk of cart-3 is 92 % full"),
        ("#/numbers", MARKUP),
        ("#/targets", "chat"),
        ("#/changes", MARKUP),
    ] {
        browser.value(&format!("void (location.hash = {})", json!(page)));
        browser.reads(text);
        assert_eq!(browser.value(made), 0, "{page}");
        assert_eq!(browser.value("document.scripts.length"), 1, "{page}");
        picture(&mut browser, &format!("page-{}", page.trim_start_matches("#/").replace('/', "-")));
    }
    browser.reads("year-end close");

    // In the dark, on a phone, in Chinese.
    let dark = Eyes { dark: true, ..WIDE };
    let phone = Eyes { width: 390, height: 844, ..WIDE };
    for (name, eyes, text) in [
        ("dark", dark, "5xx above 8 % at checkout"),
        ("phone", phone, "5xx above 8 % at checkout"),
        ("zh", Eyes { language: "zh-CN", ..WIDE }, "无人认领"),
        ("phone-zh-dark", Eyes { language: "zh-CN", dark: true, ..phone }, "此前的变更"),
    ] {
        browser.looks(eyes);
        browser.open(&relay.url("/#/incidents/1"));
        browser.until("document.getElementById('incident')");
        browser.reads(text);
        let wide = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(eyes.width), "{name}: {wide} is wider than the screen");
        picture(&mut browser, name);
    }
    assert_eq!(browser.value("document.documentElement.lang"), "zh-CN");
    for (page, text) in [
        ("numbers", "最近 30 天"),
        ("targets", "chat"),
        ("changes", "年"),
        ("over", "cart-3"),
        ("incidents", "进行中"),
    ] {
        browser.value(&format!("void (location.hash = '#/{page}')"));
        browser.reads(text);
        let wide = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(phone.width), "{page}: {wide} is wider than a phone");
        picture(&mut browser, &format!("phone-{page}"));
    }
    assert_eq!(browser.complaints, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_stays_in_the_tab_and_a_reader_changes_nothing() {
    let chat = Fake::start(|_| Answer::text(204, ""));
    let tokens = format!(
        ", admin: {{ tokens: [{{ token: {READER}, role: read, name: wall }}, {{ token: {OPERATOR}, role: operate, name: ops }}] }}"
    );
    let relay = Relay::start(&config(&chat, &tokens)).await;
    relay
        .accepts("/hooks/alertmanager", alert("Errors", "checkout", "P0", "5xx above 8 %", 0).to_string())
        .await;
    let answer = relay.http().get(relay.url("/")).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let page = answer.text().await.unwrap();
    assert!(!page.contains("5xx") && !page.contains(READER), "the page itself tells nothing");

    let mut browser = Browser::start(WIDE);
    browser.open(&relay.url("/"));
    browser.until("document.getElementById('ask').open");
    assert!(!browser.text("main").contains("5xx"));
    browser.types("wrong-token-0123456789");
    browser.press("Enter");
    browser.reads("The token is not known here.");
    browser.value("void (document.querySelector('#ask input').value = '')");
    browser.click("#ask input");
    browser.types(READER);
    browser.press("Tab");
    browser.types("mia");
    browser.click("#ask-yes");
    browser.reads("5xx above 8 %");
    assert_eq!(browser.value("JSON.stringify([localStorage.length, document.cookie])"), "[0,\"\"]");
    browser.click("a.row");
    browser.click("#act-acknowledge");
    browser.reads("this token is for looking only");
    assert_eq!(incident(&relay, 1).await["state"], "detected");

    browser.click("#key");
    browser.until("document.getElementById('ask').open");
    browser.value("void (document.querySelector('#ask input').value = '')");
    browser.click("#ask input");
    browser.types(OPERATOR);
    browser.press("Enter");
    browser.until("!document.getElementById('ask').open");
    browser.click("#act-acknowledge");
    browser.until("document.getElementById('state').textContent.includes('mia (token ops)')");
    // Another tab knows nothing of it; here it is forgotten on request.
    browser.click("#key");
    browser.click("#ask .quiet");
    browser.until("document.getElementById('ask').open && sessionStorage.length === 0");
    let unexpected: Vec<&String> =
        browser.complaints.iter().filter(|said| !said.contains("401") && !said.contains("403")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

/// What is proposed is started by a click on the page, and how it ended stands there, as does the ticket.
#[tokio::test(flavor = "multi_thread")]
async fn a_click_starts_what_is_proposed_and_its_end_is_shown() {
    let platform = Fake::start(|heard| match (heard.method.as_str(), heard.path.as_str()) {
        ("POST", "/api/jobs") => Answer::json(201, &json!({ "job": { "id": 17 } })),
        ("GET", "/api/jobs/17") => Answer::json(200, &json!({ "job": { "id": 17, "status": "failed" } })),
        ("GET", "/api/jobs/17/output") => Answer::json(200, &json!({ "stdout": MARKUP, "stderr": "" })),
        ("POST", "/api/tickets") => Answer::json(201, &json!({ "ticket": { "id": "T1", "status": "open" } })),
        _ => Answer::json(200, &json!({ "ticket": { "id": "T1", "status": "open" } })),
    });
    let url = platform.url();
    let config = config(&platform, "").replace("targets: [chat]", "targets: [chat, desk]").replace(
        "targets: [{",
        &format!(
            r#"jobs: {{ rules: [{{ name: restart, target: repair }}] }}
targets:
  - {{ name: repair, job: {{ base_url: "{url}/api", api_key: job-key-0123456789, script: restart }} }}
  - {{ name: desk, ticket: {{ base_url: "{url}/api", api_key: key-of-the-desk-0123 }} }}
  - {{"#
        ),
    );
    let relay = Relay::start(&config.replace("burst: 1000 } }]", "burst: 1000 } }")).await;
    let mut browser = Browser::start(WIDE);
    browser.open(&relay.url("/"));
    relay
        .accepts("/hooks/alertmanager", alert("Errors", "checkout", "P0", "5xx above 8 %", 0).to_string())
        .await;
    browser.reads("5xx above 8 %");
    browser.click("a.row");
    browser.until("document.querySelector('[data-key=approve-1]')");
    picture(&mut browser, "job");
    browser.click("[data-key=approve-1]");
    browser.until("document.getElementById('ask').open");
    browser.click("#ask-yes");
    browser.reads("job approved");
    browser.reads("job failed");
    browser.until("document.querySelector('#incident pre')");
    assert!(browser.text("#incident pre").contains(MARKUP), "the output stays text");
    browser.reads("desk T1");
    picture(&mut browser, "job-failed");
    assert_eq!(incident(&relay, 1).await["jobs"][0]["decided_by"], "local");
    assert_eq!(browser.complaints, [""; 0]);
}
