//! Where a reading of the tree stands: at which node, and what it has learned so far. How serde
//! reads from there is in `reader.rs` (values) and `access.rs` (what is inside of them).

use std::collections::{HashMap, HashSet};

use crate::document::fault::Id;
use crate::document::node::Node;

/// What reading has learned so far.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    /// Nodes that are wrong: read as if they were not there.
    pub(super) struck: HashSet<Id>,
    /// Keys that maps lack: read as if they were there, with an empty value.
    pub(super) made_up: HashMap<Id, Vec<&'static str>>,
}

/// A node to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) node: &'a Node,
    pub(super) lessons: &'a Lessons,
}

impl<'a> Reader<'a> {
    /// A reader of another node of the same tree.
    pub(super) fn of(self, node: &'a Node) -> Reader<'a> {
        Reader { node, ..self }
    }

    /// Whether this node is passed over.
    pub(super) fn is_struck(self) -> bool {
        self.lessons.struck.contains(&Id::of(self.node))
    }
}
