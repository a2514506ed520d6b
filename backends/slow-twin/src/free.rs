//! `VirtualFree`: decommit and release.
//!
//! Promise: the checks in the documented order, then one change.
//!
//! Deliberately not here: releasing a part of an allocation, which only the Nt form can
//! (VF-15).

use hostmem_interface::{Address, FreeType, Refusal};

use crate::refusals::{INVALID_ADDRESS, INVALID_PARAMETER, NOT_OURS, ensure};
use crate::space::Space;

/// `VirtualFree`.
pub(crate) fn virtual_free(
    space: &mut Space,
    address: Address,
    size: u64,
    kind: FreeType,
) -> Result<(), Refusal> {
    let releasing = kind.contains(FreeType::RELEASE);
    ensure(!releasing || size == 0, INVALID_PARAMETER)?; // VF-01
    ensure(kind == FreeType::DECOMMIT || kind == FreeType::RELEASE, INVALID_PARAMETER)?; // VF-02
    ensure(address.0 < space.machine.end(), INVALID_PARAMETER)?; // VF-04
    ensure(size <= space.machine.end() - address.0, INVALID_PARAMETER)?; // VF-04
    let first = space.page_of(address);
    let allocation = space.allocation(first).ok_or(NOT_OURS)?.pages.clone(); // VF-05, VF-06
    let pages = space.touched(address, size);
    ensure(pages.end <= allocation.end, INVALID_PARAMETER)?; // VF-07
    if size == 0 {
        ensure(first == allocation.start, INVALID_ADDRESS)?; // VF-08, VF-09
    }
    if releasing {
        space.remove(allocation.start); // VF-14
    } else if size == 0 {
        space.decommit(&allocation); // VF-12
    } else {
        space.decommit(&pages); // VF-10
    }
    Ok(())
}
