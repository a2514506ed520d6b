//! The kernel's record of writes, without the manager. Skipped where the kernel has none.

use std::fs::File;
use std::io::Read;

use super::*;
use crate::linux::mapping;

struct Watched {
    touch: Touch,
    watch: Watch,
    arena: Arena,
    range: Range<u64>,
}

impl Watched {
    /// Sixteen armed, writable pages; `None` where the kernel has no write watch, which the
    /// capability says and `.ci/run` insists on.
    fn new() -> Option<Self> {
        probe().ok()?;
        let touch = Touch::arm().unwrap();
        let watch = Watch::open().unwrap();
        let arena = Arena::open(1 << 20, 1 << 20).unwrap();
        let base = arena.range().start;
        let range = base..base + 16 * PAGE;
        watch.register(&range).unwrap();
        watch.arm(&range).unwrap();
        arena.protect(range.clone(), Prot::READ_WRITE).unwrap();
        Some(Self { touch, watch, arena, range })
    }

    fn write(&self, page: u64, offset: u64, size: usize) {
        // SAFETY: inside this test's arena.
        unsafe { self.touch.write(self.range.start + page * PAGE + offset, &vec![1; size]) }
            .unwrap();
    }

    fn written(&self, clear: bool, limit: u64) -> Vec<u64> {
        let mut pages = Vec::new();
        let found = |run: Range<u64>| {
            let first = (run.start - self.range.start) / PAGE;
            pages.extend(first..first + (run.end - run.start) / PAGE);
        };
        self.watch.scan(&self.range, clear, limit, found).unwrap();
        pages
    }
}

#[test]
fn an_armed_page_is_told_once_it_is_written_and_not_when_it_is_read() {
    let Some(watched) = Watched::new() else { return };
    let mut byte = [0];
    // SAFETY: inside this test's arena.
    unsafe { watched.touch.read(watched.range.start + PAGE, &mut byte) }.unwrap();
    assert!(watched.written(false, 16).is_empty());
    watched.write(3, 0, 1);
    watched.write(7, PAGE - 4, 8);
    assert_eq!(watched.written(false, 16), [3, 7, 8]);
}

#[test]
fn clearing_takes_exactly_the_pages_that_were_told() {
    let Some(watched) = Watched::new() else { return };
    for page in [1, 2, 4, 9, 15] {
        watched.write(page, 8, 8);
    }
    assert_eq!(watched.written(true, 3), [1, 2, 4]);
    assert_eq!(watched.written(true, 16), [9, 15]);
    assert!(watched.written(false, 16).is_empty());
    watched.write(2, 0, 4);
    assert_eq!(watched.written(false, 16), [2]);
}

#[test]
fn protection_changes_do_not_mark() {
    let Some(watched) = Watched::new() else { return };
    watched.write(5, 0, 1);
    for prot in [Prot::NONE, Prot::READ, Prot::ALL, Prot::READ_WRITE] {
        watched.arena.protect(watched.range.clone(), prot).unwrap();
        assert_eq!(watched.written(false, 16), [5], "{prot:?}");
    }
    watched.write(6, 0, 1);
    assert_eq!(watched.written(false, 16), [5, 6]);
}

/// WW-13: the kernel's own writes count.
#[test]
fn reading_a_file_into_watched_memory_marks_the_pages_that_it_fills() {
    let Some(watched) = Watched::new() else { return };
    let at = watched.range.start + 2 * PAGE - 16;
    // SAFETY: committed, writable memory of this test's arena that nobody else refers to.
    let buffer = unsafe { std::slice::from_raw_parts_mut(mapping::pointer(at).cast(), 32) };
    let mut zeros = File::open("/dev/zero").unwrap();
    zeros.read_exact(buffer).unwrap();
    assert_eq!(watched.written(false, 16), [1, 2]);
    let mut program = File::open("/proc/self/exe").unwrap();
    assert_eq!(watched.written(true, 16), [1, 2]);
    program.read_exact(&mut buffer[..4]).unwrap();
    assert_eq!(watched.written(false, 16), [1]);
}

#[test]
fn more_runs_than_one_scan_holds_are_all_told() {
    if probe().is_err() {
        return;
    }
    let touch = Touch::arm().unwrap();
    let watch = Watch::open().unwrap();
    let pages = 4 * BATCH as u64;
    let arena = Arena::open(pages * PAGE, pages * PAGE).unwrap();
    let base = arena.range().start;
    let range = base..base + pages * PAGE;
    watch.register(&range).unwrap();
    watch.arm(&range).unwrap();
    arena.protect(range.clone(), Prot::READ_WRITE).unwrap();
    for page in (0..pages).step_by(2) {
        // SAFETY: inside this test's arena.
        unsafe { touch.write(base + page * PAGE, &[1]) }.unwrap();
    }
    let mut count = 0;
    watch.scan(&range, false, u64::MAX, |run| count += (run.end - run.start) / PAGE).unwrap();
    assert_eq!(count, pages / 2);
    let mut count = 0;
    watch.scan(&range, true, 300, |run| count += (run.end - run.start) / PAGE).unwrap();
    assert_eq!(count, 300);
}
