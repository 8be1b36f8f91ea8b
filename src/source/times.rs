//! Times as senders write them: RFC 3339 with any offset, or a count since 1970 in any unit.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

/// Reads a time.
///
/// Null, an empty string and everything up to 1970 mean "no time": Go's zero time (year 1, also
/// with the odd offset of a local zone) and a plain 0 are how senders say it. Whole numbers are
/// seconds, milliseconds, microseconds or nanoseconds by their size. A time without offset is UTC.
///
/// # Errors
/// A sentence when the value is no time at all.
pub fn read(value: &Value) -> Result<Option<Timestamp>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => counted(number).map(after_1970).ok_or(WRONG),
        Value::String(text) => read_text(text),
        _ => Err(WRONG),
    }
}

/// Reads a time that is written as text; everything else as [`read`] does.
///
/// # Errors
/// A sentence when the text is no time at all.
pub fn read_text(text: &str) -> Result<Option<Timestamp>, &'static str> {
    match text.trim() {
        "" => Ok(None),
        text => written(text).map(after_1970).ok_or(WRONG),
    }
}

const WRONG: &str = "not a time (RFC 3339, or seconds since 1970), read as absent";

fn after_1970(time: Timestamp) -> Option<Timestamp> {
    (time > Timestamp::UNIX_EPOCH).then_some(time)
}

fn written(text: &str) -> Option<Timestamp> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-')
        && let Ok(number) = text.parse::<Number>()
    {
        return counted(&number);
    }
    let local = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| local().map(|time| time.timestamp()))
}

fn counted(number: &Number) -> Option<Timestamp> {
    if let Some(count) = number.as_i128() {
        let nanos = count.checked_mul(1_000_000_000 / units_a_second(count.unsigned_abs()))?;
        return Timestamp::from_nanosecond(nanos).ok();
    }
    // Rounded to microseconds: finer digits are noise in a double of this size.
    let count = number.as_f64()?;
    let micros = count / units_a_second(count.abs() as u128) as f64 * 1_000_000.0;
    Timestamp::from_microsecond(micros.round() as i64).ok()
}

/// 1 for seconds up to the year 5138, else 1000 and so on.
fn units_a_second(size: u128) -> i128 {
    match size {
        0..100_000_000_000 => 1,
        100_000_000_000..100_000_000_000_000 => 1000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_moment_written_in_many_ways_is_one_moment() {
        let moment: Timestamp = "2023-08-26T07:29:00Z".parse().unwrap();
        for value in [
            json!("2023-08-26T07:29:00Z"),
            json!("2023-08-26T15:29:00+08:00"),
            json!("2023-08-26T15:29:00.000000000+08:00"),
            json!("2023-08-26 07:29:00"),
            json!(1_693_034_940),
            json!(1_693_034_940.0),
            json!(1_693_034_940_000_i64),
            json!(1_693_034_940_000.0),
            json!(1_693_034_940_000_000_000.0),
            json!(1_693_034_940_000_000_i64),
            json!(1_693_034_940_000_000_000_i64),
            json!("1693034940"),
            json!(" 1693034940000 "),
        ] {
            assert_eq!(read(&value), Ok(Some(moment)), "{value}");
        }
    }

    #[test]
    fn nine_digits_of_a_second_are_kept() {
        let read = read(&json!("2026-01-02T11:04:05.123456789+08:00")).unwrap().unwrap();
        assert_eq!(read.to_string(), "2026-01-02T03:04:05.123456789Z");
    }

    #[test]
    fn half_seconds_count_too() {
        let read = read(&json!(1_693_034_940.5)).unwrap().unwrap();
        assert_eq!(read.to_string(), "2023-08-26T07:29:00.5Z");
    }

    #[test]
    fn zero_times_are_no_times() {
        for value in [
            json!(null),
            json!(""),
            json!(0),
            json!("0"),
            json!(-1),
            json!("0001-01-01T00:00:00Z"),
            json!("0001-01-01T08:05:43+08:05"),
            json!("1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(&value), Ok(None), "{value}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for value in [json!("yesterday"), json!(true), json!({}), json!("2026-13-01T00:00:00Z"), json!(1e300)]
        {
            assert!(read(&value).is_err(), "{value}");
        }
    }
}
