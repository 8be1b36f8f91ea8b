//! What came of a test, for people.

use crate::cli::explain::wording::RequestShown;
use crate::cli::send::said::Said;

/// Shows each action with its outcome. Takes texts that are safe to show already.
pub(super) fn page(all: &[Said], colour: bool) -> String {
    let ink =
        |code: u8, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let mut page = String::new();
    for said in all {
        let word = match said.outcome {
            "delivered" => ink(32, said.outcome),
            "not sent" => ink(33, said.outcome),
            other => ink(31, other),
        };
        page.push_str(&format!("{} to {} ({}): {word}\n", said.action, said.target, said.kind));
        let mut fact = |name: &str, value: &str| {
            if !value.is_empty() {
                page.push_str(&format!("  {name:<10} {value}\n"));
            }
        };
        fact("why", &said.reason);
        if said.status > 0 {
            fact("status", &said.status.to_string());
        }
        fact("answer", &said.answer);
        fact("dedup key", &said.dedup_key);
        if said.calls > 0 {
            let calls = if said.calls == 1 { String::new() } else { format!(", {} calls", said.calls) };
            fact("took", &format!("{} ms{calls}", said.took_ms));
        }
        let mut block = |text: &str| {
            for line in text.trim_end().lines() {
                page.push_str(if line.is_empty() { "\n" } else { "    " });
                page.push_str(line);
                page.push_str(if line.is_empty() { "" } else { "\n" });
            }
        };
        block(said.request.as_ref().map_or("", RequestShown::text));
        block(&said.printed);
        if let Some(then) = &said.then {
            block(&format!("then, if {}\n{}", then.answer, then.request.text()));
        }
    }
    page
}
