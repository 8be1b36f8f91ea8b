//! Signatures after Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>, "Signature scheme").
//!
//! Takes id, time and body, gives the three headers. Several secrets at once let the receiver
//! change over without losing a message.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

use crate::domain::exchange::HeaderText;
use crate::domain::secret::Secret;

/// Marks a secret whose rest is the key in Base64; any other is the key itself.
const PREFIX: &str = "whsec_";

/// Signs requests.
pub struct Signer {
    keys: Vec<(Secret, Hmac<Sha256>)>,
}

impl Signer {
    /// A signer that signs with every secret. `Err` holds the index of one that is empty or is not
    /// the Base64 it claims to be.
    pub fn new(secrets: Vec<Secret>) -> Result<Signer, usize> {
        let mut keys = Vec::with_capacity(secrets.len());
        for (index, secret) in secrets.into_iter().enumerate() {
            let text = secret.expose();
            let key = match text.strip_prefix(PREFIX) {
                Some(coded) => BASE64.decode(coded).map_err(|_| index)?,
                None => text.as_bytes().to_vec(),
            };
            if key.is_empty() {
                return Err(index);
            }
            let mac = Hmac::new_from_slice(&key).map_err(|_| index)?;
            keys.push((secret, mac));
        }
        Ok(Signer { keys })
    }

    /// `Webhook-Id`, `Webhook-Timestamp` and `Webhook-Signature` of one attempt.
    pub fn headers(&self, id: &str, now: Timestamp, body: &[u8]) -> [(String, HeaderText); 3] {
        let seconds = now.as_second().to_string();
        let signed = |mac: &Hmac<Sha256>| {
            let mut mac = mac.clone();
            for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
                mac.update(part);
            }
            format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
        };
        let signatures: Vec<String> = self.keys.iter().map(|(_, mac)| signed(mac)).collect();
        [
            ("Webhook-Id".to_owned(), HeaderText::Plain(id.to_owned())),
            ("Webhook-Timestamp".to_owned(), HeaderText::Plain(seconds)),
            ("Webhook-Signature".to_owned(), HeaderText::Plain(signatures.join(" "))),
        ]
    }

    /// For the redactor.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.keys.iter().map(|(secret, _)| secret)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} secrets)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_reference_implementation_does() {
        // Test vector of the Standard Webhooks libraries.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signer = Signer::new(vec![secret]).expect("a valid secret");
        let now = Timestamp::from_second(1_614_265_330).expect("a valid time");
        let [id, at, signature] =
            signer.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", now, b"{\"test\": 2432232314}");
        assert_eq!(id.1.expose(), "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(at.1.expose(), "1614265330");
        assert_eq!(signature.1.expose(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn several_secrets_give_several_signatures_and_a_bad_one_is_named() {
        let signer =
            Signer::new(vec!["plain-secret".into(), "whsec_aGVsbG8=".into()]).expect("valid secrets");
        let [.., signature] = signer.headers("id", Timestamp::UNIX_EPOCH, b"");
        assert_eq!(signature.1.expose().split(' ').filter(|part| part.starts_with("v1,")).count(), 2);
        assert_eq!(Signer::new(vec!["good".into(), "whsec_***".into()]).err(), Some(1));
        assert_eq!(Signer::new(vec!["whsec_".into()]).err(), Some(0));
    }
}
