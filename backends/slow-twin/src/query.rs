//! `VirtualQuery`: the run of equal pages at an address.
//!
//! Promise: the answer is read off the tables, forward from the queried page (VQ-02), and
//! nothing is kept from one query to the next.
//!
//! Readings taken: a short buffer is refused before a null one, as the rules list them; the
//! space up to the end of user space is plain free memory (no pseudo region, VQ-12), and so
//! is the page that every Windows process shares with the kernel (VQ-14).
//!
//! Deliberately not here: addresses of the process that runs this; the space is simulated.

use std::ops::Range;

use hostmem_interface::{
    Address, MemoryBasicInformation, OutPointer, Protection, QueryAnswer, Refusal, RegionState,
    RegionType,
};

use crate::protection::CACHING;
use crate::refusals::{BAD_LENGTH, INVALID_PARAMETER, NOACCESS, ensure};
use crate::space::{Allocation, Purpose, Space};

/// `VirtualQuery`.
pub(crate) fn virtual_query(
    space: &Space,
    address: Address,
    buffer: OutPointer,
    length: u64,
) -> Result<QueryAnswer, Refusal> {
    ensure(address.0 < space.machine.end(), INVALID_PARAMETER)?; // VQ-07, VQ-09
    ensure(length >= MemoryBasicInformation::SIZE, BAD_LENGTH)?; // VQ-08
    ensure(buffer == OutPointer::Valid, NOACCESS)?; // VQ-10
    let page = space.page_of(address);
    Ok(QueryAnswer::of(match space.holder(page) {
        None => free(space, page),
        Some(allocation) => match allocation.purpose {
            Purpose::Caller => private(space, allocation, page),
            Purpose::Heap { .. } => whole(space, allocation, page, RegionType::PRIVATE),
            Purpose::Mapping => whole(space, allocation, page, RegionType::MAPPED),
        },
    }))
}

/// What a page's protection looks like from outside: with the caching of its allocation
/// (PR-05, PR-06, VP-10, VQ-03).
pub(crate) fn shown(allocation: &Allocation, protect: Protection) -> Protection {
    protect | Protection(allocation.protect.0 & CACHING.0)
}

/// Free memory reaches to the next allocation, to the page (VQ-06, VQ-11, VQ-13).
fn free(space: &Space, page: u64) -> MemoryBasicInformation {
    let next = space.allocations.range(page..).next();
    let end = next.map_or(space.end_page(), |(first, _)| *first);
    MemoryBasicInformation::free(space.address_of(page), (end - page) * space.machine.page)
}

/// Pages of a caller's allocation: as many as have the same state and protection (VQ-05).
fn private(space: &Space, allocation: &Allocation, page: u64) -> MemoryBasicInformation {
    let (end, state, protect) = match space.protection(page) {
        Some(protect) => {
            let mut end = page + 1;
            while end < allocation.pages.end && space.protection(end) == Some(protect) {
                end += 1;
            }
            (end, RegionState::COMMIT, shown(allocation, protect))
        }
        None => {
            let mut behind = space.pages.range(page..allocation.pages.end);
            let committed = behind.find(|(_, entry)| entry.protect.is_some());
            let end = committed.map_or(allocation.pages.end, |(first, _)| *first);
            (end, RegionState::RESERVE, Protection(0)) // VA-19
        }
    };
    region(space, allocation, page..end, (state, protect, RegionType::PRIVATE))
}

/// Memory of a heap or a mapping: committed to its end, with one protection.
fn whole(
    space: &Space,
    allocation: &Allocation,
    page: u64,
    kind: RegionType,
) -> MemoryBasicInformation {
    let attributes = (RegionState::COMMIT, allocation.protect, kind);
    region(space, allocation, page..allocation.pages.end, attributes)
}

fn region(
    space: &Space,
    allocation: &Allocation,
    run: Range<u64>,
    (state, protect, kind): (RegionState, Protection, RegionType),
) -> MemoryBasicInformation {
    MemoryBasicInformation {
        base_address: space.address_of(run.start),
        allocation_base: space.address_of(allocation.pages.start),
        allocation_protect: allocation.protect,
        region_size: (run.end - run.start) * space.machine.page,
        state,
        protect,
        kind,
    }
}
