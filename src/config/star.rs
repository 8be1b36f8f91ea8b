//! Stars what may be a secret in the text of a configuration file, before lines of it are shown:
//! a file that cannot be read is still a file full of secrets. Takes the text and gives one of the
//! same shape, so that places in it stay right.
//!
//! Nothing is parsed, because the text may be no YAML: what counts is the name of the key in front
//! of a value. References such as `${TOKEN}` are no secrets and stay.

/// A key whose name contains one of these holds a secret, or several in a list or map.
const NAMES: [&str; 13] = [
    "token",
    "secret",
    "password",
    "passwd",
    "bearer",
    "basic",
    "authorization",
    "-auth",
    "_key",
    "-key",
    "cookie",
    "credential",
    "postgres",
];
/// A private key that stands here in person (RFC 7468).
const PEM: &str = "-----BEGIN";
/// Shorter values are words, numbers or mistakes. As in [`crate::domain::secret::Redactor`].
const CHARS_MIN: usize = crate::domain::secret::Redactor::CHARS_MIN;

/// The text with stars.
pub fn starred(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Indentation of the secret key whose value stands on the lines below it.
    let mut inside: Option<usize> = None;
    let mut in_pem = false;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let blank = line.trim().is_empty();
        if inside.is_some_and(|outer| !blank && indent <= outer && !line.trim_start().starts_with('-')) {
            inside = None;
        }
        star_line(line, inside.is_some() || in_pem, &mut out);
        in_pem = (in_pem || line.contains(PEM)) && !line.contains("-----END");
        if let Some((key, "")) = line.trim().rsplit_once(':')
            && inside.is_none()
            && is_secret(key)
        {
            inside = Some(indent);
        }
    }
    out
}

fn is_secret(key: &str) -> bool {
    let key = key.trim_matches([' ', '-', '"', '\'']).to_ascii_lowercase();
    key != "dedup_key" && NAMES.iter().any(|name| key.contains(name))
}

/// Goes through the scalars of a line. A secret key inside brackets reaches to their end.
fn star_line(line: &str, all_secret: bool, out: &mut String) {
    let mut depth = 0_i32;
    let mut secret_until: Option<i32> = None;
    let mut pending = false;
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = scalar_length(rest);
        if length > 0 {
            let (scalar, behind) = rest.split_at(length);
            let is_key = behind.trim_start().starts_with(':') && !behind.trim_start().starts_with("://");
            let hidden = all_secret || pending || secret_until.is_some();
            if is_key {
                // A name in quotes where a secret is expected may be the secret itself.
                let quoted = scalar.starts_with(['"', '\'']);
                pending = is_secret(scalar);
                out.push_str(&star_scalar(scalar, hidden && quoted));
            } else {
                out.push_str(&star_scalar(scalar, hidden));
            }
            rest = behind;
            continue;
        }
        match first {
            '[' | '{' => {
                depth += 1;
                if std::mem::take(&mut pending) && secret_until.is_none() {
                    secret_until = Some(depth);
                }
            }
            ']' | '}' => {
                if secret_until == Some(depth) {
                    secret_until = None;
                }
                depth -= 1;
                pending = false;
            }
            ',' => pending = false,
            _ => {}
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
}

/// Bytes of the scalar that begins here; 0 for punctuation and blanks.
fn scalar_length(rest: &str) -> usize {
    match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == quote && !escaped;
                escaped = *c == '\\' && quote == '"' && !escaped;
                ends || *c == '\n'
            });
            end.map_or(rest.len(), |(at, c)| if c == '\n' { at } else { at + 1 })
        }
        Some('$') if rest.starts_with("${") => rest.find(['}', '\n']).map_or(rest.len(), |at| at + 1),
        _ => {
            let ends = |at: usize, c: char| match c {
                ':' => rest[at + 1..].starts_with([' ', '\n', '\r']) || rest.len() == at + 1,
                c => c.is_whitespace() || "[]{},".contains(c),
            };
            rest.char_indices().find(|(at, c)| ends(*at, *c)).map_or(rest.len(), |(at, _)| at)
        }
    }
}

/// A value: hidden as a whole, or, for an address, what stands behind its host.
fn star_scalar(scalar: &str, hidden: bool) -> String {
    let bare = scalar.trim_matches(['"', '\'']);
    let reference = bare.starts_with("${") && !bare.contains(":-");
    if reference || bare.chars().count() < CHARS_MIN {
        return scalar.to_owned();
    }
    let keep = match bare.split_once("://") {
        _ if hidden || bare.contains(PEM) => 0,
        Some((scheme, behind)) => {
            let host = behind.find(['/', '?']).map_or(behind.len(), |at| at + 1);
            let user = behind[..host].rfind('@').is_some();
            scheme.len() + 3 + if user { 0 } else { host }
        }
        None => return scalar.to_owned(),
    };
    let from = scalar.find(bare).unwrap_or(0);
    let stars =
        |text: &str| text.chars().map(|c| if "\"'".contains(c) { c } else { '*' }).collect::<String>();
    format!("{}{}", &scalar[..from + keep], stars(&scalar[from + keep..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_starred_and_everything_else_stays_in_its_place() {
        let table = [
            (
                "- { name: a, auth: { bearer: [\"s3cret-1\", 's3cret-2'] } } # x",
                "- { name: a, auth: { bearer: [\"********\", '********'] } } # x",
            ),
            ("password: hunter2-hunter2, more: visible", "password: ***************, more: visible"),
            (
                "bearers: [\"${TOKEN}\", \"${TOKEN:-default1}\"]",
                "bearers: [\"${TOKEN}\", \"******************\"]",
            ),
            ("auth: none", "auth: none"),
            ("dedup_key: \"{{groupKey}}\"", "dedup_key: \"{{groupKey}}\""),
            ("url: \"https://example.com/in/s3cret?k=v\"", "url: \"https://example.com/*************\""),
            ("base_url: https://me:s3cret@example.com", "base_url: https://*********************"),
            (
                "headers: { X-Api-Key: abcdefgh, X-Team: operations }",
                "headers: { X-Api-Key: ********, X-Team: operations }",
            ),
            (
                "secret_headers: { X-Plain: abcdefgh }, method: POST12",
                "secret_headers: { X-Plain: ******** }, method: POST12",
            ),
            (
                "tokens:\n  - abcdefgh\n  - x\n\n  - ijklmnop\nnext: visible\n",
                "tokens:\n  - ********\n  - x\n\n  - ********\nnext: visible\n",
            ),
            (
                "key: |\n  -----BEGIN PRIVATE KEY-----\n  MIIabcdef\n  -----END PRIVATE KEY-----\nnext: visible\n",
                "key: |\n  ********** PRIVATE KEY-----\n  *********\n  ******** ******* ********\nnext: visible\n",
            ),
            (
                "key: \"-----BEGIN PRIVATE KEY-----\\nMIIabcdef\"",
                "key: \"**************************************\"",
            ),
            ("secret: \"never closed", "secret: \"************"),
            ("path_token: \"秘密秘密秘密\"", "path_token: \"******\""),
            ("listen: 127.0.0.1:9095", "listen: 127.0.0.1:9095"),
        ];
        for (text, expected) in table {
            assert_eq!(starred(text), expected);
        }
    }
}
