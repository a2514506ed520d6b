//! `Needs-`, `Acquired-` and `ReleasedVirtualAddressSpace`.

use hostmem_interface::{
    Address, HostMemoryManager, MemoryBasicInformation, Refusal, RegionState, RegionType,
};

use crate::support::{ADDRESS, COMMIT, END, PAGE, RELEASE, RESERVE, RW, Twin, fault};

fn acquire(twin: &Twin, address: u64, size: u64) {
    assert_eq!(twin.0.acquired_virtual_address_space(Address(address), size), Ok(()));
}

#[test]
fn a_need_is_accepted_whatever_it_says() {
    let twin = Twin::new();
    for (address, size) in [(0, 0), (0x20_0000, PAGE), (u64::MAX, u64::MAX)] {
        assert_eq!(twin.0.needs_virtual_address_space(Address(address), size), Ok(()));
    }
    assert_eq!(twin.query(0).region_size, END);
}

#[test]
fn a_mapping_is_shown_and_taken_and_untouchable() {
    let twin = Twin::new();
    acquire(&twin, 0x1_0000, PAGE + 1);
    let expected = MemoryBasicInformation {
        base_address: Address(0x1_1000),
        allocation_base: Address(0x1_0000),
        allocation_protect: RW,
        region_size: PAGE,
        state: RegionState::COMMIT,
        protect: RW,
        kind: RegionType::MAPPED,
    };
    assert_eq!(twin.query(0x1_1000), expected);
    assert_eq!(twin.some(PAGE, RESERVE, RW), 0x2_0000);
    assert_eq!(twin.alloc(0x1_0000, PAGE, RESERVE, RW), ADDRESS);
    assert_eq!(twin.alloc(0x1_0000, PAGE, COMMIT, RW), ADDRESS);
    assert_eq!(twin.protect(0x1_0000, PAGE, RW), Err(487));
    assert_eq!(twin.0.virtual_free(Address(0x1_0000), 0, RELEASE), Err(Refusal::not_ours()));
    assert_eq!(twin.peek(0x1_0000), Err(fault("ACCESS_VIOLATION", "read", 0x1_0000)));
}

#[test]
fn a_released_mapping_is_forgotten() {
    let twin = Twin::new();
    acquire(&twin, 0x20_0000, 0x3000);
    for (address, state) in [(0x20_1000, RegionState::COMMIT), (0x20_0000, RegionState::FREE)] {
        assert_eq!(twin.0.released_virtual_address_space(Address(address)), Ok(()));
        assert_eq!(twin.seen(0x20_0000).0, state);
    }
    assert_eq!(twin.0.released_virtual_address_space(Address::NULL), Ok(()));
    assert_eq!(twin.alloc(0x20_0000, PAGE, RESERVE, RW), Ok(0x20_0000));
    assert_eq!(twin.0.released_virtual_address_space(Address(0x20_0000)), Ok(()));
    assert_eq!(twin.seen(0x20_0000).0, RegionState::RESERVE); // no mapping: not forgotten
}

#[test]
fn what_cannot_be_a_mapping_is_not_remembered() {
    let twin = Twin::new();
    assert_eq!(twin.alloc(0x20_0000, PAGE, RESERVE, RW), Ok(0x20_0000));
    let wrong = [
        (0, PAGE),
        (0x30_0000, 0),
        (0x1F_F000, 2 * PAGE),
        (0xF000, 0x2000),
        (END - PAGE, 2 * PAGE),
        (END, PAGE),
        (u64::MAX, 2),
    ];
    for (address, size) in wrong {
        acquire(&twin, address, size);
    }
    assert_eq!(twin.query(0).region_size, 0x20_0000);
    assert_eq!(twin.query(0x20_1000).region_size, END - 0x20_1000);
}
