//! Section 9: `VirtualQuery`.

use hostmem_interface::{
    Address, HostMemoryManager, MemoryBasicInformation, OutPointer, Protection, RegionState,
    RegionType,
};

use crate::support::{BOTH, COMMIT, END, PAGE, RELEASE, RESERVE, RO, RW, Twin, code};

#[test]
fn every_field_of_a_reservation() {
    let twin = Twin::new(); // VQ-01, VQ-02, VQ-03, VQ-04
    let p = twin.some(0x5000, RESERVE, RO | Protection::GUARD);
    let expected = MemoryBasicInformation {
        base_address: Address(p + PAGE),
        allocation_base: Address(p),
        allocation_protect: RO | Protection::GUARD,
        region_size: 0x4000,
        state: RegionState::RESERVE,
        protect: Protection(0),
        kind: RegionType::PRIVATE,
    };
    assert_eq!(twin.query(p + PAGE + 0x70F), expected);
}

#[test]
fn a_region_ends_where_state_protection_or_allocation_changes() {
    let twin = Twin::new(); // VQ-05
    assert_eq!(twin.alloc(0x20_0000, 0x1_0000, RESERVE, RW), Ok(0x20_0000));
    assert_eq!(twin.alloc(0x21_0000, 0x1_0000, RESERVE, RW), Ok(0x21_0000));
    assert_eq!(twin.alloc(0x20_1000, 3 * PAGE, COMMIT, RW), Ok(0x20_1000));
    assert_eq!(twin.protect(0x20_3000, PAGE, RO), Ok(RW));
    let regions = [
        (0x20_0000, RegionState::RESERVE, Protection(0), PAGE),
        (0x20_1000, RegionState::COMMIT, RW, 2 * PAGE),
        (0x20_3000, RegionState::COMMIT, RO, PAGE),
        (0x20_4000, RegionState::RESERVE, Protection(0), 0xC000),
        (0x21_0000, RegionState::RESERVE, Protection(0), 0x1_0000),
    ];
    for (at, state, protect, size) in regions {
        assert_eq!(twin.seen(at), (state, protect, size), "{at:#x}");
    }
}

#[test]
fn free_memory_reaches_to_the_next_allocation_and_to_the_end() {
    let twin = Twin::new(); // VQ-06, VQ-11, VQ-13, no VQ-12
    assert_eq!(twin.query(0), MemoryBasicInformation::free(Address(0), END));
    assert_eq!(twin.alloc(0x20_0000, PAGE, RESERVE, RW), Ok(0x20_0000));
    assert_eq!(twin.query(0xFFF), MemoryBasicInformation::free(Address(0), 0x20_0000));
    let behind = MemoryBasicInformation::free(Address(0x20_1000), END - 0x20_1000);
    assert_eq!(twin.query(0x20_1FFF), behind);
    assert_eq!(twin.free(0x20_0000, 0, RELEASE), Ok(()));
    assert_eq!(twin.query(0).region_size, END);
    assert_eq!(twin.query(END - 1).region_size, PAGE);
}

#[test]
fn refusals_in_their_order() {
    let twin = Twin::new(); // VQ-07, VQ-08, VQ-09, VQ-10
    let ask = |address, buffer, length| {
        twin.0.virtual_query(Address(address), buffer, length).map(|got| got.written).map_err(code)
    };
    let (valid, null) = (OutPointer::Valid, OutPointer::Null);
    assert_eq!(ask(END, valid, 48), Err(87));
    assert_eq!(ask(u64::MAX, null, 0), Err(87));
    assert_eq!(ask(0, valid, 47), Err(24));
    assert_eq!(ask(0, null, 48), Err(998));
    assert_eq!(ask(0, valid, 1000), Ok(48));
}

#[test]
fn a_walk_covers_everything_once() {
    let twin = Twin::new(); // VQ-13
    for at in [0x10_0000, 0x11_0000, 0x30_0000] {
        assert_eq!(twin.alloc(at, 0x3001, BOTH, RW), Ok(at));
        assert_eq!(twin.protect(at + PAGE, PAGE, RO), Ok(RW));
    }
    let (mut at, mut last) = (0, RegionState::COMMIT);
    while at < END {
        let region = twin.query(at);
        assert_eq!(region.base_address, Address(at));
        assert!(region.state != RegionState::FREE || last != RegionState::FREE);
        (at, last) = (region.end().0, region.state);
    }
    assert_eq!(at, END);
}

#[test]
fn a_huge_reservation_is_one_region() {
    let twin = Twin::new();
    let p = twin.some(5 << 30, RESERVE, RW);
    assert_eq!(twin.alloc(p + (4 << 30), PAGE, COMMIT, RW), Ok(p + (4 << 30)));
    assert_eq!(twin.seen(p), (RegionState::RESERVE, Protection(0), 4 << 30));
    assert_eq!(twin.seen(p + (4 << 30) + PAGE).2, (1 << 30) - PAGE);
}
