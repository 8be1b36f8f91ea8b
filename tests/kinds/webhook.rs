//! Kind `webhook`: the default body, signed as Standard Webhooks ask, to an endpoint that checks it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{KeyInit as _, Mac as _};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, tell};
use crate::support::relay::Relay;

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn is_signed(heard: &Heard) -> bool {
    let key = BASE64.decode(KEY).unwrap();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    let (id, at) = (heard.header("webhook-id"), heard.header("webhook-timestamp"));
    mac.update(format!("{id}.{at}.{}", heard.text()).as_bytes());
    heard.header("webhook-signature") == format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn fires_and_resolves_with_a_signature_that_holds() {
    let fake = Fake::start(|heard| match heard.path.as_str() {
        "/in" if heard.method == "POST" && heard.is_json() && is_signed(heard) => Answer::text(204, ""),
        _ => Answer::text(401, "unsigned"),
    });
    let url = fake.url();
    let relay = Relay::start(&config(&format!(
        r#"webhook: {{ url: "{url}/in", sign: {{ secret: "whsec_{KEY}" }} }}"#
    )))
    .await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(1).await;
    tell(&relay, "DiskFull", false).await;
    let heard = fake.has_heard(2).await;
    let actions: Vec<String> =
        heard.iter().map(|heard| heard.json()["action"].as_str().unwrap_or("none").to_owned()).collect();
    assert_eq!(actions, ["trigger", "resolve"], "{}", heard[0].text());
    assert_eq!(heard[0].json()["dedupKey"], heard[1].json()["dedupKey"]);
}
