//! Durations, rates and sizes as relay.yaml writes them. Each prints itself so that it reads back
//! as the same value, and says by example what it wants when it cannot be read.

use std::fmt;
use std::str::FromStr;
use std::time;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A length of time: `30s`, `5m`, `24h`, `7d`, `1h30m`, `500ms`; `0` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Duration(pub time::Duration);

impl Duration {
    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Duration {
        Duration(time::Duration::from_secs(seconds))
    }

    /// So many days of 24 hours.
    pub const fn from_days(days: u64) -> Duration {
        Duration::from_secs(days * 24 * 60 * 60)
    }
}

impl FromStr for Duration {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Duration, &'static str> {
        const EXAMPLE: &str = "is not a duration; write one such as 30s, 5m, 24h, 7d or 1h30m";
        let is_unit = |unit: &str| matches!(unit, "M" | "month" | "months");
        if text.split(|c: char| !c.is_ascii_alphabetic()).any(is_unit) {
            return Err("counts months, which differ in length; write days, as in 30d, or `m` for minutes");
        }
        if text.parse::<f64>().is_ok_and(|number| number != 0.0) {
            return Err("is a duration without a unit; add one, as in 30s, 5m or 24h");
        }
        humantime::parse_duration(text).map(Duration).map_err(|_| EXAMPLE)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u128, &str); 7] = [
            (86_400_000_000_000, "d"),
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
            (1, "ns"),
        ];
        let mut rest = self.0.as_nanos();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (length, unit) in UNITS {
            if rest >= length {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

/// A span that rates are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// `/s`
    Second,
    /// `/min`
    Minute,
    /// `/h`
    Hour,
    /// `/day`: 24 hours.
    Day,
}

impl Per {
    /// Its length.
    pub fn length(self) -> time::Duration {
        time::Duration::from_secs(match self {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 60 * 60,
            Per::Day => 24 * 60 * 60,
        })
    }
}

/// So many in a span of time: `1/s`, `120/min`, `20/h`, `20/day`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In which span.
    pub per: Per,
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Rate, &'static str> {
        const EXAMPLE: &str = "is not a rate; write one such as 1/s, 120/min, 20/h or 20/day";
        let (count, per) = text.split_once('/').ok_or(EXAMPLE)?;
        let count: u32 = count.trim().parse().map_err(|_| EXAMPLE)?;
        if count == 0 {
            return Err("is a rate that lets nothing through; write at least 1, as in 1/day");
        }
        let per = match per.trim() {
            "s" | "sec" | "second" => Per::Second,
            "min" | "minute" => Per::Minute,
            "h" | "hour" => Per::Hour,
            "d" | "day" => Per::Day,
            "m" => return Err("has the unit `m`, which could be minute or month; write /min"),
            _ => return Err(EXAMPLE),
        };
        Ok(Rate { count, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per {
            Per::Second => "s",
            Per::Minute => "min",
            Per::Hour => "h",
            Per::Day => "day",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// An amount of bytes: `512KiB`, `4MiB`, `10GiB`, `100MB`; `0` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(pub u64);

/// Largest first, so that `Display` finds the shortest form.
const SIZES: [(u64, &str); 9] = [
    (1 << 40, "TiB"),
    (1_000_000_000_000, "TB"),
    (1 << 30, "GiB"),
    (1_000_000_000, "GB"),
    (1 << 20, "MiB"),
    (1_000_000, "MB"),
    (1 << 10, "KiB"),
    (1_000, "KB"),
    (1, "B"),
];

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Size, &'static str> {
        const EXAMPLE: &str = "is not a size; write one such as 512KiB, 4MiB, 10GiB or 100MB";
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(split);
        let count: u64 = count.parse().map_err(|_| EXAMPLE)?;
        let unit = unit.trim();
        if unit.is_empty() {
            let missing = Err("is a size without a unit; add one, as in 512KiB, 4MiB or 10GiB");
            return if count == 0 { Ok(Size(0)) } else { missing };
        }
        let known = SIZES.iter().find(|(_, name)| name.eq_ignore_ascii_case(unit));
        let (length, _) = known.ok_or(EXAMPLE)?;
        count
            .checked_mul(*length)
            .map(Size)
            .ok_or("is a size beyond all disks; write a smaller one, as in 10GiB")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(length, _): &&(u64, &str)| self.0 >= *length && self.0.is_multiple_of(*length);
        let (length, unit) = SIZES.iter().find(fits).unwrap_or(&(1, "B"));
        write!(f, "{}{unit}", self.0 / length)
    }
}

/// Reads a text through `FromStr`, telling what was expected when it is no text at all.
struct Written<T> {
    expected: &'static str,
    made: std::marker::PhantomData<T>,
}

impl<T: FromStr<Err = &'static str>> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.trim().parse().map_err(E::custom)
    }
}

/// Deserialises a type that is written as text; `expected` ends "expected …".
pub(super) fn written<'de, T, D>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    T: FromStr<Err = &'static str>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_str(Written { expected, made: std::marker::PhantomData })
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        written(deserializer, "a duration such as 30s")
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        written(deserializer, "a rate such as 120/min")
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        written(deserializer, "a size such as 4MiB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_as_the_same_value() {
        for text in ["0s", "500ms", "30s", "1h30m", "24h", "7d", "400d", "1d1ns"] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string().parse(), Ok(duration), "{text}");
        }
        assert_eq!("24h".parse::<Duration>().unwrap().to_string(), "1d");
        for text in ["1/s", "120/min", "20/h", "20/day"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["0B", "1B", "512KiB", "4MiB", "10GiB", "100MB", "1025B", "2TiB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn units_mean_what_they_say() {
        assert_eq!("1h 30m".parse(), Ok(Duration::from_secs(5_400)));
        assert_eq!("2w".parse(), Ok(Duration::from_days(14)));
        assert_eq!("0".parse(), Ok(Duration::default()));
        assert_eq!("4MiB".parse(), Ok(Size(4 * 1024 * 1024)));
        assert_eq!("4 mb".parse(), Ok(Size(4_000_000)));
        assert_eq!("20/day".parse::<Rate>().unwrap().per.length(), time::Duration::from_secs(86_400));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_example() {
        let durations = [
            ("30", "without a unit"),
            ("1M", "months"),
            ("2 months", "months"),
            ("soon", "30s"),
            ("", "30s"),
        ];
        for (text, hint) in durations {
            assert!(text.parse::<Duration>().unwrap_err().contains(hint), "{text}");
        }
        for (text, hint) in
            [("0/s", "at least 1"), ("5", "120/min"), ("5/m", "/min"), ("-1/s", "1/s"), ("x/s", "1/s")]
        {
            assert!(text.parse::<Rate>().unwrap_err().contains(hint), "{text}");
        }
        for (text, hint) in
            [("4096", "without a unit"), ("4 Mega", "4MiB"), ("-1B", "4MiB"), ("99999999TiB", "disks")]
        {
            assert!(text.parse::<Size>().unwrap_err().contains(hint), "{text}");
        }
    }
}
