//! What comes of a payload, written down to be compared: everything that an operator means by
//! "the same", and nothing that moves when the configuration is edited elsewhere (lines, numbers of
//! routes, reasons of routes that did not match).

use crate::cli::explain::walk::{AlertShown, DeliveryShown, Explanation};
use crate::cli::explain::wording::RequestShown;

/// Writes an explanation down. Takes texts that are safe to show already.
pub fn outline(explanation: &Explanation) -> String {
    let mut lines =
        vec![format!("source {} ({}), at {}", explanation.source, explanation.kind, explanation.at)];
    lines.extend(explanation.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(explanation.invalid.iter().map(|invalid| format!("invalid, left out: {invalid}")));
    for (number, group) in (1..).zip(&explanation.groups) {
        lines.push(String::new());
        lines.push(format!("group {number}, {}", group.status));
        if group.truncated > 0 {
            lines.push(format!("  {} alerts were left out by the sender", group.truncated));
        }
        for (place, alert) in (1..).zip(&group.alerts) {
            alert_lines(place, alert, &mut lines);
        }
    }
    for (number, delivery) in (1..).zip(&explanation.deliveries) {
        delivery_lines(number, delivery, &mut lines);
    }
    if explanation.deliveries.is_empty() {
        lines.extend([String::new(), "no delivery".to_owned()]);
    }
    lines.join("\n") + "\n"
}

fn alert_lines(place: usize, alert: &AlertShown, lines: &mut Vec<String>) {
    lines.push(format!("  alert {place}, {}", alert.status));
    lines.extend(alert.labels.iter().map(|(name, value)| format!("    {name} = {value:?}")));
    for end in &alert.ends {
        lines.push(match &end.stopped {
            None if end.targets.is_empty() => format!("    > {}: no target", end.receiver),
            None => format!("    > {}: {}", end.receiver, end.targets.join(", ")),
            Some(why) => format!("    > {}: nobody, {why}", end.receiver),
        });
    }
}

fn delivery_lines(number: usize, delivery: &DeliveryShown, lines: &mut Vec<String>) {
    let DeliveryShown { target, kind, action, dedup_key, group, .. } = delivery;
    let alerts: Vec<String> = delivery.alerts.iter().map(ToString::to_string).collect();
    let dry_run = if delivery.dry_run { ", dry run" } else { "" };
    lines.push(String::new());
    lines.push(format!("delivery {number}: {action} to {target} ({kind}{dry_run})"));
    lines.push(format!("  alerts {} of group {group}, dedup key {dedup_key}", alerts.join(", ")));
    lines.extend(delivery.faults.iter().map(|fault| format!("  template failed: {fault}")));
    lines.extend(delivery.not_sent.iter().map(|why| format!("  nothing is sent: {why}")));
    let indented = |line: &str| if line.is_empty() { String::new() } else { format!("  {line}") };
    let block = |request: &RequestShown| -> Vec<String> {
        request.text().trim_end_matches('\n').split('\n').map(indented).collect()
    };
    lines.extend(delivery.request.iter().flat_map(block));
    if let Some(then) = &delivery.then {
        lines.push(format!("  then, if {}", then.answer));
        lines.extend(block(&then.request));
    }
}
