//! Times and names as ticket systems write them.

use jiff::Timestamp;
use serde_json::Value;

/// A time in any of the forms that are met: RFC 3339, Jira's `+0000` without a colon, ServiceNow's
/// `YYYY-MM-DD hh:mm:ss` in UTC.
pub fn time(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?.trim();
    text.parse().ok().or_else(|| {
        let zoned = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text);
        let bare = || {
            let read = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
            Some(read.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        };
        zoned.and_then(|read| read.to_timestamp()).ok().or_else(bare)
    })
}

/// An id, which may be a number or a text. One with a blank in it is none: the id is the first word
/// of what is remembered.
pub fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => Some(text.clone()),
        _ => None,
    }
}

/// A text, or nothing.
pub fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_of_all_services() {
        let expected = Some("2026-03-02T03:04:05Z".parse().expect("a time"));
        for text in ["2026-03-02T03:04:05Z", "2026-03-02T11:04:05.000+0800", "2026-03-02 03:04:05"] {
            assert_eq!(time(&text.into()), expected, "{text}");
        }
        for text in ["", "soon", "2026-03-02"] {
            assert_eq!(time(&text.into()), None, "{text}");
        }
    }

    #[test]
    fn an_id_is_one_word_or_a_number() {
        assert_eq!(id(&17.into()).as_deref(), Some("17"));
        assert_eq!(id(&"INC0010".into()).as_deref(), Some("INC0010"));
        for none in [Value::Null, "".into(), "a b".into(), true.into()] {
            assert_eq!(id(&none), None, "{none}");
        }
    }
}
