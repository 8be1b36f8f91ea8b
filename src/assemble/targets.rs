//! Targets: each kind builds its own from its settings; the keys that all targets share become
//! terms here, with the kind's defaults where the operator says nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::assemble::{Names, is_broken, pacing, refer, wordings};
use crate::config::file::File;
use crate::config::secrets::World;
use crate::config::targets::{CommonFile, FallbackFile, Per as PerFile, TargetFile};
use crate::domain::problem::Problem;
use crate::pace::breaker::BreakerPolicy;
use crate::rulebook::{Fallback, Per, TargetRule};
use crate::target::contract::{Kind, Workshop};
use crate::target::find;
use crate::template::escape::Escape;
use crate::template::library::{Library, Template};

pub(super) fn targets(
    file: &File,
    world: &dyn World,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Arc<str>, Arc<TargetRule>> {
    let library = wordings::library(&file.templates, world, problems);
    let known: Vec<&str> = file.targets.iter().map(|target| target.common.name.value.as_str()).collect();
    let mut names = Names::new("target");
    let mut rules = BTreeMap::new();
    for (index, target) in file.targets.iter().enumerate() {
        let path = format!("targets[{index}]");
        names.add(&target.common.name, &format!("{path}.name"), problems);
        for (place, name) in target.common.fallback.iter().flat_map(|fallback| &fallback.targets).enumerate()
        {
            refer("target", name, &format!("{path}.fallback.targets[{place}]"), &known, problems);
        }
        if let Some(rule) = rule(target, &path, &library, &file.server.external_url.value, problems) {
            rules.insert(Arc::clone(&rule.name), Arc::new(rule));
        }
    }
    fallback_circles(file, problems);
    rules
}

fn rule(
    file: &TargetFile,
    path: &str,
    library: &Library,
    external_url: &str,
    problems: &mut Vec<Problem>,
) -> Option<TargetRule> {
    let kind: &'static Kind = find(&file.kind.value)?;
    let common = &file.common;
    let workshop = Workshop {
        target: &common.name.value,
        path: &format!("{path}.{}", kind.name),
        settings: &file.settings,
        templates: library,
        external_url,
    };
    let dedup_key = dedup_key(common, path, library, problems);
    let rate = pacing::rate(common.rate.as_ref(), &kind.defaults, path, problems);
    let retry = pacing::retry(common, &kind.defaults, path, problems);
    let digest = pacing::digest(common.digest.as_ref(), kind, path, problems);
    if common.concurrency.value == 0 {
        let what = "lets nothing through";
        problems.push(Problem::error(
            format!("{path}.concurrency"),
            common.concurrency.place,
            what,
            "write 1 or more",
        ));
    }
    let limits = pacing::limits(&common.timeout, path, problems);
    let quota = pacing::quota(common.quota.as_ref(), path, problems);
    let made = match (kind.build)(&workshop) {
        Ok(made) => made,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    problems.extend(made.warnings);
    let digest = pacing::folded(digest, common.digest.as_ref(), &*made.target, path, problems);
    Some(TargetRule {
        name: Arc::from(common.name.value.as_str()),
        kind: kind.name,
        repeat: made.target.repeat(kind.defaults.repeat),
        target: made.target,
        per: match common.per {
            PerFile::Group => Per::Group,
            PerFile::Alert => Per::Alert,
        },
        dedup_key,
        rate,
        retry,
        limits,
        concurrency: common.concurrency.value.max(1) as usize,
        fallback: common.fallback.as_ref().map(|file| fallback(file, retry.give_up_after)),
        breaker: BreakerPolicy {
            failures: common.breaker.failures.value.max(1),
            open_for: common.breaker.open_for.value.0,
        },
        send_resolved: common.send_resolved,
        digest,
        reminders: pacing::reminders(common.reminders, &kind.defaults),
        inquiries: pacing::inquiries(common.inquiries),
        quota,
        dry_run: common.dry_run,
    })
}

/// Without a time or a count of its own, the fallback is told when the target is given up.
fn fallback(file: &FallbackFile, give_up_after: Duration) -> Fallback {
    Fallback {
        targets: file.targets.iter().map(|name| Arc::from(name.value.as_str())).collect(),
        after: file.after.as_ref().map_or(give_up_after, |after| after.value.0),
        attempts: file.attempts.as_ref().map(|attempts| attempts.value),
    }
}

/// Two targets that stand in for each other would tell each other for ever.
fn fallback_circles(file: &File, problems: &mut Vec<Problem>) {
    let next = |name: &str| -> Vec<&str> {
        let of = file.targets.iter().find(|target| target.common.name.value == name);
        let fallback = of.and_then(|target| target.common.fallback.as_ref());
        fallback.map(|f| f.targets.iter().map(|target| target.value.as_str()).collect()).unwrap_or_default()
    };
    for (index, target) in file.targets.iter().enumerate() {
        let name = target.common.name.value.as_str();
        let (mut reached, mut ahead) = (Vec::new(), next(name));
        while let Some(one) = ahead.pop() {
            if !reached.contains(&one) {
                reached.push(one);
                ahead.extend(next(one));
            }
        }
        if reached.contains(&name) {
            let what = format!("the fallback of `{name}` leads back to it");
            let first = target.common.fallback.as_ref().and_then(|fallback| fallback.targets.first());
            let place = first.map_or(target.place, |target| target.place);
            let cure = "let the chain of fallbacks end at a target without one";
            problems.push(Problem::error(format!("targets[{index}].fallback"), place, what, cure));
        }
    }
}

fn dedup_key(
    common: &CommonFile,
    path: &str,
    library: &Library,
    problems: &mut Vec<Problem>,
) -> Option<Template> {
    if common.dedup_key.value.trim().is_empty() {
        return None;
    }
    match library.template("dedup_key", &common.dedup_key, Escape::None) {
        Ok(template) => Some(template),
        Err(problem) => {
            problems.push(Problem { path: format!("{path}.dedup_key"), ..problem });
            None
        }
    }
}

/// Targets that nobody names.
pub(super) fn unused(file: &File, problems: &mut Vec<Problem>) {
    if is_broken("receivers", problems) {
        return;
    }
    let mut named: Vec<&str> = Vec::new();
    for receiver in &file.receivers {
        named.extend(receiver.targets.iter().map(|target| target.value.as_str()));
        named.extend(
            receiver.escalate.iter().flat_map(|step| &step.targets).map(|target| target.value.as_str()),
        );
    }
    named.extend(file.incidents.tickets.remind.iter().map(|target| target.value.as_str()));
    let forwards = file.changes.forward.iter().flat_map(|rule| &rule.targets.value);
    named.extend(forwards.map(|target| target.value.as_str()));
    named.extend(file.people.iter().flat_map(|person| &person.targets).map(|target| target.value.as_str()));
    for rule in &file.jobs.rules {
        named.extend([&rule.target].into_iter().chain(&rule.on_failure).map(|target| target.value.as_str()));
    }
    for target in &file.targets {
        named.extend(
            target.common.fallback.iter().flat_map(|f| &f.targets).map(|target| target.value.as_str()),
        );
    }
    for (index, target) in file.targets.iter().enumerate() {
        let name = &target.common.name;
        if !name.value.is_empty() && !named.contains(&name.value.as_str()) {
            let what = format!("no receiver names the target `{}`", name.value);
            problems.push(Problem::warning(
                format!("targets[{index}]"),
                name.place,
                what,
                "name it in a receiver, or remove it",
            ));
        }
    }
}
