//! The page for people: one HTML text with its style and its program inside. It holds nothing of this
//! relay or its alerts; the program asks the admin interface for all of it, with the token that the
//! person gives, so that the page itself may be given to anybody.
//!
//! Deliberately not here: any value put into the page. What alerts say never becomes markup.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};
use hyper::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use sha2::{Digest, Sha256};

use crate::server::answer::{Answer, ProblemDetails, with_type};

const FRAME: &str = include_str!("console/page.html");
const STYLE: &str = include_str!("console/style.css");
/// In the order in which they are run.
const PROGRAM: [&str; 4] = [
    include_str!("console/words.js"),
    include_str!("console/parts.js"),
    include_str!("console/views.js"),
    include_str!("console/main.js"),
];

/// The page and what a browser is told to allow of it.
struct Page {
    text: Bytes,
    policy: Option<HeaderValue>,
}

/// `GET /`.
pub(super) fn page() -> Answer {
    static PAGE: OnceLock<Page> = OnceLock::new();
    let page = PAGE.get_or_init(made);
    let Some(policy) = page.policy.clone() else {
        let detail = "the page cannot be protected and is not shown";
        return ProblemDetails::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_answer();
    };
    let mut answer = with_type(StatusCode::OK, "text/html; charset=utf-8", page.text.clone());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Only this very style and this very program are allowed, and only this relay is asked.
fn made() -> Page {
    let program = PROGRAM.concat();
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(STYLE),
        hash(&program)
    );
    let text = FRAME.replace("{{style}}", STYLE).replace("{{program}}", &program);
    Page { text: text.into(), policy: HeaderValue::from_str(&policy).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_text_that_asks_nobody_else_and_writes_no_markup() {
        let answer = page();
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = made().text;
        let text = std::str::from_utf8(&text).unwrap();
        assert_eq!((text.matches("<script>").count(), text.matches("<style>").count()), (1, 1));
        let of_svg = text.replace("http://www.w3.org/2000/svg", "");
        for word in
            ["http://", "https://", "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("]
        {
            assert!(!of_svg.contains(word), "{word}");
        }
        for attribute in [" onclick=", " onload=", " onerror=", " style=", "javascript:", "localStorage"] {
            assert!(!text.contains(attribute), "{attribute}");
        }
    }
}
