//! What every kind keeps to that tells of several problems at once.

use std::path::PathBuf;
use std::sync::Arc;

use alert_relay::domain::alert::{Alert, AlertGroup, Status, common};
use alert_relay::domain::message::{DedupKey, Message};
use alert_relay::target::find;
use alert_relay::template::library::Language;

use crate::samples::{build, text};
use crate::{message, say, targets, view, wire};

/// Its key is of no lane: a click or a report that came back by it would be about nothing.
#[test]
fn nothing_comes_back_by_the_key_of_a_digest() {
    for (kind, _, target) in targets().filter(|(kind, _, _)| kind.defaults.digest.is_some()) {
        let digest = Message {
            dedup_key: DedupKey::written("key-of-the-digest").expect("a key"),
            digest: ["key-of-one", "key-of-another"].into_iter().filter_map(DedupKey::written).collect(),
            ..message("mixed")
        };
        let sent = wire(&say(&*target, &digest));
        assert!(!sent.contains("key-of-the-digest"), "{}: {sent}", kind.name);
    }
}

/// So many alerts, each with a name of its own, some of them over.
fn storm(firing: usize, over: usize, summary: &str) -> Message {
    let base = message("mixed");
    let first = &base.group.alerts[0];
    let alert = |n: usize| {
        let mut alert = first.clone();
        alert.status = if n < firing { Status::Firing } else { Status::Resolved };
        alert.annotations.insert("summary".to_owned(), format!("disk{n:02}full {summary}"));
        alert
    };
    let alerts: Vec<Alert> = (0..firing + over).map(alert).collect();
    let group = AlertGroup {
        common_annotations: common(alerts.iter().map(|alert| &alert.annotations)),
        alerts,
        ..AlertGroup::clone(&base.group)
    };
    let digest = (0..firing + over).filter_map(|n| DedupKey::written(&format!("key-{n}"))).collect();
    Message { digest, group: Arc::new(group), ..base }
}

/// What is in a digest counts as told. How many fit is said by each kind, in its own wording.
#[test]
fn whoever_says_that_a_digest_names_all_does_so() {
    for (kind, case) in [
        ("slack", "many_groups_in_one"),
        ("email", "many_groups_in_one"),
        ("webhook", "many_groups_in_one"),
        ("dingtalk", "many_groups_in_one"),
        ("feishu", "many_groups_in_one"),
        ("wecom", "many_groups_in_one"),
        ("twilio", "sms_many_groups_in_one"),
    ] {
        let settings = text(&PathBuf::from(format!("tests/targets/{kind}/{case}/settings.yaml")));
        let found = find(kind).expect("a kind");
        for language in [Language::En, Language::Zh] {
            let target = build(found, &settings, language).expect("good settings").target;
            let mut most = 0;
            for (firing, over) in
                (1..=20).flat_map(|all| [(all, 0), (all - 1, 1), (all / 2, all - all / 2), (0, all)])
            {
                for summary in ["", "and fills by a percent an hour", &"磁盘空间不足".repeat(20)] {
                    let digest = storm(firing, over, summary);
                    if !target.names_all(&digest, &view(&digest)) {
                        continue;
                    }
                    most = most.max(firing + over);
                    let sent = wire(&say(&*target, &digest));
                    let unnamed = (0..firing + over).find(|n| !sent.contains(&format!("disk{n:02}full")));
                    assert_eq!(unnamed, None, "{kind}: {firing} firing, {over} over, {sent}");
                }
            }
            assert!(most >= 10, "{kind} names {most} at most");
        }
    }
}
