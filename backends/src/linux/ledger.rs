//! What the backend has promised: every allocation, every page of it, and what is free.
//!
//! The ledger only records. Whoever changes it has changed the kernel's side first, or undone
//! that; the checkpoint compares the two.
//!
//! Map: [`Ledger`] holds [`Allocation`]s by base; [`runs`] the pages of one; [`gaps`] the
//! free granules.
//!
//! Deliberately not here: argument checks and error codes, one file per call beside this one.

pub(super) mod gaps;
pub(super) mod runs;

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::Protection;

use super::mapping::GRANULE;
use super::protection::PageState;
use crate::arguments::CACHE;
use gaps::Gaps;
use runs::Runs;

/// Bytes in a page.
pub(super) const PAGE: u64 = 0x1000;

/// One reservation and the state of its pages.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) base: u64,
    /// The argument of the reserving call, verbatim (VQ-04).
    pub(super) protect: Protection,
    /// `MEM_WRITE_WATCH`
    pub(super) watched: bool,
    /// `MEM_PHYSICAL`: never committed.
    pub(super) physical: bool,
    pub(super) pages: Runs<PageState>,
    /// Written pages whose record the kernel lost with their memory (WW-12).
    pub(super) marks: Option<Runs<bool>>,
}

impl Allocation {
    /// A fresh reservation of whole pages.
    pub(super) fn new(range: &Range<u64>, protect: Protection) -> Self {
        let pages = (range.end - range.start) / PAGE;
        let pages = Runs::new(pages, PageState::RESERVED);
        let base = range.start;
        Self { base, protect, watched: false, physical: false, pages, marks: None }
    }

    /// The addresses that belong to it.
    pub(super) fn range(&self) -> Range<u64> {
        self.base..self.base + self.pages.pages() * PAGE
    }

    /// The modifiers that show on every page (PR-05).
    pub(super) fn cache(&self) -> Protection {
        Protection(self.protect.0 & CACHE.0)
    }

    /// Page-aligned addresses inside it as page numbers.
    pub(super) fn numbers(&self, range: &Range<u64>) -> Range<u64> {
        (range.start - self.base) / PAGE..(range.end - self.base) / PAGE
    }

    /// The state of the page at an address inside it.
    pub(super) fn state(&self, at: u64) -> PageState {
        self.pages.value((at - self.base) / PAGE)
    }

    /// The runs of equal pages over page-aligned addresses, as addresses.
    pub(super) fn runs(&self, range: &Range<u64>) -> impl Iterator<Item = (Range<u64>, PageState)> {
        self.pages.over(self.numbers(range)).map(|(run, state)| (self.addresses(&run), state))
    }

    /// Page numbers as addresses.
    pub(super) fn addresses(&self, pages: &Range<u64>) -> Range<u64> {
        self.base + pages.start * PAGE..self.base + pages.end * PAGE
    }

    /// How many pages of a range are committed.
    pub(super) fn committed(&self, range: &Range<u64>) -> u64 {
        let runs = self.pages.over(self.numbers(range));
        runs.filter(|(_, state)| state.is_committed()).map(|(run, _)| run.end - run.start).sum()
    }

    /// Remembers or forgets that pages were written.
    pub(super) fn mark(&mut self, range: &Range<u64>, written: bool) {
        let numbers = self.numbers(range);
        let all = self.pages.pages();
        if written {
            self.marks.get_or_insert_with(|| Runs::new(all, false)).set(numbers, true);
        } else if let Some(marks) = &mut self.marks {
            marks.set(numbers, false);
        }
    }
}

/// All allocations of one arena.
#[derive(Debug)]
pub(super) struct Ledger {
    arena: Range<u64>,
    allocations: BTreeMap<u64, Allocation>,
    gaps: Gaps,
}

impl Ledger {
    /// An arena with nothing in it.
    pub(super) fn new(arena: Range<u64>) -> Self {
        let gaps = Gaps::new(0..(arena.end - arena.start) / GRANULE);
        Self { arena, allocations: BTreeMap::new(), gaps }
    }

    /// The allocation that an address belongs to.
    pub(super) fn containing(&self, at: u64) -> Option<&Allocation> {
        let (_, allocation) = self.allocations.range(..=at).next_back()?;
        allocation.range().contains(&at).then_some(allocation)
    }

    /// Likewise, to change it.
    pub(super) fn containing_mut(&mut self, at: u64) -> Option<&mut Allocation> {
        let (_, allocation) = self.allocations.range_mut(..=at).next_back()?;
        allocation.range().contains(&at).then_some(allocation)
    }

    /// The base of the first allocation at or behind an address of the arena, or its end.
    pub(super) fn next_base(&self, at: u64) -> u64 {
        self.allocations.range(at..).next().map_or(self.arena.end, |(&base, _)| base)
    }

    /// All allocations, ascending.
    pub(super) fn allocations(&self) -> impl Iterator<Item = &Allocation> {
        self.allocations.values()
    }

    /// A free place for `size` bytes: the lowest, or the highest.
    pub(super) fn place(&self, size: u64, top_down: bool) -> Option<u64> {
        let granules = size.div_ceil(GRANULE);
        let found = if top_down { self.gaps.highest(granules) } else { self.gaps.lowest(granules) };
        found.map(|granule| self.arena.start + granule * GRANULE)
    }

    /// Whether a range lies in the arena and no granule of it is taken.
    pub(super) fn is_free(&self, range: &Range<u64>) -> bool {
        self.arena.start <= range.start
            && range.end <= self.arena.end
            && self.gaps.holds(&self.granules(range))
    }

    /// Adds an allocation at a place that is free.
    pub(super) fn insert(&mut self, allocation: Allocation) {
        let granules = self.granules(&allocation.range());
        self.gaps.take(&granules);
        self.allocations.insert(allocation.base, allocation);
    }

    /// Takes an allocation out.
    pub(super) fn remove(&mut self, base: u64) {
        let allocation = self.allocations.remove(&base).expect("an allocation starts here");
        let granules = self.granules(&allocation.range());
        self.gaps.give(&granules);
    }

    /// The granules that a range touches.
    fn granules(&self, range: &Range<u64>) -> Range<u64> {
        let number = |at: u64| at - self.arena.start;
        number(range.start) / GRANULE..number(range.end).div_ceil(GRANULE)
    }
}
