//! What the relay answered, for people: JSON in, tables out. Nothing that came from outside may
//! command the terminal.

use serde_json::Value;

/// Characters of a reason in a table.
const REASON_CHARS: usize = 70;
/// Characters of a dedup key in a table; `--key` takes the beginning of one.
const KEY_CHARS: usize = 12;

/// `list`
pub fn deliveries(answer: &Value) -> String {
    let rows = list(answer, "deliveries").iter().map(|row| {
        vec![
            text(row, "id"),
            text(row, "target"),
            text(row, "action"),
            text(row, "state"),
            time(row, "accepted_at"),
            list(row, "attempts").len().to_string(),
            cut(&text(row, "dedup_key"), KEY_CHARS),
            cut(&text(row, "reason"), REASON_CHARS),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return "no delivery is like that\n".to_owned();
    }
    let mut shown = table(&["ID", "TARGET", "ACTION", "STATE", "ACCEPTED", "TRIES", "KEY", "REASON"], rows);
    if !answer["next"].is_null() {
        shown.push_str("there may be more: narrow it down, or raise --limit\n");
    }
    shown
}

/// `show`
pub fn delivery(row: &Value) -> String {
    let mut shown = format!("delivery {}\n", text(row, "id"));
    let reason = text(row, "reason");
    let state =
        if reason.is_empty() { text(row, "state") } else { format!("{}: {reason}", text(row, "state")) };
    let by = text(row, "superseded_by");
    let facts = [
        ("target", text(row, "target")),
        ("action", text(row, "action")),
        ("state", state),
        ("followed by", if by.is_empty() { by } else { format!("delivery {by}") }),
        ("dedup key", text(row, "dedup_key")),
        ("event", text(row, "event")),
        ("lane", text(row, "lane")),
        ("accepted", time(row, "accepted_at")),
        ("finished", time(row, "finished_at")),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        shown.push_str(&format!("  {name:<12} {value}\n"));
    }
    let attempts = list(row, "attempts");
    if attempts.is_empty() {
        shown.push_str("\nit has not been tried yet\n");
        return shown;
    }
    let rows = (1..).zip(attempts).map(|(n, attempt): (usize, &Value)| {
        let status = text(attempt, "status");
        vec![
            n.to_string(),
            text(attempt, "at"),
            format!("{:.0} ms", attempt["took_ms"].as_f64().unwrap_or_default()),
            if status == "0" { "-".to_owned() } else { status },
            text(attempt, "outcome"),
            text(attempt, "excerpt"),
        ]
    });
    shown.push('\n');
    shown + &table(&["TRY", "AT", "TOOK", "STATUS", "OUTCOME", "WHAT WAS ANSWERED"], rows.collect())
}

/// `orphans`
pub fn orphans(answer: &Value) -> String {
    let rows = list(answer, "orphans").iter().map(|row| {
        let why = match (row["why"].as_str(), row["configured"].as_bool()) {
            (_, Some(false)) => "its target is gone from the configuration",
            (Some("over"), _) => "all its alerts are over",
            _ => "nobody speaks of it any more",
        };
        vec![
            text(row, "lane"),
            text(row, "target"),
            cut(&text(row, "dedup_key"), KEY_CHARS),
            text(row, "latest"),
            time(row, "touched_at"),
            why.to_owned(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return "no orphans\n".to_owned();
    }
    table(&["LANE", "TARGET", "KEY", "DELIVERY", "LAST TOUCHED", "WHY"], rows)
}

/// `signals`
pub fn signals(answer: &Value) -> String {
    let rows = list(answer, "signals").iter().map(|row| {
        let known = if row["echo"] == true { " (known already)" } else { "" };
        vec![
            time(row, "heard_at"),
            text(row, "target"),
            text(row, "event") + known,
            text(row, "who"),
            cut(&text(row, "dedup_key"), KEY_CHARS),
            cut(&text(row, "text"), REASON_CHARS),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return "no service has told us anything\n".to_owned();
    }
    table(&["HEARD", "TARGET", "WHAT", "WHO", "KEY", "TEXT"], rows)
}

/// `audit`
pub fn audit(answer: &Value) -> String {
    let names = ["at", "who", "what", "about", "detail"];
    let rows = list(answer, "audit").iter().map(|row| {
        let mut cells: Vec<String> = names.iter().map(|name| text(row, name)).collect();
        cells[0] = time(row, "at");
        cells
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        "nobody has changed anything\n".to_owned()
    } else {
        table(&["AT", "WHO", "WHAT", "ABOUT", "DETAIL"], rows)
    }
}

/// One event of a replay.
pub fn replayed(event: &Value) -> String {
    let head = format!("{}  {}  {}", time(event, "received_at"), text(event, "source"), text(event, "id"));
    let passed_over = text(event, "passed_over");
    if !passed_over.is_empty() {
        return format!("{head}\n    passed over: {passed_over}\n");
    }
    if event["accepted_as"].is_string() {
        let made = event["made"].as_u64().unwrap_or(0);
        let again = if event["duplicate"] == true { " (said a moment ago)" } else { "" };
        return format!(
            "{head}\n    {} made, as event {}{again}\n",
            counted(made, "delivery", "deliveries"),
            text(event, "accepted_as")
        );
    }
    let mut shown = head + "\n";
    for part in list(event, "deliveries") {
        let names: Vec<&str> = list(part, "alerts").iter().filter_map(Value::as_str).collect();
        let only = if part["if_open"] == true { ", if it is open there" } else { "" };
        let key = cut(&text(part, "dedup_key"), KEY_CHARS);
        let (action, target) = (text(part, "action"), text(part, "target"));
        shown.push_str(&format!("    {action} {} at {target} (key {key}){only}\n", plain(&names.join(", "))));
    }
    for note in list(event, "notes").iter().filter_map(Value::as_str) {
        shown.push_str(&format!("    {}\n", plain(note)));
    }
    shown
}

/// `1 event`, `2 events`.
pub fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A list of an answer; empty where there is none.
pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A value as text, fit for a terminal.
pub fn text(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::String(text) => plain(text),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// To the second.
pub fn time(value: &Value, name: &str) -> String {
    to_the_second(&text(value, name))
}

/// A time without its fraction, which nobody reads.
pub fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

/// Control characters written out.
pub fn plain(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// The beginning of a text.
pub fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        text.to_owned()
    } else {
        text.chars().take(chars).chain(['…']).collect()
    }
}

/// Columns as wide as their widest cell; the last one as it is.
pub fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut shown = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        shown.push_str(cells.join("  ").trim_end());
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up_and_nothing_commands_the_terminal() {
        let row = |id: i64, reason: &str| {
            json!({ "id": id, "target": "pager", "state": "dead", "action": "trigger",
            "accepted_at": "2026-08-01T03:00:00.123Z", "dedup_key": "0123456789abcdef", "reason": reason, "attempts": [] })
        };
        let answer = json!({ "deliveries": [row(7, "\u{1b}[31mred"), row(4711, "")], "next": null });
        assert_eq!(
            deliveries(&answer),
            "ID    TARGET  ACTION   STATE  ACCEPTED              TRIES  KEY            REASON\n\
             7     pager   trigger  dead   2026-08-01T03:00:00Z  0      0123456789ab…  \\u{1b}[31mred\n\
             4711  pager   trigger  dead   2026-08-01T03:00:00Z  0      0123456789ab…\n"
        );
    }
}
