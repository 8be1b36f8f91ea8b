//! An explanation as a page for people: one part an alert, one part a delivery.
//!
//! Takes what `walk.rs` recorded (safe to show already), gives text, coloured when that is wanted.

use crate::cli::explain::walk::{AlertShown, DeliveryShown, EndShown, Explanation, StepShown};
use crate::cli::explain::wording::RequestShown;

/// Colours of a terminal, as ANSI codes.
#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
}

struct Page {
    text: String,
    colour: bool,
}

/// Shows an explanation.
pub fn page(explanation: &Explanation, colour: bool) -> String {
    let mut page = Page { text: String::new(), colour };
    page.head(explanation);
    for (number, group) in (1..).zip(&explanation.groups) {
        let of = format!("group {number} of {}", explanation.groups.len());
        for (place, alert) in (1..).zip(&group.alerts) {
            page.alert(&format!("Alert {place} of {}, {of}", group.alerts.len()), alert);
        }
    }
    for (number, delivery) in (1..).zip(&explanation.deliveries) {
        page.delivery(&format!("Delivery {number} of {}", explanation.deliveries.len()), delivery);
    }
    page.tail(explanation);
    page.text
}

impl Page {
    fn head(&mut self, explanation: &Explanation) {
        let Explanation { source, kind, at, .. } = explanation;
        self.line(0, &format!("Source {source} ({kind}), as if at {at}"));
        for note in &explanation.notes {
            let note = self.inked(Ink::Yellow, &format!("note: {note}"));
            self.line(0, &note);
        }
        for invalid in &explanation.invalid {
            let invalid = self.inked(Ink::Red, &format!("invalid, left out: {invalid}"));
            self.line(0, &invalid);
        }
        for (number, group) in (1..).zip(&explanation.groups) {
            let left_out = match group.truncated {
                0 => String::new(),
                count => format!(", {count} more left out by the sender"),
            };
            let alerts = counted(group.alerts.len(), "alert", "alerts");
            self.line(0, &format!("Group {number}, {}: {alerts}{left_out}, key {}", group.status, group.key));
        }
        if explanation.groups.is_empty() {
            self.line(0, "It tells of no alert: the relay accepts it and sends nothing.");
        }
    }

    fn alert(&mut self, title: &str, alert: &AlertShown) {
        let status = match alert.status.as_str() {
            "firing" => self.inked(Ink::Red, "firing"),
            other => self.inked(Ink::Green, other),
        };
        let title = self.inked(Ink::Bold, title);
        self.line(0, &format!("\n{title}: {status}, fingerprint {}", alert.fingerprint));
        self.line(1, "labels");
        for (name, value) in &alert.labels {
            let mark = if alert.enriched.contains(name) { "   (by enrich)" } else { "" };
            self.line(2, &format!("{name} = {}{}", quoted(value), self.inked(Ink::Dim, mark)));
        }
        self.line(1, "routes");
        for step in &alert.routes {
            self.step(step);
        }
        self.line(1, "goes to");
        for end in &alert.ends {
            self.end(end);
        }
    }

    fn step(&mut self, step: &StepShown) {
        let verdict = match step.verdict {
            "matched" => self.inked(Ink::Green, step.verdict),
            other => self.inked(Ink::Dim, other),
        };
        let ends = if step.ends_here { self.inked(Ink::Bold, ", ends here") } else { String::new() };
        let place = self.inked(Ink::Dim, &format!("(line {})", step.line));
        self.line(2 + step.depth, &format!("{} {place}: {verdict}{ends}", step.route));
        self.line(4 + step.depth, &step.why);
    }

    fn end(&mut self, end: &EndShown) {
        let from = format!("receiver {} (of {})", end.receiver, end.route);
        match &end.stopped {
            None => self.line(2, &format!("{from}: {}", listed(&end.targets))),
            Some(why) => {
                let why = self.inked(Ink::Yellow, &format!("nobody, {why}"));
                self.line(2, &format!("{from}: {why}"));
            }
        }
    }

    fn delivery(&mut self, title: &str, delivery: &DeliveryShown) {
        let DeliveryShown { target, kind, action, dedup_key, group, .. } = delivery;
        let dry_run = if delivery.dry_run { ", dry run: shown and not sent" } else { "" };
        let title = self.inked(Ink::Bold, title);
        self.line(0, &format!("\n{title}: {action} to {target} ({kind}{dry_run})"));
        let word = if delivery.alerts.len() == 1 { "alert" } else { "alerts" };
        self.line(1, &format!("tells of {word} {} of group {group}", listed(&delivery.alerts)));
        self.line(1, &format!("dedup key {dedup_key}"));
        if *action == "resolve" && delivery.not_sent.is_none() {
            self.line(
                1,
                "sent if the target was told of a trigger before; if nothing is open, nothing is sent",
            );
        }
        for fault in &delivery.faults {
            let fault =
                self.inked(Ink::Yellow, &format!("template failed, the built-in one was used: {fault}"));
            self.line(1, &fault);
        }
        if let Some(why) = &delivery.not_sent {
            let why = self.inked(Ink::Yellow, &format!("nothing is sent: {why}"));
            self.line(1, &why);
        }
        if let Some(request) = &delivery.request {
            self.line(
                1,
                match request {
                    RequestShown::Print(_) => "prints",
                    RequestShown::Mail(_) => "mail",
                    RequestShown::Http { .. } => "request",
                },
            );
            self.block(request.text());
        }
        if let Some(then) = &delivery.then {
            self.line(1, &format!("then, if {}", then.answer));
            self.block(then.request.text());
        }
    }

    fn tail(&mut self, explanation: &Explanation) {
        if explanation.deliveries.is_empty() && !explanation.groups.is_empty() {
            self.line(0, "\nNo delivery would be made.");
        }
        if !explanation.resolved_also_to.is_empty() {
            let targets = listed(&explanation.resolved_also_to);
            self.line(0, "\nWho was told of an alert before hears of its end, whatever the routes say now.");
            self.line(0, &format!("If they were told, these hear of the resolved alerts as well: {targets}"));
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        self.text.push_str(&"  ".repeat(depth));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Lines as they are, moved in.
    fn block(&mut self, text: &str) {
        for line in text.trim_end_matches('\n').split('\n') {
            self.line(if line.is_empty() { 0 } else { 2 }, line);
        }
    }

    fn inked(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Bold => 1,
            Ink::Dim => 2,
            Ink::Green => 32,
            Ink::Yellow => 33,
            Ink::Red => 31,
        };
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A value in quotes, on one line.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn listed<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    things.into_iter().map(|thing| thing.to_string()).collect::<Vec<_>>().join(", ")
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}
