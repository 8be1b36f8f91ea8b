//! Signatures over a body, as Grafana and the Standard Webhooks write them (HMAC with SHA-256).
//! Takes headers, body and the time, gives leave or the reason why not.
//!
//! Which of the two is meant is told by the header: `webhook-signature` is the Standard Webhooks'
//! name. The comparison is the library's, in constant time.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{KeyInit, Mac};
use hyper::header::HeaderMap;
use jiff::Timestamp;
use sha2::Sha256;

use crate::domain::secret::Secret;

/// Header of the Standard Webhooks (`v1,<base64>`, several separated by blanks).
pub const STANDARD_HEADER: &str = "webhook-signature";
/// Time that a signature may be old, or ahead, where none is configured.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// A signature that a source must bear.
#[derive(Debug, Clone)]
pub struct Hmac {
    /// The header that holds it: Grafana's is `x-grafana-alerting-signature`.
    pub header: String,
    /// The key. For Standard Webhooks `whsec_` and Base64, otherwise as it is.
    pub secret: Secret,
    /// Grafana's optional header with the Unix time in seconds, then signed as `<time>:<body>`.
    pub timestamp_header: Option<String>,
    /// How far that time (or `webhook-timestamp`) may be from now, either way.
    pub tolerance: Duration,
}

const MISSING: &str = "the signature is missing";
const WRONG: &str = "the signature is wrong";
const TIMELESS: &str = "the signature's timestamp is missing or not a number of seconds";
const STALE: &str = "the signature's timestamp is too far from now; compare the clocks";

impl Hmac {
    /// Hex in `header`, over the body alone.
    pub fn hex(header: impl Into<String>, secret: impl Into<Secret>) -> Hmac {
        Hmac { header: header.into(), secret: secret.into(), timestamp_header: None, tolerance: TOLERANCE }
    }

    /// Checks one request.
    ///
    /// # Errors
    /// One sentence that repeats nothing of the request.
    pub fn check(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), &'static str> {
        let sent = text(headers, &self.header).ok_or(MISSING)?;
        if self.header.eq_ignore_ascii_case(STANDARD_HEADER) {
            return self.check_standard(sent, headers, body, now);
        }
        let mac = match &self.timestamp_header {
            None => self.mac(self.secret.expose().as_bytes(), &[body])?,
            Some(header) => {
                let time = self.fresh(text(headers, header), now)?;
                self.mac(self.secret.expose().as_bytes(), &[time.as_bytes(), b":", body])?
            }
        };
        // Some senders name the algorithm, as GitHub does.
        let signature = from_hex(sent.strip_prefix("sha256=").unwrap_or(sent)).ok_or(WRONG)?;
        mac.verify_slice(&signature).map_err(|_| WRONG)
    }

    fn check_standard(
        &self,
        sent: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let id = text(headers, "webhook-id").ok_or("the header webhook-id is missing")?;
        let time = self.fresh(text(headers, "webhook-timestamp"), now)?;
        let secret = self.secret.expose();
        let key = match secret.strip_prefix("whsec_") {
            Some(packed) => BASE64.decode(packed).map_err(|_| "the configured whsec_ key is not Base64")?,
            None => secret.as_bytes().to_vec(),
        };
        let mac = self.mac(&key, &[id.as_bytes(), b".", time.as_bytes(), b".", body])?;
        let right = sent
            .split_ascii_whitespace()
            .filter_map(|one| BASE64.decode(one.strip_prefix("v1,")?).ok())
            .any(|signature| mac.clone().verify_slice(&signature).is_ok());
        if right { Ok(()) } else { Err(WRONG) }
    }

    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Result<hmac::Hmac<Sha256>, &'static str> {
        // An empty key would let in whoever leaves it empty too.
        if key.is_empty() {
            return Err("no signing key is configured");
        }
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).map_err(|_| WRONG)?;
        parts.iter().for_each(|part| mac.update(part));
        Ok(mac)
    }

    /// The timestamp as sent, when it is near enough to now.
    fn fresh<'h>(&self, sent: Option<&'h str>, now: Timestamp) -> Result<&'h str, &'static str> {
        let sent = sent.ok_or(TIMELESS)?;
        let seconds: i64 = sent.parse().map_err(|_| TIMELESS)?;
        if seconds.abs_diff(now.as_second()) > self.tolerance.as_secs() {
            return Err(STALE);
        }
        Ok(sent)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key, text and result of RFC 4231, test case 2.
    const RFC_4231: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const RFC_BODY: &[u8] = b"what do ya want for nothing?";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn sign(key: &[u8], signed: &[u8]) -> Vec<u8> {
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(signed);
        mac.finalize().into_bytes().to_vec()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_hex_signature_is_compared_whole() {
        let hmac = Hmac::hex("X-Signature", "Jefe");
        let check = |value: &str| hmac.check(&headers(&[("x-signature", value)]), RFC_BODY, at(0));
        assert_eq!(check(RFC_4231), Ok(()));
        assert_eq!(check(&RFC_4231.to_uppercase()), Ok(()));
        assert_eq!(check(&format!("sha256={RFC_4231}")), Ok(()));
        for wrong in
            [&RFC_4231[..62], &RFC_4231[..2], &format!("{RFC_4231}00"), "5b  c", "zz", "5bd", "sha256="]
        {
            assert_eq!(check(wrong), Err(WRONG), "{wrong}");
        }
        assert_eq!(check(""), Err(MISSING));
        assert_eq!(hmac.check(&headers(&[("x-signature", RFC_4231)]), b"other", at(0)), Err(WRONG));
    }

    #[test]
    fn grafanas_timestamp_is_signed_and_must_be_near() {
        let hmac = Hmac {
            timestamp_header: Some("X-Grafana-Alerting-Timestamp".into()),
            ..Hmac::hex("X-Grafana-Alerting-Signature", "key")
        };
        let signature = hex(&sign(b"key", b"1700000000:{}"));
        let check = |time: &str, now: i64| {
            let pairs = [
                ("x-grafana-alerting-signature", signature.as_str()),
                ("x-grafana-alerting-timestamp", time),
            ];
            hmac.check(&headers(&pairs), b"{}", at(now))
        };
        assert_eq!(check("1700000000", 1_700_000_000), Ok(()));
        assert_eq!(check("1700000000", 1_700_000_300), Ok(()));
        assert_eq!(check("1700000000", 1_699_999_700), Ok(()));
        assert_eq!(check("1700000000", 1_700_000_301), Err(STALE));
        assert_eq!(check("1700000000", 1_699_999_699), Err(STALE));
        assert_eq!(check("1700000001", 1_700_000_000), Err(WRONG));
        assert_eq!(check("noon", 1_700_000_000), Err(TIMELESS));
        assert_eq!(check(&i64::MIN.to_string(), 1_700_000_000), Err(STALE));
    }

    #[test]
    fn a_standard_webhook_is_checked_as_its_documentation_shows() {
        // The example of the specification's reference libraries.
        let hmac = Hmac::hex(STANDARD_HEADER, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let check = |signature: &str| {
            let pairs = [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", signature),
            ];
            hmac.check(&headers(&pairs), body, at(1_614_265_400))
        };
        let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(check(right), Ok(()));
        assert_eq!(check(&format!("v1a,AAAA v1,AAAA {right}")), Ok(()));
        assert_eq!(check("v1,AAAA"), Err(WRONG));
        assert_eq!(check(&right.replace("v1,", "v2,")), Err(WRONG));
        assert_eq!(check("v1,"), Err(WRONG));
        let no_id = headers(&[("webhook-signature", right), ("webhook-timestamp", "1614265330")]);
        assert_eq!(hmac.check(&no_id, body, at(1_614_265_400)), Err("the header webhook-id is missing"));
    }

    #[test]
    fn an_empty_key_lets_nobody_in() {
        let signature = hex(&sign(b"", b"{}"));
        let hmac = Hmac::hex("x-signature", "");
        let sent = headers(&[("x-signature", signature.as_str())]);
        assert_eq!(hmac.check(&sent, b"{}", at(0)), Err("no signing key is configured"));
    }
}
