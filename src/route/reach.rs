//! Routes that no alert can reach, so that a slip in a long tree is found before the night it matters.
//!
//! Two reasons are looked for: an earlier sibling without `continue` takes everything the route could
//! take, or the matchers from the root to the route contradict each other. It never accuses a route
//! that can be reached; it may miss one that cannot, where only regular expressions could tell.

use std::collections::HashMap;

use crate::route::matcher::Matcher;
use crate::route::tree::{RouteId, Tree};
use crate::route::written::Op;

impl Tree {
    /// Every unreachable route with the reason, a sentence without a full stop. What stands below an
    /// unreachable route is not listed on its own.
    pub fn unreachable(&self) -> Vec<(RouteId, String)> {
        let mut found = Vec::new();
        self.search(self.root(), &[], &mut found);
        found
    }

    fn search(&self, parent: RouteId, above: &[(&Matcher, RouteId)], found: &mut Vec<(RouteId, String)>) {
        let children = &self.route(parent).children;
        let mut earlier = Earlier::new(self, children);
        for &child in children {
            let route = self.route(child);
            let own = route.matchers.iter().map(|matcher| (matcher, child));
            let demands: Vec<_> = above.iter().copied().chain(own).collect();
            if let Some(why) = self.contradiction(&demands) {
                found.push((child, why));
                continue;
            }
            if let Some(cover) = earlier.covering(&demands) {
                let path = &self.route(cover).path;
                found.push((child, format!("{path} takes all that could come here, without continue")));
                continue;
            }
            self.search(child, &demands, found);
            if !route.continue_ {
                earlier.add(child);
            }
        }
    }

    fn contradiction(&self, demands: &[(&Matcher, RouteId)]) -> Option<String> {
        let equal = demands.iter().filter(|(matcher, _)| matcher.op == Op::Equal);
        let ((fixed, at), (other, other_at)) = equal
            .flat_map(|fixed| demands.iter().map(move |other| (fixed, other)))
            .find(|((fixed, _), (other, _))| other.name == fixed.name && !other.admits(&fixed.value))?;
        Some(if at == other_at {
            format!("{fixed} and {other} cannot both hold")
        } else {
            // What stands nearer to the root is what the other contradicts.
            let (near, far, far_at) =
                if at > other_at { (fixed, other, other_at) } else { (other, fixed, at) };
            format!("{near} cannot hold where {far} of {} does", self.route(*far_at).path)
        })
    }
}

/// The siblings before a route that do not continue, filed so that a long list is not walked for each
/// of its members: under the rarest of their matchers, and under the label of that one if values of
/// that label can fulfil it in many ways.
struct Earlier<'a> {
    tree: &'a Tree,
    shared: HashMap<String, usize>,
    everything: Option<RouteId>,
    by_matcher: HashMap<String, Vec<RouteId>>,
    by_label: HashMap<&'a str, Vec<RouteId>>,
}

impl<'a> Earlier<'a> {
    fn new(tree: &'a Tree, siblings: &[RouteId]) -> Earlier<'a> {
        let mut shared: HashMap<String, usize> = HashMap::new();
        for matcher in siblings.iter().flat_map(|id| &tree.route(*id).matchers) {
            *shared.entry(matcher.to_string()).or_default() += 1;
        }
        Earlier { tree, shared, everything: None, by_matcher: HashMap::new(), by_label: HashMap::new() }
    }

    fn add(&mut self, id: RouteId) {
        let rarity = |matcher: &&Matcher| self.shared.get(&matcher.to_string()).copied();
        let Some(rarest) = self.tree.route(id).matchers.iter().min_by_key(rarity) else {
            self.everything.get_or_insert(id);
            return;
        };
        self.by_matcher.entry(rarest.to_string()).or_default().push(id);
        if rarest.op != Op::Equal {
            self.by_label.entry(&rarest.name).or_default().push(id);
        }
    }

    /// A sibling that takes everything that fulfils the demands.
    fn covering(&self, demands: &[(&Matcher, RouteId)]) -> Option<RouteId> {
        if self.everything.is_some() {
            return self.everything;
        }
        let alike = demands.iter().filter_map(|(m, _)| self.by_matcher.get(&m.to_string()));
        let fixed = demands.iter().filter(|(m, _)| m.op == Op::Equal);
        let weaker = fixed.filter_map(|(m, _)| self.by_label.get(m.name.as_str()));
        let covers = |id: &&RouteId| {
            let matchers = &self.tree.route(**id).matchers;
            matchers.iter().all(|wanted| demands.iter().any(|(given, _)| implies(given, wanted)))
        };
        alike.chain(weaker).flatten().find(covers).copied()
    }
}

/// Whether whatever fulfils `given` fulfils `wanted` too.
fn implies(given: &Matcher, wanted: &Matcher) -> bool {
    let fixed = given.op == Op::Equal && given.name == wanted.name && wanted.admits(&given.value);
    fixed || given == wanted
}
