//! `NeedsVirtualAddressSpace` and its two siblings: what the runtime maps by itself.
//!
//! Promise: every notice is accepted; a mapping is remembered if it can be true, that is if
//! it lies in free memory of user space, and from then on its pages are taken.
//!
//! Deliberately not here: making room. Nothing that the twin holds could be given up, so a
//! need is accepted and changes nothing.

use hostmem_interface::{Address, Protection};

use crate::space::{Allocation, Purpose, Space};

/// `AcquiredVirtualAddressSpace`: remembers the pages of `[address, address + size)`.
pub(crate) fn acquired(space: &mut Space, address: Address, size: u64) {
    let Some(end) = address.checked_add(size) else { return };
    if size == 0 || address.0 < space.machine.lowest || end.0 > space.machine.end() {
        return; // unknown, or nowhere that a mapping could be; null among them
    }
    let pages = space.touched(address, size);
    if space.is_free(&pages) {
        space.add(Allocation {
            pages,
            protect: Protection::READWRITE,
            watched: false,
            physical: false,
            purpose: Purpose::Mapping,
        });
    }
}

/// `ReleasedVirtualAddressSpace`: forgets the mapping whose first page this is.
pub(crate) fn released(space: &mut Space, address: Address) {
    let first = space.page_of(address);
    let mapping = space.holder(first).filter(|found| found.purpose == Purpose::Mapping);
    if mapping.is_some_and(|found| found.pages.start == first) {
        space.remove(first);
    }
}
