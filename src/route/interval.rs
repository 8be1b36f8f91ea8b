//! Time intervals in Alertmanager's grammar, and whether a route speaks at a given time.
//!
//! Texts come in (`IntervalSpec`), compiled intervals go out, or every fault with its field. `now`
//! comes in; the only thing read from the machine is its time zone database.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// One interval as it is written. What is left empty does not restrict; what is filled in restricts
/// together with the others, and of each list one entry is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntervalSpec {
    /// Start and end in `HH:MM`; the end is not part of it, and may be `24:00`.
    pub times: Vec<(String, String)>,
    /// `monday:friday`, `saturday`; the week begins on Sunday.
    pub weekdays: Vec<String>,
    /// `1:5`, `-3:-1`: days counted from the beginning, or from the end of the month.
    pub days_of_month: Vec<String>,
    /// `january:march`, `1:3`, `5`.
    pub months: Vec<String>,
    /// `2025:2027`, `2025`.
    pub years: Vec<String>,
    /// Name in the IANA time zone database; UTC when left out.
    pub location: Option<String>,
}

/// From and to, both included.
type Span = RangeInclusive<i16>;

/// One thing wrong with an interval: the field (`times[0].end_time`), and a sentence with the cure.
pub type Fault = (String, String);

/// A compiled interval.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeInterval {
    /// Minutes of the day; the end is not part of it.
    times: Vec<Range<i16>>,
    /// Days from Sunday, 0 to 6.
    weekdays: Vec<Span>,
    /// Negative: from the end.
    days_of_month: Vec<Span>,
    months: Vec<Span>,
    years: Vec<Span>,
    zone: TimeZone,
}

impl TimeInterval {
    /// Compiles an interval, or says everything that is wrong with it.
    pub fn parse(spec: &IntervalSpec) -> Result<TimeInterval, Vec<Fault>> {
        let mut faults = Vec::new();
        let interval = TimeInterval {
            times: times(&spec.times, &mut faults),
            weekdays: ranges("weekdays", &spec.weekdays, weekday, &mut faults),
            days_of_month: ranges("days_of_month", &spec.days_of_month, day_of_month, &mut faults),
            months: ranges("months", &spec.months, month, &mut faults),
            years: ranges("years", &spec.years, year, &mut faults),
            zone: zone(spec.location.as_deref(), &mut faults),
        };
        if faults.is_empty() { Ok(interval) } else { Err(faults) }
    }

    /// Whether a time is inside.
    pub fn contains(&self, now: Timestamp) -> bool {
        let local = self.zone.to_datetime(now);
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        let weekday = i16::from(local.weekday().to_sunday_zero_offset());
        (self.times.is_empty() || self.times.iter().any(|range| range.contains(&minute)))
            && within(&self.weekdays, weekday)
            && self.contains_day_of_month(local)
            && within(&self.months, local.month().into())
            && within(&self.years, local.year())
    }

    fn contains_day_of_month(&self, local: DateTime) -> bool {
        let last = i16::from(local.date().days_in_month());
        let from_start = |day: i16| if day < 0 { last + day + 1 } else { day };
        let contains = |range: &Span| {
            (from_start(*range.start())..=from_start(*range.end())).contains(&i16::from(local.day()))
        };
        self.days_of_month.is_empty() || self.days_of_month.iter().any(contains)
    }
}

fn within(ranges: &[Span], value: i16) -> bool {
    ranges.is_empty() || ranges.iter().any(|range| range.contains(&value))
}

/// Named intervals: a name stands for a list, and a time is inside if one of the list contains it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intervals {
    named: BTreeMap<String, Vec<TimeInterval>>,
}

impl Intervals {
    /// Adds an interval to a name.
    pub fn add(&mut self, name: impl Into<String>, interval: TimeInterval) {
        self.named.entry(name.into()).or_default().push(interval);
    }

    /// Whether a name is known; what names a route may use is for the caller to check.
    pub fn knows(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }

    /// Whether a route with these intervals speaks now. An unknown name contains no time.
    pub fn open(&self, active: &[String], mute: &[String], now: Timestamp) -> Result<(), Muted> {
        let contains = |name: &&String| {
            self.named.get(*name).is_some_and(|list| list.iter().any(|interval| interval.contains(now)))
        };
        if !active.is_empty() && !active.iter().any(|name| contains(&name)) {
            return Err(Muted::Outside(active.to_vec()));
        }
        mute.iter().find(contains).map_or(Ok(()), |name| Err(Muted::Inside(name.clone())))
    }
}

/// Why a route does not speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Muted {
    /// It is outside of all its active intervals, which are these.
    Outside(Vec<String>),
    /// It is inside of this mute interval.
    Inside(String),
}

impl fmt::Display for Muted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Muted::Outside(names) => write!(f, "outside of the active time interval {}", names.join(", ")),
            Muted::Inside(name) => write!(f, "inside the mute time interval {name}"),
        }
    }
}

fn times(texts: &[(String, String)], faults: &mut Vec<Fault>) -> Vec<Range<i16>> {
    let mut ranges = Vec::new();
    for (i, (start, end)) in texts.iter().enumerate() {
        let mut minute = |field: &str, text: &str| {
            let minute = minute_of_day(text);
            if minute.is_none() {
                let cure = "write hours and minutes as HH:MM, from 00:00 to 24:00";
                faults
                    .push((format!("times[{i}].{field}"), format!("{text:?} is not a time of day; {cure}")));
            }
            minute
        };
        let (from, to) = (minute("start_time", start), minute("end_time", end));
        let (Some(from), Some(to)) = (from, to) else { continue };
        if from < to {
            ranges.push(from..to);
            continue;
        }
        let cure = if from == to || to == 0 {
            "the whole day is 00:00 to 24:00".to_owned()
        } else {
            format!("an interval over midnight is two: {start} to 24:00, and 00:00 to {end}")
        };
        faults.push((format!("times[{i}]"), format!("the end {end} is not after the start {start}; {cure}")));
    }
    ranges
}

fn minute_of_day(text: &str) -> Option<i16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<i16>().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && (hour < 24 || (hour, minute) == (24, 0))).then_some(hour * 60 + minute)
}

/// Reads `a:b` or `a`, member by member, and lets `check` judge the ends.
fn ranges(
    field: &str,
    texts: &[String],
    check: fn(&str, &str) -> Result<Span, String>,
    faults: &mut Vec<Fault>,
) -> Vec<Span> {
    let mut ranges = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let lower = text.to_lowercase();
        let (start, end) = lower.split_once(':').unwrap_or((&lower, &lower));
        match check(start, end) {
            Ok(range) => ranges.push(range),
            Err(what) => faults.push((format!("{field}[{i}]"), what)),
        }
    }
    ranges
}

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

fn weekday(start: &str, end: &str) -> Result<Span, String> {
    let number = |text: &str| {
        let what = || format!("{text:?} is not a weekday; write it in full, as monday or monday:friday");
        WEEKDAYS.iter().zip(0i16..).find(|(day, _)| **day == text).map(|(_, i)| i).ok_or_else(what)
    };
    let (from, to) = (number(start)?, number(end)?);
    if from <= to {
        return Ok(from..=to);
    }
    let cure = match (start, end) {
        (_, "sunday") => format!("write \"{start}:saturday\" and \"sunday\""),
        _ => format!("write \"{start}:saturday\" and \"sunday:{end}\""),
    };
    Err(format!("{end} comes before {start}, since the week begins on Sunday; {cure}"))
}

fn day_of_month(start: &str, end: &str) -> Result<Span, String> {
    let number = |text: &str| {
        let cure = "write 1 to 31, or -31 to -1 to count from the end of the month";
        let what = || format!("{text:?} is not a day of the month; {cure}");
        text.parse::<i16>().ok().filter(|day| *day != 0 && day.abs() <= 31).ok_or_else(what)
    };
    let (from, to) = (number(start)?, number(end)?);
    if from < 0 && to > 0 {
        let cure = "count both from the same end of the month";
        return Err(format!("{start} counts from the end of the month and {end} from its start; {cure}"));
    }
    // A range that is empty even in the shortest month is a slip.
    let in_february = |day: i16| if day < 0 { 28 + day } else { day };
    if in_february(from) > in_february(to) {
        return Err(format!("{end} comes before {start}; the earlier day stands first"));
    }
    Ok(from..=to)
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn month(start: &str, end: &str) -> Result<Span, String> {
    let number = |text: &str| {
        let named = MONTHS.iter().zip(1i16..).find(|(month, _)| **month == text).map(|(_, i)| i);
        let numbered = || text.parse().ok().filter(|month| (1..=12).contains(month));
        let cure = "write its full name, or 1 to 12";
        named.or_else(numbered).ok_or_else(|| format!("{text:?} is not a month; {cure}"))
    };
    let (from, to) = (number(start)?, number(end)?);
    if from <= to {
        return Ok(from..=to);
    }
    let cure = format!("write \"{start}:december\" and \"january:{end}\"");
    Err(format!("{end} comes before {start} in a year; {cure}"))
}

fn year(start: &str, end: &str) -> Result<Span, String> {
    let number = |text: &str| {
        let what = || format!("{text:?} is not a year; write it as 2025 or 2025:2027");
        text.parse::<i16>().ok().filter(|year| *year > 0).ok_or_else(what)
    };
    let (from, to) = (number(start)?, number(end)?);
    if from <= to { Ok(from..=to) } else { Err(format!("{end} comes before {start}; swap them")) }
}

fn zone(name: Option<&str>, faults: &mut Vec<Fault>) -> TimeZone {
    let mut fault = |what: String| {
        faults.push(("location".into(), what));
        TimeZone::UTC
    };
    match name {
        None => TimeZone::UTC,
        Some(local) if local.eq_ignore_ascii_case("local") => fault(
            "Local means another time on another machine; name the zone, as Asia/Shanghai or Europe/Berlin"
                .into(),
        ),
        Some(name) => TimeZone::get(name).unwrap_or_else(|_| {
            fault(format!(
                "{name:?} is not in this machine's time zone database; name a zone of the IANA \
                 database, as Asia/Shanghai, and see that the tzdata package is installed"
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals() -> Intervals {
        let day = |days: &str| {
            TimeInterval::parse(&IntervalSpec { weekdays: vec![days.into()], ..IntervalSpec::default() })
                .unwrap()
        };
        let mut intervals = Intervals::default();
        intervals.add("work", day("monday:friday"));
        intervals.add("ends", day("monday"));
        intervals.add("ends", day("friday"));
        intervals
    }

    fn open(active: &[&str], mute: &[&str], day: u8) -> Result<(), String> {
        let names = |list: &[&str]| list.iter().map(|name| (*name).into()).collect::<Vec<String>>();
        // The 16th of November 2026 is a Monday.
        let now = format!("2026-11-{day}T12:00:00Z").parse().unwrap();
        intervals().open(&names(active), &names(mute), now).map_err(|muted| muted.to_string())
    }

    #[test]
    fn a_route_speaks_inside_one_of_its_active_intervals_and_outside_of_all_mute_ones() {
        const MONDAY: u8 = 16;
        const THURSDAY: u8 = 19;
        const SUNDAY: u8 = 22;
        assert_eq!(open(&[], &[], SUNDAY), Ok(()));
        assert_eq!(open(&["work"], &[], THURSDAY), Ok(()));
        assert_eq!(open(&["ends", "work"], &[], THURSDAY), Ok(()), "one of them is enough");
        let outside = "outside of the active time interval ends, work";
        assert_eq!(open(&["ends", "work"], &[], SUNDAY), Err(outside.into()));
        assert_eq!(open(&["ends"], &[], 20), Ok(()), "a name with two intervals is both");
        assert_eq!(open(&[], &["ends"], THURSDAY), Ok(()));
        assert_eq!(
            open(&["work"], &["work", "ends"], MONDAY),
            Err("inside the mute time interval work".into())
        );
    }

    #[test]
    fn an_unknown_name_contains_no_time() {
        assert!(intervals().knows("work") && !intervals().knows("wrok"));
        assert_eq!(intervals().names().collect::<Vec<_>>(), ["ends", "work"]);
        assert!(open(&["wrok"], &[], 16).is_err());
        assert!(open(&[], &["wrok"], 16).is_ok());
    }
}
