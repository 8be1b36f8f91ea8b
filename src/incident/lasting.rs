//! How long something took, as people say it.

use std::time::Duration;

/// The two largest units, as in `12m 30s` or `113d 6h`: who reads of months needs no seconds, and a
/// month has no fixed length. `0s` for less than a second.
pub fn in_words(time: Duration) -> String {
    let whole = time.as_secs();
    let units = [("d", whole / 86_400), ("h", whole / 3600 % 24), ("m", whole / 60 % 60), ("s", whole % 60)];
    let first = units.iter().position(|(_, count)| *count > 0).unwrap_or(units.len() - 1);
    let shown = units.iter().skip(first).take(2).enumerate();
    let words = shown.filter(|(place, (_, count))| *place == 0 || *count > 0);
    words.map(|(_, (unit, count))| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_are_said_and_nothing_is_not() {
        for (seconds, words) in [
            (0, "0s"),
            (59, "59s"),
            (750, "12m 30s"),
            (3600, "1h"),
            (3605, "1h"),
            (9_784_800, "113d 6h"),
            (86_400 * 400 + 60, "400d"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words, "{seconds}");
        }
    }
}
