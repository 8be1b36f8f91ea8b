//! Layouts of Go's `time` package as directives of strftime.

/// The longest first.
const DIRECTIVES: [(&str, &str); 24] = [
    ("January", "%B"),
    ("Monday", "%A"),
    ("Z07:00", "%:z"),
    ("-07:00", "%:z"),
    (".000000", ".%6f"),
    ("-0700", "%z"),
    (".000", ".%3f"),
    ("2006", "%Y"),
    ("Jan", "%b"),
    ("Mon", "%a"),
    ("MST", "%Z"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("PM", "%p"),
    ("_2", "%e"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("%", "%%"),
];

/// `2006-01-02 15:04` as `%Y-%m-%d %H:%M`.
pub fn strftime(layout: &str) -> String {
    let (mut made, mut rest) = (String::new(), layout);
    while let Some(first) = rest.chars().next() {
        match DIRECTIVES.iter().find(|(go, _)| rest.starts_with(go)) {
            Some((go, directive)) => {
                made.push_str(directive);
                rest = &rest[go.len()..];
            }
            None => {
                made.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::strftime;

    #[test]
    fn layouts_become_directives() {
        for (go, directives) in [
            ("2006-01-02 15:04:05 MST", "%Y-%m-%d %H:%M:%S %Z"),
            ("2006-01-02T15:04:05.000Z07:00", "%Y-%m-%dT%H:%M:%S.%3f%:z"),
            ("Mon, 2 Jan 2006 03:04 PM", "%a, %-d %b %Y %I:%M %p"),
            ("15h 100%", "%Hh %-m00%%"),
        ] {
            assert_eq!(strftime(go), directives, "{go}");
        }
    }
}
