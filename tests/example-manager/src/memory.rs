//! Blocks of address space in a sorted list, and for each the pages that were given memory.

use std::collections::BTreeMap;

use hostmem_interface::{
    AccessKind, Address, Machine, MemoryBasicInformation, Protection, RegionState, RegionType,
};

/// Bytes of a page.
pub const PAGE: u64 = Machine::WINDOWS_X64.page;
/// Pages from one address that a block may begin at to the next.
const GRANULE: u64 = Machine::WINDOWS_X64.granularity / PAGE;
const FIRST: u64 = Machine::WINDOWS_X64.lowest / PAGE;
const END: u64 = Machine::WINDOWS_X64.end() / PAGE;

/// A page with memory behind it.
#[derive(Clone, Debug)]
struct Page {
    protect: Protection,
    /// `None`: all zero.
    bytes: Option<Box<[u8]>>,
}

/// Pages that were reserved together, counted from address 0.
#[derive(Clone, Debug)]
pub struct Block {
    /// The first page.
    pub first: u64,
    /// The page behind the last.
    pub end: u64,
    /// Whether it is for physical pages, which are never committed.
    pub physical: bool,
    protect: Protection,
    pages: BTreeMap<u64, Page>,
    /// Bytes that a forgetful manager did not throw away.
    forgotten: BTreeMap<u64, Box<[u8]>>,
}

impl Block {
    /// Reserved pages.
    #[must_use]
    pub const fn new(first: u64, end: u64, protect: Protection, physical: bool) -> Self {
        let pages = BTreeMap::new();
        let forgotten = BTreeMap::new();
        Self { first, end, physical, protect, pages, forgotten }
    }

    /// Gives pages memory; those that have it keep their bytes.
    pub fn commit(&mut self, first: u64, end: u64, protect: Protection) {
        for number in first..end {
            let bytes = self.forgotten.remove(&number);
            let page = self.pages.entry(number).or_insert(Page { protect, bytes });
            page.protect = protect;
        }
    }

    /// Takes memory away.
    pub fn decommit(&mut self, first: u64, end: u64, scrub: bool) {
        let behind = self.pages.split_off(&end);
        let gone = self.pages.split_off(&first);
        self.pages.extend(behind);
        if !scrub {
            let bytes = gone.into_iter().filter_map(|(at, page)| Some((at, page.bytes?)));
            self.forgotten.extend(bytes);
        }
    }

    /// Changes pages, if all have memory; what the first had.
    pub fn protect(&mut self, first: u64, end: u64, protect: Protection) -> Option<Protection> {
        if self.pages.range(first..end).count() as u64 != end - first {
            return None;
        }
        let old = self.pages.get(&first)?.protect;
        self.pages.range_mut(first..end).for_each(|(_, page)| page.protect = protect);
        Some(old)
    }

    /// The run of equal pages from one on.
    fn region(&self, number: u64) -> MemoryBasicInformation {
        let (state, protect, end) = match self.pages.get(&number) {
            Some(page) => {
                let alike =
                    |at: &u64| self.pages.get(at).map(|it| it.protect) == Some(page.protect);
                let end = (number..self.end).find(|at| !alike(at)).unwrap_or(self.end);
                (RegionState::COMMIT, page.protect, end)
            }
            None => {
                let next = self.pages.range(number..).next();
                (RegionState::RESERVE, Protection(0), next.map_or(self.end, |(at, _)| *at))
            }
        };
        MemoryBasicInformation {
            base_address: Address(number * PAGE),
            allocation_base: Address(self.first * PAGE),
            allocation_protect: self.protect,
            region_size: (end - number) * PAGE,
            state,
            protect,
            kind: RegionType::PRIVATE,
        }
    }
}

/// All blocks, by address.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    blocks: Vec<Block>,
}

impl Memory {
    /// Where the first block is that ends behind a page.
    fn position(&self, page: u64) -> usize {
        self.blocks.partition_point(|block| block.end <= page)
    }

    /// The block that pages lie in, if it is one.
    pub fn around(&mut self, first: u64, end: u64) -> Option<&mut Block> {
        let at = self.position(first);
        self.blocks.get_mut(at).filter(|block| block.first <= first && end <= block.end)
    }

    /// The lowest place for so many pages.
    #[must_use]
    pub fn hole(&self, count: u64) -> Option<u64> {
        let mut start = FIRST;
        for block in &self.blocks {
            if start.checked_add(count)? <= block.first {
                break;
            }
            start = block.end.next_multiple_of(GRANULE);
        }
        (start.checked_add(count)? <= END).then_some(start)
    }

    /// Adds a block, if its place is free.
    pub fn add(&mut self, block: Block) -> Option<&mut Block> {
        let at = self.position(block.first);
        if self.blocks.get(at).is_some_and(|next| next.first < block.end) {
            return None;
        }
        self.blocks.insert(at, block);
        self.blocks.get_mut(at)
    }

    /// Removes the block that holds a page.
    pub fn remove(&mut self, page: u64) {
        let at = self.position(page);
        self.blocks.remove(at);
    }

    /// The run of equal pages from one on, whoever has them.
    #[must_use]
    pub fn region(&self, page: u64) -> MemoryBasicInformation {
        match self.blocks.get(self.position(page)) {
            Some(block) if block.first <= page => block.region(page),
            next => {
                let end = next.map_or(END, |block| block.first);
                MemoryBasicInformation::free(Address(page * PAGE), (end - page) * PAGE)
            }
        }
    }

    fn page(&mut self, address: u64) -> Option<&mut Page> {
        let number = address / PAGE;
        self.around(number, number + 1)?.pages.get_mut(&number)
    }

    /// Whether a byte may be read or written.
    pub fn allows(&mut self, access: AccessKind, address: u64) -> bool {
        let Some(page) = self.page(address) else { return false };
        let writable = [Protection::READWRITE, Protection::EXECUTE_READWRITE];
        match access {
            AccessKind::Write => writable.contains(&page.protect),
            AccessKind::Read => page.protect != Protection::NOACCESS,
            AccessKind::Execute => false,
        }
    }

    /// A byte.
    pub fn byte(&mut self, address: u64) -> u8 {
        let offset = usize::try_from(address % PAGE).expect("less than a page");
        let bytes = self.page(address).and_then(|page| page.bytes.as_ref());
        bytes.map_or(0, |bytes| bytes[offset])
    }

    /// Changes a byte of a page that has memory.
    pub fn set_byte(&mut self, address: u64, byte: u8) {
        let offset = usize::try_from(address % PAGE).expect("less than a page");
        let size = usize::try_from(PAGE).expect("a page fits into memory");
        if let Some(page) = self.page(address) {
            page.bytes.get_or_insert_with(|| vec![0; size].into_boxed_slice())[offset] = byte;
        }
    }
}
