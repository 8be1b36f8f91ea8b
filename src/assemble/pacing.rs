//! The keys of a target that say how fast, when again and for how long become terms here, with the
//! defaults of the kind where the operator says nothing.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::client::TimeLimits;
use crate::config::pacing::{RateFile, RemindersFile, TIMEOUT, TimeoutFile};
use crate::config::targets::CommonFile;
use crate::config::units::{self as config, Per, Rate};
use crate::document::node::At;
use crate::domain::delivery::RetryPolicy;
use crate::domain::problem::Problem;
use crate::domain::reminders::Reminders;
use crate::pace::bucket;
use crate::pace::quota::{Quota, Span};
use crate::target::contract::{Defaults, Kind, Target};

const MINUTE: Duration = Duration::from_secs(60);

/// What the operator writes holds for the target, what the vendor allows for each of its keys.
pub(super) fn rate(
    file: Option<&RateFile>,
    defaults: &Defaults,
    path: &str,
    problems: &mut Vec<Problem>,
) -> bucket::Rate {
    use bucket::Rate;
    match file {
        Some(file) => pace(file, path, problems).map_or(Rate::Unlimited, Rate::Whole),
        None => of_vendor(defaults).map_or(Rate::Unlimited, Rate::PerKey),
    }
}

fn of_vendor(defaults: &Defaults) -> Option<bucket::Pace> {
    let (tokens, burst) = defaults.rate?;
    Some(bucket::Pace { tokens: NonZeroU32::new(tokens)?, per: MINUTE, burst: NonZeroU32::new(burst)? })
}

fn pace(rate: &RateFile, path: &str, problems: &mut Vec<Problem>) -> Option<bucket::Pace> {
    let burst = rate.burst.as_ref().map_or(1, |burst| burst.value);
    let place = rate.burst.as_ref().map(|burst| burst.place).unwrap_or_default();
    let Some(burst) = NonZeroU32::new(burst) else {
        problems.push(Problem::error(
            format!("{path}.rate.burst"),
            place,
            "lets nothing through",
            "write 1 or more",
        ));
        return None;
    };
    // A rate of nothing does not parse, so this is never absent.
    NonZeroU32::new(rate.limit.count).map(|tokens| bucket::Pace {
        tokens,
        per: rate.limit.per.length(),
        burst,
    })
}

/// How often it may be asked how things stand. A few questions may follow each other at once.
pub(super) fn inquiries(rate: Rate) -> bucket::Pace {
    const BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
    // A rate of nothing does not parse.
    let tokens = NonZeroU32::new(rate.count).unwrap_or(NonZeroU32::MIN);
    bucket::Pace { tokens, per: rate.per.length(), burst: BURST.min(tokens) }
}

pub(super) fn retry(
    common: &CommonFile,
    defaults: &Defaults,
    path: &str,
    problems: &mut Vec<Problem>,
) -> RetryPolicy {
    let file = &common.retry;
    if file.factor.value < 1.0 || !file.factor.value.is_finite() {
        let what = "makes pauses shrink";
        problems.push(Problem::error(
            format!("{path}.retry.factor"),
            file.factor.place,
            what,
            "write 1 or more, as in 2",
        ));
    }
    let cap = file.cap.as_ref().map_or(defaults.retry_cap, |cap| cap.value.0);
    let base = file.base.value.0;
    if base > cap {
        let what = "is longer than the longest pause, cap";
        problems.push(Problem::error(
            format!("{path}.retry.base"),
            file.base.place,
            what,
            "make base the smaller one",
        ));
    }
    RetryPolicy {
        base,
        factor: file.factor.value as f32,
        cap,
        give_up_after: file.give_up_after.as_ref().map_or(defaults.give_up_after, |age| age.value.0),
        ..RetryPolicy::default()
    }
}

/// Time limits that leave room for each other.
pub(super) fn limits(file: &At<TimeoutFile>, path: &str, problems: &mut Vec<Problem>) -> TimeLimits {
    let TimeoutFile { connect, first_byte, whole } = &file.value;
    let mut longest = Duration::ZERO;
    for (name, limit) in [("connect", connect), ("first_byte", first_byte), ("whole", whole)] {
        let Some(limit) = limit else { continue };
        // Written as one duration, it has the place of the key.
        let (at, place) = match limit.place.line {
            0 => (format!("{path}.timeout"), file.place),
            _ => (format!("{path}.timeout.{name}"), limit.place),
        };
        if limit.value.0.is_zero() {
            let what = "lets no call come to its end";
            problems.push(Problem::error(at, place, what, "write one such as 10s"));
        } else if limit.value.0 < longest {
            let what = "is shorter than what comes before it";
            let cure = "connect, first_byte and whole count from the start: make each the longer one";
            problems.push(Problem::error(at, place, what, cure));
        }
        longest = longest.max(limit.value.0);
    }
    let value = |limit: &Option<At<config::Duration>>| limit.as_ref().map(|limit| limit.value.0);
    TimeLimits {
        whole: value(whole).unwrap_or(TIMEOUT.0.max(longest)),
        connect: value(connect),
        first_byte: value(first_byte),
    }
}

/// What may be spent.
pub(super) fn quota(file: Option<&At<Rate>>, path: &str, problems: &mut Vec<Problem>) -> Option<Quota> {
    let At { value: Rate { count, per }, place } = file?;
    let per = match per {
        Per::Day => Span::Day,
        Per::Hour => Span::Hour,
        Per::Second | Per::Minute => {
            let what = "is a rate, not a quota: quotas are counted by day or hour";
            let cure = "write one such as 20/day, and `rate` for what is shorter";
            problems.push(Problem::error(format!("{path}.quota"), *place, what, cure));
            return None;
        }
    };
    Some(Quota { calls: *count, per })
}

/// What of unchanged repeats is told.
pub(super) fn reminders(file: Option<RemindersFile>, defaults: &Defaults) -> Reminders {
    match file {
        None => defaults.reminders,
        Some(RemindersFile::Every) => Reminders::Every,
        Some(RemindersFile::Never) => Reminders::Never,
        Some(RemindersFile::Once(time)) => Reminders::Once(time.0),
    }
}

/// Whether messages that wait go out as one.
pub(super) fn digest(file: Option<&At<bool>>, kind: &Kind, path: &str, problems: &mut Vec<Problem>) -> bool {
    let wanted = file.map(|digest| digest.value);
    if let (Some(At { value: true, place }), None) = (file, kind.defaults.digest) {
        let what = format!("cannot be: {} keeps a thing of its own for each problem", kind.name);
        problems.push(Problem::error(format!("{path}.digest"), *place, what, "remove it"));
    }
    wanted.or(kind.defaults.digest).unwrap_or_default()
}

/// The same, now that it is known how the target is set up.
pub(super) fn folded(
    digest: bool,
    file: Option<&At<bool>>,
    target: &dyn Target,
    path: &str,
    problems: &mut Vec<Problem>,
) -> bool {
    if let Some(At { value: true, place }) = file.filter(|_| !target.folds()) {
        let what = "cannot be, as this target is set up: each of its messages goes on by itself";
        problems.push(Problem::error(format!("{path}.digest"), *place, what, "remove it"));
    }
    digest && target.folds()
}
