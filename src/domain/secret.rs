//! A text that must never be seen, and the redactor that hunts for it in what is shown.

use std::fmt;
use std::hash::{Hash, Hasher};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// What is shown in place of a secret.
pub const STARS: &str = "***";

/// A token, key, password or secret URL. Prints stars, is wiped when dropped, is not serialisable, is
/// compared in a time that tells nothing but the length.
#[derive(Clone, Eq, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into custody.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The real text. Every call of this is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STARS)
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

/// Schemes of `Authorization`; any first word would star the second words of pass phrases.
const SCHEMES: [&str; 6] = ["Bearer", "Basic", "Token", "ApiKey", "Api-Token", "GenieKey"];

/// Replaces every known secret in a text by stars, in the spellings a text may carry it in:
/// plain, inside a JSON string, percent-encoded, Base64.
#[derive(Clone, Default)]
pub struct Redactor {
    patterns: Vec<AhoCorasick>,
}

impl Redactor {
    /// Shorter secrets are not hunted: they would star ordinary words. `check` warns of them.
    pub const CHARS_MIN: usize = 6;

    /// A redactor that knows these secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Redactor {
        let mut spellings: Vec<String> = Vec::new();
        for plain in
            secrets.into_iter().flat_map(|secret| [Some(secret.expose()), credentials(secret)]).flatten()
        {
            if plain.chars().count() < Self::CHARS_MIN {
                continue;
            }
            let json = serde_json::Value::from(plain).to_string();
            spellings.push(json[1..json.len() - 1].to_owned());
            spellings.push(percent_encoded(plain));
            spellings.push(BASE64.encode(plain));
            spellings.extend((0..3).map(|place| base64_part(plain, place)));
            spellings.push(plain.to_owned());
        }
        spellings.sort();
        spellings.dedup();
        if spellings.is_empty() {
            return Redactor::default();
        }
        let patterns = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(spellings);
        Redactor { patterns: patterns.into_iter().collect() }
    }

    /// One that knows the secrets of both.
    #[must_use]
    pub fn and(mut self, other: Redactor) -> Redactor {
        self.patterns.extend(other.patterns);
        self
    }

    /// Whether a known secret stands in these bytes.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.patterns.iter().any(|patterns| patterns.is_match(bytes))
    }

    /// The text with every known secret starred.
    pub fn clean(&self, text: &str) -> String {
        self.patterns.iter().fold(text.to_owned(), |text, patterns| {
            let mut cleaned = String::with_capacity(text.len());
            patterns.replace_all_with(&text, &mut cleaned, |_, _, out| {
                out.push_str(STARS);
                true
            });
            cleaned
        })
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// What stands behind the scheme of an `Authorization` (RFC 9110, 11.4), when a secret is the whole value of
/// one: whoever quotes it may leave the scheme out.
fn credentials(secret: &Secret) -> Option<&str> {
    let (scheme, credentials) = secret.expose().split_once(' ')?;
    SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)).then(|| credentials.trim())
}

/// What Base64 shows of a secret in the midst of other text: its characters that no neighbour has a
/// part in, when `place` bytes stand before it in its group of three (`user:password`, a whole request).
fn base64_part(plain: &str, place: usize) -> String {
    let coded = BASE64.encode([&[0; 3][..place], plain.as_bytes()].concat());
    coded[(place * 8).div_ceil(6)..(place + plain.len()) * 8 / 6].to_owned()
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_stars() {
        assert_eq!(format!("{:?}", Secret::new("hunter2-hunter2")), "***");
    }

    #[test]
    fn the_redactor_finds_a_secret_in_the_midst_of_base64() {
        let secret = Secret::new("hunter2-hunter2");
        let redactor = Redactor::new([&secret]);
        for before in ["", "u", "us", "usr", "user:"] {
            for behind in ["", "!", "!!", " and more"] {
                let shown = redactor.clean(&BASE64.encode(format!("{before}hunter2-hunter2{behind}")));
                // At most the one character on each side that a neighbour has a part in is left.
                let bare = BASE64.encode(before).trim_end_matches('=').len();
                let left = shown.split_once("***").expect(&shown);
                assert!(left.0.len() <= bare + 1, "{before:?} {behind:?}: {shown}");
            }
        }
    }

    #[test]
    fn the_redactor_finds_every_spelling() {
        let secret = Secret::new("pa\"ss wörd/1");
        let redactor = Redactor::new([&secret]);
        let shown = format!(
            "plain pa\"ss wörd/1, json {}, url {}, basic {}",
            serde_json::Value::from(secret.expose()),
            percent_encoded(secret.expose()),
            BASE64.encode(secret.expose()),
        );
        assert_eq!(redactor.clean(&shown), "plain ***, json \"***\", url ***, basic ***");
    }

    #[test]
    fn the_redactor_finds_what_stands_behind_the_scheme_of_a_header() {
        let secrets = [Secret::new("Bearer hunter2-hunter2"), Secret::new("correct horse-battery")];
        let redactor = Redactor::new(&secrets);
        let shown = redactor.clean("bearer hunter2-hunter2, Bearer hunter2-hunter2, horse-battery");
        assert_eq!(shown, "bearer ***, ***, horse-battery");
    }

    #[test]
    fn two_that_are_put_together_know_the_secrets_of_both() {
        let (first, second) = (Secret::new("first-secret"), Secret::new("second-secret"));
        let both = Redactor::new([&first]).and(Redactor::new([&second])).and(Redactor::default());
        assert_eq!(both.clean("first-secret, second-secret, third"), format!("{STARS}, {STARS}, third"));
        assert!(both.finds(b"x second-secret") && !both.finds(b"third"));
    }
}
