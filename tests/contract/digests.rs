//! What every kind keeps to that tells of several problems at once.

use alert_relay::domain::message::{DedupKey, Message};

use crate::{message, say, targets, wire};

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
