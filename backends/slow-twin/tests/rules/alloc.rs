//! Section 2 and 4: arguments of `VirtualAlloc`, and reserving.

use hostmem_interface::{AllocationType, Machine, Protection, RegionState, RegionType};

use crate::support::{
    ADDRESS, BOTH, COMMIT, COW, END, GUARDED, NA, PAGE, PARAMETER, RELEASE, RESERVE, RESET, RO, RW,
    TOP_DOWN, Twin, WATCH,
};

#[test]
fn a_type_needs_an_action_and_no_unknown_bit() {
    let twin = Twin::new(); // VA-01
    for kind in [0, 0x10_0000, 0x20_0000, 0x4000, 0x8000, 0x1_0000, 0x4000_0000, 0x3040] {
        assert_eq!(twin.alloc(0, PAGE, AllocationType(kind), RW), PARAMETER, "{kind:#x}");
    }
}

#[test]
fn write_watch_needs_reserve() {
    let twin = Twin::new(); // VA-02, VA-44
    let p = twin.some(PAGE, RESERVE, RW);
    assert_eq!(twin.alloc(0, PAGE, COMMIT | WATCH, RW), PARAMETER);
    assert_eq!(twin.alloc(p, PAGE, COMMIT | WATCH, RW), PARAMETER);
}

#[test]
fn addresses_below_user_space_are_refused_for_every_type() {
    let twin = Twin::new(); // VA-03
    for kind in [RESERVE, BOTH, COMMIT, RESET] {
        assert_eq!(twin.alloc(1, PAGE, kind, RW), PARAMETER);
        assert_eq!(twin.alloc(0xFFFF, 0x2_0000, kind, RW), PARAMETER);
    }
}

#[test]
fn the_end_of_user_space() {
    let twin = Twin::new(); // VA-05, VA-06
    assert_eq!(twin.alloc(END, PAGE, RESERVE, RW), PARAMETER);
    assert_eq!(twin.alloc(u64::MAX, 1, COMMIT, RW), PARAMETER);
    assert_eq!(twin.alloc(END - PAGE, PAGE + 1, RESERVE, RW), PARAMETER);
    assert_eq!(twin.alloc(0x10_0000, u64::MAX, RESERVE, RW), PARAMETER);
    assert_eq!(twin.alloc(0, END, RESERVE, RW), PARAMETER);
    assert_eq!(twin.alloc(END - PAGE, PAGE, RESERVE, RW), Ok(END - 0x1_0000));
}

#[test]
fn size_zero_is_refused() {
    let twin = Twin::new(); // VA-08
    let p = twin.some(PAGE, RESERVE, RW);
    assert_eq!(twin.alloc(0, 0, RESERVE, RW), PARAMETER);
    assert_eq!(twin.alloc(p, 0, COMMIT, RW), PARAMETER);
    assert_eq!(twin.alloc(p, 0, RESET, RW), PARAMETER);
}

#[test]
fn no_hole_is_large_enough() {
    let twin = Twin::new(); // VA-07
    let all = END - 0x1_0000;
    assert_eq!(twin.alloc(0, all, RESERVE, RW), Ok(0x1_0000));
    assert_eq!(twin.alloc(0, 1, RESERVE, RW), Err(8));
    assert_eq!(twin.alloc(0, 1, RESERVE | TOP_DOWN, RW), Err(8));
    assert_eq!(twin.free(0x1_0000, 0, RELEASE), Ok(()));
    assert_eq!(twin.alloc(0, all, RESERVE | TOP_DOWN, RW), Ok(0x1_0000));
}

#[test]
fn arguments_are_refused_before_the_state_is_looked_at() {
    let twin = Twin::new(); // VA-30, VA-31
    let p = twin.some(PAGE, RESERVE, RW);
    assert_eq!(twin.alloc(p, PAGE, RESERVE, Protection(3)), PARAMETER);
    assert_eq!(twin.alloc(p, PAGE, RESERVE, COW), PARAMETER);
    assert_eq!(twin.alloc(0, PAGE, COMMIT, COW), PARAMETER);
    assert_eq!(twin.alloc(0x5000_0000, PAGE, COMMIT, Protection(3)), PARAMETER);
    assert_eq!(twin.alloc(0x5000_0000, PAGE, COMMIT, COW), ADDRESS);
    assert_eq!(twin.alloc(p, PAGE, COMMIT, COW), PARAMETER);
}

#[test]
fn null_commit_reserves_too() {
    let twin = Twin::new(); // VA-09, VA-12
    let p = twin.some(0xFFFC, COMMIT, RW);
    assert_eq!(p % 0x1_0000, 0);
    assert_eq!(twin.seen(p), (RegionState::COMMIT, RW, 0x1_0000));
}

#[test]
fn an_explicit_reservation_reaches_from_its_granule_to_its_last_page() {
    let at = 0x10_0000; // VA-10
    let examples = [
        (0, 1, 0x1000),
        (0x8000, 1, 0x9000),
        (0x10, 0x1000, 0x2000),
        (0xFFFF, 0x3000, 0x1_3000),
        (0x1010, 0x7000, 0x9000),
        (0x1010, 0xC000, 0xE000),
        (0x4080, 0x1000, 0x6000),
    ];
    for (offset, size, whole) in examples {
        let twin = Twin::new();
        assert_eq!(twin.alloc(at + offset, size, RESERVE, RW), Ok(at));
        assert_eq!(twin.seen(at), (RegionState::RESERVE, Protection(0), whole));
    }
}

#[test]
fn reserve_and_commit_commits_from_the_base() {
    let twin = Twin::new(); // VA-11, VA-19
    assert_eq!(twin.alloc(0x10_4080, PAGE, BOTH, RO), Ok(0x10_0000));
    let region = twin.query(0x10_0000);
    assert_eq!((region.state, region.protect), (RegionState::COMMIT, RO));
    assert_eq!((region.region_size, region.kind), (0x6000, RegionType::PRIVATE));
}

#[test]
fn taken_pages_are_refused_and_nothing_changes() {
    let twin = Twin::new(); // VA-15, SM-04
    assert_eq!(twin.alloc(0x20_0000, 0x2000, RESERVE, RW), Ok(0x20_0000));
    assert_eq!(twin.alloc(0x1F_0000, 0x1_1000, BOTH, RW), ADDRESS);
    assert_eq!(twin.seen(0x1F_0000).0, RegionState::FREE);
    assert_eq!(twin.alloc(0x1F_0000, 0x1_0000, RESERVE, RW), Ok(0x1F_0000));
}

#[test]
fn the_tail_of_a_granule_is_free_and_nobodys() {
    let twin = Twin::new(); // VA-16
    assert_eq!(twin.alloc(0x20_0000, PAGE, RESERVE, RW), Ok(0x20_0000));
    assert_eq!(twin.seen(0x20_1000).0, RegionState::FREE);
    assert_eq!(twin.alloc(0x20_1000, PAGE, RESERVE, RW), ADDRESS);
    assert_eq!(twin.alloc(0x20_1000, PAGE, COMMIT, RW), ADDRESS);
}

#[test]
fn a_released_base_can_be_had_again() {
    let twin = Twin::new(); // VA-17
    let p = twin.some(0x2_0000, BOTH, RW);
    assert_eq!(twin.free(p, 0, RELEASE), Ok(()));
    assert_eq!(twin.alloc(p, 0x2_0000, BOTH, RW), Ok(p));
}

#[test]
fn holes_are_filled_from_below_or_from_above() {
    let twin = Twin::new(); // VA-50
    let first = twin.some(0x1_1000, RESERVE, RW);
    let second = twin.some(PAGE, RESERVE, RW);
    assert_eq!((first, second), (0x1_0000, 0x3_0000));
    assert_eq!(twin.free(first, 0, RELEASE), Ok(()));
    assert_eq!(twin.some(0x3_0000, RESERVE, RW), 0x4_0000);
    assert_eq!(twin.some(0x2_0000, RESERVE, RW), first);
    assert_eq!(twin.some(0x1_1000, RESERVE | TOP_DOWN, RW), END - 0x2_0000);
    assert_eq!(twin.some(PAGE, COMMIT | TOP_DOWN, RW), END - 0x3_0000);
}

#[test]
fn top_down_means_nothing_with_an_address() {
    let twin = Twin::new(); // VA-51
    assert_eq!(twin.alloc(0x20_0000, PAGE, RESERVE | TOP_DOWN, RW), Ok(0x20_0000));
    assert_eq!(twin.alloc(0x20_0000, PAGE, COMMIT | TOP_DOWN, RW), Ok(0x20_0000));
}

#[test]
fn physical_reservations_are_strict() {
    let twin = Twin::new(); // VA-45
    let physical = AllocationType::PHYSICAL;
    assert_eq!(twin.alloc(0, PAGE, physical | COMMIT, RW), PARAMETER);
    assert_eq!(twin.alloc(0, PAGE, physical | BOTH, RW), PARAMETER);
    assert_eq!(twin.alloc(0, PAGE, physical | RESERVE | WATCH, RW), PARAMETER);
    assert_eq!(twin.alloc(0, PAGE, physical | RESERVE, GUARDED), PARAMETER);
    let p = twin.some(PAGE, physical | RESERVE | TOP_DOWN, RW);
    assert_eq!(twin.query(p).kind, RegionType::PRIVATE);
}

#[test]
fn large_pages_need_a_privilege_that_nobody_has() {
    let twin = Twin::new(); // VA-46
    let large = AllocationType::LARGE_PAGES;
    assert_eq!(twin.alloc(0, 0x20_0000, large | RESERVE, RW), PARAMETER);
    assert_eq!(twin.alloc(0, 0x20_0000, large | COMMIT, RW), PARAMETER);
    assert_eq!(twin.alloc(0, 0x20_0000, large | BOTH | WATCH, RW), PARAMETER);
    assert_eq!(twin.alloc(0, 0x20_0000, large | BOTH | RESET, RW), PARAMETER);
    assert_eq!(twin.alloc(0, 0x20_0000, large | BOTH, RW), Err(1314));
}

#[test]
fn the_commit_limit_is_exact_and_refuses_whole_calls() {
    let machine = Machine { commit_limit: Some(4 * PAGE), ..Machine::WINDOWS_X64 };
    let twin = Twin::on(machine); // VA-27
    assert_eq!(twin.alloc(0, 5 * PAGE, COMMIT, NA), Err(1455));
    assert_eq!(twin.seen(0x1_0000).0, RegionState::FREE);
    let p = twin.some(8 * PAGE, RESERVE, RW);
    assert_eq!(twin.alloc(p, 3 * PAGE, COMMIT, RW), Ok(p));
    assert_eq!(twin.alloc(p + PAGE, 4 * PAGE, COMMIT, RO), Err(1455));
    assert_eq!(twin.seen(p), (RegionState::COMMIT, RW, 3 * PAGE));
    assert_eq!(twin.alloc(p, 4 * PAGE, COMMIT, RO), Ok(p));
    assert_eq!(twin.free(p, 0, RELEASE), Ok(()));
    assert!(twin.alloc(0, 4 * PAGE, COMMIT, RW).is_ok());
}

#[test]
fn without_a_stated_limit_there_is_one_all_the_same() {
    let twin = Twin::new();
    assert_eq!(twin.alloc(0, 1 << 40, COMMIT, RW), Err(1455));
    assert!(twin.alloc(0, 1 << 40, RESERVE, RW).is_ok());
}
