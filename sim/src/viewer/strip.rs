//! A strip of address space: runs of pages that look alike, by page number.
//!
//! Everything that is in no run is free. Runs are as long as they can be: two neighbours that
//! look alike and belong to one allocation are one run.
//!
//! Deliberately not here: where runs come from ([`super::law`], [`super::asked`]).

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::{RegionState, RegionType};

/// The pages hold something other than zero, as far as is known.
pub const WRITTEN: u32 = 1;
/// Live blocks of a heap lie in the pages.
pub const HEAP: u32 = 2;
/// The allocation was reserved with `MEM_WRITE_WATCH`.
pub const WATCHED: u32 = 4;
/// The subject was asked what is there, and gave no answer that means anything.
pub const UNKNOWN: u32 = 8;

/// What all pages of a run have in common: the fields of `MEMORY_BASIC_INFORMATION`, and
/// marks that no query shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Look {
    /// `State`
    pub state: u32,
    /// `Protect`
    pub protect: u32,
    /// `AllocationProtect`
    pub allocation_protect: u32,
    /// `Type`
    pub kind: u32,
    /// [`WRITTEN`], [`HEAP`], [`WATCHED`], [`UNKNOWN`].
    pub marks: u32,
}

/// Pages that look alike and belong to one allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The number of the first page.
    pub start: u64,
    /// The number of the first page behind.
    pub end: u64,
    /// The number of the page at which the allocation begins.
    pub base: u64,
    /// What the pages look like.
    pub look: Look,
}

impl Run {
    fn continues(&self, before: &Self) -> bool {
        before.end == self.start && before.base == self.base && before.look == self.look
    }

    /// The part of it that lies in `range`.
    fn clipped(&self, range: &Range<u64>) -> Option<Self> {
        let (start, end) = (self.start.max(range.start), self.end.min(range.end));
        (start < end).then_some(Self { start, end, ..*self })
    }
}

/// What is in a range of pages from some step on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The pages.
    pub pages: Range<u64>,
    /// What is in them; what is in none of these is free.
    pub runs: Vec<Run>,
}

/// The runs of one address space, with a few sums.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    runs: BTreeMap<u64, Run>,
    owned: u64,
    committed: u64,
    allocations: u64,
}

impl Strip {
    /// How many pages reservations span, committed or not.
    #[must_use]
    pub const fn owned(&self) -> u64 {
        self.owned
    }

    /// How many of them are committed.
    #[must_use]
    pub const fn committed(&self) -> u64 {
        self.committed
    }

    /// How many allocations there are.
    #[must_use]
    pub const fn allocations(&self) -> u64 {
        self.allocations
    }

    /// How many runs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether everything is free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Every run, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// What lies in a range, cut at its ends.
    pub fn within(&self, pages: Range<u64>) -> impl Iterator<Item = Run> {
        let before = self.runs.range(..pages.start).next_back();
        let inside = self.runs.range(pages.start..pages.end);
        before.into_iter().chain(inside).filter_map(move |(_, run)| run.clipped(&pages))
    }

    /// Puts `runs`, ascending, in the place of whatever is in `pages`; nothing if that changes
    /// nothing.
    pub fn replace(&mut self, pages: Range<u64>, runs: Vec<Run>) -> Option<Patch> {
        let runs = joined(runs);
        let before = joined(self.within(pages.clone()).collect());
        if before == runs {
            return None;
        }
        self.cut(pages.start);
        self.cut(pages.end);
        let old: Vec<u64> = self.runs.range(pages.clone()).map(|(start, _)| *start).collect();
        for start in old {
            self.remove(start);
        }
        for run in &runs {
            self.insert(*run);
        }
        self.join_at(pages.start);
        self.join_at(pages.end);
        Some(Patch { pages, runs })
    }

    /// Has no run go across the beginning of a page.
    fn cut(&mut self, page: u64) {
        let Some((_, run)) = self.runs.range(..page).next_back() else { return };
        let run = *run;
        if run.end > page {
            self.remove(run.start);
            self.insert(Run { end: page, ..run });
            self.insert(Run { start: page, ..run });
        }
    }

    /// Makes one of two neighbours that look alike.
    fn join_at(&mut self, page: u64) {
        let Some(right) = self.runs.get(&page).copied() else { return };
        let Some((_, left)) = self.runs.range(..page).next_back() else { return };
        let left = *left;
        if right.continues(&left) {
            self.remove(right.start);
            self.remove(left.start);
            self.insert(Run { end: right.end, ..left });
        }
    }

    fn insert(&mut self, run: Run) {
        let [owned, committed, allocations] = counts(&run);
        self.owned += owned;
        self.committed += committed;
        self.allocations += allocations;
        self.runs.insert(run.start, run);
    }

    fn remove(&mut self, start: u64) {
        if let Some(run) = self.runs.remove(&start) {
            let [owned, committed, allocations] = counts(&run);
            self.owned -= owned;
            self.committed -= committed;
            self.allocations -= allocations;
        }
    }
}

/// What a run adds to the sums: pages owned, pages committed, allocations begun. Heaps and
/// mappings of the runtime's own are no reservations.
fn counts(run: &Run) -> [u64; 3] {
    let Look { state, kind, marks, .. } = run.look;
    if kind != RegionType::PRIVATE.0 || marks & HEAP != 0 {
        return [0; 3];
    }
    let pages = run.end - run.start;
    let committed = if state == RegionState::COMMIT.0 { pages } else { 0 };
    [pages, committed, u64::from(run.start == run.base)]
}

/// Runs without two neighbours that could be one.
fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        match out.last_mut() {
            Some(last) if run.continues(last) => last.end = run.end,
            _ => out.push(run),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESERVED: Look = Look {
        state: RegionState::RESERVE.0,
        protect: 0,
        allocation_protect: 4,
        kind: 0x20000,
        marks: 0,
    };
    const COMMITTED: Look = Look { state: RegionState::COMMIT.0, protect: 4, ..RESERVED };

    fn run(start: u64, end: u64, look: Look) -> Run {
        Run { start, end, base: 16, look }
    }

    #[test]
    fn a_commit_in_the_middle_cuts_a_run_and_its_decommit_joins_it() {
        let mut strip = Strip::default();
        let whole = run(16, 32, RESERVED);
        assert!(strip.replace(16..32, vec![whole]).is_some());
        assert!(strip.replace(20..22, vec![run(20, 22, COMMITTED)]).is_some());
        assert_eq!((strip.len(), strip.owned(), strip.committed()), (3, 16, 2));
        assert_eq!(strip.allocations(), 1);
        assert_eq!(strip.within(21..23).count(), 2);
        assert!(strip.replace(20..22, vec![run(20, 22, RESERVED)]).is_some());
        assert_eq!(strip.iter().copied().collect::<Vec<_>>(), [whole]);
        assert!(strip.replace(16..32, Vec::new()).is_some());
        assert_eq!((strip.len(), strip.owned(), strip.allocations()), (0, 0, 0));
    }

    #[test]
    fn what_changes_nothing_is_no_patch() {
        let mut strip = Strip::default();
        assert_eq!(strip.replace(0..100, Vec::new()), None);
        strip.replace(16..32, vec![run(16, 32, RESERVED)]);
        assert_eq!(strip.replace(18..20, vec![run(18, 20, RESERVED)]), None);
        let halves = vec![run(16, 24, RESERVED), run(24, 32, RESERVED)];
        assert_eq!(strip.replace(16..32, halves), None);
    }

    #[test]
    fn neighbours_of_two_allocations_stay_two_runs() {
        let mut strip = Strip::default();
        strip.replace(16..32, vec![run(16, 32, RESERVED)]);
        strip.replace(32..48, vec![Run { start: 32, end: 48, base: 32, look: RESERVED }]);
        assert_eq!((strip.len(), strip.allocations()), (2, 2));
    }
}
