//! Settings of a webhook target: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::document::node::{At, path_to_key};
use crate::domain::exchange::{HeaderText, Method};
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::webhook::sign::Signer;
use crate::target::webhook::{WORDINGS, Webhook};
use crate::template::escape::Escape;

const JSON: &str = "application/json";

/// Headers that the client or the connection decides, and what to do instead.
const REFUSED: [(&str, &str); 12] = [
    ("host", "it is taken from the url"),
    ("content-length", "it is computed from the body"),
    ("content-type", "use the setting `content_type`"),
    ("transfer-encoding", "leave it out"),
    ("connection", "leave it out"),
    ("keep-alive", "leave it out"),
    ("te", "leave it out"),
    ("trailer", "leave it out"),
    ("upgrade", "leave it out"),
    ("expect", "leave it out"),
    ("proxy-authorization", "leave it out"),
    ("proxy-connection", "leave it out"),
];

/// A header whose name contains one of these carries a secret.
const SECRET_NAMES: [&str; 8] =
    ["auth", "token", "key", "secret", "password", "cookie", "signature", "credential"];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    url: Option<At<Secret>>,
    method: Option<At<String>>,
    headers: BTreeMap<String, At<Secret>>,
    secret_headers: BTreeMap<String, At<Secret>>,
    content_type: Option<At<String>>,
    body: Option<At<String>>,
    bearer: Option<At<Secret>>,
    basic: Option<Basic>,
    sign: Option<Sign>,
    callback_tokens: Vec<At<Secret>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Basic {
    username: At<String>,
    password: At<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sign {
    secret: Option<At<Secret>>,
    secrets: Vec<At<Secret>>,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Webhook>) };
    let url = bench.secret_url("url", settings.url.as_ref());
    let method = method(&mut bench, settings.method.as_ref());
    let content_type = content_type(&mut bench, settings.content_type.as_ref());
    let (is_json, escape) = escape_of(&content_type);
    let body = bench.wording("body", settings.body.as_ref(), escape);
    let mut headers = Vec::new();
    if method != Method::Get {
        headers.push(("Content-Type".to_owned(), HeaderText::Plain(content_type)));
    }
    authorization(&mut bench, settings.bearer, settings.basic, &mut headers);
    for (name, at) in settings.headers {
        let lower = name.to_ascii_lowercase();
        let is_secret = SECRET_NAMES.iter().any(|word| lower.contains(word));
        header(&mut bench, &path_to_key("headers", &name), name, at, is_secret, &mut headers);
    }
    for (name, at) in settings.secret_headers {
        header(&mut bench, &path_to_key("secret_headers", &name), name, at, true, &mut headers);
    }
    let signer = signer(&mut bench, settings.sign);
    for secret in signer.iter().flat_map(Signer::secrets) {
        bench.remember(secret.clone());
    }
    let cure = "write a long random word, as `openssl rand -hex 16` gives";
    let callback_tokens = bench.secret_list("callback_tokens", &settings.callback_tokens, cure);
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = url.zip(body).map(|(url, body)| Webhook {
        url,
        method,
        headers,
        body,
        is_json,
        signer,
        callback_tokens,
        secrets,
        redactor,
    });
    bench.finish(target)
}

/// Whether the body is JSON, and how values in it are to be escaped.
fn escape_of(content_type: &str) -> (bool, Escape) {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        media if media == JSON || media.ends_with("+json") => (true, Escape::Json),
        media if media.ends_with("/xml") || media.ends_with("+xml") => (false, Escape::Xml),
        "application/x-www-form-urlencoded" => (false, Escape::Url),
        _ => (false, Escape::None),
    }
}

fn method(bench: &mut Bench<'_>, method: Option<&At<String>>) -> Method {
    let Some(at) = method else { return Method::Post };
    Method::parse(&at.value).unwrap_or_else(|| {
        bench.wrong(
            "method",
            at,
            &format!("there is no method {:?}", at.value),
            "use POST, PUT, PATCH, GET or DELETE",
        );
        Method::Post
    })
}

fn content_type(bench: &mut Bench<'_>, content_type: Option<&At<String>>) -> String {
    let Some(at) = content_type else { return JSON.to_owned() };
    if !at.value.contains('/') || !at.value.chars().all(|c| (' '..='~').contains(&c)) {
        bench.wrong("content_type", at, "this is no content type", "write it as in application/json");
    }
    at.value.trim().to_owned()
}

fn authorization(
    bench: &mut Bench<'_>,
    bearer: Option<At<Secret>>,
    basic: Option<Basic>,
    headers: &mut Vec<(String, HeaderText)>,
) {
    if let (Some(at), Some(_)) = (&bearer, &basic) {
        bench.wrong("bearer", at, "there can be one Authorization only", "keep `bearer` or `basic`");
    }
    let name = "Authorization".to_owned();
    if let Some(at) = bearer {
        let value = Secret::new(format!("Bearer {}", at.value.expose().trim()));
        header(bench, "bearer", name, At { value, place: at.place }, true, headers);
        bench.remember(Secret::new(at.value.expose().trim()));
    } else if let Some(Basic { username, password }) = basic {
        if username.value.contains(':') {
            bench.wrong("basic.username", &username, "a user name holds no colon", "take it out");
        }
        let couple = format!("{}:{}", username.value, password.value.expose());
        let coded = Secret::new(BASE64.encode(couple));
        let value = Secret::new(format!("Basic {}", coded.expose()));
        bench.remember(coded);
        header(bench, "basic", name, At { value, place: password.place }, true, headers);
        bench.remember(password.value);
    }
}

fn header(
    bench: &mut Bench<'_>,
    field: &str,
    name: String,
    at: At<Secret>,
    is_secret: bool,
    headers: &mut Vec<(String, HeaderText)>,
) {
    const TOKEN: &str = "!#$%&'*+-.^_`|~";
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || TOKEN.contains(c)) {
        bench.wrong(field, &at, &format!("{name:?} is no header name"), "use letters, digits and dashes");
    }
    if let Some((_, cure)) = REFUSED.iter().find(|(refused, _)| *refused == lower) {
        bench.wrong(field, &at, &format!("the header {name} cannot be set"), cure);
    } else if headers.iter().any(|(have, _)| have.eq_ignore_ascii_case(&name)) {
        bench.wrong(field, &at, &format!("the header {name} is set twice"), "keep one");
    }
    if !at.value.expose().chars().all(|c| (' '..='~').contains(&c) || c == '\t') {
        let cure = "use one line of ASCII; texts of alerts belong into the body";
        bench.wrong(field, &at, &format!("the value of {name} cannot be sent in a header"), cure);
    }
    let value = if is_secret {
        bench.remember(at.value.clone());
        HeaderText::Hidden(at.value)
    } else {
        HeaderText::Plain(at.value.expose().to_owned())
    };
    headers.push((name, value));
}

fn signer(bench: &mut Bench<'_>, sign: Option<Sign>) -> Option<Signer> {
    let Sign { secret, secrets } = sign?;
    let given: Vec<At<Secret>> = secret.into_iter().chain(secrets).collect();
    if given.is_empty() {
        bench.missing("sign", "there is no secret to sign with", "add `secret` or `secrets`");
        return None;
    }
    match Signer::new(given.iter().map(|at| at.value.clone()).collect()) {
        Ok(signer) => Some(signer),
        Err(index) => {
            let cure = "use the secret as the receiver shows it: whsec_ and Base64, or any plain text";
            bench.wrong(
                "sign",
                &given[index],
                &format!("signing secret {} is empty or not Base64", index + 1),
                cure,
            );
            None
        }
    }
}
