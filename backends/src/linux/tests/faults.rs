//! Faults, guard pages and execution, on one thread and on many.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use hostmem_interface::ExecuteError;

use super::*;

const GUARDED: Protection = Protection(0x104);

#[test]
fn a_guard_fires_once_on_the_touched_page_alone() {
    let case = Case::new();
    let at = case.alloc(0, 0x3000, BOTH, GUARDED).unwrap();
    assert_eq!(case.read(at + PAGE + 5), guard(AccessKind::Read, at + PAGE + 5));
    assert_eq!(case.read(at + PAGE + 5), Ok(0));
    assert_eq!(case.query(at + PAGE).protect, RW);
    assert_eq!(case.query(at).protect, GUARDED);
    assert_eq!(case.query(at).region_size, PAGE);
    assert_eq!(case.write(at, 1), guard(AccessKind::Write, at));
    assert_eq!((case.write(at, 1), case.read(at)), (Ok(()), Ok(1)));
    case.check();
    assert_eq!(case.protect(at, PAGE, GUARDED), Ok(RW));
    assert_eq!(case.read(at), guard(AccessKind::Read, at));
    assert_eq!(case.read(at), Ok(1));
}

#[test]
fn an_access_that_the_base_forbids_leaves_the_guard_armed() {
    let case = Case::new();
    let at = case.alloc(0, 0x1000, BOTH, Protection(0x102)).unwrap();
    assert_eq!(case.write(at, 1), violation(AccessKind::Write, at));
    assert_eq!(case.query(at).protect, Protection(0x102));
    assert_eq!(case.read(at), guard(AccessKind::Read, at));
    assert_eq!(case.read(at), Ok(0));
}

#[test]
fn a_straddling_access_faults_where_its_second_page_begins() {
    let case = Case::new();
    let at = case.alloc(0, 0x3000, RESERVE, RW).unwrap();
    case.alloc(at, PAGE, COMMIT, RW).unwrap();
    let start = Address(at + PAGE - 3);
    assert_eq!(case.0.write(start, &[1; 8]), violation(AccessKind::Write, at + PAGE));
    assert_eq!(case.read(start.0), Ok(0));
    case.alloc(at + PAGE, PAGE, COMMIT, GUARDED).unwrap();
    assert_eq!(case.0.write(start, &[1; 8]), guard(AccessKind::Write, at + PAGE));
    assert_eq!(case.0.write(start, &[1; 8]), Ok(()));
    assert_eq!(case.read(at + PAGE + 4), Ok(1));
    case.check();
}

#[test]
fn only_a_lone_return_is_run_and_only_where_execution_is_allowed() {
    let case = Case::new();
    let at = case.alloc(0, 0x1000, BOTH, RW).unwrap();
    let execute = || case.0.execute(Address(at + 1));
    let no = Err(ExecuteError::Fault(violation::<()>(AccessKind::Execute, at + 1).unwrap_err()));
    assert_eq!(execute(), no);
    case.write(at + 1, 0xC3).unwrap();
    assert_eq!(execute(), no);
    for protect in [0x10, 0x20, 0x40] {
        case.protect(at, 1, Protection(protect)).unwrap();
        assert_eq!(execute(), Ok(()));
        assert_eq!(case.read(at + 1), Ok(0xC3));
    }
    assert_eq!(case.0.execute(Address(at)), Err(ExecuteError::NotReturn(0)));
    case.protect(at, 1, Protection(0x120)).unwrap();
    let fires = guard::<()>(AccessKind::Execute, at + 1).unwrap_err();
    assert_eq!(execute(), Err(ExecuteError::Fault(fires)));
    assert_eq!(execute(), Ok(()));
    case.protect(at, 1, Protection::NOACCESS).unwrap();
    assert_eq!(execute(), no);
    case.release(at);
    assert_eq!(execute(), no);
}

#[test]
fn of_many_threads_that_touch_a_guard_page_exactly_one_is_told() {
    let case = Case::new();
    let at = case.alloc(0, 0x1000, BOTH, RW).unwrap();
    for _ in 0..200 {
        case.protect(at, PAGE, GUARDED).unwrap();
        let told = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| match case.read(at) {
                    Ok(_) => {}
                    fault => {
                        assert_eq!(fault, guard(AccessKind::Read, at));
                        told.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(told.into_inner(), 1);
    }
    case.check();
}

#[test]
fn threads_reserve_commit_fault_and_free_side_by_side() {
    let case = Case::new();
    thread::scope(|scope| {
        for thread in 1..=8_u8 {
            let case = &case;
            scope.spawn(move || {
                for round in 0..200_u64 {
                    let at = case.alloc(0, 0x10000, RESERVE, RW).unwrap();
                    let page = at + round % 16 * PAGE;
                    assert_eq!(case.write(page, thread), violation(AccessKind::Write, page));
                    case.alloc(page, 1, COMMIT, RW).unwrap();
                    case.write(page, thread).unwrap();
                    assert_eq!(case.read(page), Ok(thread));
                    case.protect(page, 1, Protection::READONLY).unwrap();
                    assert_eq!(case.write(page, 0), violation(AccessKind::Write, page));
                    assert_eq!(case.read(page), Ok(thread));
                    if round.is_multiple_of(2) {
                        case.decommit(page, 1);
                    }
                    case.release(at);
                }
            });
        }
    });
    case.check();
}

/// A small generator of numbers, a stream for each thread.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

#[test]
fn threads_that_disturb_each_other_in_one_reservation_leave_both_views_equal() {
    let case = Case::new();
    let at = case.alloc(0, 0x10000, RESERVE, RW).unwrap();
    thread::scope(|scope| {
        for thread in 1..=6 {
            let case = &case;
            scope.spawn(move || {
                let mut next = numbers(thread);
                for _ in 0..3000 {
                    let page = at + next(16) * PAGE;
                    let size = (1 + next(4)) * PAGE;
                    let size = size.min(at + 0x10000 - page);
                    let protect = Protection(
                        [1, 2, 4, 0x20, 0x40, 0x104, 0x140][usize::try_from(next(7)).unwrap()],
                    );
                    match next(7) {
                        0 => drop(case.alloc(page, size, COMMIT, protect)),
                        1 => drop(case.free(page, size, FreeType::DECOMMIT)),
                        2 => drop(case.protect(page, size, protect)),
                        3 => drop(case.0.execute(Address(page))),
                        4 => drop(case.0.write(Address(page + PAGE - 4), &[0xC3; 8])),
                        5 => drop(case.write(page, 0xC3)),
                        _ => drop(case.read(page)),
                    }
                }
            });
        }
    });
    case.check();
    case.release(at);
    case.check();
}
