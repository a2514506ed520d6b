//! `GetWriteWatch` and `ResetWriteWatch`.
//!
//! Promise: the checks in the order in which the rules list them: flags, count, pointers,
//! range. A range stands for every page with a byte in it (WW-07).
//!
//! Deliberately not here: making marks, which is part of writing (`access`), and the marks
//! that the kernel makes (WW-13).

use std::ops::Range;

use hostmem_interface::{Address, OutPointer, Refusal, WatchAnswer, WatchFlags, WatchPointers};

use crate::refusals::{INVALID_PARAMETER, NOACCESS, ensure};
use crate::space::Space;

/// `GetWriteWatch`.
pub(crate) fn get_write_watch(
    space: &mut Space,
    address: Address,
    size: u64,
    flags: WatchFlags,
    capacity: u64,
    null: WatchPointers,
) -> Result<WatchAnswer, Refusal> {
    let valid = OutPointer::Valid;
    ensure(flags.without(WatchFlags::RESET).0 == 0, INVALID_PARAMETER)?; // WW-02
    // WW-02: if there is a count
    ensure(null.count == OutPointer::Null || capacity != 0, INVALID_PARAMETER)?;
    ensure(null.count == valid && null.granularity == valid, NOACCESS)?; // WW-02
    ensure(null.addresses == valid, NOACCESS)?; // WW-02
    let range = watched_range(space, address, size)?;
    let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
    let reported: Vec<u64> = marked(space, range).take(capacity).collect();
    if flags.contains(WatchFlags::RESET) {
        clear(space, &reported); // WW-06: only what was reported
    }
    let granularity = u32::try_from(space.machine.page).expect("a page is under 4 GiB");
    let pages = reported.iter().map(|page| space.address_of(*page)).collect(); // WW-01
    Ok(WatchAnswer { pages, granularity })
}

/// `ResetWriteWatch`.
pub(crate) fn reset_write_watch(
    space: &mut Space,
    address: Address,
    size: u64,
) -> Result<(), Refusal> {
    let range = watched_range(space, address, size)?;
    let all: Vec<u64> = marked(space, range).collect();
    clear(space, &all); // WW-06
    Ok(())
}

/// The pages of a range, all in one allocation with write watch.
fn watched_range(space: &Space, address: Address, size: u64) -> Result<Range<u64>, Refusal> {
    ensure(size != 0, INVALID_PARAMETER)?; // WW-03
    ensure(address.checked_add(size).is_some(), INVALID_PARAMETER)?; // WW-03
    let range = space.touched(address, size);
    let allocation = space.allocation_around(&range).ok_or(INVALID_PARAMETER)?; // WW-04
    ensure(allocation.watched, INVALID_PARAMETER)?; // WW-04
    Ok(range)
}

/// The marked pages of a range, committed or not (WW-05, WW-12), ascending.
fn marked(space: &Space, range: Range<u64>) -> impl Iterator<Item = u64> {
    space.pages.range(range).filter(|(_, entry)| entry.written).map(|(page, _)| *page)
}

fn clear(space: &mut Space, pages: &[u64]) {
    for page in pages {
        space.pages.entry(*page).or_default().written = false;
    }
}
