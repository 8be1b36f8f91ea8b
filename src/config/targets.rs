//! Shape of `targets`: keys that every target may have, and exactly one key that names its kind
//! and holds the settings of that kind. Those stay raw: what they mean, `target/` knows.
//!
//! A map with one free key is no shape of serde's, so the map is parted here by hand.

use serde::Deserialize;

use crate::config::pacing::{BreakerFile, RateFile, RemindersFile, RetryFile, TimeoutFile, nowhere};
use crate::config::units::{self, Duration, Rate};
use crate::document::nearest;
use crate::document::node::{At, Node, Value, path_to_element, path_to_key};
use crate::document::read::{Read, read};
use crate::domain::problem::{Place, Problem};

/// Calls to one target at once.
pub const CONCURRENCY: u32 = 8;

/// Questions to one target.
pub const INQUIRIES: Rate = Rate { count: 30, per: units::Per::Minute };

/// Keys of every target; the test at the end keeps them those of [`CommonFile`].
const COMMON_KEYS: [&str; 16] = [
    "name",
    "per",
    "dedup_key",
    "rate",
    "inquiries",
    "retry",
    "breaker",
    "timeout",
    "concurrency",
    "fallback",
    "send_resolved",
    "quota",
    "digest",
    "reminders",
    "dry_run",
    "about",
];

/// An element of `targets`.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetFile {
    /// Where it stands.
    pub place: Place,
    /// The key that names its kind; empty when there was none, which has been told.
    pub kind: At<String>,
    /// What stands under that key, secrets resolved.
    pub settings: Node,
    /// The keys that every target may have.
    pub common: CommonFile,
}

/// Keys of every target. What has no default here has one of its kind.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommonFile {
    /// Its name in receivers and records.
    pub name: At<String>,
    /// A sentence for people.
    #[serde(default)]
    pub about: String,
    /// What a message is about: the whole group, or each alert of it.
    #[serde(default)]
    pub per: Per,
    /// Template of the dedup key; empty: a hash of source and group (or alert).
    #[serde(default)]
    pub dedup_key: At<String>,
    /// How many calls in a time. Left out: what the vendor allows.
    #[serde(default)]
    pub rate: Option<RateFile>,
    /// How often it may be asked how tickets and runs stand, beside `rate`: deliveries go first.
    #[serde(default = "inquiries")]
    pub inquiries: Rate,
    /// When to try again.
    #[serde(default)]
    pub retry: RetryFile,
    /// When to stop trying for a while.
    #[serde(default)]
    pub breaker: BreakerFile,
    /// Longest time for a call, answer read; or a limit for each part of it.
    #[serde(default)]
    pub timeout: At<TimeoutFile>,
    /// Calls at once; those about the same thing always go one after the other.
    #[serde(default = "concurrency")]
    pub concurrency: At<u32>,
    /// Who is told when this target cannot be reached.
    #[serde(default)]
    pub fallback: Option<FallbackFile>,
    /// Whether it is told of the end as well.
    #[serde(default = "yes")]
    pub send_resolved: bool,
    /// What is told of what goes on unchanged. Left out: as the kind does.
    #[serde(default)]
    pub reminders: Option<RemindersFile>,
    /// How much may be spent: calls per number and day or hour, for what costs money.
    #[serde(default)]
    pub quota: Option<At<Rate>>,
    /// Whether messages that wait for the rate limit go out as one. Left out: as the kind does.
    #[serde(default)]
    pub digest: Option<At<bool>>,
    /// Makes every request and sends none.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// One message for the alerts of a group together.
    #[default]
    Group,
    /// One message for each alert.
    Alert,
}

/// `fallback`: other targets get the message too, marked with why, once `after` or `attempts` is
/// reached.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackFile {
    /// Who is told instead.
    pub targets: Vec<At<String>>,
    /// Age of the delivery. Left out with `attempts`: when it becomes a dead letter.
    #[serde(default)]
    pub after: Option<At<Duration>>,
    /// Failed attempts.
    #[serde(default)]
    pub attempts: Option<At<u32>>,
}

fn concurrency() -> At<u32> {
    nowhere(CONCURRENCY)
}

fn inquiries() -> Rate {
    INQUIRIES
}

fn yes() -> bool {
    true
}

/// Reads the elements of `targets`. `kinds` are the keys that name a kind.
pub(super) fn read_all(written: Vec<Node>, kinds: &[&str]) -> Read<Vec<TargetFile>> {
    let mut targets = Vec::with_capacity(written.len());
    let mut problems = Vec::new();
    for (index, node) in written.into_iter().enumerate() {
        let path = path_to_element("targets", index);
        targets.extend(read_one(node, &path, kinds, &mut problems));
    }
    Read { value: Some(targets), problems }
}

fn read_one(node: Node, path: &str, kinds: &[&str], problems: &mut Vec<Problem>) -> Option<TargetFile> {
    let place = node.place;
    let (common, others) = match node.value {
        Value::Map(entries) => {
            entries.into_iter().partition(|(key, _)| COMMON_KEYS.contains(&key.value.as_str()))
        }
        // Not a map: reading it says so.
        value => {
            problems.extend(read::<CommonFile>(&Node { place, value }, path).problems);
            return None;
        }
    };
    let common = read::<CommonFile>(&Node { place, value: Value::Map(common) }, path);
    problems.extend(common.problems);
    let (kind, settings) = kind_of(others, place, path, kinds, problems);
    Some(TargetFile { place, kind, settings, common: common.value? })
}

/// The one key that names a kind, with what stands under it.
fn kind_of(
    others: Vec<(At<String>, Node)>,
    place: Place,
    path: &str,
    kinds: &[&str],
    problems: &mut Vec<Problem>,
) -> (At<String>, Node) {
    let (known, unknown): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|(key, _)| kinds.contains(&key.value.as_str()));
    let mut may_be_kind = 0;
    for (key, node) in &unknown {
        let at = path_to_key(path, &key.value);
        let is_common = nearest::nearest(&key.value, COMMON_KEYS).is_some();
        let is_kind = nearest::nearest(&key.value, kinds.iter().copied()).is_some();
        let holds_settings = matches!(node.value, Value::Map(_) | Value::Null);
        let (what, cure) = if known.is_empty() && (is_kind || holds_settings && !is_common) {
            may_be_kind += 1;
            ("is not a kind known here", nearest::cure(&key.value, kinds.iter().copied()))
        } else {
            ("is not a key known here", nearest::cure(&key.value, COMMON_KEYS.iter().chain(kinds).copied()))
        };
        problems.push(Problem::error(at, key.place, what, cure));
    }
    let mut known = known.into_iter();
    let Some((kind, settings)) = known.next() else {
        if may_be_kind == 0 {
            let cure = format!("add the settings of one kind: {}", kinds.join(", "));
            problems.push(Problem::error(path, place, "says nothing of where to send", cure));
        }
        return (At { value: String::new(), place }, Node { place, value: Value::Null });
    };
    for (second, _) in known {
        problems.push(Problem::error(
            path_to_key(path, &second.value),
            second.place,
            format!("is a second kind beside `{}`", kind.value),
            "make it a target of its own: a receiver may name several",
        ));
    }
    (kind, settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse::parse;

    #[test]
    fn the_list_of_common_keys_is_that_of_the_shape() {
        let problem = &read::<CommonFile>(&parse("{zzz: 1}").unwrap(), "").problems[0];
        let mut known: Vec<&str> = problem.cure.split('`').skip(1).step_by(2).collect();
        let mut common = COMMON_KEYS.to_vec();
        known.sort_unstable();
        common.sort_unstable();
        assert_eq!(known, common);
    }

    #[test]
    fn a_key_of_its_own_names_the_kind_and_keeps_its_settings_raw() {
        let Value::List(written) = parse("[{name: a, slack: {channel: ops}, per: alert}]").unwrap().value
        else {
            panic!("a list")
        };
        let settings = written[0].get("slack").cloned();
        let Read { value, problems } = read_all(written, &["slack", "webhook"]);
        let target = value.unwrap().remove(0);
        assert_eq!(problems, []);
        assert_eq!((target.kind.value.as_str(), Some(target.settings)), ("slack", settings));
        assert_eq!((target.common.per, target.common.send_resolved), (Per::Alert, true));
    }
}
