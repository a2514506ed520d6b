//! The arena: one mapping of the kernel's, and the only addresses that are ever changed.
//!
//! All memory calls of the backend go through [`Arena`], which checks that the range is its
//! own. Free, reserved and decommitted addresses are `PROT_NONE` and empty; the kernel merges
//! neighbours of that kind, so a reservation costs no mapping and no call.
//!
//! Deliberately not here: which page has which protection, and why (the ledger).

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::{fmt, io, ptr};

#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};

use crate::arguments::USER_SPACE;
use crate::ledger::GRANULE;

/// What the kernel lets a program do with a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Prot(c_int);

impl Prot {
    pub(super) const NONE: Self = Self(libc::PROT_NONE);
    pub(super) const READ: Self = Self(libc::PROT_READ);
    pub(super) const READ_WRITE: Self = Self(libc::PROT_READ | libc::PROT_WRITE);
    pub(super) const READ_EXECUTE: Self = Self(libc::PROT_READ | libc::PROT_EXEC);
    pub(super) const ALL: Self = Self(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC);

    /// The protection with these three permissions.
    pub(super) fn of(read: bool, write: bool, execute: bool) -> Self {
        let bit = |yes, bit| if yes { bit } else { 0 };
        Self(
            bit(read, libc::PROT_READ)
                | bit(write, libc::PROT_WRITE)
                | bit(execute, libc::PROT_EXEC),
        )
    }

    pub(super) fn readable(self) -> bool {
        self.0 & libc::PROT_READ != 0
    }

    pub(super) fn writable(self) -> bool {
        self.0 & libc::PROT_WRITE != 0
    }

    pub(super) fn executable(self) -> bool {
        self.0 & libc::PROT_EXEC != 0
    }
}

impl fmt::Debug for Prot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |yes, letter| if yes { letter } else { '-' };
        let letters = [
            letter(self.readable(), 'r'),
            letter(self.writable(), 'w'),
            letter(self.executable(), 'x'),
        ];
        letters.iter().try_for_each(|&one| fmt::Write::write_char(f, one))
    }
}

/// One large inaccessible mapping, unmapped when dropped.
#[derive(Debug)]
pub(super) struct Arena {
    /// What `mmap` gave, untrimmed.
    mapped: Range<u64>,
    /// The part on granule bounds inside user space.
    usable: Range<u64>,
    /// Tests make the n-th `mprotect` from now on fail after its first page; 0 is never.
    #[cfg(test)]
    pub(super) fail_in: AtomicU64,
}

impl Arena {
    /// Maps `largest` bytes, or the largest half, quarter, … of it that the kernel grants.
    ///
    /// # Errors
    /// The kernel's, if it does not even grant `smallest`.
    pub(super) fn open(largest: u64, smallest: u64) -> io::Result<Self> {
        let mut size = largest.next_multiple_of(GRANULE);
        loop {
            // One granule more than wanted, so that a whole one can be cut off to align it.
            match map(size + GRANULE) {
                Ok(mapped) => return Ok(Self::of(mapped)),
                Err(error) if size / 2 < smallest => return Err(error),
                Err(_) => size /= 2,
            }
        }
    }

    fn of(mapped: Range<u64>) -> Self {
        // Never at the very bottom: what lies below user space is free, and two free regions
        // never touch (VQ-13).
        let lowest = USER_SPACE.start + GRANULE;
        let start = mapped.start.max(lowest).next_multiple_of(GRANULE);
        let end = mapped.end.min(USER_SPACE.end) & !(GRANULE - 1);
        Self {
            mapped,
            usable: start..end,
            #[cfg(test)]
            fail_in: AtomicU64::new(0),
        }
    }

    /// The addresses that may be used.
    pub(super) fn range(&self) -> Range<u64> {
        self.usable.clone()
    }

    /// Whether every byte of a range belongs to the arena.
    pub(super) fn holds(&self, range: &Range<u64>) -> bool {
        self.usable.start <= range.start && range.start <= range.end && range.end <= self.usable.end
    }

    /// Changes what may be done with a range; what it holds stays.
    ///
    /// # Errors
    /// The kernel's. The first part of the range may have been changed then.
    pub(super) fn protect(&self, range: Range<u64>, prot: Prot) -> io::Result<()> {
        self.check(&range);
        #[cfg(test)]
        if self.fail_in.load(Ordering::Relaxed) != 0
            && self.fail_in.fetch_sub(1, Ordering::Relaxed) == 1
        {
            let first = range.start..range.start + 0x1000;
            change(&first, prot)?;
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        }
        change(&range, prot)
    }

    /// Takes all memory out of a range and makes it inaccessible.
    ///
    /// # Errors
    /// The kernel's, if it cannot split a mapping; nothing has changed then.
    pub(super) fn empty(&self, range: Range<u64>) -> io::Result<()> {
        self.check(&range);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: the range lies in the arena, which holds no Rust object.
        let at = unsafe {
            libc::mmap(
                pointer(range.start),
                native(range.end - range.start),
                libc::PROT_NONE,
                flags,
                -1,
                0,
            )
        };
        if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Takes all memory out of a range; what may be done with it stays. Needs no mapping.
    ///
    /// # Errors
    /// The kernel's: it has none for a range of private memory that is not locked.
    pub(super) fn discard(&self, range: Range<u64>) -> io::Result<()> {
        self.check(&range);
        let length = native(range.end - range.start);
        // SAFETY: the range lies in the arena, which holds no Rust object.
        let failed = unsafe { libc::madvise(pointer(range.start), length, libc::MADV_DONTNEED) };
        if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Our own mistakes must not reach the kernel: it would do as told.
    fn check(&self, range: &Range<u64>) {
        assert!(self.holds(range), "{range:#x?} is not in the arena {:#x?}", self.usable);
        assert!((range.start | range.end).is_multiple_of(0x1000), "{range:#x?}: whole pages");
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let length = native(self.mapped.end - self.mapped.start);
        // SAFETY: the mapping is ours, and nothing refers to it once the arena is gone.
        let failed = unsafe { libc::munmap(pointer(self.mapped.start), length) };
        debug_assert_eq!(failed, 0, "unmapping a whole range of our own cannot fail");
    }
}

/// Takes addresses wherever the kernel likes, with nothing behind them.
///
/// # Errors
/// The kernel's.
pub(super) fn map(size: u64) -> io::Result<Range<u64>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: without MAP_FIXED a new mapping never touches an existing one.
    let at = unsafe { libc::mmap(ptr::null_mut(), native(size), libc::PROT_NONE, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = at as u64;
    Ok(start..start + size)
}

/// Changes what may be done with a range.
///
/// # Errors
/// The kernel's.
pub(super) fn change(range: &Range<u64>, prot: Prot) -> io::Result<()> {
    // SAFETY: callers pass ranges of an arena only (or of the window for benchmarks), which
    // holds no Rust object.
    let failed =
        unsafe { libc::mprotect(pointer(range.start), native(range.end - range.start), prot.0) };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// An address of the arena as the pointer that system calls want.
pub(super) fn pointer(at: u64) -> *mut c_void {
    ptr::with_exposed_provenance_mut(native(at))
}

/// A 64-bit value as the machine's word: this backend exists on 64-bit machines only.
#[allow(clippy::cast_possible_truncation, reason = "the module is compiled for 64 bits only")]
pub(super) const fn native(value: u64) -> usize {
    value as usize
}
