//! Section 6: `MEM_RESET` and `MEM_RESET_UNDO`.

use hostmem_interface::{AllocationType, Protection, RegionState};

use crate::support::{
    ADDRESS, BOTH, COMMIT, NA, PAGE, PARAMETER, RESERVE, RESET, RESET_UNDO, RW, TOP_DOWN, Twin,
};

#[test]
fn both_stand_alone() {
    let twin = Twin::new(); // VA-40, VA-43
    let p = twin.some(PAGE, BOTH, RW);
    for one in [RESET, RESET_UNDO] {
        for other in [COMMIT, RESERVE, TOP_DOWN, AllocationType::PHYSICAL] {
            assert_eq!(twin.alloc(p, PAGE, one | other, RW), PARAMETER);
        }
    }
    assert_eq!(twin.alloc(p, PAGE, RESET | RESET_UNDO, RW), PARAMETER);
}

#[test]
fn the_protection_is_ignored_but_well_formed() {
    let twin = Twin::new(); // VA-41
    let p = twin.some(PAGE, BOTH, RW);
    assert_eq!(twin.alloc(p, PAGE, RESET, Protection(0)), PARAMETER);
    assert_eq!(twin.alloc(p, PAGE, RESET, NA | Protection::GUARD), PARAMETER);
    assert_eq!(twin.alloc(p, PAGE, RESET, NA), Ok(p));
    assert_eq!(twin.seen(p), (RegionState::COMMIT, RW, PAGE));
}

#[test]
fn contents_are_kept() {
    let twin = Twin::new(); // VA-42, VA-42e
    let p = twin.some(2 * PAGE, BOTH, RW);
    assert_eq!(twin.poke(p + PAGE, &[5]), Ok(()));
    assert_eq!(twin.alloc(p, 2 * PAGE, RESET, NA), Ok(p));
    assert_eq!(twin.alloc(p, 2 * PAGE, RESET_UNDO, NA), Ok(p));
    assert_eq!(twin.peek(p + PAGE), Ok(5));
}

#[test]
fn what_is_not_committed_whole_pages_is_refused() {
    let twin = Twin::new(); // VA-42b, VA-42c, VA-42d, VA-47
    let p = twin.some(0x4000, RESERVE, RW);
    assert_eq!(twin.alloc(p, PAGE, COMMIT, RW), Ok(p));
    assert_eq!(twin.alloc(p, 2 * PAGE, RESET, RW), ADDRESS);
    assert_eq!(twin.alloc(p + 1, PAGE - 1, RESET, RW), ADDRESS);
    assert_eq!(twin.alloc(p, 1, RESET, RW), ADDRESS);
    assert_eq!(twin.alloc(p + 0x3000, 2 * PAGE, RESET, RW), ADDRESS);
    assert_eq!(twin.alloc(0x5000_0000, PAGE, RESET, RW), ADDRESS);
    assert_eq!(twin.alloc(0, PAGE, RESET, RW), ADDRESS);
}
