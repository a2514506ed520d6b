//! What a manager over an arena has promised: every allocation, every page of it, and what is
//! free.
//!
//! The ledger only records. Whoever changes it has changed the system's side first, or undone
//! that; a checkpoint compares the two.
//!
//! Map: [`Ledger`] holds [`Allocation`]s by base; [`runs`] the pages of one, a
//! [`page_state`] each; [`gaps`] the free granules.
//!
//! Deliberately not here: argument checks, and any system.

pub(crate) mod gaps;
pub(crate) mod page_state;
pub(crate) mod runs;

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::{
    Address, FreeType, MemoryBasicInformation, Protection, Refusal, RegionState, RegionType,
    Win32Error,
};

use crate::arguments::CACHE;
use gaps::Gaps;
use page_state::PageState;
use runs::Runs;

/// Bytes in a page.
pub(crate) const PAGE: u64 = 0x1000;
/// Bytes in a granule of allocation: an arena begins and ends on one.
pub(crate) const GRANULE: u64 = 0x1_0000;

/// One reservation and the state of its pages.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) base: u64,
    /// The argument of the reserving call, verbatim (VQ-04).
    pub(crate) protect: Protection,
    /// `MEM_WRITE_WATCH`
    pub(crate) watched: bool,
    /// `MEM_PHYSICAL`: never committed.
    pub(crate) physical: bool,
    pub(crate) pages: Runs<PageState>,
    /// Written pages whose record the kernel lost with their memory (WW-12).
    pub(crate) marks: Option<Runs<bool>>,
}

impl Allocation {
    /// A fresh reservation of whole pages.
    pub(crate) fn new(range: &Range<u64>, protect: Protection) -> Self {
        let pages = (range.end - range.start) / PAGE;
        let pages = Runs::new(pages, PageState::RESERVED);
        let base = range.start;
        Self { base, protect, watched: false, physical: false, pages, marks: None }
    }

    /// The addresses that belong to it.
    pub(crate) fn range(&self) -> Range<u64> {
        self.base..self.base + self.pages.pages() * PAGE
    }

    /// The modifiers that show on every page (PR-05).
    pub(crate) fn cache(&self) -> Protection {
        Protection(self.protect.0 & CACHE.0)
    }

    /// Page-aligned addresses inside it as page numbers.
    pub(crate) fn numbers(&self, range: &Range<u64>) -> Range<u64> {
        (range.start - self.base) / PAGE..(range.end - self.base) / PAGE
    }

    /// The state of the page at an address inside it.
    pub(crate) fn state(&self, at: u64) -> PageState {
        self.pages.value((at - self.base) / PAGE)
    }

    /// The runs of equal pages over page-aligned addresses, as addresses.
    pub(crate) fn runs(&self, range: &Range<u64>) -> impl Iterator<Item = (Range<u64>, PageState)> {
        self.pages.over(self.numbers(range)).map(|(run, state)| (self.addresses(&run), state))
    }

    /// Page numbers as addresses.
    pub(crate) fn addresses(&self, pages: &Range<u64>) -> Range<u64> {
        self.base + pages.start * PAGE..self.base + pages.end * PAGE
    }

    /// What a query shows of the page at an address inside it (VQ-01 to VQ-05).
    pub(crate) fn region(&self, page: u64) -> MemoryBasicInformation {
        let number = (page - self.base) / PAGE;
        let state = self.pages.value(number);
        let (shown_state, protect) = if state.is_committed() {
            (RegionState::COMMIT, state.shown() | self.cache())
        } else {
            (RegionState::RESERVE, Protection(0))
        };
        MemoryBasicInformation {
            base_address: Address(page),
            allocation_base: Address(self.base),
            allocation_protect: self.protect,
            region_size: (self.pages.end(number) - number) * PAGE,
            state: shown_state,
            protect,
            kind: RegionType::PRIVATE,
        }
    }

    /// VF-07 to VF-09, VF-12: the pages that a call frees whose range begins inside it.
    ///
    /// # Errors
    /// If it may not free them.
    pub(crate) fn freed(&self, at: u64, size: u64, kind: FreeType) -> Result<Range<u64>, Refusal> {
        let whole = self.range();
        if kind == FreeType::RELEASE || size == 0 {
            let in_first_page = at - whole.start < PAGE;
            let refused = Refusal::from_win32(Win32Error::ERROR_INVALID_ADDRESS);
            return if in_first_page { Ok(whole) } else { Err(refused) };
        }
        let range = pages_of(at, size);
        let leaves = Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER);
        if range.end <= whole.end { Ok(range) } else { Err(leaves) }
    }

    /// How many pages of a range are committed.
    pub(crate) fn committed(&self, range: &Range<u64>) -> u64 {
        let runs = self.pages.over(self.numbers(range));
        runs.filter(|(_, state)| state.is_committed()).map(|(run, _)| run.end - run.start).sum()
    }

    /// Remembers or forgets that pages were written.
    pub(crate) fn mark(&mut self, range: &Range<u64>, written: bool) {
        let numbers = self.numbers(range);
        let all = self.pages.pages();
        if written {
            self.marks.get_or_insert_with(|| Runs::new(all, false)).set(numbers, true);
        } else if let Some(marks) = &mut self.marks {
            marks.set(numbers, false);
        }
    }
}

/// The pages that hold a byte of `[at, at + size)` (SM-05). The sum must not overflow.
pub(crate) fn pages_of(at: u64, size: u64) -> Range<u64> {
    at & !(PAGE - 1)..(at + size).next_multiple_of(PAGE)
}

/// All allocations of one arena.
#[derive(Debug)]
pub(crate) struct Ledger {
    arena: Range<u64>,
    allocations: BTreeMap<u64, Allocation>,
    gaps: Gaps,
}

impl Ledger {
    /// An arena with nothing in it.
    pub(crate) fn new(arena: Range<u64>) -> Self {
        let gaps = Gaps::new(0..(arena.end - arena.start) / GRANULE);
        Self { arena, allocations: BTreeMap::new(), gaps }
    }

    /// The allocation that an address belongs to.
    pub(crate) fn containing(&self, at: u64) -> Option<&Allocation> {
        let (_, allocation) = self.allocations.range(..=at).next_back()?;
        allocation.range().contains(&at).then_some(allocation)
    }

    /// Likewise, to change it.
    pub(crate) fn containing_mut(&mut self, at: u64) -> Option<&mut Allocation> {
        let (_, allocation) = self.allocations.range_mut(..=at).next_back()?;
        allocation.range().contains(&at).then_some(allocation)
    }

    /// The base of the first allocation at or behind an address of the arena, or its end.
    pub(crate) fn next_base(&self, at: u64) -> u64 {
        self.allocations.range(at..).next().map_or(self.arena.end, |(&base, _)| base)
    }

    /// All allocations, ascending.
    pub(crate) fn allocations(&self) -> impl Iterator<Item = &Allocation> {
        self.allocations.values()
    }

    /// A free place for `size` bytes: the lowest, or the highest.
    pub(crate) fn place(&self, size: u64, top_down: bool) -> Option<u64> {
        let granules = size.div_ceil(GRANULE);
        let found = if top_down { self.gaps.highest(granules) } else { self.gaps.lowest(granules) };
        found.map(|granule| self.arena.start + granule * GRANULE)
    }

    /// Whether a range lies in the arena and no granule of it is taken.
    pub(crate) fn is_free(&self, range: &Range<u64>) -> bool {
        self.arena.start <= range.start
            && range.end <= self.arena.end
            && self.gaps.holds(&self.granules(range))
    }

    /// Adds an allocation at a place that is free.
    pub(crate) fn insert(&mut self, allocation: Allocation) {
        let granules = self.granules(&allocation.range());
        self.gaps.take(&granules);
        self.allocations.insert(allocation.base, allocation);
    }

    /// Takes an allocation out.
    pub(crate) fn remove(&mut self, base: u64) {
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
