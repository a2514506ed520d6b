//! The tree of spans: an arena of [`Node`]s named by `u32`, without the values.
//!
//! All leaves have the same depth; every node but the root has `LEAST..=FAN` entries,
//! an inner root at least two. The summary of a child in its parent is exact at all
//! times, so a search for the predecessor walks one path and never backs up.
//!
//! Not here: parent pointers and links between leaves. Whoever changes the tree holds
//! the path from the root, and whoever walks it keeps one as well.

use super::node::{Entry, FAN, LEAST, Node};

/// Deepest possible tree, in levels: fewer than 2^32 spans, at least 2 entries in the
/// root and at least 4 elsewhere give `2 * 4^(levels - 1) < 2^32`.
const DEEPEST: usize = 16;
/// Two neighbours with this many entries together become one; not more, or the next
/// insertion would split it again.
const ROOMY: usize = 12;

/// A node and the place of an entry in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) node: u32,
    pub(super) at: usize,
}

/// One step a level; index 0 is the leaf.
pub(super) type Path = [Step; DEEPEST];

#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Ids of nodes that are not in use.
    spare: Vec<u32>,
    root: u32,
    /// Levels above the leaves.
    height: usize,
    /// What an entry of the root would be, unless there is no span.
    whole: Entry,
}

impl Tree {
    pub(super) fn new() -> Self {
        let whole = Entry { first: 0, end: 0, gap: 0, below: 0 };
        Self { nodes: vec![Node::new()], spare: Vec::new(), root: 0, height: 0, whole }
    }

    #[inline]
    pub(super) fn node(&self, id: u32) -> &Node {
        &self.nodes[id as usize]
    }

    #[inline]
    fn node_mut(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    #[inline]
    pub(super) fn root(&self) -> &Node {
        self.node(self.root)
    }

    /// The summary of all spans, if there is one.
    #[inline]
    pub(super) fn whole(&self) -> Option<Entry> {
        (self.whole.end > 0).then_some(self.whole)
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// The last span that starts at `key` or before it.
    #[inline(always)]
    pub(super) fn floor(&self, key: u32) -> Option<Entry> {
        let mut node = self.root();
        for _ in 0..self.height {
            node = self.node(node.below(node.rank(key).checked_sub(1)?));
        }
        Some(node.span(node.rank(key).checked_sub(1)?))
    }

    /// The first span that starts at `key` or after it.
    #[inline]
    pub(super) fn ceiling(&self, key: u32) -> Option<Entry> {
        let before = |node: &Node| key.checked_sub(1).map_or(0, |key| node.rank(key));
        let mut node = self.root();
        // The nearest subtree to the right of the path, with its number of levels.
        let mut right = None;
        for height in (0..self.height).rev() {
            let at = before(node);
            if node.first(at).is_some() {
                right = Some((node.below(at), height));
            }
            // At 0 every span of the tree is at or after the key: keep to the left edge.
            node = self.node(node.below(at.saturating_sub(1)));
        }
        let at = before(node);
        if node.first(at).is_some() {
            return Some(node.span(at));
        }
        let (id, height) = right?;
        node = self.node(id);
        for _ in 0..height {
            node = self.node(node.below(0));
        }
        Some(node.span(0))
    }

    /// The end of the last span that starts at `key` or before it, and the start of the
    /// first one after `key`: the hole between them, if `key` is in none of the two.
    #[inline]
    pub(super) fn around(&self, key: u32) -> (Option<u32>, Option<u32>) {
        let mut node = self.root();
        let mut next = None;
        for _ in 0..self.height {
            let at = node.rank(key);
            next = node.first(at).or(next);
            let Some(at) = at.checked_sub(1) else { return (None, next) };
            node = self.node(node.below(at));
        }
        let at = node.rank(key);
        (at.checked_sub(1).map(|at| node.end(at)), node.first(at).or(next))
    }

    /// The path to the last span that starts at `key` or before it; along the left edge
    /// if there is none.
    pub(super) fn path(&self, key: u32) -> Path {
        let mut path = [Step { node: self.root, at: 0 }; DEEPEST];
        let mut id = self.root;
        for level in (0..=self.height).rev() {
            let node = self.node(id);
            let at = node.rank(key).saturating_sub(1);
            path[level] = Step { node: id, at };
            id = node.below(at);
        }
        path
    }

    /// Adds a span, unless it overlaps one that is there; says whether it did.
    #[must_use]
    pub(super) fn insert(&mut self, span: Entry) -> bool {
        let path = self.path(span.first);
        let leaf = path[0].node;
        let place = self.node(leaf).rank(span.first);
        let before = place.checked_sub(1).map(|last| self.node(leaf).end(last));
        // The span behind, once it is known.
        let mut next = self.node(leaf).first(place);
        let behind = |step: &Step| self.node(step.node).first(step.at + 1);
        let neighbour = || next.or_else(|| path[1..=self.height].iter().find_map(behind));
        let free = match before {
            Some(end) if end > span.first => false,
            // Behind all of them.
            Some(end) if end == self.whole.end => true,
            _ => neighbour().is_none_or(|next| span.end <= next),
        };
        if !free {
            return false;
        }
        // The right half of a node that was split, on its way into the parent.
        let mut half = self.put(leaf, place, span);
        for &Step { node, at } in &path[1..=self.height] {
            let behind = self.node(node).first(at + 1);
            if let Some(right) = half {
                self.refresh(node, at);
                half = self.put(node, at + 1, right);
            } else {
                let old = self.node(node).entry(at);
                let new = old.joined_by(span, before, next);
                let new = new.unwrap_or_else(|| self.node(old.below).summary(old.below));
                if new == old {
                    return true;
                }
                self.node_mut(node).set(at, new);
            }
            next = next.or(behind);
        }
        if let Some(right) = half {
            let left = self.root().summary(self.root);
            let mut root = Node::new();
            root.insert(0, left);
            root.insert(1, right);
            self.root = self.adopt(root);
            self.height += 1;
        }
        let joined = self.whole().and_then(|whole| whole.joined_by(span, before, next));
        self.whole = match joined {
            Some(joined) => Entry { below: self.root, ..joined },
            None => self.root().summary(self.root),
        };
        true
    }

    /// Removes the span that starts at `start`.
    pub(super) fn remove(&mut self, start: u32) -> Option<Entry> {
        let path = self.path(start);
        let Step { node, at } = path[0];
        if self.node(node).first(at) != Some(start) {
            return None;
        }
        let gone = self.node_mut(node).remove(at);
        for pair in path[..=self.height].windows(2) {
            let [child, parent] = pair else { unreachable!("a window of two") };
            if self.node(child.node).len() < LEAST {
                self.refill(parent.node, parent.at);
            } else if self.refresh(parent.node, parent.at) {
                return Some(gone);
            }
        }
        while self.height > 0 && self.root().len() == 1 {
            self.spare.push(self.root);
            self.root = self.root().below(0);
            self.height -= 1;
        }
        self.whole = match self.root().len() {
            0 => Entry { first: 0, end: 0, gap: 0, below: 0 },
            _ => self.root().summary(self.root),
        };
        Some(gone)
    }

    /// Puts `entry` at `at` into a node; if that is full, splits it and returns the
    /// summary of the new right half.
    fn put(&mut self, id: u32, at: usize, entry: Entry) -> Option<Entry> {
        let node = self.node_mut(id);
        if node.len() < FAN {
            node.insert(at, entry);
            return None;
        }
        // Spans that come in order, up or down, leave well filled nodes behind.
        let keep = match at {
            0 => LEAST - 1,
            FAN => FAN + 1 - LEAST,
            _ => FAN / 2,
        };
        let mut right = node.split_off(keep);
        if at <= keep {
            node.insert(at, entry);
        } else {
            right.insert(at - keep, entry);
        }
        let right = self.adopt(right);
        Some(self.node(right).summary(right))
    }

    /// Gives a new node an id.
    fn adopt(&mut self, node: Node) -> u32 {
        if let Some(id) = self.spare.pop() {
            *self.node_mut(id) = node;
            return id;
        }
        let id = u32::try_from(self.nodes.len()).expect("fewer nodes than spans");
        self.nodes.push(node);
        id
    }

    /// Brings the summary at `at` up to date; true if it was.
    fn refresh(&mut self, parent: u32, at: usize) -> bool {
        let old = self.node(parent).entry(at);
        let new = self.node(old.below).summary(old.below);
        self.node_mut(parent).set(at, new);
        old == new
    }

    /// Mends the child at `at`, which has too few entries, with the help of a neighbour.
    fn refill(&mut self, parent: u32, at: usize) {
        let at = if self.node(parent).first(at + 1).is_some() { at } else { at - 1 };
        let (left, right) = (self.node(parent).below(at), self.node(parent).below(at + 1));
        let pair = self.nodes.get_disjoint_mut([left as usize, right as usize]);
        let [one, two] = pair.expect("neighbours are two nodes of the arena");
        let total = one.len() + two.len();
        if total <= ROOMY {
            Node::share(one, two, total);
            self.spare.push(right);
            self.node_mut(parent).remove(at + 1);
        } else {
            Node::share(one, two, total / 2);
            self.refresh(parent, at + 1);
        }
        self.refresh(parent, at);
    }
}

/// The spans of a tree in ascending order.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    tree: &'a Tree,
    /// The next entry to visit at each level.
    path: Path,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        // Below the root everything counts as visited, so the first step goes down.
        let mut path = [Step { node: tree.root, at: FAN }; DEEPEST];
        path[tree.height].at = 0;
        Self { tree, path }
    }
}

impl Iterator for Walk<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let left = |step: &Step| self.tree.node(step.node).first(step.at).is_some();
        let mut level = self.path.iter().take(self.tree.height + 1).position(left)?;
        while level > 0 {
            let Step { node, at } = self.path[level];
            self.path[level].at += 1;
            level -= 1;
            self.path[level] = Step { node: self.tree.node(node).below(at), at: 0 };
        }
        let Step { node, at } = self.path[0];
        self.path[0].at += 1;
        Some(self.tree.node(node).span(at))
    }
}

#[cfg(test)]
impl Tree {
    /// Panics unless the shape, the order and every summary are right. Returns the
    /// number of spans.
    pub(super) fn assert_invariants(&self) -> usize {
        let mut used = 0;
        let spans = self.check(self.root, self.height, &mut used);
        assert_eq!(self.whole(), (spans > 0).then(|| self.slow_summary(self.root)));
        assert_eq!(used + self.spare.len(), self.nodes.len(), "a node leaked");
        assert!(self.height == 0 || self.root().len() >= 2, "the root is a chain");
        spans
    }

    /// Nodes in use or spare.
    pub(super) fn capacity_in_nodes(&self) -> usize {
        self.nodes.len()
    }

    fn check(&self, id: u32, height: usize, used: &mut usize) -> usize {
        *used += 1;
        let node = self.node(id);
        let len = node.len();
        assert!(id == self.root || len >= LEAST, "node {id} has {len} entries");
        assert!((len..FAN).all(|at| node.first(at).is_none()), "a used place after a free one");
        assert!((1..len).all(|at| Some(node.end(at - 1)) <= node.first(at)), "overlap");
        let mut spans = 0;
        for at in 0..len {
            let entry = node.entry(at);
            assert!(entry.first < entry.end);
            if height == 0 {
                assert_eq!(entry.gap, 0);
                spans += 1;
            } else {
                spans += self.check(entry.below, height - 1, used);
                assert_eq!(entry, self.slow_summary(entry.below), "stale summary");
            }
        }
        spans
    }

    fn slow_summary(&self, id: u32) -> Entry {
        let node = self.node(id);
        let mut sum = node.entry(0);
        for at in 1..node.len() {
            let entry = node.entry(at);
            sum.gap = sum.gap.max(entry.gap).max(entry.first - sum.end);
            sum.end = entry.end;
        }
        Entry { below: id, ..sum }
    }
}
