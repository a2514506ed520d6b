//! Section 5: committing pages of an existing allocation.

use hostmem_interface::RegionState;

use crate::support::{ADDRESS, BOTH, COMMIT, DECOMMIT, GUARDED, NA, PAGE, RESERVE, RO, RW, Twin};

#[test]
fn a_commit_takes_every_page_with_a_byte_in_it() {
    let twin = Twin::new(); // VA-13, SM-05
    let p = twin.some(0x1_0000, RESERVE, NA);
    assert_eq!(twin.alloc(p + 0x1FFF, 2, COMMIT, RW), Ok(p + PAGE));
    assert_eq!(twin.seen(p + PAGE), (RegionState::COMMIT, RW, 2 * PAGE));
    assert_eq!(twin.query(p + PAGE).allocation_protect, NA); // VA-25
}

#[test]
fn a_range_that_leaves_its_allocation_is_refused_whole() {
    let twin = Twin::new(); // VA-20, VA-21, SM-03
    assert_eq!(twin.alloc(0x20_0000, 0x1_0000, RESERVE, RW), Ok(0x20_0000));
    assert_eq!(twin.alloc(0x21_0000, 0x1_0000, RESERVE, RW), Ok(0x21_0000));
    assert_eq!(twin.alloc(0x20_F000, 2 * PAGE, COMMIT, RW), ADDRESS);
    assert_eq!(twin.alloc(0x21_F000, PAGE + 1, COMMIT, RW), ADDRESS);
    assert_eq!(twin.alloc(0x30_0000, PAGE, COMMIT, RW), ADDRESS);
    assert_eq!(twin.seen(0x20_0000).2, 0x1_0000);
}

#[test]
fn a_second_commit_keeps_contents_and_sets_the_protection() {
    let twin = Twin::new(); // VA-22, VA-23
    let p = twin.some(0x4000, RESERVE, RW);
    assert_eq!(twin.alloc(p + PAGE, PAGE, COMMIT, RW), Ok(p + PAGE));
    assert_eq!(twin.poke(p + PAGE, &[7]), Ok(()));
    assert_eq!(twin.alloc(p, 0x3000, COMMIT, RO), Ok(p));
    assert_eq!(twin.seen(p), (RegionState::COMMIT, RO, 0x3000));
    assert_eq!(twin.peek(p + PAGE), Ok(7));
}

#[test]
fn a_commit_can_arm_a_guard() {
    let twin = Twin::new(); // VA-24
    let p = twin.some(PAGE, BOTH, RW);
    assert_eq!(twin.alloc(p, PAGE, COMMIT, GUARDED), Ok(p));
    assert_eq!(twin.seen(p), (RegionState::COMMIT, GUARDED, PAGE));
}

#[test]
fn fresh_pages_read_as_zero() {
    let twin = Twin::new(); // VA-26, ZF-01
    let p = twin.some(PAGE, BOTH, RW);
    assert_eq!(twin.poke(p, &[9; 8]), Ok(()));
    assert_eq!(twin.free(p, PAGE, DECOMMIT), Ok(()));
    assert_eq!(twin.alloc(p, PAGE, COMMIT, RW), Ok(p));
    assert_eq!(twin.peek_word(p), Ok(0));
}
