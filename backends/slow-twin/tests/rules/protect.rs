//! Section 8: `VirtualProtect`.

use hostmem_interface::{OutPointer, Protection, RegionState};

use crate::support::{
    BOTH, COMMIT, COW, END, GUARDED, NA, PAGE, RELEASE, RESERVE, RO, RW, Twin, fault,
};

#[test]
fn a_malformed_base_comes_first_and_then_the_null_pointer() {
    let twin = Twin::new(); // VP-01, VP-02, VP-03, VP-05b
    let p = twin.some(PAGE, BOTH, RW);
    let null = OutPointer::Null;
    assert_eq!(twin.protect_into(p, PAGE, Protection(3), null), Err(87));
    assert_eq!(twin.protect_into(p, PAGE, RO, null), Err(998));
    assert_eq!(twin.protect_into(0x5000_0000, PAGE, RO, null), Err(998));
    assert_eq!(twin.protect_into(END, 0, RO, null), Err(998));
    assert_eq!(twin.protect_into(p, PAGE, NA | Protection::GUARD, null), Err(998));
    assert_eq!(twin.protect(p, PAGE, NA | Protection::GUARD), Err(87));
    assert_eq!(twin.seen(p), (RegionState::COMMIT, RW, PAGE));
}

#[test]
fn ranges_that_cannot_be_are_wrong_arguments() {
    let twin = Twin::new(); // VP-04, VP-05
    let p = twin.some(PAGE, BOTH, RW);
    assert_eq!(twin.protect(END, PAGE, RO), Err(87));
    assert_eq!(twin.protect(p, u64::MAX, RO), Err(87));
    assert_eq!(twin.protect(p, 0, RO), Err(87));
    assert_eq!(twin.protect(0x5000_0001, 0, RO), Err(87));
}

#[test]
fn the_range_lies_in_one_allocation() {
    let twin = Twin::new(); // VP-06, VP-07
    assert_eq!(twin.alloc(0x20_0000, 0x1_0000, BOTH, RW), Ok(0x20_0000));
    assert_eq!(twin.alloc(0x21_0000, PAGE, BOTH, RW), Ok(0x21_0000));
    for (address, size) in
        [(0, PAGE), (0x5000_0000, PAGE), (0x20_F000, 2 * PAGE), (0x21_0000, PAGE + 1)]
    {
        assert_eq!(twin.protect(address, size, RO), Err(487), "{address:#x}");
        assert_eq!(twin.protect(address, size, COW), Err(487), "{address:#x}");
    }
    assert_eq!(twin.seen(0x20_F000), (RegionState::COMMIT, RW, PAGE));
}

#[test]
fn copy_on_write_beats_a_page_that_is_not_committed() {
    let twin = Twin::new(); // VP-11, VP-08
    let p = twin.some(2 * PAGE, RESERVE, RW);
    assert_eq!(twin.protect(p, PAGE, COW), Err(87));
    assert_eq!(twin.protect(p, PAGE, RO), Err(487));
    assert_eq!(twin.alloc(p, PAGE, COMMIT, RW), Ok(p));
    assert_eq!(twin.protect(p, 2 * PAGE, RO), Err(487));
    assert_eq!(twin.seen(p), (RegionState::COMMIT, RW, PAGE));
}

#[test]
fn it_changes_every_page_with_a_byte_and_tells_of_the_first() {
    let twin = Twin::new(); // VP-09, VP-10, VP-13
    let p = twin.some(3 * PAGE, BOTH, RW);
    assert_eq!(twin.protect(p, PAGE, GUARDED), Ok(RW));
    assert_eq!(twin.protect(p + 0xFFF, 2, RO), Ok(GUARDED));
    assert_eq!(twin.seen(p), (RegionState::COMMIT, RO, 2 * PAGE));
    assert_eq!(twin.query(p).allocation_protect, RW);
}

#[test]
fn contents_are_hidden_and_not_lost() {
    let twin = Twin::new(); // VP-12, ZF-02
    let p = twin.some(PAGE, BOTH, RW);
    assert_eq!(twin.poke(p, &[3]), Ok(()));
    assert_eq!(twin.protect(p, 1, NA), Ok(RW));
    assert_eq!(twin.peek(p), Err(fault("ACCESS_VIOLATION", "read", p)));
    assert_eq!(twin.protect(p, 1, RO), Ok(NA));
    assert_eq!(twin.peek(p), Ok(3));
    assert_eq!(twin.free(p, 0, RELEASE), Ok(()));
}
