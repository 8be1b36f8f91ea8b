//! Laws of routing, tried on random matchers, trees and alerts: the index finds what the definition
//! finds, what is printed is read back, nothing reachable is called unreachable.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use alert_relay::domain::alert::{Fingerprint, Labels, Status};
use alert_relay::route::explain::Verdict;
use alert_relay::route::inhibit::{Active, AlertKey, InhibitRule, inhibited_by};
use alert_relay::route::matcher::{Matcher, parse_matchers};
use alert_relay::route::tree::{RouteId, RouteSpec, Tree};
use alert_relay::route::written::Op;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const VALUES: [&str; 6] = ["", "1", "2", "3", "12", "123"];
const PATTERNS: [&str; 14] =
    ["1", "1|2", "1|", "", ".*", ".+", "[12]", "3.?|1", "1|1", "1.*", "12.+", "12?3?", "^12.*", "1(2|3)*"];

fn labels() -> impl Strategy<Value = Labels> {
    btree_map(select(&NAMES).prop_map(str::to_owned), select(&VALUES).prop_map(str::to_owned), 0..4)
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let equality = (select(&[Op::Equal, Op::NotEqual]), select(&VALUES));
    let pattern = (select(&[Op::Matches, Op::NotMatches]), select(&PATTERNS));
    let condition = prop_oneof![3 => equality.boxed(), 1 => pattern.boxed()];
    (select(&NAMES), condition).prop_map(|(name, (op, value))| Matcher::new(name, op, value).unwrap())
}

fn tree() -> impl Strategy<Value = RouteSpec> {
    let route =
        |matchers, continue_, routes| RouteSpec { matchers, continue_, routes, ..RouteSpec::default() };
    let leaf = (vec(matcher(), 0..3), any::<bool>()).prop_map(move |(m, c)| route(m, c, Vec::new()));
    let branch = leaf.prop_recursive(4, 60, 6, move |inner| {
        (vec(matcher(), 0..3), any::<bool>(), vec(inner, 0..6)).prop_map(move |(m, c, r)| route(m, c, r))
    });
    vec(branch, 0..8).prop_map(|routes| RouteSpec {
        receiver: Some("root".into()),
        routes,
        ..RouteSpec::default()
    })
}

/// The definition, with nothing to make it fast.
fn naive(tree: &Tree, id: RouteId, labels: &Labels) -> Vec<RouteId> {
    let mut found = Vec::new();
    if !tree.route(id).matches(labels) {
        return found;
    }
    for &child in &tree.route(id).children {
        let of_child = naive(tree, child, labels);
        let matched = !of_child.is_empty();
        found.extend(of_child);
        if matched && !tree.route(child).continue_ {
            break;
        }
    }
    if found.is_empty() { vec![id] } else { found }
}

fn rule() -> impl Strategy<Value = InhibitRule> {
    let equal = vec(select(&NAMES).prop_map(str::to_owned), 0..3);
    (vec(matcher(), 0..3), vec(matcher(), 0..3), equal).prop_map(|(source, target, equal)| InhibitRule {
        source,
        target,
        equal,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_the_definition_finds(spec in tree(), alerts in vec(labels(), 1..8)) {
        let tree = Tree::new(spec).unwrap();
        for labels in &alerts {
            let found = tree.find(labels);
            prop_assert_eq!(&found, &naive(&tree, tree.root(), labels));
            let steps = tree.explain(labels);
            let explained: Vec<_> = steps.iter().filter(|step| step.result).map(|step| step.route).collect();
            prop_assert_eq!(explained, found);
        }
    }

    #[test]
    fn no_alert_ends_at_or_below_an_unreachable_route(spec in tree(), alerts in vec(labels(), 1..30)) {
        let tree = Tree::new(spec).unwrap();
        let unreachable = tree.unreachable();
        for labels in &alerts {
            for step in tree.explain(labels) {
                let walked_into = step.verdict == Verdict::Matched;
                let accused = unreachable.iter().any(|(id, _)| *id == step.route);
                prop_assert!(!(walked_into && accused), "{labels:?} reaches {unreachable:?}");
            }
        }
    }

    #[test]
    fn a_negative_matcher_is_the_opposite_of_its_positive(
        labels in labels(), name in select(&NAMES), value in select(&VALUES), pattern in select(&PATTERNS)
    ) {
        let holds = |op, value| Matcher::new(name, op, value).unwrap().matches(&labels);
        prop_assert_ne!(holds(Op::Equal, value), holds(Op::NotEqual, value));
        prop_assert_ne!(holds(Op::Matches, pattern), holds(Op::NotMatches, pattern));
    }

    #[test]
    fn listed_values_are_exactly_those_that_are_admitted(matcher in matcher()) {
        if let Some(listed) = matcher.listed() {
            for value in VALUES {
                prop_assert_eq!(listed.iter().any(|word| word == value), matcher.admits(value));
            }
        }
    }

    #[test]
    fn what_is_printed_is_read_back(
        name in "[a-z_][a-z0-9_]{0,3}|\\PC{1,6}|[ \"\\\\\n\té🙂{}=]{1,4}",
        op in select(&[Op::Equal, Op::NotEqual]),
        value in "\\PC{0,8}|[ \"\\\\\n\t\u{1}\u{7f}\u{a0}é🙂{},=~!xu0-9n']{0,8}|(?s:.){0,4}",
    ) {
        let matcher = Matcher::new(name, op, value).unwrap();
        let read = parse_matchers(&matcher.to_string());
        prop_assert_eq!(read.map(|parsed| parsed.matchers), Ok(vec![matcher]));
    }

    #[test]
    fn no_text_makes_the_parser_stumble(text in "[{}\"\\\\=!~, \tab1é🙂\n`'\\[(*x]{0,16}") {
        if let Err(error) = parse_matchers(&text) {
            prop_assert!(error.column <= text.chars().count(), "{error:?}");
        }
    }

    #[test]
    fn the_index_of_firing_alerts_inhibits_what_the_definition_inhibits(
        rules in vec(rule(), 0..4),
        news in vec((0u64..6, labels(), any::<bool>()), 0..12),
        target in labels(),
    ) {
        let mut active = Active::default();
        let mut firing = std::collections::BTreeMap::new();
        for (id, labels, fires) in news {
            let key = AlertKey { source: "am".into(), fingerprint: Fingerprint(id) };
            let status = if fires { Status::Firing } else { Status::Resolved };
            active.apply(&rules, &key, &labels, status);
            firing.remove(&id);
            if fires {
                firing.insert(id, labels);
            }
        }
        let by_index = active.inhibitor(&rules, &target).map(|(rule, _)| rule);
        prop_assert_eq!(by_index, inhibited_by(&rules, &target, firing.values()));
    }
}
