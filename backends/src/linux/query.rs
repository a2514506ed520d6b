//! `VirtualQuery`: the run of equal pages at an address, for all of user space.
//!
//! Inside the arena the answer is exact. Outside, nothing would ever be granted, so nothing is
//! called free there but the 64 KiB below user space: one reserved region reaches from there
//! to the arena, and one from the arena to the end.
//!
//! Deliberately not here: what else the process has mapped. A case cannot use it.

use std::ops::Range;

use hostmem_interface::{
    Address, MemoryBasicInformation, OutPointer, Protection, QueryAnswer, Refusal, RegionState,
    RegionType, Win32Error,
};

use super::manager::{LinuxManager, refuse};
use crate::arguments::USER_SPACE;
use crate::ledger::PAGE;

impl LinuxManager {
    pub(super) fn query(
        &self,
        address: Address,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        if address.0 >= USER_SPACE.end {
            return Err(refuse(Win32Error::ERROR_INVALID_PARAMETER));
        }
        if length < MemoryBasicInformation::SIZE {
            return Err(refuse(Win32Error::ERROR_BAD_LENGTH));
        }
        if buffer == OutPointer::Null {
            return Err(refuse(Win32Error::ERROR_NOACCESS));
        }
        Ok(QueryAnswer::of(self.region(address.0 & !(PAGE - 1))))
    }

    /// The region at a page of user space or below it.
    fn region(&self, page: u64) -> MemoryBasicInformation {
        let arena = self.arena.range();
        if page < USER_SPACE.start {
            return MemoryBasicInformation::free(Address(page), USER_SPACE.start - page);
        }
        if page < arena.start {
            return elsewhere(page, &(USER_SPACE.start..arena.start));
        }
        if page >= arena.end {
            return elsewhere(page, &(arena.end..USER_SPACE.end));
        }
        let space = self.space();
        match space.ledger.containing(page) {
            Some(allocation) => allocation.region(page),
            None => self.not_allocated(page, space.ledger.next_base(page)),
        }
    }
}

impl LinuxManager {
    /// A page of the arena in no allocation; the next one begins at `end`. What the runtime
    /// said that it mapped there is not called free.
    fn not_allocated(&self, page: u64, end: u64) -> MemoryBasicInformation {
        match self.announced.next_mapping(page) {
            Some(mapping) if mapping.start <= page => MemoryBasicInformation {
                base_address: Address(page),
                allocation_base: Address(mapping.start),
                allocation_protect: Protection::READWRITE,
                region_size: mapping.end.min(end) - page,
                state: RegionState::COMMIT,
                protect: Protection::READWRITE,
                kind: RegionType::MAPPED,
            },
            mapping => {
                let end = mapping.map_or(end, |mapping| mapping.start.min(end));
                MemoryBasicInformation::free(Address(page), end - page)
            }
        }
    }
}

/// A page outside the arena: taken, by nobody in particular.
fn elsewhere(page: u64, whole: &Range<u64>) -> MemoryBasicInformation {
    MemoryBasicInformation {
        base_address: Address(page),
        allocation_base: Address(whole.start),
        allocation_protect: Protection::NOACCESS,
        region_size: whole.end - page,
        state: RegionState::RESERVE,
        protect: Protection(0),
        kind: RegionType::PRIVATE,
    }
}
