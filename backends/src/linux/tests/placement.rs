//! Where reservations go, how they are rounded, and what queries say.

use hostmem_interface::RegionState;

use super::*;

#[test]
fn reservations_go_to_the_lowest_hole_or_to_the_highest() {
    let case = Case::new();
    let arena = case.0.arena.range();
    let sizes = [0x10000, 0x1, 0x28000, 0x10000];
    let bases: Vec<_> = sizes.map(|size| case.alloc(0, size, RESERVE, RW).unwrap()).into();
    let expected = [0, 0x10000, 0x20000, 0x50000].map(|offset| arena.start + offset);
    assert_eq!(bases, expected);
    case.release(bases[1]);
    assert_eq!(case.alloc(0, 0x20000, RESERVE, RW), Ok(arena.start + 0x60000));
    assert_eq!(case.alloc(0, 0x10000, COMMIT, RW), Ok(bases[1]));
    let top = case.alloc(0, 0x11000, RESERVE | AllocationType::TOP_DOWN, RW);
    assert_eq!(top, Ok(arena.end - 0x20000));
    case.check();
}

#[test]
fn the_rest_of_a_granule_is_free_in_queries_and_cannot_be_taken() {
    let case = Case::new();
    let at = case.alloc(0, 0x1000, RESERVE, RW).unwrap();
    assert_eq!(case.query(at + PAGE).state, RegionState::FREE);
    for kind in [RESERVE, BOTH, COMMIT] {
        assert_eq!(error(case.alloc(at + PAGE, PAGE, kind, RW).unwrap_err()), 487);
    }
    assert_eq!(error(case.free(at + PAGE, PAGE, FreeType::DECOMMIT).unwrap_err()), 487);
    assert_eq!(case.alloc(0, PAGE, RESERVE, RW), Ok(at + 0x10000));
}

#[test]
fn an_explicit_reservation_is_rounded_to_its_granule_and_page() {
    let case = Case::new();
    let base = case.0.arena.range().start + 0x100_0000;
    for (offset, size, expected) in [
        (0, 1, 0x1000),
        (0xFFFF, 0x3000, 0x13000),
        (0x1010, 0xC000, 0xE000),
        (0x10, 0x1000, 0x2000),
    ] {
        assert_eq!(case.alloc(base + offset, size, BOTH, RW), Ok(base));
        let region = case.query(base);
        assert_eq!((region.region_size, region.state), (expected, RegionState::COMMIT));
        case.release(base);
    }
}

#[test]
fn a_walk_covers_user_space_without_gaps_and_calls_nothing_free_that_is_not() {
    let case = Case::new();
    for size in [0x10000, 0x3000, 0x20000] {
        let at = case.alloc(0, size, RESERVE, RW).unwrap();
        case.alloc(at + PAGE, PAGE, COMMIT, RW).unwrap();
    }
    let arena = case.0.arena.range();
    let mut at = 0;
    let mut last = RegionState::COMMIT;
    while at < 0x7FFF_FFFF_0000 {
        let region = case.query(at);
        assert_eq!(region.base_address.0, at);
        let free = region.state == RegionState::FREE;
        assert!(!(free && last == RegionState::FREE), "two free regions at {at:#x}");
        assert!(!free || at == 0 || (arena.start <= at && region.end().0 <= arena.end));
        (at, last) = (region.end().0, region.state);
    }
    assert_eq!(at, 0x7FFF_FFFF_0000);
    let beyond = case.0.virtual_query(Address(at), OutPointer::Valid, 0);
    assert_eq!(error(beyond.unwrap_err()), 87);
    let short = case.0.virtual_query(Address(0), OutPointer::Valid, 47);
    assert_eq!(error(short.unwrap_err()), 24);
    let null = case.0.virtual_query(Address(0), OutPointer::Null, 48);
    assert_eq!(error(null.unwrap_err()), 998);
}

#[test]
fn allocation_types_are_judged_before_the_memory_is() {
    let case = Case::new();
    let at = case.alloc(0, 0x10000, RESERVE, RW).unwrap();
    let judge = |kind, protect| case.alloc(at, PAGE, AllocationType(kind), Protection(protect));
    let malformed = [
        0,
        0x4000,
        0x8000,
        0x10_0000,
        0x20_0000,
        0x20_1000,
        0x8_1000,
        0x8_2000,
        0x18_0000,
        0x4000_1000,
        0x40_1000,
        0x40_3000,
        0x60_2000,
        0x2000_1000,
        0x2020_3000,
        0x108_0000,
    ];
    for kind in malformed {
        assert_eq!(error(judge(kind, 4).unwrap_err()), 87, "{kind:#x}");
    }
    assert_eq!(error(judge(0x40_2000, 2).unwrap_err()), 87);
    assert_eq!(error(judge(0x2000_3000, 4).unwrap_err()), 1314);
    assert_eq!(error(judge(0x2000, 8).unwrap_err()), 87);
    assert_eq!(error(judge(0x1000, 8).unwrap_err()), 87);
    let free = case.alloc(at + 0x10000, PAGE, COMMIT, Protection::WRITECOPY);
    assert_eq!(error(free.unwrap_err()), 487);
    let physical = case.alloc(0, 0x10000, AllocationType(0x40_2000), RW).unwrap();
    assert_eq!(error(case.alloc(physical, PAGE, COMMIT, RW).unwrap_err()), 487);
    case.release(physical);
}
