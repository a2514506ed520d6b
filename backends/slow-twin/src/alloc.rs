//! `VirtualAlloc`: reserve, commit, reset.
//!
//! Promise: each function reads as its list of checks in the documented order, and changes
//! something only in its last lines, so a refused call has changed nothing (SM-04).
//!
//! Map: [`virtual_alloc`] checks the arguments and hands on to [`reserve`] (VA-09..19),
//! [`commit`] (VA-13, VA-20..27) or [`reset`] (VA-40..43).
//!
//! Readings taken where several are permitted:
//!
//! * `MEM_RESET` and `MEM_RESET_UNDO` refuse (487) a range that is not page aligned or has a
//!   page that is not committed, and keep all contents (VA-42..43); a null address is an
//!   address in no allocation (VA-47);
//! * they accept copy-on-write protections, which are well formed (VA-41);
//! * `MEM_WRITE_WATCH` and `MEM_LARGE_PAGES` need `MEM_RESERVE` even with a null address
//!   (VA-44, VA-46);
//! * pages of a reservation with `MEM_PHYSICAL` cannot be committed: 487 (VA-45).
//!
//! Deliberately not here: large pages, which nobody is privileged to have (VA-46), and
//! physical pages to map into a `MEM_PHYSICAL` reservation.

use std::ops::Range;

use hostmem_interface::{Address, AllocationType, Protection, Refusal};

use crate::protection;
use crate::refusals::{
    COMMITMENT_LIMIT, INVALID_ADDRESS, INVALID_PARAMETER, NOT_ENOUGH_MEMORY, PRIVILEGE_NOT_HELD,
    ensure,
};
use crate::space::{Allocation, Purpose, Space};

const COMMIT: AllocationType = AllocationType::COMMIT;
const RESERVE: AllocationType = AllocationType::RESERVE;
const RESET: AllocationType = AllocationType::RESET;
const RESET_UNDO: AllocationType = AllocationType::RESET_UNDO;
const TOP_DOWN: AllocationType = AllocationType::TOP_DOWN;
const WRITE_WATCH: AllocationType = AllocationType::WRITE_WATCH;
const PHYSICAL: AllocationType = AllocationType::PHYSICAL;
const LARGE_PAGES: AllocationType = AllocationType::LARGE_PAGES;

const KNOWN: AllocationType = AllocationType(
    COMMIT.0
        | RESERVE.0
        | RESET.0
        | RESET_UNDO.0
        | TOP_DOWN.0
        | WRITE_WATCH.0
        | PHYSICAL.0
        | LARGE_PAGES.0,
);

/// `VirtualAlloc`.
pub(crate) fn virtual_alloc(
    space: &mut Space,
    address: Address,
    size: u64,
    kind: AllocationType,
    protect: Protection,
) -> Result<Address, Refusal> {
    ensure(names_an_action(kind), INVALID_PARAMETER)?; // VA-01
    ensure(combines(kind, protect), INVALID_PARAMETER)?; // VA-02, VA-40, VA-44..46
    ensure(address.is_null() || address.0 >= space.machine.lowest, INVALID_PARAMETER)?; // VA-03
    ensure(protection::has_one_base(protect), INVALID_PARAMETER)?; // VA-04, PR-01
    ensure(protection::modifiers_agree(protect), INVALID_PARAMETER)?; // VA-04, PR-02
    ensure(address.0 < space.machine.end(), INVALID_PARAMETER)?; // VA-05
    ensure(size <= room_behind(space, address), INVALID_PARAMETER)?; // VA-06
    ensure(size != 0, INVALID_PARAMETER)?; // VA-08
    if kind == RESET || kind == RESET_UNDO {
        reset(space, address, size)
    } else if kind.contains(RESERVE) || address.is_null() {
        reserve(space, address, size, kind, protect)
    } else {
        commit(space, address, size, protect)
    }
}

/// No unknown bit, and at least one that says what to do (VA-01).
fn names_an_action(kind: AllocationType) -> bool {
    kind.without(KNOWN).0 == 0 && kind.intersects(COMMIT | RESERVE | RESET | RESET_UNDO)
}

/// Whether the bits may stand together, and with this protection.
fn combines(kind: AllocationType, protect: Protection) -> bool {
    let alone = |bit| !kind.contains(bit) || kind == bit;
    let reset = alone(RESET) && alone(RESET_UNDO); // VA-40, VA-43
    let watch = !kind.contains(WRITE_WATCH) || kind.contains(RESERVE); // VA-44
    let physical = !kind.contains(PHYSICAL)
        // VA-45
        || (kind.without(TOP_DOWN) == RESERVE | PHYSICAL && protect == Protection::READWRITE);
    let large = !kind.contains(LARGE_PAGES)
        // VA-46
        || (kind.contains(RESERVE | COMMIT) && !kind.intersects(PHYSICAL | RESET | WRITE_WATCH));
    reset && watch && physical && large
}

/// The most bytes that can be asked for at an address of user space (VA-06).
fn room_behind(space: &Space, address: Address) -> u64 {
    let from = if address.is_null() { space.machine.lowest } else { address.0 };
    space.machine.end() - from
}

/// A new allocation, with or without memory.
fn reserve(
    space: &mut Space,
    address: Address,
    size: u64,
    kind: AllocationType,
    protect: Protection,
) -> Result<Address, Refusal> {
    ensure(!protection::is_copy_on_write(protect), INVALID_PARAMETER)?; // VA-30b: before the place
    ensure(!kind.contains(LARGE_PAGES), PRIVILEGE_NOT_HELD)?; // VA-46
    let pages = place(space, address, size, kind)?;
    let committing = kind.contains(COMMIT);
    if committing {
        ensure(space.can_commit(pages.end - pages.start), COMMITMENT_LIMIT)?; // VA-27
    }
    space.add(Allocation {
        pages: pages.clone(),
        protect,
        watched: kind.contains(WRITE_WATCH),
        physical: kind.contains(PHYSICAL),
        purpose: Purpose::Caller,
    });
    if committing {
        space.commit(&pages, protect); // VA-11: from the base on
    }
    Ok(space.address_of(pages.start))
}

/// Where a new allocation goes.
fn place(
    space: &Space,
    address: Address,
    size: u64,
    kind: AllocationType,
) -> Result<Range<u64>, Refusal> {
    if address.is_null() {
        let count = size.div_ceil(space.machine.page); // VA-12
        let hole = if kind.contains(TOP_DOWN) {
            space.highest_hole(count) // VA-50
        } else {
            space.lowest_hole(count)
        };
        return hole.ok_or(NOT_ENOUGH_MEMORY); // VA-07
    }
    let base = address.align_down(space.machine.granularity); // VA-10; VA-51: wherever it is
    ensure(base.0 >= space.machine.lowest, INVALID_PARAMETER)?; // VA-03, if `lowest` is no granule
    let pages = space.touched(base, address.0 - base.0 + size);
    ensure(space.is_free(&pages), INVALID_ADDRESS)?; // VA-15, VA-16
    Ok(pages)
}

/// Memory for pages of an existing allocation.
fn commit(
    space: &mut Space,
    address: Address,
    size: u64,
    protect: Protection,
) -> Result<Address, Refusal> {
    let pages = space.touched(address, size);
    let allocation = space.allocation_around(&pages).ok_or(INVALID_ADDRESS)?; // VA-20, VA-21
    ensure(!protection::is_copy_on_write(protect), INVALID_PARAMETER)?; // VA-30b: behind the lookup
    ensure(!allocation.physical, INVALID_ADDRESS)?; // VA-45
    ensure(space.can_commit(space.uncommitted(&pages)), COMMITMENT_LIMIT)?; // VA-27
    space.commit(&pages, protect); // VA-22..24
    Ok(space.address_of(pages.start)) // VA-13
}

/// `MEM_RESET` and `MEM_RESET_UNDO`: nothing is thrown away, so there is nothing to undo.
fn reset(space: &Space, address: Address, size: u64) -> Result<Address, Refusal> {
    let page = space.machine.page;
    let pages = space.touched(address, size);
    ensure(space.allocation_around(&pages).is_some(), INVALID_ADDRESS)?; // VA-42d
    ensure(address.is_aligned(page) && size.is_multiple_of(page), INVALID_ADDRESS)?; // VA-42c
    ensure(space.uncommitted(&pages) == 0, INVALID_ADDRESS)?; // VA-42b
    Ok(address) // VA-42
}
