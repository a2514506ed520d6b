//! Reading, writing and executing: permissions, guard pages, marks, contents.
//!
//! Promise: an access is first checked on all its pages, ascending, and only then carried
//! out, so nothing of one that faults becomes visible (AF-04, AF-05), however many pages it
//! straddles. The only thing that a fault changes is the guard that fired (GP-02, GP-03).
//!
//! Readings taken: permission is looked at before the guard (GP-05); memory of a heap can be
//! touched inside live blocks only, and mappings not at all.
//!
//! Deliberately not here: splitting long accesses, which the dispatcher does.

use hostmem_interface::{AccessKind, Address, ExecuteError, Fault, NtStatus, Protection};

use crate::protection;
use crate::space::{PageEntry, Purpose, Space};

/// The one byte that is ever run: `ret`.
const RETURN: u8 = 0xC3;

/// The bytes of an access that lie on one page.
struct Part {
    page: u64,
    /// The first of them.
    at: Address,
    /// Where `at` is on the page.
    in_page: usize,
    /// Where it is in the access.
    in_access: usize,
    length: usize,
}

/// Reads.
pub(crate) fn read(space: &mut Space, address: Address, into: &mut [u8]) -> Result<(), Fault> {
    let parts = parts(space, address, into.len());
    check_all(space, AccessKind::Read, &parts)?;
    for part in &parts {
        let piece = &mut into[part.in_access..part.in_access + part.length];
        match space.pages.get(&part.page).and_then(|entry| entry.contents.as_ref()) {
            Some(contents) => {
                piece.copy_from_slice(&contents[part.in_page..part.in_page + part.length]);
            }
            None => piece.fill(0), // ZF-01
        }
    }
    Ok(())
}

/// Writes, and marks each page of watched memory (WW-08).
pub(crate) fn write(space: &mut Space, address: Address, bytes: &[u8]) -> Result<(), Fault> {
    let page_size = page_size(space);
    let parts = parts(space, address, bytes.len());
    check_all(space, AccessKind::Write, &parts)?;
    for part in &parts {
        let watched = space.holder(part.page).is_some_and(|allocation| allocation.watched);
        let entry = space.pages.entry(part.page).or_default();
        let contents = entry.contents.get_or_insert_with(|| vec![0; page_size].into_boxed_slice());
        contents[part.in_page..part.in_page + part.length]
            .copy_from_slice(&bytes[part.in_access..part.in_access + part.length]);
        entry.written |= watched;
    }
    Ok(())
}

/// Calls a function, if it is a lone `ret`. The faults come before the look at the byte.
pub(crate) fn execute(space: &mut Space, address: Address) -> Result<(), ExecuteError> {
    check_all(space, AccessKind::Execute, &parts(space, address, 1))
        .map_err(ExecuteError::Fault)?;
    let mut byte = [0];
    read(space, address, &mut byte).map_err(ExecuteError::Fault)?; // what runs can be read: AF-03
    if byte[0] == RETURN { Ok(()) } else { Err(ExecuteError::NotReturn(byte[0])) }
}

fn page_size(space: &Space) -> usize {
    usize::try_from(space.machine.page).expect("a page fits into memory")
}

/// The pieces of an access, one a page, ascending modulo 2^64.
fn parts(space: &Space, address: Address, size: usize) -> Vec<Part> {
    let page_size = page_size(space);
    let mut parts = Vec::new();
    let mut done = 0;
    while done < size {
        let at = address.wrapping_add(done as u64);
        let in_page = usize::try_from(at.0 % space.machine.page).expect("less than a page");
        let length = (page_size - in_page).min(size - done);
        parts.push(Part { page: space.page_of(at), at, in_page, in_access: done, length });
        done += length;
    }
    parts
}

fn check_all(space: &mut Space, access: AccessKind, parts: &[Part]) -> Result<(), Fault> {
    parts.iter().try_for_each(|part| check(space, access, part))
}

/// Whether one page lets its part of an access through.
fn check(space: &mut Space, access: AccessKind, part: &Part) -> Result<(), Fault> {
    let protect = protection_for(space, part);
    if !protection::allows(protect, access) {
        // AF-01, GP-05
        return Err(Fault { status: NtStatus::STATUS_ACCESS_VIOLATION, access, at: part.at });
    }
    if protect.contains(Protection::GUARD) {
        disarm(space.pages.entry(part.page).or_default());
        // GP-02
        return Err(Fault { status: NtStatus::STATUS_GUARD_PAGE_VIOLATION, access, at: part.at });
    }
    Ok(())
}

/// The protection that counts for a part of an access; `PAGE_NOACCESS` where there is no
/// memory (AF-03, GP-06, GP-07).
fn protection_for(space: &Space, part: &Part) -> Protection {
    let Some(holder) = space.holder(part.page) else { return Protection::NOACCESS };
    match holder.purpose {
        Purpose::Caller => space.protection(part.page).unwrap_or(Protection::NOACCESS),
        Purpose::Heap { .. } if space.heaps.lies_in_a_block(part.at, part.length as u64) => {
            holder.protect
        }
        Purpose::Heap { .. } | Purpose::Mapping => Protection::NOACCESS,
    }
}

/// The guard is gone before anybody handles the fault (GP-02), on this page alone (GP-03).
fn disarm(entry: &mut PageEntry) {
    entry.protect = entry.protect.map(|protect| protect.without(Protection::GUARD));
}
