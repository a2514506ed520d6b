//! `VirtualProtect`.
//!
//! Promise: the checks in the documented order, then one change. A bit without a name counts
//! as a malformed base (PR-04), so it is refused before the out pointer is looked at.
//!
//! Deliberately not here: what a failed call leaves in `*old` (VP-14: unknown).

use hostmem_interface::{Address, OutPointer, Protection, Refusal};

use crate::protection;
use crate::query::shown;
use crate::refusals::{INVALID_ADDRESS, INVALID_PARAMETER, NOACCESS, ensure};
use crate::space::Space;

/// `VirtualProtect`.
pub(crate) fn virtual_protect(
    space: &mut Space,
    address: Address,
    size: u64,
    protect: Protection,
    old: OutPointer,
) -> Result<Protection, Refusal> {
    ensure(protection::has_one_base(protect), INVALID_PARAMETER)?; // VP-01
    ensure(old == OutPointer::Valid, NOACCESS)?; // VP-02, VP-03
    ensure(address.0 < space.machine.end(), INVALID_PARAMETER)?; // VP-04
    ensure(size <= space.machine.end() - address.0, INVALID_PARAMETER)?; // VP-04
    ensure(size != 0, INVALID_PARAMETER)?; // VP-05
    ensure(protection::modifiers_agree(protect), INVALID_PARAMETER)?; // VP-05b
    let pages = space.touched(address, size); // VP-09
    let allocation = space.allocation_around(&pages).ok_or(INVALID_ADDRESS)?; // VP-06, VP-07
    ensure(!protection::is_copy_on_write(protect), INVALID_PARAMETER)?; // VP-11
    ensure(space.uncommitted(&pages) == 0, INVALID_ADDRESS)?; // VP-08
    let first = space.protection(pages.start).ok_or(INVALID_ADDRESS)?; // VP-08
    let before = shown(allocation, first); // VP-10
    space.commit(&pages, protect); // all are committed: only the protection changes (VP-12, VP-13)
    Ok(before)
}
