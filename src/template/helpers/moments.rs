//! Helpers on times and spans. "Now" is the `now` of the message, so that the same message at the
//! same time always reads the same.

use handlebars::RenderErrorReason;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::{Answer, Call, Entry};
use crate::template::seen::Seen;

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
fn date<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let layout = call.text(0)?;
    if layout.contains("2006") || layout.contains("15:04") {
        return Err(call.wrong("takes strftime directives, as in \"%Y-%m-%d %H:%M:%S %Z\", not Go's layouts"));
    }
    let mut at = moment(call, 1)?;
    if let Some(name) = call.optional(2).and_then(Seen::as_text) {
        at = at.with_time_zone(zone(call, &name)?);
    }
    let text = jiff::fmt::strtime::format(layout.as_bytes(), &at);
    text.map(Seen::from).map_err(|error| call.wrong(&error.to_string()))
}

/// `since startsAt`: `2h 5m`, up to `now`.
fn since<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let now = call.whole.get("now").and_then(|now| time(&now));
    let now: Timestamp = now.ok_or_else(|| call.wrong("does not know what time it is"))?;
    let seconds = now.duration_since(moment(call, 0)?.timestamp()).as_secs_f64();
    Ok(span(seconds.max(0.0)).into())
}

/// `humanizeDuration 7500`: `2h 5m 0s`. What `since` gave stays as it is.
fn humanize<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let value = call.value(0)?;
    if let Some(seconds) = value.as_f64() {
        return Ok(span(seconds).into());
    }
    let text = call.text(0)?;
    match text.trim().parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Ok(span(seconds).into()),
        _ if text.ends_with(['d', 'h', 'm', 's']) => Ok(text.into_owned().into()),
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
fn moment(call: &Call<'_, '_>, index: usize) -> Result<Zoned, RenderErrorReason> {
    let value = call.value(index)?;
    let read = match value {
        Seen::Text(text) => match text.parse::<Zoned>() {
            Ok(zoned) => return Ok(zoned),
            Err(_) => time(value),
        },
        Seen::Time(_) => time(value),
        number => number.as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok()),
    };
    let read = read.ok_or_else(|| call.wrong(&format!("cannot read the time {}", value.json())))?;
    Ok(read.to_zoned(TimeZone::UTC))
}

fn time(value: &Seen<'_>) -> Option<Timestamp> {
    match value {
        Seen::Time(at) => Some(*at),
        Seen::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn zone(call: &Call<'_, '_>, name: &str) -> Result<TimeZone, RenderErrorReason> {
    TimeZone::get(name)
        .map_err(|_| call.wrong(&format!("knows no time zone {name:?}, as in \"Asia/Shanghai\"")))
}
