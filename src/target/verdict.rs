//! What an answer means where the vendor says nothing special.
//!
//! Takes a reply, or the news that none came, and gives an outcome with a sentence for the
//! operator. Pure: the only clock is the reply's own `date` header. Success codes that lie are the
//! business of each kind.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::domain::exchange::{Reached, Reply, SendError};
use crate::domain::outcome::Outcome;
use crate::domain::secret::Redactor;

/// No wait that a service asks for is longer than this; a longer one is a mistake of theirs.
pub const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Characters of a reply's body that go into a sentence.
const EXCERPT_CHARS: usize = 300;

/// The default classes: 2xx delivered; 408, 425, 429 and 5xx retried (429 and 503 rest the whole
/// target); what speaks of credentials or address (401, 403, 404, 405, 407, 410, 3xx, 501, 505)
/// held; every other 4xx refused for good. Redirects are never followed. What is no final status
/// at all is unknown.
pub fn by_status(reply: &Reply) -> Outcome {
    let reason = |hint: &str| sentence(reply, hint);
    match reply.status {
        200..=299 => Outcome::delivered(),
        300..=399 => {
            Outcome::Hold { reason: reason("redirects are not followed, set the address it points to") }
        }
        401 | 403 | 407 => Outcome::Hold { reason: reason("check the credentials") },
        404 | 405 | 410 | 501 | 505 => Outcome::Hold { reason: reason("check the address") },
        408 | 425 => Outcome::Retry { reason: reason(""), after: retry_after(reply), whole_target: false },
        429 | 503 => Outcome::Retry { reason: reason(""), after: retry_after(reply), whole_target: true },
        400..=499 => Outcome::Rejected { reason: reason("") },
        500..=599 => Outcome::Retry { reason: reason(""), after: retry_after(reply), whole_target: false },
        _ => Outcome::Unknown { reason: reason("this is no final HTTP status") },
    }
}

/// One sentence: the status, what the target said, and what to do.
pub fn sentence(reply: &Reply, hint: &str) -> String {
    let mut text = format!("answered {}", reply.status);
    let excerpt = reply.excerpt(EXCERPT_CHARS);
    if !excerpt.is_empty() {
        text.push_str(": ");
        text.push_str(&excerpt);
    }
    if !hint.is_empty() {
        text.push_str("; ");
        text.push_str(hint);
    }
    text
}

/// `Retry-After` (RFC 9110, 10.2.3), in seconds or as a date, at most [`WAIT_MAX`]. A date is
/// measured from the reply's own `Date`, so that neither clock has to be right; without one it
/// says nothing.
pub fn retry_after(reply: &Reply) -> Option<Duration> {
    let text = reply.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let wait = seconds.clamp(0.0, WAIT_MAX.as_secs_f64());
        return (!wait.is_nan()).then(|| Duration::from_secs_f64(wait.ceil()));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let from = httpdate::parse_http_date(reply.header("date")?.trim()).ok()?;
    Some(until.duration_since(from).unwrap_or_default().min(WAIT_MAX))
}

/// `X-RateLimit-Reset`: when the time is over for which calls are counted, as Jira (ISO 8601) and
/// ServiceNow (seconds since 1970) write it. Measured from the reply's own `Date`, like
/// [`retry_after`]. What is over by then, or further off than [`WAIT_MAX`], says nothing.
pub fn rate_limit_reset(reply: &Reply) -> Option<Duration> {
    let text = reply.header("x-ratelimit-reset")?.trim();
    let until = match text.parse::<i64>() {
        Ok(seconds) => Timestamp::from_second(seconds).ok()?,
        Err(_) => text.parse().ok()?,
    };
    let from = httpdate::parse_http_date(reply.header("date")?.trim()).ok()?;
    let wait = SystemTime::from(until).duration_since(from).ok()?;
    (!wait.is_zero() && wait <= WAIT_MAX).then_some(wait)
}

/// What it means that no reply came. What to do about an unknown outcome is the policy of the
/// target (`Defaults::repeat`), not a matter of the error.
pub fn unanswered(error: &SendError) -> Outcome {
    let reason = error.reason.clone();
    match (error.reached, error.misconfigured) {
        (Reached::Perhaps, _) => Outcome::Unknown { reason },
        (Reached::Nobody, true) => Outcome::Hold { reason },
        (Reached::Nobody, false) => Outcome::Retry { reason, after: None, whole_target: false },
    }
}

/// The reply with secrets starred in its body: services quote what they were sent. To be done
/// before a sentence is made of it, since the half of a secret that a cut leaves is not recognised.
pub fn cleaned<'a>(reply: &'a Reply, redactor: &Redactor) -> Cow<'a, Reply> {
    if !redactor.finds(&reply.body) {
        return Cow::Borrowed(reply);
    }
    let body = redactor.clean(&String::from_utf8_lossy(&reply.body)).into_bytes();
    Cow::Owned(Reply { status: reply.status, headers: reply.headers.clone(), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, headers: &[(&str, &str)]) -> Reply {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Reply { status, headers, body: b"because\n  of this".to_vec() }
    }

    #[test]
    fn every_status_has_its_class() {
        let table = [
            (199, "unknown"),
            (200, "delivered"),
            (204, "delivered"),
            (302, "hold"),
            (400, "rejected"),
            (401, "hold"),
            (404, "hold"),
            (408, "retry"),
            (413, "rejected"),
            (418, "rejected"),
            (422, "rejected"),
            (425, "retry"),
            (429, "retry"),
            (500, "retry"),
            (501, "hold"),
            (502, "retry"),
            (503, "retry"),
            (599, "retry"),
            (600, "unknown"),
        ];
        for (status, word) in table {
            assert_eq!(by_status(&reply(status, &[])).word(), word, "{status}");
        }
        assert_eq!(
            by_status(&reply(401, &[])).reason(),
            "answered 401: because of this; check the credentials"
        );
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded() {
        let date = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let table: [(Headers<'_>, Option<u64>); 8] = [
            (&[("retry-after", "120")], Some(120)),
            (&[("retry-after", "1.2")], Some(2)),
            (&[("retry-after", "-5")], Some(0)),
            (&[("retry-after", "99999999")], Some(86_400)),
            (&[("retry-after", "Sat, 21 Nov 2026 10:01:30 GMT"), date], Some(90)),
            (&[("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT"), date], Some(0)),
            (&[("retry-after", "Sat, 21 Nov 2026 10:01:30 GMT")], None),
            (&[("retry-after", "soon")], None),
        ];
        for (headers, seconds) in table {
            assert_eq!(retry_after(&reply(429, headers)), seconds.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn the_end_of_a_rate_limit_is_read_in_both_forms_and_measured_by_the_reply() {
        let date = ("date", "Mon, 02 Mar 2026 03:31:00 GMT");
        for (text, seconds) in [
            ("1772422290", Some(30)),
            ("2026-03-02T03:31:30Z", Some(30)),
            ("2026-03-02T03:32Z", Some(60)),
            ("1772422200", None),
            ("1772422290000", None),
            ("30", None),
            ("99999999999999999999", None),
            ("soon", None),
        ] {
            let reset = ("x-ratelimit-reset", text);
            let wait = seconds.map(Duration::from_secs);
            assert_eq!(rate_limit_reset(&reply(429, &[reset, date])), wait, "{text}");
            assert_eq!(rate_limit_reset(&reply(429, &[reset])), None, "{text} without a date");
        }
    }

    #[test]
    fn silence_is_unknown_only_when_something_was_sent() {
        let error = |reached, misconfigured| SendError { reached, misconfigured, reason: "no".into() };
        assert_eq!(unanswered(&error(Reached::Perhaps, false)).word(), "unknown");
        assert_eq!(unanswered(&error(Reached::Nobody, false)).word(), "retry");
        assert_eq!(unanswered(&error(Reached::Nobody, true)).word(), "hold");
    }
}
