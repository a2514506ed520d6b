//! The address space: which allocations there are, and what each page of them is.
//!
//! The rules see it through a narrow interface: find the allocation of an address, the next
//! one, a hole; ask for the states of its pages. Changes come from [`crate::effect`] alone.
//!
//! Invariants: allocations are disjoint, granule aligned and inside user space; no two share
//! a granule; `committed_pages` is the sum over all allocations.
//!
//! Deliberately not here: any check of arguments, contents, and memory that the case does
//! not own.

use std::collections::BTreeSet;
use std::ops::Range;

use hostmem_interface::{
    Address, Machine, MemoryBasicInformation, Protection, RegionState, RegionType,
};

use crate::index::GranuleMap;
use crate::page::{ALLOCATION_MODIFIERS, PageState};
use crate::pages::Pages;

/// What was asked for when an allocation was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// `AllocationProtect`: the protection argument, verbatim.
    pub protect: Protection,
    /// Reserved with `MEM_WRITE_WATCH`.
    pub watched: bool,
    /// Reserved with `MEM_PHYSICAL`.
    pub physical: bool,
}

/// One allocation (SM-01): one cache line, and what its pages need beside it.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Allocation {
    base: Address,
    states: Pages,
    /// The pages that were written, with write watch.
    #[expect(clippy::box_collection, reason = "few have one, and all would be a line longer")]
    marks: Option<Box<BTreeSet<u64>>>,
    protect: Protection,
    physical: bool,
    /// A page has 2 to the power of it bytes.
    shift: u8,
}

const _: () = assert!(size_of::<Allocation>() == 64 && size_of::<Option<Allocation>>() == 64);

impl Allocation {
    /// A fresh allocation of `pages` pages of `page` bytes (a power of two), all in `state`.
    #[must_use]
    pub fn new(base: Address, page: u64, pages: u64, terms: Terms, state: PageState) -> Self {
        let Terms { protect, watched, physical } = terms;
        let marks = watched.then(Box::default);
        let shift = u8::try_from(page.trailing_zeros()).expect("below 64");
        Self { base, states: Pages::new(pages, state.0), marks, protect, physical, shift }
    }

    /// Its first address.
    #[must_use]
    pub const fn base(&self) -> Address {
        self.base
    }

    /// Its size, bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.states.len() << self.shift
    }

    /// The first address behind it.
    #[must_use]
    pub fn end(&self) -> Address {
        self.base.wrapping_add(self.size())
    }

    /// What was asked for.
    #[must_use]
    pub const fn terms(&self) -> Terms {
        let (protect, physical) = (self.protect, self.physical);
        Terms { protect, watched: self.marks.is_some(), physical }
    }

    /// How many pages are committed.
    #[must_use]
    pub fn committed_pages(&self) -> u64 {
        self.states.committed()
    }

    /// The pages that `[at, at + size)` touches (SM-05), or `None` if they leave the
    /// allocation. `at` lies in it.
    #[must_use]
    pub fn touched(&self, at: Address, size: u64) -> Option<Range<u64>> {
        let first = self.page_of(at);
        let end = at.offset_from(self.base)?.checked_add(size)?;
        let end = units(end, self.shift.into()).max(first);
        (end <= self.states.len()).then_some(first..end)
    }

    /// The number of the page that holds `at`, which lies in the allocation.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn page_of(&self, at: Address) -> u64 {
        at.offset_from(self.base).expect("an address of this allocation") >> self.shift
    }

    /// The first address of a page.
    #[must_use]
    pub fn address_of(&self, page: u64) -> Address {
        self.base.wrapping_add(page << self.shift)
    }

    /// Every page.
    #[must_use]
    pub fn all_pages(&self) -> Range<u64> {
        0..self.states.len()
    }

    /// The state of a page.
    #[must_use]
    pub fn state(&self, page: u64) -> PageState {
        PageState(self.states.get(page))
    }

    /// The maximal runs of equal pages that `pages` is made of, ascending, cut at its ends.
    pub fn runs(&self, pages: Range<u64>) -> impl Iterator<Item = (Range<u64>, PageState)> {
        self.states.runs(pages).map(|(range, state)| (range, PageState(state)))
    }

    /// How many of `pages` are committed.
    #[must_use]
    pub fn committed_in(&self, pages: Range<u64>) -> u64 {
        self.states.committed_in(pages)
    }

    /// Whether every one of `pages` is in this state.
    #[must_use]
    pub fn all_are(&self, pages: Range<u64>, state: PageState) -> bool {
        self.states.all_are(pages, state.0)
    }

    /// Whether every one of `pages` is committed.
    #[must_use]
    pub fn all_committed(&self, pages: Range<u64>) -> bool {
        self.states.first_reserved_in(pages).is_none()
    }

    /// The marked pages among `pages`, ascending; none without write watch.
    pub fn marked(&self, pages: Range<u64>) -> impl Iterator<Item = u64> {
        self.marks.iter().flat_map(move |marks| marks.range(pages.clone()).copied())
    }

    /// The protection that a query shows for a page (PR-05, VQ-03).
    #[must_use]
    pub fn shown(&self, state: PageState) -> Protection {
        if !state.is_committed() {
            return Protection(0);
        }
        state.protection() | Protection(self.protect.0 & ALLOCATION_MODIFIERS.0)
    }

    /// What `VirtualQuery` tells of the page of `at` (VQ-01 to VQ-05).
    #[must_use]
    pub fn region(&self, at: Address) -> MemoryBasicInformation {
        let page = self.page_of(at);
        let (state, run_end) = self.states.run_at(page);
        let state = PageState(state);
        MemoryBasicInformation {
            base_address: self.address_of(page),
            allocation_base: self.base,
            allocation_protect: self.protect,
            region_size: (run_end - page) << self.shift,
            state: if state.is_committed() { RegionState::COMMIT } else { RegionState::RESERVE },
            protect: self.shown(state),
            kind: RegionType::PRIVATE,
        }
    }

    pub(crate) fn mark(&mut self, pages: Range<u64>) {
        if let Some(marks) = &mut self.marks {
            marks.extend(pages);
        }
    }

    pub(crate) fn unmark(&mut self, pages: impl IntoIterator<Item = u64>) {
        if let Some(marks) = &mut self.marks {
            for page in pages {
                marks.remove(&page);
            }
        }
    }

    pub(crate) fn unmark_all(&mut self, pages: Range<u64>) {
        if let Some(marks) = &mut self.marks {
            while let Some(&page) = marks.range(pages.clone()).next() {
                marks.remove(&page);
            }
        }
    }
}

/// Where a space holds an allocation: it tells nothing about memory, and only saves a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// No slot: the space has to look.
    pub(crate) const UNKNOWN: Self = Self(u32::MAX);
}

/// An allocation, and where the space holds it as long as nothing changes.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The allocation.
    pub allocation: &'a Allocation,
    /// Where it is held.
    pub slot: Slot,
}

/// The allocations of one address space.
#[derive(Clone, Debug)]
pub struct Space {
    machine: Machine,
    /// A granule has 2 to the power of it bytes.
    shift: u32,
    map: GranuleMap<Allocation>,
    committed_pages: u64,
}

impl Space {
    /// An empty space. Page and granularity of the machine are powers of two.
    ///
    /// # Panics
    /// If user space has 2^32 granules or more.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        let granule = |address: u64| {
            u32::try_from(address / machine.granularity).expect("fewer than 2^32 granules")
        };
        let lowest = granule(machine.lowest.next_multiple_of(machine.granularity));
        let end = granule(machine.end());
        let shift = machine.granularity.trailing_zeros();
        Self { machine, shift, map: GranuleMap::new(lowest, end), committed_pages: 0 }
    }

    /// Its units and limits.
    #[must_use]
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// How many bytes are committed.
    #[must_use]
    pub const fn committed(&self) -> u64 {
        self.committed_pages * self.machine.page
    }

    /// The allocation that holds the page of `at`.
    #[must_use]
    pub fn find(&self, at: Address) -> Option<&Allocation> {
        self.look_up(at).map(|found| found.allocation)
    }

    /// The same, with its place: what is changed next need not be looked for again.
    #[must_use]
    pub fn look_up(&self, at: Address) -> Option<Found<'_>> {
        // Its own end tells more than that of its last granule.
        let span = self.map.at_or_before(self.granule(at)?)?;
        (at < span.value.end()).then_some(Found { allocation: span.value, slot: Slot(span.slot) })
    }

    /// The allocation whose granules hold `at`, which may lie in the free rest of the last
    /// one (VA-16).
    #[must_use]
    pub fn owner_of_granule(&self, at: Address) -> Option<&Allocation> {
        Some(self.map.at(self.granule(at)?)?.value)
    }

    /// The first allocation with its base at or behind `at`.
    #[must_use]
    pub fn next(&self, at: Address) -> Option<&Allocation> {
        let granule = units(at.0, self.shift);
        self.map.next(u32::try_from(granule).ok()?).map(|span| span.value)
    }

    /// The last allocation with its base at or before `at`.
    #[must_use]
    pub fn previous(&self, at: Address) -> Option<&Allocation> {
        let granule = self.granule(at).unwrap_or(u32::MAX);
        self.map.at_or_before(granule).map(|span| span.value)
    }

    /// Whether `[base, base + size)` shares a page with an allocation; `base` is a multiple
    /// of the granularity.
    #[must_use]
    pub fn overlaps(&self, base: Address, size: u64) -> bool {
        let granules = units(size, self.shift);
        match (self.granule(base), u32::try_from(granules)) {
            (Some(start), Ok(granules)) => self.map.overlaps(start, granules),
            _ => false,
        }
    }

    /// Whether there is a place for `size` bytes.
    #[must_use]
    pub fn has_hole(&self, size: u64) -> bool {
        u32::try_from(units(size, self.shift)).is_ok_and(|granules| self.map.fits(granules))
    }

    /// The lowest place for `size` bytes.
    #[must_use]
    pub fn lowest_hole(&self, size: u64) -> Option<Address> {
        let granules = u32::try_from(units(size, self.shift)).ok()?;
        self.map.first_fit(granules).map(|granule| self.address(granule))
    }

    /// The lowest place for `size` bytes at or behind `from`.
    #[must_use]
    pub fn lowest_hole_from(&self, from: Address, size: u64) -> Option<Address> {
        let granules = u32::try_from(units(size, self.shift)).ok()?;
        let low = u32::try_from(units(from.0, self.shift)).ok()?;
        let high = self.granule(Address(self.machine.end()))?;
        self.map.first_fit_in(granules, low, high).map(|granule| self.address(granule))
    }

    /// The highest place for `size` bytes.
    #[must_use]
    pub fn highest_hole(&self, size: u64) -> Option<Address> {
        let granules = u32::try_from(units(size, self.shift)).ok()?;
        self.map.last_fit(granules).map(|granule| self.address(granule))
    }

    /// Every allocation, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &Allocation> {
        self.map.iter().map(|span| span.value)
    }

    /// How many allocations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The free run that holds the page of `at`, an address of user space in no allocation:
    /// its page, and the first address behind the run.
    #[must_use]
    pub fn free_run(&self, at: Address) -> (Address, Address) {
        let page = at.align_down(self.machine.page);
        let end = self.next(at).map_or(Address(self.machine.end()), Allocation::base);
        (page, end)
    }

    pub(crate) fn insert(&mut self, allocation: Allocation) {
        let granules = units(allocation.size(), self.shift);
        let start = self.granule(allocation.base()).expect("inside user space");
        let granules = u32::try_from(granules).expect("inside user space");
        self.committed_pages += allocation.committed_pages();
        self.map.insert(start, granules, allocation);
    }

    pub(crate) fn remove(&mut self, base: Address) -> Allocation {
        let start = self.granule(base).expect("inside user space");
        let gone = self.map.remove(start).expect("a live allocation");
        self.committed_pages -= gone.committed_pages();
        gone
    }

    #[inline(always)]
    pub(crate) fn set_pages(
        &mut self,
        base: Address,
        slot: Slot,
        pages: Range<u64>,
        state: PageState,
    ) {
        let after = if state.is_committed() { pages.end - pages.start } else { 0 };
        let there = self.map.value(slot.0).is_some_and(|it| it.base == base);
        let slot = if there { slot.0 } else { self.slot_of(base) };
        let allocation = self.map.value_mut(slot).expect("a live allocation");
        let before = allocation.states.set(pages, state.0);
        self.committed_pages = self.committed_pages + after - before;
    }

    #[inline(never)]
    fn slot_of(&self, base: Address) -> u32 {
        let span = self.granule(base).and_then(|start| self.map.at(start));
        span.expect("a live allocation").slot
    }

    pub(crate) fn allocation_mut(&mut self, base: Address) -> &mut Allocation {
        let start = self.granule(base).expect("inside user space");
        self.map.get_mut(start).expect("a live allocation")
    }

    #[inline]
    fn granule(&self, at: Address) -> Option<u32> {
        u32::try_from(at.0 >> self.shift).ok()
    }

    fn address(&self, granule: u32) -> Address {
        Address(u64::from(granule) << self.shift)
    }
}

/// How many units of 2 to the power of `shift` bytes hold so many bytes.
const fn units(bytes: u64, shift: u32) -> u64 {
    let rest = bytes & ((1 << shift) - 1);
    (bytes >> shift) + if rest == 0 { 0 } else { 1 }
}
