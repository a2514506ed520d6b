//! What `VirtualQuery` writes: `MEMORY_BASIC_INFORMATION` as a value.
//!
//! Deliberately not here: the byte layout, which belongs to the backends that speak COM or
//! Win32.

use crate::{Address, Protection, RegionState, RegionType};

/// `MEMORY_BASIC_INFORMATION` (winnt.h): a run of pages with equal attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MemoryBasicInformation {
    /// The queried address rounded down to its page.
    pub base_address: Address,
    /// The base of the allocation that the page belongs to; null if free.
    pub allocation_base: Address,
    /// The protection given when the allocation was reserved; 0 if free.
    pub allocation_protect: Protection,
    /// Bytes from `base_address` to the end of the run.
    pub region_size: u64,
    /// Committed, reserved or free.
    pub state: RegionState,
    /// The protection of the pages; 0 where reserved, `PAGE_NOACCESS` where free.
    pub protect: Protection,
    /// Private, mapped, image; 0 if free.
    pub kind: RegionType,
}

impl MemoryBasicInformation {
    /// `sizeof(MEMORY_BASIC_INFORMATION)` on 64-bit Windows, in bytes.
    pub const SIZE: u64 = 48;

    /// The first address behind the run, modulo 2^64.
    #[must_use]
    pub const fn end(&self) -> Address {
        self.base_address.wrapping_add(self.region_size)
    }

    /// A free run with the field values that Windows gives (VQ-06, VQ-06b).
    #[must_use]
    pub const fn free(base_address: Address, region_size: u64) -> Self {
        Self {
            base_address,
            allocation_base: Address::NULL,
            allocation_protect: Protection(0),
            region_size,
            state: RegionState::FREE,
            protect: Protection::NOACCESS,
            kind: RegionType(0),
        }
    }
}

/// A successful `VirtualQuery`: how many bytes it wrote, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueryAnswer {
    /// `*pResult`: 48, or 0 where the manager says "nothing there" with `S_OK`.
    pub written: u64,
    /// What was written; all zero if nothing was.
    pub information: MemoryBasicInformation,
}

impl QueryAnswer {
    /// A full answer.
    #[must_use]
    pub const fn of(information: MemoryBasicInformation) -> Self {
        Self { written: MemoryBasicInformation::SIZE, information }
    }
}
