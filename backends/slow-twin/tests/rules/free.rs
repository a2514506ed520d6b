//! Section 7: `VirtualFree`.

use hostmem_interface::{Address, FreeType, HostMemoryManager, Protection, Refusal, RegionState};

use crate::support::{BOTH, COMMIT, DECOMMIT, END, PAGE, RELEASE, RESERVE, RO, RW, Twin};

#[test]
fn a_release_has_no_size_and_a_type_is_one_of_two() {
    let twin = Twin::new(); // VF-01, VF-02, VF-03
    let p = twin.some(0x1_0000, BOTH, RW);
    assert_eq!(twin.free(p, 0x1_0000, RELEASE), Err(87));
    assert_eq!(twin.free(0x5000_0000, 1, RELEASE), Err(87));
    for kind in [0, 0xC000, 0x1_0000, 0x4001, 0x8001, 0x1000] {
        assert_eq!(twin.free(p, 0, FreeType(kind)), Err(87), "{kind:#x}");
        assert_eq!(twin.free(0x5000_0000, 0, FreeType(kind)), Err(87), "{kind:#x}");
    }
    assert_eq!(twin.seen(p).2, 0x1_0000);
}

#[test]
fn the_end_of_user_space() {
    let twin = Twin::new(); // VF-04
    let p = twin.some(PAGE, BOTH, RW);
    assert_eq!(twin.free(END, 0, RELEASE), Err(87));
    assert_eq!(twin.free(u64::MAX, 1, DECOMMIT), Err(87));
    assert_eq!(twin.free(p, u64::MAX, DECOMMIT), Err(87));
    assert_eq!(twin.free(0x5000_0000, END, DECOMMIT), Err(87));
}

#[test]
fn memory_of_nobody_is_not_ours() {
    let twin = Twin::new(); // VF-05, VF-06
    let p = twin.some(PAGE, BOTH, RW);
    for address in [0, 0xFFFF, p + PAGE, 0x5000_0000] {
        for kind in [RELEASE, DECOMMIT] {
            let refused = twin.0.virtual_free(Address(address), 0, kind);
            assert_eq!(refused, Err(Refusal::not_ours()), "{address:#x}");
        }
    }
    assert_eq!(twin.free(p, 0, RELEASE), Ok(()));
    assert_eq!(twin.0.virtual_free(Address(p), 0, RELEASE), Err(Refusal::not_ours()));
}

#[test]
fn past_the_end_of_the_allocation_is_a_wrong_argument() {
    let twin = Twin::new(); // VF-07
    assert_eq!(twin.alloc(0x20_0000, 0x1_0000, BOTH, RW), Ok(0x20_0000));
    assert_eq!(twin.alloc(0x21_0000, 0x1_0000, BOTH, RW), Ok(0x21_0000));
    assert_eq!(twin.free(0x20_F000, PAGE + 1, DECOMMIT), Err(87));
    assert_eq!(twin.free(0x21_0000, 0x1_0001, DECOMMIT), Err(87));
    assert_eq!(twin.seen(0x20_0000), (RegionState::COMMIT, RW, 0x1_0000));
}

#[test]
fn size_zero_means_the_base() {
    let twin = Twin::new(); // VF-08, VF-09, VF-12, VF-14
    let p = twin.some(0x2_0000, BOTH, RW);
    for inside in [p + PAGE, p + 0x1_0000] {
        assert_eq!(twin.free(inside, 0, DECOMMIT), Err(487));
        assert_eq!(twin.free(inside, 0, RELEASE), Err(487));
    }
    let wrong = twin.0.virtual_free(Address(p + PAGE), 0, RELEASE);
    assert_ne!(wrong, Err(Refusal::not_ours()));
    assert_eq!(twin.free(p + 0xFFF, 0, DECOMMIT), Ok(()));
    assert_eq!(twin.seen(p), (RegionState::RESERVE, Protection(0), 0x2_0000));
    assert_eq!(twin.free(p + 0xFFF, 0, RELEASE), Ok(()));
    assert_eq!(twin.seen(p).0, RegionState::FREE);
}

#[test]
fn a_decommit_takes_every_page_with_a_byte_in_it() {
    let twin = Twin::new(); // VF-10, VF-11
    let p = twin.some(0x4000, BOTH, RW);
    assert_eq!(twin.free(p + 0x1FFF, 2, DECOMMIT), Ok(()));
    assert_eq!(twin.free(p + 0x1FFF, 2, DECOMMIT), Ok(()));
    assert_eq!(twin.seen(p), (RegionState::COMMIT, RW, PAGE));
    assert_eq!(twin.seen(p + PAGE), (RegionState::RESERVE, Protection(0), 2 * PAGE));
    let never = twin.some(PAGE, RESERVE, RW);
    assert_eq!(twin.free(never, PAGE, DECOMMIT), Ok(()));
}

#[test]
fn decommitted_pages_are_like_never_committed_ones() {
    let twin = Twin::new(); // VF-13
    let p = twin.some(0x4000, RESERVE, RO);
    assert_eq!(twin.alloc(p, PAGE, COMMIT, RW), Ok(p));
    assert_eq!(twin.alloc(p + PAGE, PAGE, COMMIT, RO), Ok(p + PAGE));
    assert_eq!(twin.poke(p, &[1]), Ok(()));
    assert_eq!(twin.free(p, 2 * PAGE, DECOMMIT), Ok(()));
    assert_eq!(twin.seen(p), (RegionState::RESERVE, Protection(0), 0x4000));
    assert_eq!(twin.query(p).allocation_protect, RO);
    assert_eq!(twin.alloc(p, PAGE, COMMIT, RW), Ok(p));
    assert_eq!(twin.peek(p), Ok(0));
}
