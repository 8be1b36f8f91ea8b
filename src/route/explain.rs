//! Why an alert goes where it goes: every route that was considered, in order, with the reason.
//!
//! Takes a compiled tree and a label set, gives steps. It walks the tree plainly, without the index,
//! and is for people; `tree.rs` does the routing.

use crate::domain::alert::Labels;
use crate::route::matcher::Matcher;
use crate::route::tree::{Route, RouteId, Tree};

/// One route, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The route.
    pub route: RouteId,
    /// How deep it stands; the root is 0.
    pub depth: usize,
    /// Whether it matched, and if not, whether it was asked.
    pub verdict: Verdict,
    /// What became of it and why: one sentence without a full stop.
    pub why: String,
    /// Whether the alert ends here.
    pub result: bool,
}

/// What became of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its matchers hold.
    Matched,
    /// One of its matchers does not hold.
    NotMatched,
    /// An earlier sibling ended the search.
    NotReached,
}

impl Tree {
    /// What `find` does with these labels, step by step. Children of a route that did not match, or
    /// was not reached, are left out: nobody asked them.
    pub fn explain(&self, labels: &Labels) -> Vec<Step> {
        let mut steps = Vec::new();
        self.walk(self.root(), 0, labels, &mut steps);
        steps
    }

    fn walk(&self, id: RouteId, depth: usize, labels: &Labels, steps: &mut Vec<Step>) {
        let route = self.route(id);
        let own = steps.len();
        let why = reason_to_match(route, labels);
        steps.push(Step { route: id, depth, verdict: Verdict::Matched, why, result: true });
        let mut ended_by: Option<RouteId> = None;
        for &child in &route.children {
            let skipped = |verdict, why| Step { route: child, depth: depth + 1, verdict, why, result: false };
            if let Some(earlier) = ended_by {
                let why = format!(
                    "not reached: an earlier sibling matched without continue, {}",
                    self.route(earlier).path
                );
                steps.push(skipped(Verdict::NotReached, why));
            } else if self.route(child).matches(labels) {
                steps[own].result = false;
                self.walk(child, depth + 1, labels, steps);
                ended_by = (!self.route(child).continue_).then_some(child);
            } else {
                steps.push(skipped(Verdict::NotMatched, reason_to_refuse(self.route(child), labels)));
            }
        }
    }
}

fn reason_to_match(route: &Route, labels: &Labels) -> String {
    match (route.parent, route.matchers.as_slice()) {
        (None, _) => "the root matches everything".into(),
        (_, []) => "no matchers: it takes whatever its parent does".into(),
        (_, matchers) => {
            let facts = matchers.iter().map(|m| format!("{m} holds: {}", fact(m, labels)));
            facts.collect::<Vec<_>>().join("; ")
        }
    }
}

fn reason_to_refuse(route: &Route, labels: &Labels) -> String {
    let failed = route.matchers.iter().filter(|m| !m.matches(labels));
    failed.map(|m| format!("{m} did not match: {}", fact(m, labels))).collect::<Vec<_>>().join("; ")
}

fn fact(matcher: &Matcher, labels: &Labels) -> String {
    let name = &matcher.name;
    match labels.get(name).map(String::as_str) {
        None => format!("there is no label {name}"),
        Some("") => format!("{name} is empty"),
        Some(value) => format!("{name} is {value:?}"),
    }
}
