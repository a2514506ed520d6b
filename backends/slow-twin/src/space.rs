//! The tables: which allocations there are, and what is known of each page.
//!
//! Promise: every page that anybody may touch has an entry of its own, so nothing here ever
//! splits, joins or compresses. The price is that a commit of `n` pages takes `n` steps.
//!
//! Map: [`Space`] holds the two tables; the lookups are what the calls ask; the changes are
//! all that the calls do; [`Space::check`] tells whether the tables still agree.
//!
//! Pages are counted from address 0 (`u64` page numbers), never mixed with bytes.
//!
//! Deliberately not here: any decision about what a call may do, and merging of neighbours:
//! two allocations stay two, however equal (SM-03).

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::{Address, Machine, Protection};

use crate::heap::Heaps;
use crate::protection;

/// The most pages that are ever committed at once, 16 GiB of them if they have 4 KiB: an
/// entry per page has to fit into the memory of whoever runs this.
const MOST_PAGES: u64 = 4 << 20;

/// What a run of pages was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A caller's `VirtualAlloc`.
    Caller,
    /// Memory of a heap: committed throughout, and in nobody's allocation for the callers
    /// of the virtual-memory functions.
    Heap {
        /// The heap's number.
        heap: usize,
    },
    /// A mapping that the runtime told of; likewise in nobody's allocation.
    Mapping,
}

/// A run of pages that belongs together (SM-01).
#[derive(Clone, Debug)]
pub(crate) struct Allocation {
    /// Its pages.
    pub(crate) pages: Range<u64>,
    /// The protection of the call that made it, verbatim (VQ-04, VA-25).
    pub(crate) protect: Protection,
    /// Whether writes are recorded (WW-14).
    pub(crate) watched: bool,
    /// Whether it is for physical pages, which are mapped and not committed (VA-45).
    pub(crate) physical: bool,
    /// What it is for.
    pub(crate) purpose: Purpose,
}

/// What is known of one page. A page of an allocation without an entry is reserved, was
/// never written and is not marked.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageEntry {
    /// The protection if a caller committed the page, without the caching modifiers, which
    /// belong to the allocation (PR-05). `None`: reserved, or memory of a heap.
    pub(crate) protect: Option<Protection>,
    /// The write-watch mark.
    pub(crate) written: bool,
    /// The bytes; `None` is all zero.
    pub(crate) contents: Option<Box<[u8]>>,
}

/// An address space.
#[derive(Debug)]
pub(crate) struct Space {
    /// Units and limits.
    pub(crate) machine: Machine,
    /// Every allocation under its first page.
    pub(crate) allocations: BTreeMap<u64, Allocation>,
    /// Every page with something to say, under its number.
    pub(crate) pages: BTreeMap<u64, PageEntry>,
    /// How many pages callers have committed.
    pub(crate) committed: u64,
    /// The heaps and their blocks.
    pub(crate) heaps: Heaps,
}

impl Space {
    /// An empty address space.
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            allocations: BTreeMap::new(),
            pages: BTreeMap::new(),
            committed: 0,
            heaps: Heaps::default(),
        }
    }

    /// The page that holds an address.
    pub(crate) fn page_of(&self, address: Address) -> u64 {
        address.0 / self.machine.page
    }

    /// The first address of a page.
    pub(crate) fn address_of(&self, page: u64) -> Address {
        Address(page * self.machine.page)
    }

    /// The page behind the last one of user space.
    pub(crate) fn end_page(&self) -> u64 {
        self.machine.end() / self.machine.page
    }

    /// The pages with at least one byte in `[address, address + size)` (SM-05).
    ///
    /// The caller has made sure that the range does not wrap.
    pub(crate) fn touched(&self, address: Address, size: u64) -> Range<u64> {
        self.page_of(address)..(address.0 + size).div_ceil(self.machine.page)
    }

    /// Whatever a page belongs to.
    pub(crate) fn holder(&self, page: u64) -> Option<&Allocation> {
        let (_, before) = self.allocations.range(..=page).next_back()?;
        before.pages.contains(&page).then_some(before)
    }

    /// The caller's allocation that a page belongs to.
    pub(crate) fn allocation(&self, page: u64) -> Option<&Allocation> {
        self.holder(page).filter(|found| found.purpose == Purpose::Caller)
    }

    /// The caller's allocation that a whole range lies in, if it lies in one (SM-03).
    pub(crate) fn allocation_around(&self, range: &Range<u64>) -> Option<&Allocation> {
        self.allocation(range.start).filter(|found| range.end <= found.pages.end)
    }

    /// Whether no page of a range belongs to anything.
    pub(crate) fn is_free(&self, range: &Range<u64>) -> bool {
        match self.allocations.range(..range.end).next_back() {
            Some((_, last)) => last.pages.end <= range.start,
            None => true,
        }
    }

    /// The protection of a page that a caller committed, without caching modifiers.
    pub(crate) fn protection(&self, page: u64) -> Option<Protection> {
        self.pages.get(&page)?.protect
    }

    /// How many pages of a range are not committed.
    pub(crate) fn uncommitted(&self, range: &Range<u64>) -> u64 {
        let entries = self.pages.range(range.clone());
        let committed = entries.filter(|(_, entry)| entry.protect.is_some()).count();
        range.end - range.start - committed as u64
    }

    /// Whether `more` pages can be committed (VA-27).
    pub(crate) fn can_commit(&self, more: u64) -> bool {
        let limit = match self.machine.commit_limit {
            Some(bytes) => MOST_PAGES.min(bytes / self.machine.page),
            None => MOST_PAGES,
        };
        self.committed.checked_add(more).is_some_and(|all| all <= limit)
    }

    /// The lowest granule with `count` free pages behind it.
    pub(crate) fn lowest_hole(&self, count: u64) -> Option<Range<u64>> {
        let granule = self.machine.granularity / self.machine.page;
        let mut start = self.machine.lowest.div_ceil(self.machine.granularity) * granule;
        for allocation in self.allocations.values() {
            if start.checked_add(count)? <= allocation.pages.start {
                break;
            }
            start = start.max(allocation.pages.end.next_multiple_of(granule));
        }
        let end = start.checked_add(count)?;
        (end <= self.end_page()).then_some(start..end)
    }

    /// The highest granule with `count` free pages behind it (VA-50).
    pub(crate) fn highest_hole(&self, count: u64) -> Option<Range<u64>> {
        let granule = self.machine.granularity / self.machine.page;
        let lowest = self.machine.lowest.div_ceil(self.machine.page);
        let mut limit = self.end_page();
        for allocation in self.allocations.values().rev() {
            if self.highest_start(limit, count, granule)? >= allocation.pages.end {
                break;
            }
            limit = allocation.pages.start;
        }
        let start = self.highest_start(limit, count, granule)?;
        (start >= lowest).then(|| start..start + count)
    }

    /// The highest granule from which `count` pages end at or before `limit`.
    fn highest_start(&self, limit: u64, count: u64, granule: u64) -> Option<u64> {
        Some(limit.checked_sub(count)? / granule * granule)
    }

    /// Adds an allocation over free pages, all of them reserved.
    pub(crate) fn add(&mut self, allocation: Allocation) {
        self.allocations.insert(allocation.pages.start, allocation);
    }

    /// Removes an allocation with everything known of its pages (VF-14, WW-12).
    pub(crate) fn remove(&mut self, first: u64) {
        let Some(allocation) = self.allocations.remove(&first) else { return };
        self.committed -= self.count_committed(&allocation.pages);
        for page in self.entries(&allocation.pages) {
            self.pages.remove(&page);
        }
    }

    /// Commits a range; pages that already were keep their contents (VA-22, VA-23).
    pub(crate) fn commit(&mut self, range: &Range<u64>, protect: Protection) {
        self.committed += self.uncommitted(range);
        for page in range.clone() {
            self.pages.entry(page).or_default().protect =
                Some(protect.without(protection::CACHING));
        }
    }

    /// Takes the memory of a range away. What is left is as if never committed (VF-13),
    /// but for the write-watch marks (WW-12).
    pub(crate) fn decommit(&mut self, range: &Range<u64>) {
        self.committed -= self.count_committed(range);
        for page in self.entries(range) {
            let written = self.pages[&page].written;
            self.pages.remove(&page);
            if written {
                self.pages.insert(page, PageEntry { written, ..PageEntry::default() });
            }
        }
    }

    /// The pages of a range that have entries.
    fn entries(&self, range: &Range<u64>) -> Vec<u64> {
        self.pages.range(range.clone()).map(|(page, _)| *page).collect()
    }

    fn count_committed(&self, range: &Range<u64>) -> u64 {
        range.end - range.start - self.uncommitted(range)
    }

    /// Whether the tables agree with each other.
    ///
    /// # Errors
    /// What does not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut free_from = 0;
        for (first, allocation) in &self.allocations {
            let pages = &allocation.pages;
            if *first != pages.start || pages.is_empty() || pages.start < free_from {
                return Err(format!("the allocation at page {first:#x} is misplaced"));
            }
            free_from = pages.end;
        }
        if free_from > self.end_page() {
            return Err("an allocation ends behind user space".to_owned());
        }
        if let Some((page, _)) = self.pages.iter().find(|(page, _)| self.holder(**page).is_none()) {
            return Err(format!("page {page:#x} has an entry and belongs to nothing"));
        }
        let committed = self.pages.values().filter(|entry| entry.protect.is_some()).count() as u64;
        if committed != self.committed {
            return Err(format!("{committed} pages are committed, {} counted", self.committed));
        }
        self.heaps.check(self)
    }
}
