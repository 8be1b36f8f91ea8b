//! Proofs that callers bear: keyed hashes and shared words, compared in constant time, and
//! the age of a message. Pure; several secrets at once, so that one can be rotated.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::domain::secret::Secret;

/// How old a signed message may be, or how far ahead, where the vendor gives a time.
pub const AGE_MAX: Duration = Duration::from_secs(300);

/// HMAC-SHA256 over the parts, in a row.
pub fn hmac_sha256(key: &Secret, parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// HMAC-SHA1 over the parts, in a row. For vendors that know nothing better (Twilio).
pub fn hmac_sha1(key: &Secret, parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.expose().as_bytes()) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// Whether `given` is what one of the secrets gives; every secret is tried, whatever the first says.
pub fn any_holds<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    given: &[u8],
    made: impl Fn(&Secret) -> Vec<u8>,
) -> bool {
    secrets.into_iter().fold(false, |held, secret| held | same(&made(secret), given))
}

/// Equal, in time that tells nothing but the length. Nothing equals the empty text.
pub fn same(expected: &[u8], given: &[u8]) -> bool {
    !expected.is_empty() && bool::from(expected.ct_eq(given))
}

/// Whether the secret was sent, in time that tells nothing, not even the length: digests are compared.
/// Nobody can send the empty secret.
pub fn is_secret(sent: &[u8], known: &Secret) -> bool {
    is_text(sent, known.expose()) & !known.is_empty()
}

/// Whether this text was sent, in the same way.
pub fn is_text(sent: &[u8], known: &str) -> bool {
    Sha256::digest(sent).as_slice().ct_eq(Sha256::digest(known).as_slice()).into()
}

/// Not too old and not from the future.
pub fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).unsigned_abs() <= AGE_MAX
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, case 2, and RFC 2202, case 2.
    #[test]
    fn the_hashes_are_those_of_the_standards() {
        let key = Secret::new("Jefe");
        let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&hmac_sha256(&key, &parts)), sha256);
        assert_eq!(hex(&hmac_sha1(&key, &parts)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn a_proof_holds_with_any_of_the_secrets_and_never_with_nothing() {
        let secrets = [Secret::new("new"), Secret::new("old")];
        let made = |secret: &Secret| hmac_sha256(secret, &[b"body"]);
        assert!(any_holds(&secrets, &made(&Secret::new("old")), made));
        assert!(!any_holds(&secrets, &made(&Secret::new("third")), made));
        assert!(!any_holds(&[], &[], made));
        assert!(!same(b"", b""));
    }

    #[test]
    fn five_minutes_old_or_ahead_is_fresh_and_a_second_more_is_not() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        assert!(is_fresh(at(-300), now) && is_fresh(at(300), now));
        assert!(!is_fresh(at(-301), now) && !is_fresh(at(301), now));
    }
}
