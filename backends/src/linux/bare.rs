//! The kernel's calls alone: [`BareLinux`] does what each memory call comes down to, without a
//! ledger, without a check of arguments, without Win32. A benchmark puts it beside the model.
//!
//! A reservation is an inaccessible mapping, a commit and a protection are `mprotect`, a
//! decommit maps afresh, a release is `munmap`, and a query is `PROCMAP_QUERY`.
//!
//! Deliberately not here: a manager ([`super::LinuxManager`]); contents, which nothing touches.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use hostmem_interface::{Address, Protection};

use super::kernel_view::{self, Mapping};
use super::mapping::{self, native, pointer};
use crate::ledger::page_state::PageState;

/// Whether the window is in use: it is one place of the process.
static TAKEN: AtomicBool = AtomicBool::new(false);

const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

/// The kernel's calls on addresses of one window.
#[derive(Debug)]
pub struct BareLinux {
    maps: File,
}

/// A mapping at a place of the kernel's choice.
#[derive(Debug)]
pub struct Anywhere(Range<u64>);

impl BareLinux {
    /// The addresses that may be used: 64 TiB between the program and the stack.
    pub const WINDOW: Range<u64> = 8 << 40..72 << 40;

    /// The window of this process.
    ///
    /// # Errors
    /// Why it cannot be had: it is in use, something is mapped there, or the kernel has no
    /// `PROCMAP_QUERY` (Linux 6.11).
    pub fn open() -> io::Result<Self> {
        let maps = File::open("/proc/self/maps")?;
        let found = kernel_view::by_query(&maps, &Self::WINDOW)?;
        if !found.is_empty() || TAKEN.swap(true, Ordering::Relaxed) {
            return Err(io::Error::other("the window of the system calls is in use"));
        }
        Ok(Self { maps })
    }

    /// Takes addresses where nothing is.
    ///
    /// # Errors
    /// The kernel's.
    pub fn reserve(&self, at: Address, size: u64) -> io::Result<()> {
        map(&window(at, size), libc::MAP_FIXED_NOREPLACE)
    }

    /// Gives them back.
    ///
    /// # Errors
    /// The kernel's.
    pub fn release(&self, at: Address, size: u64) -> io::Result<()> {
        unmap(&window(at, size))
    }

    /// Gives committed pages a lawful protection, or commits reserved ones.
    ///
    /// # Errors
    /// The kernel's.
    pub fn protect(&self, at: Address, size: u64, protect: Protection) -> io::Result<()> {
        mapping::change(&window(at, size), PageState::committed(protect).prot())
    }

    /// Takes the memory out of reserved addresses.
    ///
    /// # Errors
    /// The kernel's.
    pub fn decommit(&self, at: Address, size: u64) -> io::Result<()> {
        map(&window(at, size), libc::MAP_FIXED)
    }

    /// The first address of the mapping that holds `at` or comes next, and its length.
    ///
    /// # Errors
    /// The kernel's.
    pub fn query(&self, at: Address) -> io::Result<Option<(Address, u64)>> {
        let found = kernel_view::covering_or_next(&self.maps, at.0)?;
        Ok(found.map(|Mapping { range, .. }| (Address(range.start), range.end - range.start)))
    }

    /// Takes `size` bytes of addresses wherever the kernel likes.
    ///
    /// # Errors
    /// The kernel's.
    pub fn reserve_anywhere(&self, size: u64) -> io::Result<Anywhere> {
        mapping::map(size).map(Anywhere)
    }

    /// Gives them back.
    ///
    /// # Errors
    /// The kernel's.
    pub fn release_anywhere(&self, place: Anywhere) -> io::Result<()> {
        let Anywhere(range) = place;
        unmap(&range)
    }

    /// Gives back the middle of a mapping: two mappings with a hole between them are left.
    ///
    /// # Errors
    /// The kernel's; the hole was not made then.
    pub fn punch(&self, place: &Anywhere, hole: Range<u64>) -> io::Result<()> {
        let hole = place.0.start + hole.start..place.0.start + hole.end;
        assert!(hole.end <= place.0.end, "inside the mapping");
        unmap(&hole)
    }
}

impl Drop for BareLinux {
    fn drop(&mut self) {
        if unmap(&Self::WINDOW).is_ok() {
            TAKEN.store(false, Ordering::Relaxed);
        }
    }
}

/// A range of the window: nothing else may reach the kernel.
fn window(at: Address, size: u64) -> Range<u64> {
    let window = BareLinux::WINDOW;
    assert!(window.contains(&at.0) && size <= window.end - at.0, "{at} is not in the window");
    at.0..at.0 + size
}

fn map(range: &Range<u64>, place: i32) -> io::Result<()> {
    let (at, size) = (pointer(range.start), native(range.end - range.start));
    // SAFETY: the range lies in the window, which held nothing when it was opened and into
    // which the kernel puts nothing by itself: it goes down from the stack.
    let mapped = unsafe { libc::mmap(at, size, libc::PROT_NONE, PRIVATE | place, -1, 0) };
    if ptr::eq(mapped, libc::MAP_FAILED) { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn unmap(range: &Range<u64>) -> io::Result<()> {
    // SAFETY: callers pass ranges of the window, or of a mapping that `Anywhere` owns; neither
    // holds a Rust object.
    let failed = unsafe { libc::munmap(pointer(range.start), native(range.end - range.start)) };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_shows_in_the_kernels_view() {
        let kernel = match BareLinux::open() {
            Ok(kernel) => kernel,
            Err(error) => return println!("not on this kernel: {error}"),
        };
        assert!(BareLinux::open().is_err(), "there is one window");
        let base = Address(BareLinux::WINDOW.start + (1 << 30));
        let query = |at: u64| kernel.query(Address(base.0 + at)).unwrap().unwrap();
        kernel.reserve(base, 0x1_0000).unwrap();
        assert_eq!(query(0x5000), (base, 0x1_0000));
        kernel.protect(Address(base.0 + 0x2000), 0x3000, Protection::READWRITE).unwrap();
        assert_eq!(query(0x2000), (Address(base.0 + 0x2000), 0x3000));
        kernel.decommit(Address(base.0 + 0x2000), 0x1000).unwrap();
        assert_eq!(query(0), (base, 0x3000));
        kernel.release(base, 0x1_0000).unwrap();
        assert_ne!(query(0).0, base);
        let place = kernel.reserve_anywhere(0x3000).unwrap();
        kernel.punch(&place, 0x1000..0x2000).unwrap();
        kernel.release_anywhere(place).unwrap();
    }
}
