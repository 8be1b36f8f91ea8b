//! Helpers on times and spans. "Now" is the `now` of the message, so that the same message at the
//! same time always reads the same.

use handlebars::RenderErrorReason;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use super::{Answer, Call, Entry};

pub(super) const TABLE: &[Entry] = &[
    Entry { name: "date", run: date },
    Entry {
        name: "tz",
        run: |call| Ok(moment(call, 1)?.with_time_zone(zone(call, &call.text(0)?)?).to_string().into()),
    },
    Entry { name: "since", run: since },
    Entry { name: "humanizeDuration", run: humanize },
];

/// `date "%H:%M" startsAt` or `date "%H:%M" startsAt "Asia/Shanghai"`, in the directives of strftime.
fn date(call: &Call<'_>) -> Answer {
    let layout = call.text(0)?;
    if layout.contains("2006") || layout.contains("15:04") {
        return Err(call.wrong("takes strftime directives, as in \"%Y-%m-%d %H:%M:%S %Z\", not Go's layouts"));
    }
    let mut at = moment(call, 1)?;
    if let Some(Value::String(name)) = call.optional(2) {
        at = at.with_time_zone(zone(call, name)?);
    }
    let text = jiff::fmt::strtime::format(layout.as_bytes(), &at);
    text.map(Value::from).map_err(|error| call.wrong(&error.to_string()))
}

/// `since startsAt`: `2h 5m`, up to `now`.
fn since(call: &Call<'_>) -> Answer {
    let now = call.whole.get("now").and_then(Value::as_str).and_then(|now| now.parse().ok());
    let now: Timestamp = now.ok_or_else(|| call.wrong("does not know what time it is"))?;
    let seconds = now.duration_since(moment(call, 0)?.timestamp()).as_secs_f64();
    Ok(span(seconds.max(0.0)).into())
}

/// `humanizeDuration 7500`: `2h 5m 0s`. What `since` gave stays as it is.
fn humanize(call: &Call<'_>) -> Answer {
    let value = call.value(0)?;
    if let Some(seconds) = value.as_f64() {
        return Ok(span(seconds).into());
    }
    let text = call.text(0)?;
    match text.trim().parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Ok(span(seconds).into()),
        _ if text.ends_with(['d', 'h', 'm', 's']) => Ok(text.into()),
        _ => Err(call.wrong("wants seconds")),
    }
}

/// As Prometheus writes it: `1d 2h 3m 4s`, and `120ms` below a second.
fn span(seconds: f64) -> String {
    let (sign, seconds) = if seconds < 0.0 { ("-", -seconds) } else { ("", seconds) };
    if seconds > 0.0 && seconds < 1.0 {
        return format!("{sign}{:.0}ms", seconds * 1000.0);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is not negative"
    )]
    let whole = seconds as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    let seconds = whole % 60;
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{seconds}s"),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

/// A time as the view or `tz` writes it, or seconds since 1970.
fn moment(call: &Call<'_>, index: usize) -> Result<Zoned, RenderErrorReason> {
    let value = call.value(index)?;
    let read = match value {
        Value::Number(number) => number.as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok()),
        Value::String(text) => match text.parse::<Zoned>() {
            Ok(zoned) => return Ok(zoned),
            Err(_) => text.parse::<Timestamp>().ok(),
        },
        _ => None,
    };
    let read = read.ok_or_else(|| call.wrong(&format!("cannot read the time {value}")))?;
    Ok(read.to_zoned(TimeZone::UTC))
}

fn zone(call: &Call<'_>, name: &str) -> Result<TimeZone, RenderErrorReason> {
    TimeZone::get(name)
        .map_err(|_| call.wrong(&format!("knows no time zone {name:?}, as in \"Asia/Shanghai\"")))
}
