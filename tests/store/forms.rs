//! The stored forms: whatever goes in comes out, and what was written once can be read for ever.

use std::path::Path;

use alert_relay::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status, common};
use alert_relay::domain::lane::{AlertClock, Clocks};
use alert_relay::store::rows;
use proptest::prelude::*;

use crate::ground::{alert, at, group};

fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::btree_map(any::<String>(), any::<String>(), 0..5)
}

fn any_alert() -> impl Strategy<Value = Alert> {
    let ends = prop::option::of(0..9_999_999_i64);
    (labels(), labels(), ends, any::<u64>(), any::<String>()).prop_map(
        |(labels, annotations, ends, print, url)| Alert {
            labels,
            annotations,
            fingerprint: Fingerprint(print),
            generator_url: url,
            ..alert("a", 5, ends)
        },
    )
}

fn any_group() -> impl Strategy<Value = AlertGroup> {
    let alerts = prop::collection::vec(any_alert(), 1..6);
    (alerts, any::<String>(), labels(), any::<u64>(), any::<i64>(), any::<bool>()).prop_map(
        |(alerts, key, group_labels, truncated, number, is_said)| {
            let event = serde_json::json!({ "text": key.clone(), "number": number });
            let mut group = AlertGroup { group_labels, truncated, event, ..(*group(&key, alerts)).clone() };
            if is_said {
                group.common_labels = common(group.alerts.iter().map(|alert| &alert.labels));
                group.common_annotations = common(group.alerts.iter().map(|alert| &alert.annotations));
            }
            group
        },
    )
}

fn clock() -> impl Strategy<Value = AlertClock> {
    let time = || prop::option::of((-9_999_999..9_999_999_i64).prop_map(at));
    (time(), any::<bool>(), time()).prop_map(|(starts, resolved, ends)| {
        let status = if resolved { Status::Resolved } else { Status::Firing };
        AlertClock { starts, status, ends }
    })
}

proptest! {
    #[test]
    fn what_is_packed_comes_out_and_nonsense_is_an_error(bytes: Vec<u8>, repeat in 1..200_usize) {
        prop_assert_eq!(rows::unpack(&rows::pack(&bytes.repeat(repeat))).unwrap(), bytes.repeat(repeat));
        let _any_answer_but_a_panic = (rows::unpack(&bytes), rows::groups(&bytes), rows::clocks(&bytes));
    }

    #[test]
    fn groups_come_out_as_they_went_in(groups in prop::collection::vec(any_group(), 0..4)) {
        prop_assert_eq!(rows::groups(&rows::groups_blob(groups.iter()).unwrap()).unwrap(), groups);
    }

    #[test]
    fn clocks_come_out_as_they_went_in(clocks in prop::collection::btree_map(any::<u64>().prop_map(Fingerprint), clock(), 0..9)) {
        let clocks: Clocks = clocks;
        prop_assert_eq!(rows::clocks(&rows::clocks_blob(&clocks)).unwrap(), clocks);
    }
}

/// A change of form gets a new leading byte or a migration: these files are never rewritten.
#[test]
fn what_was_ever_written_is_read_and_what_is_written_now_is_among_it() {
    let groups = [(*group("disk", vec![alert("disk", 0, None), alert("cpu", 1, Some(2))])).clone()];
    let clocks: Clocks =
        groups[0].alerts.iter().map(|alert| (alert.fingerprint, AlertClock::of(alert))).collect();
    // The first version packed groups of this size.
    for name in ["groups", "groups_plain"] {
        assert_eq!(rows::groups(&fixture(name)).unwrap(), groups, "{name}");
    }
    assert_eq!(rows::clocks(&fixture("clocks")).unwrap(), clocks);
    assert_eq!(hex(&rows::groups_blob(groups.iter()).unwrap()), hex(&fixture("groups_plain")));
    assert_eq!(hex(&rows::clocks_blob(&clocks)), hex(&fixture("clocks")));
}

fn fixture(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/fixtures").join(format!("{name}.hex"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let digits = text.trim();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn hex(blob: &[u8]) -> String {
    blob.iter().map(|byte| format!("{byte:02x}")).collect()
}
