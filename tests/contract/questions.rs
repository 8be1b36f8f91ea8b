//! Questions how that stands which a target opened: they come to an end whatever is answered, change
//! nothing, and show no secret.

use alert_relay::domain::exchange::Request;
use alert_relay::domain::message::RemoteRef;
use alert_relay::target::contract::{Inquiry, Step, Target};

use crate::{reply, targets};

/// What a target is asked first about a thing of this name; nothing where it cannot be asked.
fn first(target: &dyn Target, remote: &RemoteRef) -> Option<Request> {
    match target.inquire(remote, &[]) {
        Inquiry::Call(request) => Some(*request),
        Inquiry::Untold | Inquiry::Known(_) | Inquiry::Failed(_) => None,
    }
}

#[test]
fn whatever_is_answered_a_question_comes_to_an_end_and_429_is_obeyed() {
    let remote = RemoteRef("17 T-17 critical 9f86d081884c7d65".into());
    let mut asked = 0;
    for (kind, _, target) in targets() {
        if first(&*target, &remote).is_none() {
            continue;
        }
        asked += 1;
        for status in 100..=599 {
            for body in
                ["", "ok", "{}", "[1]", "{\"ticket\": 7, \"result\": [], \"fields\": null}", "\u{0}<html>"]
            {
                let answer = reply(status, &[("retry-after", "90")], body);
                let mut replies = vec![answer.clone()];
                let end = loop {
                    match target.inquire(&remote, &replies) {
                        Inquiry::Call(_) => replies.push(answer.clone()),
                        end => break end,
                    }
                    assert!(replies.len() <= Step::MAX, "{} asks on and on after {status}", kind.name);
                };
                let at = format!("{} {status} {body:?}: {end:?}", kind.name);
                assert!(!matches!(end, Inquiry::Untold), "{at}");
                assert!(matches!(end, Inquiry::Failed(_)) || (200..300).contains(&status), "{at}");
                assert!(status != 429 || at.contains("after: Some(90s)"), "{at}");
            }
        }
    }
    assert!(asked >= 4, "all kinds of tickets can be asked: {asked}");
}

#[test]
fn to_ask_after_a_ticket_changes_nothing_there_and_shows_no_secret() {
    let remote = RemoteRef("17 T-17 critical 9f86d081884c7d65".into());
    for (kind, settings, target) in targets().filter(|(_, _, target)| target.keeps_tickets()) {
        let request = first(&*target, &remote).unwrap_or_else(|| panic!("{} cannot be asked", kind.name));
        assert!(request.is_question(), "{}: {request:?}", kind.name);
        let is_part = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let words =
            settings.lines().filter(|line| !line.starts_with('#')).flat_map(|line| line.split(is_part));
        let canaries: Vec<&str> = words.filter(|word| word.starts_with("canary")).collect();
        assert!(!canaries.is_empty());
        let mut seen = format!("{request:?} {:?}", target.page(&remote));
        for status in [200, 302, 400, 401, 403, 404, 409, 429, 500] {
            let said = reply(status, &[], &canaries.join(" "));
            seen.push_str(&format!("{:?}", target.inquire(&remote, &[said])));
        }
        for canary in canaries {
            assert!(!seen.contains(&canary[..12]), "{}: {canary} can be seen in {seen}", kind.name);
        }
    }
}
