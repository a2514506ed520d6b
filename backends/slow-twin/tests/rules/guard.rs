//! Section 10: guard pages.

use hostmem_interface::{Protection, RegionState};

use crate::support::{BOTH, COMMIT, DECOMMIT, GUARDED, PAGE, RESERVE, RO, RW, Twin, WATCH, fault};

#[test]
fn a_guard_fires_once_and_stays_in_the_allocation_protection() {
    let twin = Twin::new(); // GP-01, GP-02
    let p = twin.some(PAGE, BOTH, GUARDED);
    assert_eq!(twin.seen(p), (RegionState::COMMIT, GUARDED, PAGE));
    assert_eq!(twin.peek(p + 5), Err(fault("GUARD_PAGE_VIOLATION", "read", p + 5)));
    assert_eq!(twin.seen(p), (RegionState::COMMIT, RW, PAGE));
    assert_eq!(twin.query(p).allocation_protect, GUARDED);
    assert_eq!(twin.peek(p + 5), Ok(0));
}

#[test]
fn only_the_page_touched_is_disarmed() {
    let twin = Twin::new(); // GP-03
    let p = twin.some(3 * PAGE, BOTH, GUARDED);
    assert!(twin.poke(p + PAGE, &[1]).is_err());
    assert_eq!(twin.seen(p), (RegionState::COMMIT, GUARDED, PAGE));
    assert_eq!(twin.seen(p + PAGE), (RegionState::COMMIT, RW, PAGE));
    assert_eq!(twin.seen(p + 2 * PAGE), (RegionState::COMMIT, GUARDED, PAGE));
}

#[test]
fn a_straddling_access_meets_one_guard_after_the_other() {
    let twin = Twin::new(); // GP-03, AF-04
    let p = twin.some(2 * PAGE, BOTH, GUARDED);
    let at = p + PAGE - 4;
    assert_eq!(twin.poke(at, &[1; 8]), Err(fault("GUARD_PAGE_VIOLATION", "write", at)));
    assert_eq!(twin.poke(at, &[1; 8]), Err(fault("GUARD_PAGE_VIOLATION", "write", p + PAGE)));
    assert_eq!(twin.peek(at), Ok(0));
    assert_eq!(twin.poke(at, &[1; 8]), Ok(()));
    assert_eq!(twin.peek_word(at), Ok(0x0101_0101_0101_0101));
}

#[test]
fn protect_disarms_and_arms_again() {
    let twin = Twin::new(); // GP-04
    let p = twin.some(PAGE, BOTH, GUARDED);
    assert_eq!(twin.protect(p, PAGE, RW), Ok(GUARDED));
    assert_eq!(twin.peek(p), Ok(0));
    assert_eq!(twin.protect(p, PAGE, GUARDED), Ok(RW));
    assert_eq!(twin.peek(p), Err(fault("GUARD_PAGE_VIOLATION", "read", p)));
}

#[test]
fn permission_comes_before_the_guard() {
    let twin = Twin::new(); // GP-05
    let p = twin.some(PAGE, BOTH, RO | Protection::GUARD);
    assert_eq!(twin.poke(p, &[1]), Err(fault("ACCESS_VIOLATION", "write", p)));
    assert_eq!(twin.seen(p).1, RO | Protection::GUARD);
}

#[test]
fn without_memory_there_is_no_guard() {
    let twin = Twin::new(); // GP-06, GP-07
    let p = twin.some(PAGE, RESERVE, GUARDED);
    assert_eq!(twin.peek(p), Err(fault("ACCESS_VIOLATION", "read", p)));
    assert_eq!(twin.alloc(p, PAGE, COMMIT, GUARDED), Ok(p));
    assert_eq!(twin.free(p, PAGE, DECOMMIT), Ok(()));
    assert_eq!(twin.peek(p), Err(fault("ACCESS_VIOLATION", "read", p)));
    assert_eq!(twin.alloc(p, PAGE, COMMIT, RW), Ok(p));
    assert_eq!(twin.peek(p), Ok(0));
}

#[test]
fn the_guard_fault_itself_marks_nothing() {
    let twin = Twin::new(); // GP-09
    let p = twin.some(PAGE, BOTH | WATCH, GUARDED);
    assert!(twin.poke(p, &[1]).is_err());
    assert_eq!(twin.written(p, PAGE), Ok(vec![]));
    assert_eq!(twin.poke(p, &[1]), Ok(()));
    assert_eq!(twin.written(p, PAGE), Ok(vec![p]));
}
