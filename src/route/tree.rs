//! The route tree: which routes an alert reaches, in Alertmanager's order.
//!
//! Takes the tree as it was written (`RouteSpec`), gives it compiled and flat, and answers for a label
//! set which routes are its result. Why, is in `explain.rs`; what no alert can reach, in `reach.rs`.

use std::sync::Arc;

use crate::domain::alert::Labels;
use crate::domain::problem::{Place, Problem};
use crate::route::index::Index;
use crate::route::matcher::{Braced, Matcher};

/// A route as it stands in the configuration.
#[derive(Debug, Clone, Default)]
pub struct RouteSpec {
    /// Name of the receiver; inherited when left out.
    pub receiver: Option<String>,
    /// All of them must hold. The root has none.
    pub matchers: Vec<Matcher>,
    /// Whether the siblings after this one are tried even if it matched.
    pub continue_: bool,
    /// Names of the time intervals outside of which it is mute. Not inherited.
    pub active_intervals: Vec<String>,
    /// Names of the time intervals inside of which it is mute. Not inherited.
    pub mute_intervals: Vec<String>,
    /// Its children, tried in this order.
    pub routes: Vec<RouteSpec>,
    /// Where it stands in the file.
    pub place: Place,
    /// Where it stands in the document: `route.routes[2]`.
    pub path: String,
}

/// A route of one tree; the root is the first, and children come after their parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(u32);

/// A compiled route.
#[derive(Debug, Clone)]
pub struct Route {
    /// Name of the receiver, its own or inherited.
    pub receiver: Arc<str>,
    /// Sorted as Alertmanager does: by name, value, operator.
    pub matchers: Vec<Matcher>,
    /// Whether the siblings after this one are tried even if it matched.
    pub continue_: bool,
    /// Names of the time intervals outside of which it is mute.
    pub active_intervals: Vec<String>,
    /// Names of the time intervals inside of which it is mute.
    pub mute_intervals: Vec<String>,
    /// The route it is a child of; `None` for the root.
    pub parent: Option<RouteId>,
    /// Its children, in order.
    pub children: Vec<RouteId>,
    /// Where it stands in the file.
    pub place: Place,
    /// Where it stands in the document: `route.routes[2]`.
    pub path: String,
    index: Index,
}

impl Route {
    /// Whether its own matchers hold; its parents' are not asked.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels))
    }
}

/// A compiled route tree. Never empty.
#[derive(Debug, Clone)]
pub struct Tree {
    routes: Vec<Route>,
}

impl Tree {
    /// Compiles a tree, or says everything that is wrong with its root.
    pub fn new(root: RouteSpec) -> Result<Tree, Vec<Problem>> {
        let problems = faults_of_root(&root);
        let Some(receiver) = root.receiver.clone() else { return Err(problems) };
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut tree = Tree { routes: Vec::new() };
        tree.add(root, None, &receiver.into());
        Ok(tree)
    }

    /// The root, which matches everything.
    pub fn root(&self) -> RouteId {
        RouteId(0)
    }

    /// A route of this tree. An id of another tree gives the root.
    pub fn route(&self, id: RouteId) -> &Route {
        self.routes.get(id.0 as usize).unwrap_or(&self.routes[0])
    }

    /// Every route, parents before children, in the order of the file.
    pub fn routes(&self) -> impl Iterator<Item = (RouteId, &Route)> {
        (0u32..).map(RouteId).zip(&self.routes)
    }

    /// Alertmanager's key of a route: the matchers of each route from the root, in braces, joined by
    /// `/`. Routes with the same matchers share it.
    pub fn key(&self, id: RouteId) -> String {
        let route = self.route(id);
        let own = Braced(&route.matchers);
        match route.parent {
            Some(parent) => format!("{}/{own}", self.key(parent)),
            None => own.to_string(),
        }
    }

    /// The routes that an alert with these labels ends at; at least one.
    ///
    /// Depth first, in order: a route that matches hands on to its children; the first child that
    /// matches ends the search among them unless it continues; if none matches, the route itself is
    /// the result.
    pub fn find(&self, labels: &Labels) -> Vec<RouteId> {
        let mut found = Vec::new();
        self.descend(self.root(), labels, &mut found);
        found
    }

    fn descend(&self, id: RouteId, labels: &Labels, found: &mut Vec<RouteId>) {
        let route = self.route(id);
        let before = found.len();
        for position in route.index.candidates(labels) {
            let child = route.children[position];
            if !self.route(child).matches(labels) {
                continue;
            }
            self.descend(child, labels, found);
            if !self.route(child).continue_ {
                break;
            }
        }
        if found.len() == before {
            found.push(id);
        }
    }

    fn add(&mut self, spec: RouteSpec, parent: Option<RouteId>, inherited: &Arc<str>) -> RouteId {
        // A tree has far fewer routes than 2^32: each takes hundreds of bytes.
        let id = RouteId(u32::try_from(self.routes.len()).unwrap_or(u32::MAX));
        let receiver = spec.receiver.map_or_else(|| Arc::clone(inherited), Arc::from);
        let mut matchers = spec.matchers;
        matchers.sort_by(|a, b| (&a.name, &a.value, a.op).cmp(&(&b.name, &b.value, b.op)));
        self.routes.push(Route {
            receiver: Arc::clone(&receiver),
            matchers,
            continue_: spec.continue_,
            active_intervals: spec.active_intervals,
            mute_intervals: spec.mute_intervals,
            parent,
            children: Vec::new(),
            place: spec.place,
            path: spec.path,
            index: Index::default(),
        });
        let children: Vec<_> =
            spec.routes.into_iter().map(|child| self.add(child, Some(id), &receiver)).collect();
        let index = Index::new(children.iter().map(|child| self.route(*child).matchers.as_slice()));
        let route = &mut self.routes[id.0 as usize];
        (route.children, route.index) = (children, index);
        id
    }
}

fn faults_of_root(root: &RouteSpec) -> Vec<Problem> {
    let at = |key: &str| format!("{}.{key}", root.path);
    let mut problems = Vec::new();
    let mut fault = |wrong: bool, key: &str, what: &str, cure: &str| {
        if wrong {
            problems.push(Problem::error(at(key), root.place, what, cure));
        }
    };
    fault(
        root.receiver.as_deref().unwrap_or_default().is_empty(),
        "receiver",
        "the root route has no receiver",
        "name the receiver of every alert that no other route takes",
    );
    fault(
        !root.matchers.is_empty(),
        "matchers",
        "the root route has matchers, but it takes every alert",
        "move them to a route under `routes`",
    );
    fault(
        root.continue_,
        "continue",
        "the root route says continue, but it has no siblings",
        "take it away, or move it to a route under `routes`",
    );
    let move_down = "move it to a route under `routes`";
    let mute = "the root route has time intervals, but it takes every alert at any time";
    fault(!root.active_intervals.is_empty(), "active_time_intervals", mute, move_down);
    fault(!root.mute_intervals.is_empty(), "mute_time_intervals", mute, move_down);
    problems
}
