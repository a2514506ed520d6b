//! One node of the tree: up to [`FAN`] entries in ascending order, as four columns.
//!
//! A leaf entry is a span; an inner entry is the summary of a child. Both are an
//! [`Entry`], so that splitting, merging and searching are written once:
//!
//! ```text
//! first  start of the first span below    (leaf: start of the span)
//! below  the child node                   (leaf: the slot of the value)
//! end    end of the last span below       (leaf: end of the span)
//! gap    largest hole between spans below (leaf: 0)
//! ```
//!
//! A summary depends on nothing outside its own subtree. That is why the holes
//! *between* children are not stored: the parent reads them off as
//! `first[i + 1] - end[i]`, and a change never has to reach a second path.
//!
//! Not here: a length. An unused place holds [`EMPTY`] in `first`, so counting the used
//! places is the same branch-free pass over one cache line as a search.

/// Most entries of a node. Sixteen `u32` keys are one cache line.
pub(super) const FAN: usize = 16;
/// Fewest entries of a node other than the root.
pub(super) const LEAST: usize = 4;
/// What `first` and `end` hold in unused places. No span starts there, because the
/// space ends at `u32::MAX` or before.
const EMPTY: u32 = u32::MAX;

/// A span or the summary of a subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) gap: u32,
    pub(super) below: u32,
}

impl Entry {
    /// What the summary of a subtree becomes when `span` joins it, if that can be told
    /// without a look. The span lies behind one that ends at `before`, unless it is the
    /// first of all, and in front of one of the subtree that begins at `next`, or else at
    /// the subtree's end.
    pub(super) fn joined_by(
        self,
        span: Self,
        before: Option<u32>,
        next: Option<u32>,
    ) -> Option<Self> {
        match (before, next) {
            (None, _) => {
                let gap = self.gap.max(self.first - span.end);
                Some(Self { first: span.first, gap, ..self })
            }
            // What is left of a hole that was not the largest is none.
            (Some(before), Some(next)) => (next - before < self.gap).then_some(self),
            (Some(before), None) => {
                Some(Self { end: span.end, gap: self.gap.max(span.first - before), ..self })
            }
        }
    }
}

/// The columns, in cache lines of their own: a search reads the first two, which are
/// neighbours. In a leaf nobody reads `gap`, which is all 0 there. The alignment is the
/// size, so that no node lies on two pages of the host.
#[derive(Clone, Debug)]
#[repr(C, align(256))]
pub(super) struct Node {
    first: [u32; FAN],
    below: [u32; FAN],
    end: [u32; FAN],
    gap: [u32; FAN],
}

impl Node {
    pub(super) const fn new() -> Self {
        Self { first: [EMPTY; FAN], below: [0; FAN], end: [EMPTY; FAN], gap: [0; FAN] }
    }

    /// How many entries start at `key` or before it.
    #[inline]
    pub(super) fn rank(&self, key: u32) -> usize {
        let key = key.min(EMPTY - 1);
        // A sum without a branch becomes vector code. The weight is not 1 because that
        // is compiled to a population count, which a plain x86-64 has to emulate.
        let weight = |first: &u32| if *first <= key { 0x1_0001 } else { 0 };
        let sum = self.first.iter().map(weight).fold(0_u32, u32::wrapping_add);
        (sum & 0xFFFF) as usize
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.rank(EMPTY)
    }

    #[inline]
    pub(super) fn entry(&self, at: usize) -> Entry {
        Entry { gap: self.gap[at], ..self.span(at) }
    }

    /// The entry of a leaf.
    #[inline]
    pub(super) fn span(&self, at: usize) -> Entry {
        Entry { first: self.first[at], end: self.end[at], gap: 0, below: self.below[at] }
    }

    #[inline]
    pub(super) fn below(&self, at: usize) -> u32 {
        self.below[at]
    }

    #[inline]
    pub(super) fn end(&self, at: usize) -> u32 {
        self.end[at]
    }

    #[inline]
    pub(super) fn gap(&self, at: usize) -> u32 {
        self.gap[at]
    }

    /// Start of the entry at `at`, if there is one.
    #[inline]
    pub(super) fn first(&self, at: usize) -> Option<u32> {
        self.first.get(at).copied().filter(|&first| first != EMPTY)
    }

    pub(super) fn set(&mut self, at: usize, entry: Entry) {
        self.first[at] = entry.first;
        self.below[at] = entry.below;
        self.end[at] = entry.end;
        self.gap[at] = entry.gap;
    }

    /// Puts `entry` before the one at `at`; the node must have room.
    pub(super) fn insert(&mut self, at: usize, entry: Entry) {
        assert!(self.first(FAN - 1).is_none(), "a full node is split first");
        open(&mut self.first, at);
        open(&mut self.below, at);
        open(&mut self.end, at);
        open(&mut self.gap, at);
        self.set(at, entry);
    }

    pub(super) fn remove(&mut self, at: usize) -> Entry {
        let gone = self.entry(at);
        close(&mut self.first, at);
        close(&mut self.below, at);
        close(&mut self.end, at);
        close(&mut self.gap, at);
        self.set(FAN - 1, Entry { first: EMPTY, end: EMPTY, gap: 0, below: 0 });
        gone
    }

    /// Keeps the first `keep` entries and returns the others in a new node.
    pub(super) fn split_off(&mut self, keep: usize) -> Self {
        let mut right = Self::new();
        for at in keep..self.len() {
            right.set(at - keep, self.entry(at));
            self.set(at, Entry { first: EMPTY, end: EMPTY, gap: 0, below: 0 });
        }
        right
    }

    /// Shares the entries of two neighbours so that `left` has `keep` of them.
    pub(super) fn share(left: &mut Self, right: &mut Self, keep: usize) {
        while left.len() < keep {
            left.insert(left.len(), right.remove(0));
        }
        while left.len() > keep {
            right.insert(0, left.remove(left.len() - 1));
        }
    }

    /// The entry that stands for this node, of id `id`, in its parent.
    pub(super) fn summary(&self, id: u32) -> Entry {
        // Unused places have gap 0 and take part without harm; the hole after the last
        // entry belongs to an ancestor and is masked. Free of branches, hence vectored.
        let mut gap = self.gap[FAN - 1];
        for at in 0..FAN - 1 {
            gap = gap.max(self.gap[at]).max(self.hole(at));
        }
        Entry { first: self.first[0], end: self.end(self.len() - 1), gap, below: id }
    }

    /// The hole between the entry at `at`, not the last place, and the next one; 0 if there
    /// is no next one.
    #[inline]
    fn hole(&self, at: usize) -> u32 {
        match self.first[at + 1] {
            EMPTY => 0,
            next => next.wrapping_sub(self.end[at]),
        }
    }

    /// The first entry, from `from` on, with a hole of `want` below it (false) or right
    /// after it (true); `want` is at least 1.
    pub(super) fn wide(&self, want: u32, from: usize) -> Option<(usize, bool)> {
        // Free of branches, hence vectored: two bits an entry, in the order of the holes.
        let mut wide = if self.gap[FAN - 1] >= want { 1 << (2 * (FAN - 1)) } else { 0 };
        for at in 0..FAN - 1 {
            let below = if self.gap[at] >= want { 1_u32 } else { 0 };
            let after = if self.hole(at) >= want { 2 } else { 0 };
            wide |= (below | after) << (2 * at);
        }
        let bit = (wide & u32::MAX.checked_shl(2 * u32::try_from(from).ok()?)?).trailing_zeros();
        (bit < u32::BITS).then_some((bit as usize / 2, bit % 2 == 1))
    }
}

/// Moves the places from `at` on up by one; the last one is lost.
#[inline]
fn open<T: Copy>(column: &mut [T; FAN], at: usize) {
    column.copy_within(at..FAN - 1, at + 1);
}

/// Moves the places after `at` down by one; the last one stays.
#[inline]
fn close<T: Copy>(column: &mut [T; FAN], at: usize) {
    column.copy_within(at + 1.., at);
}
