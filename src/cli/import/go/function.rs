//! Functions of Go templates and of Alertmanager's, as helpers.

use crate::cli::import::go::layout::strftime;
use crate::cli::import::go::value::{Kind, Val};

/// Functions that have the same name and take one value.
const ALIKE: [&str; 9] = [
    "toUpper",
    "toLower",
    "title",
    "trimSpace",
    "safeHtml",
    "safeUrl",
    "urlUnescape",
    "base64encode",
    "base64decode",
];

/// The call of a function.
///
/// # Errors
/// It has no counterpart, or not with these arguments.
pub fn call(name: &str, given: &[Val]) -> Result<Val, String> {
    let arguments = || given.iter().map(Val::argument).collect::<Vec<_>>().join(" ");
    let plain = |helper: &str| Ok(Val::call(format!("{helper} {}", arguments()), Kind::Plain));
    match (name, given) {
        (alike, [_]) if ALIKE.contains(&alike) => plain(alike),
        ("toJson", [_]) => plain("json"),
        ("urlquery", [_]) => plain("urlEscape"),
        ("len", [of]) if of.kind != Kind::Plain => plain("len"),
        ("since" | "humanizeDuration", [_]) => plain(name),
        ("join", [_, _]) | ("match", [_, _]) | ("reReplaceAll", [_, _, _]) => plain(name),
        ("not", [_]) | ("ne", [_, _]) | ("and" | "or", [_, _, ..]) => plain(name),
        ("gt" | "lt", [_, _]) => plain(name),
        ("ge", [_, _]) => plain("gte"),
        ("le", [_, _]) => plain("lte"),
        ("eq", [_, _]) => plain("eq"),
        ("eq", [of, rest @ ..]) if rest.len() > 1 => {
            let each = rest.iter().map(|other| format!("(eq {} {})", of.argument(), other.argument()));
            Ok(Val::call(format!("or {}", each.collect::<Vec<_>>().join(" ")), Kind::Plain))
        }
        ("stringSlice" | "list", _) => Ok(Val::call(format!("list {}", arguments()), Kind::Texts)),
        ("append", [_, _]) => Ok(Val::call(format!("append {}", arguments()), Kind::Texts)),
        ("now", []) => Ok(Val::plain("@root.now", Kind::Time)),
        ("tz", [_, _]) => Ok(Val::call(format!("tz {}", arguments()), Kind::Time)),
        ("date", [layout, at]) => formatted(layout, at),
        ("index", [of, at]) => index(of, at),
        ("print", _) if !given.is_empty() => plain("join \"\" (list").map(closed),
        ("printf", [format, values @ ..]) => printed(format, values),
        ("true" | "false", []) => Ok(Val::plain(name, Kind::Plain)),
        _ => Err(format!("calls `{name}`, which has no counterpart here")),
    }
}

fn closed(val: Val) -> Val {
    Val { text: val.text + ")", ..val }
}

/// `.StartsAt.Format "15:04"`, or `date "15:04" .StartsAt`.
///
/// # Errors
/// The layout is no literal.
pub fn formatted(layout: &Val, at: &Val) -> Result<Val, String> {
    let Some(layout) = layout.as_literal() else {
        return Err("formats a time by a layout that is not written out".to_owned());
    };
    if at.kind != Kind::Time {
        return Err("formats something as a time that is none".to_owned());
    }
    let directives = Val::literal(&strftime(&layout)).text;
    Ok(Val::call(format!("date {directives} {}", at.argument()), Kind::Plain))
}

/// `.StartsAt.Add 28800e9`: how people write the time of their zone, in nanoseconds from UTC.
///
/// # Errors
/// It is not a number of whole hours that a zone may have.
pub fn moved(at: &Val, span: &Val) -> Result<Val, String> {
    const HOUR: f64 = 3600e9;
    let hours = span.text.parse::<f64>().map(|span| span / HOUR).ok().filter(|hours| hours.fract() == 0.0);
    match hours.filter(|hours| hours.abs() <= 14.0 && at.kind == Kind::Time) {
        // In names of this form west of Greenwich is positive.
        Some(hours) => Ok(Val::call(format!("tz \"Etc/GMT{:+}\" {}", -hours, at.argument()), Kind::Time)),
        None => Err("moves a time by a span that is no time zone".to_owned()),
    }
}

fn index(of: &Val, at: &Val) -> Result<Val, String> {
    match of.kind {
        Kind::Labels => Ok(Val::call(format!("get {} {}", of.argument(), at.argument()), Kind::Plain)),
        Kind::Alerts if !of.call && at.text.chars().all(|c| c.is_ascii_digit()) => {
            Ok(Val::plain(format!("{}.[{}]", of.argument(), at.text), Kind::Alert))
        }
        _ => Err("takes something by its index that cannot be taken so here".to_owned()),
    }
}

/// `printf` with nothing but `%s`, `%v`, `%d` and `%%`.
fn printed(format: &Val, values: &[Val]) -> Result<Val, String> {
    let no = || Err("calls `printf` with a format that has no counterpart".to_owned());
    let Some(format) = format.as_literal() else { return no() };
    let (mut parts, mut text, mut values) = (Vec::new(), String::new(), values.iter());
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match (c, c == '%') {
            (_, false) => text.push(c),
            _ => match (chars.next(), values.as_slice().first()) {
                (Some('%'), _) => text.push('%'),
                (Some('s' | 'v' | 'd'), Some(value)) => {
                    if !text.is_empty() {
                        parts.push(Val::literal(&std::mem::take(&mut text)).text);
                    }
                    parts.push(value.argument());
                    values.next();
                }
                _ => return no(),
            },
        }
    }
    if !text.is_empty() {
        parts.push(Val::literal(&text).text);
    }
    if values.next().is_some() {
        return no();
    }
    Ok(Val::call(format!("join \"\" (list {})", parts.join(" ")), Kind::Plain))
}
