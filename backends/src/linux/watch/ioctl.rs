//! The kernel's declarations for write watch: linux/userfaultfd.h and linux/fs.h.
//!
//! Written down by hand because `libc` has none of them. The size of each struct is part of
//! the ioctl's number, so a slip in one is refused by the kernel, not misread.
//!
//! Deliberately not here: anything of these headers that the backend does not use.

use std::ffi::c_ulong;
use std::io;
use std::os::fd::RawFd;

pub(super) const UFFD_USER_MODE_ONLY: i32 = 1;
pub(super) const UFFD_API: u64 = 0xAA;
pub(super) const FEATURE_WP_UNPOPULATED: u64 = 1 << 13;
pub(super) const FEATURE_WP_ASYNC: u64 = 1 << 15;
pub(super) const REGISTER_MODE_WP: u64 = 1 << 1;
pub(super) const MODE_WP: u64 = 1 << 0;
pub(super) const SCAN_WP_MATCHING: u64 = 1 << 0;
pub(super) const PAGE_IS_WRITTEN: u64 = 1 << 1;

pub(super) const UFFDIO_API: c_ulong = number::<UffdApi>(0xAA, 0x3F);
pub(super) const UFFDIO_REGISTER: c_ulong = number::<UffdRegister>(0xAA, 0x00);
pub(super) const UFFDIO_WRITEPROTECT: c_ulong = number::<UffdWriteProtect>(0xAA, 0x06);
pub(super) const PAGEMAP_SCAN: c_ulong = number::<PagemapScan>(b'f', 16);

/// `_IOWR(kind, number, T)`.
const fn number<T>(kind: u8, number: u8) -> c_ulong {
    3 << 30 | (size_of::<T>() as c_ulong) << 16 | (kind as c_ulong) << 8 | number as c_ulong
}

/// A struct that the kernel reads and writes as the argument of one of the numbers above.
///
/// # Safety
/// The layout is the kernel's, and every bit pattern is a value. Addresses in it, if any,
/// point to as much writable memory as the struct says.
pub(super) unsafe trait Argument {}

/// `struct uffdio_api`
#[repr(C)]
pub(super) struct UffdApi {
    pub(super) api: u64,
    pub(super) features: u64,
    pub(super) ioctls: u64,
}

/// `struct uffdio_range`
#[repr(C)]
pub(super) struct UffdRange {
    pub(super) start: u64,
    pub(super) length: u64,
}

/// `struct uffdio_register`
#[repr(C)]
pub(super) struct UffdRegister {
    pub(super) range: UffdRange,
    pub(super) mode: u64,
    pub(super) ioctls: u64,
}

/// `struct uffdio_writeprotect`
#[repr(C)]
pub(super) struct UffdWriteProtect {
    pub(super) range: UffdRange,
    pub(super) mode: u64,
}

/// `struct page_region`
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct PageRegion {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) categories: u64,
}

/// `struct pm_scan_arg`
#[repr(C)]
pub(super) struct PagemapScan {
    pub(super) size: u64,
    pub(super) flags: u64,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) walk_end: u64,
    pub(super) regions: u64,
    pub(super) regions_length: u64,
    pub(super) max_pages: u64,
    pub(super) category_inverted: u64,
    pub(super) category_mask: u64,
    pub(super) category_anyof_mask: u64,
    pub(super) return_mask: u64,
}

impl Default for PagemapScan {
    fn default() -> Self {
        Self {
            size: size_of::<Self>() as u64,
            flags: 0,
            start: 0,
            end: 0,
            walk_end: 0,
            regions: 0,
            regions_length: 0,
            max_pages: 0,
            category_inverted: 0,
            category_mask: 0,
            category_anyof_mask: 0,
            return_mask: 0,
        }
    }
}

// SAFETY: plain integers in the order of linux/userfaultfd.h; no addresses to write to.
unsafe impl Argument for UffdApi {}
// SAFETY: as above; the range is only marked, its contents stay.
unsafe impl Argument for UffdRegister {}
// SAFETY: as above.
unsafe impl Argument for UffdWriteProtect {}
// SAFETY: plain integers in the order of linux/fs.h; `regions` points to `regions_length`
// regions, by the only function that makes one.
unsafe impl Argument for PagemapScan {}

/// `ioctl(2)`: the kernel's answer as a count.
pub(super) fn call<T: Argument>(
    descriptor: RawFd,
    number: c_ulong,
    argument: &mut T,
) -> io::Result<usize> {
    // SAFETY: `T` is the struct that the number stands for (it carries its size).
    let answer = unsafe { libc::ioctl(descriptor, number as _, &raw mut *argument) };
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}
