//! Which pages were written: the kernel's own record, so that no writer escapes it.
//!
//! `userfaultfd` in asynchronous write-protect mode drops a page's protection by itself when
//! anybody writes to it, `read(2)` included, and the `PAGEMAP_SCAN` ioctl lists the pages
//! that lost theirs. No thread waits for anything, and no fault reaches the program.
//!
//! A range is registered whole when it is reserved, and armed where it is committed: arming
//! builds page tables. Emptied pages read as written, so only committed ones may be scanned.
//!
//! Deliberately not here: marks that outlive their page (the ledger keeps those), and Win32
//! rules for ranges.

mod ioctl;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use super::mapping::{Arena, Prot};
use crate::touch::Touch;
use ioctl::{PageRegion, PagemapScan, UffdApi, UffdRange, UffdRegister, UffdWriteProtect};

const PAGE: u64 = 0x1000;
/// How many runs of written pages one `PAGEMAP_SCAN` returns at most.
const BATCH: usize = 256;

/// A watch over parts of this process's memory. Closing it ends the watch.
#[derive(Debug)]
pub(super) struct Watch {
    faults: OwnedFd,
    pagemap: File,
}

impl Watch {
    /// A watch over nothing yet.
    ///
    /// # Errors
    /// The kernel's, if it lacks what is needed.
    pub(super) fn open() -> io::Result<Self> {
        // SAFETY: the system call takes flags and returns a descriptor or -1.
        let raw = unsafe {
            libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | ioctl::UFFD_USER_MODE_ONLY)
        };
        let raw = i32::try_from(raw).expect("a descriptor or -1");
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is fresh and ours alone.
        let faults = unsafe { OwnedFd::from_raw_fd(raw) };
        let mut wanted = UffdApi {
            api: ioctl::UFFD_API,
            features: ioctl::FEATURE_WP_ASYNC | ioctl::FEATURE_WP_UNPOPULATED,
            ioctls: 0,
        };
        ioctl::call(faults.as_raw_fd(), ioctl::UFFDIO_API, &mut wanted)?;
        Ok(Self { faults, pagemap: File::open("/proc/self/pagemap")? })
    }

    /// Begins to watch a range. Nothing in it is armed yet.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn register(&self, range: &Range<u64>) -> io::Result<()> {
        let mut register =
            UffdRegister { range: raw(range), mode: ioctl::REGISTER_MODE_WP, ioctls: 0 };
        ioctl::call(self.faults.as_raw_fd(), ioctl::UFFDIO_REGISTER, &mut register).map(drop)
    }

    /// Clears the marks of a range: from now on writes to it are recorded.
    ///
    /// # Errors
    /// The kernel's: out of memory for page tables.
    pub(super) fn arm(&self, range: &Range<u64>) -> io::Result<()> {
        loop {
            let mut protect = UffdWriteProtect { range: raw(range), mode: ioctl::MODE_WP };
            match ioctl::call(self.faults.as_raw_fd(), ioctl::UFFDIO_WRITEPROTECT, &mut protect) {
                // The address space changed at the same time: the kernel asks to try again.
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
                other => return other.map(drop),
            }
        }
    }

    /// Calls `found` with each run of written pages of an armed range, ascending, up to
    /// `limit` pages in all. With `clear` the marks of the pages told are cleared, atomically
    /// for each page: a write is told now or next time.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn scan(
        &self,
        range: &Range<u64>,
        clear: bool,
        limit: u64,
        mut found: impl FnMut(Range<u64>),
    ) -> io::Result<()> {
        let mut regions = [PageRegion::default(); BATCH];
        let mut from = range.start;
        let mut left = limit;
        while from < range.end && left > 0 {
            let mut scan = PagemapScan {
                flags: if clear { ioctl::SCAN_WP_MATCHING } else { 0 },
                start: from,
                end: range.end,
                regions: regions.as_mut_ptr() as u64,
                regions_length: BATCH as u64,
                max_pages: left,
                category_mask: ioctl::PAGE_IS_WRITTEN,
                return_mask: ioctl::PAGE_IS_WRITTEN,
                ..PagemapScan::default()
            };
            let count = ioctl::call(self.pagemap.as_raw_fd(), ioctl::PAGEMAP_SCAN, &mut scan)?;
            for region in &regions[..count] {
                left -= (region.end - region.start) / PAGE;
                found(region.start..region.end);
            }
            // A full batch or the limit stops the kernel early; it says where.
            from = scan.walk_end;
        }
        Ok(())
    }
}

/// Whether write watch works here, found out by doing it once; else why it does not.
///
/// # Errors
/// The reason, as a sentence.
pub(super) fn probe() -> Result<(), String> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    ANSWER.get_or_init(|| try_once(Touch::arm()?)).clone()
}

fn try_once(touch: Touch) -> Result<(), String> {
    let needs = "write watch needs Linux 6.7 with userfaultfd";
    let watch = Watch::open().map_err(|error| format!("{needs}: userfaultfd: {error}"))?;
    let pages = 8 * PAGE;
    let arena = Arena::open(pages, pages).map_err(|error| format!("{needs}: mmap: {error}"))?;
    let base = arena.range().start;
    let range = base..base + pages;
    let step =
        |what, result: io::Result<()>| result.map_err(|error| format!("{needs}: {what}: {error}"));
    step("register", watch.register(&range))?;
    step("write-protect", watch.arm(&range))?;
    step("mprotect", arena.protect(range.clone(), Prot::READ_WRITE))?;
    let fault = |fault| format!("{needs}: its own memory faulted: {fault}");
    let mut byte = [0];
    // SAFETY: the page belongs to the arena of this function.
    unsafe { touch.read(base, &mut byte) }.map_err(fault)?;
    for page in [2, 5] {
        // SAFETY: likewise.
        unsafe { touch.write(base + page * PAGE, &[1]) }.map_err(fault)?;
    }
    let mut written = Vec::new();
    step(
        "PAGEMAP_SCAN",
        watch.scan(&range, false, 8, |run| written.push((run.start - base) / PAGE)),
    )?;
    if written == [2, 5] {
        Ok(())
    } else {
        Err(format!("{needs}: pages 2 and 5 were written, the kernel tells {written:?}"))
    }
}

fn raw(range: &Range<u64>) -> UffdRange {
    UffdRange { start: range.start, length: range.end - range.start }
}
