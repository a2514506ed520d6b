//! Write watch through the manager.

use std::sync::Barrier;
use std::thread;

use hostmem_interface::{WatchFlags, WatchPointers, WriteWatch};

use super::*;

const WATCHED: AllocationType = AllocationType(RESERVE.0 | AllocationType::WRITE_WATCH.0);

/// A case with 16 watched, reserved pages; `None` where the kernel cannot watch.
fn watched() -> Option<(Case, u64)> {
    let case = Case::new();
    case.0.watch()?;
    let at = case.alloc(0, 0x10000, WATCHED, RW).unwrap();
    Some((case, at))
}

impl Case {
    fn watch(&self, at: u64, size: u64, flags: u32, capacity: u64) -> Result<Vec<u64>, Refusal> {
        let null = WatchPointers::default();
        let answer =
            self.0.get_write_watch(Address(at), size, WatchFlags(flags), capacity, null)?;
        Ok(answer.pages.into_iter().map(|page| (page.0 - at) / PAGE).collect())
    }
}

#[test]
fn written_pages_are_told_and_nothing_else_is() {
    let Some((case, at)) = watched() else { return };
    assert_eq!(case.watch(at, 0x10000, 0, 16), Ok(vec![]));
    case.alloc(at, 0x8000, COMMIT, RW).unwrap();
    case.read(at + PAGE).unwrap();
    case.write(at + 2 * PAGE, 1).unwrap();
    case.0.write(Address(at + 4 * PAGE - 1), &[1, 1]).unwrap();
    case.protect(at, 0x8000, Protection::READONLY).unwrap();
    assert!(case.write(at + 5 * PAGE, 1).is_err());
    assert!(case.write(at + 9 * PAGE, 1).is_err());
    case.alloc(at, 0x8000, COMMIT, RW).unwrap();
    assert_eq!(case.watch(at, 0x10000, 0, 16), Ok(vec![2, 3, 4]));
    case.check();
}

#[test]
fn a_mark_survives_a_decommit_and_goes_by_reset() {
    let Some((case, at)) = watched() else { return };
    case.alloc(at, 0x8000, COMMIT, RW).unwrap();
    for page in [1, 3, 6] {
        case.write(at + page * PAGE, 1).unwrap();
    }
    case.decommit(at + 2 * PAGE, 2 * PAGE);
    assert_eq!(case.watch(at, 0x10000, 0, 16), Ok(vec![1, 3, 6]));
    case.alloc(at + 2 * PAGE, 2 * PAGE, COMMIT, RW).unwrap();
    assert_eq!(case.read(at + 3 * PAGE), Ok(0));
    assert_eq!(case.watch(at, 0x10000, 0, 16), Ok(vec![1, 3, 6]));
    case.write(at + 2 * PAGE, 1).unwrap();
    assert_eq!(case.watch(at, 0x10000, 1, 3), Ok(vec![1, 2, 3]));
    assert_eq!(case.watch(at, 0x10000, 0, 16), Ok(vec![6]));
    case.write(at + 3 * PAGE, 1).unwrap();
    case.0.reset_write_watch(Address(at + 6 * PAGE), 1).unwrap();
    assert_eq!(case.watch(at, 0x10000, 1, 16), Ok(vec![3]));
    assert_eq!(case.watch(at, 0x10000, 0, 16), Ok(vec![]));
    case.decommit(at, 0);
    assert_eq!(case.watch(at, 0x10000, 0, 16), Ok(vec![]));
    case.check();
}

/// Has one thread write to a page while another decommits it, many times: a write that was done is
/// told, and one that faulted is not. `write` says whether it wrote.
fn race_with_a_decommit(write: impl Fn(&Case, u64) -> bool + Sync) {
    let Some((case, at)) = watched() else { return };
    let (rounds, together) = (2000, Barrier::new(2));
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let one_round = |_| {
                together.wait();
                let written = write(&case, at);
                together.wait();
                written
            };
            (0..rounds).map(one_round).collect::<Vec<bool>>()
        });
        let one_round = |_| {
            case.alloc(at, PAGE, COMMIT, RW).unwrap();
            case.0.reset_write_watch(Address(at), PAGE).unwrap();
            together.wait();
            case.decommit(at, PAGE);
            together.wait();
            !case.watch(at, PAGE, 0, 1).unwrap().is_empty()
        };
        let marked: Vec<bool> = (0..rounds).map(one_round).collect();
        assert_eq!(marked, writer.join().unwrap());
    });
}

/// The kernel must not be asked for its record while the page can still be written.
#[test]
fn a_write_that_beats_a_decommit_leaves_its_mark() {
    race_with_a_decommit(|case, at| {
        let mut written = false;
        // Until the page is gone: the last write is as close to the end as can be.
        while case.write(at, 1).is_ok() {
            written = true;
        }
        written
    });
}

/// The kernel marks a page before the store is made: what is in between must not show.
#[test]
fn a_write_that_loses_against_a_decommit_leaves_no_mark() {
    race_with_a_decommit(|case, at| case.write(at, 1).is_ok());
}

#[test]
fn a_released_reservation_takes_its_marks_with_it() {
    let Some((case, at)) = watched() else { return };
    case.alloc(at, PAGE, COMMIT, RW).unwrap();
    case.write(at, 1).unwrap();
    case.release(at);
    let again = case.alloc(at, 0x10000, WATCHED | COMMIT, RW).unwrap();
    assert_eq!((again, case.watch(at, 0x10000, 0, 16)), (at, Ok(vec![])));
    case.write(at + PAGE, 1).unwrap();
    assert_eq!(case.watch(at, 0x10000, 0, 16), Ok(vec![1]));
    case.release(at);
    case.alloc(at, 0x10000, BOTH, RW).unwrap();
    assert_eq!(error(case.watch(at, PAGE, 0, 1).unwrap_err()), 87);
}

#[test]
fn a_guard_that_fires_marks_nothing_and_the_write_after_it_does() {
    let Some((case, at)) = watched() else { return };
    case.alloc(at, PAGE, COMMIT, Protection(0x104)).unwrap();
    assert_eq!(case.write(at, 1), guard(AccessKind::Write, at));
    assert_eq!(case.watch(at, PAGE, 0, 1), Ok(vec![]));
    case.write(at, 1).unwrap();
    assert_eq!(case.watch(at, PAGE, 0, 1), Ok(vec![0]));
}

#[test]
fn malformed_watch_calls_are_refused_in_order() {
    let Some((case, at)) = watched() else { return };
    let plain = case.alloc(0, 0x10000, BOTH, RW).unwrap();
    let next = case.alloc(0, 0x10000, WATCHED, RW).unwrap();
    for (start, size, flags, capacity) in [
        (at, PAGE, 2, 1),
        (at, PAGE, 0, 0),
        (at, 0, 0, 1),
        (at, u64::MAX, 0, 1),
        (plain, PAGE, 0, 1),
        (0, PAGE, 0, 1),
        (at, 0x10001, 0, 1),
        (next + 0x10000, 1, 0, 1),
    ] {
        assert_eq!(error(case.watch(start, size, flags, capacity).unwrap_err()), 87);
    }
    let mut null = WatchPointers { addresses: OutPointer::Null, ..WatchPointers::default() };
    let refused = |null, capacity| {
        let answer = case.0.get_write_watch(Address(at), 1, WatchFlags(0), capacity, null);
        error(answer.unwrap_err())
    };
    assert_eq!((refused(null, 1), refused(null, 0)), (998, 87));
    null = WatchPointers { count: OutPointer::Null, ..WatchPointers::default() };
    assert_eq!(refused(null, 1), 998);
    assert_eq!(error(case.0.reset_write_watch(Address(at), 0).unwrap_err()), 87);
    assert_eq!(error(case.0.reset_write_watch(Address(plain), 1).unwrap_err()), 87);
}
