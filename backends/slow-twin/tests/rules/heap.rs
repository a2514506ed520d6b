//! `CreateMalloc` and its heaps.

use std::sync::Arc;

use hostmem_interface::{
    Address, CriticalLevel, Host, HostMalloc, HostMemoryManager, Machine, MallocType, MemoryAccess,
    Protection, Refusal, RegionState, RegionType,
};

use crate::support::{COMMIT, END, PAGE, RELEASE, RESERVE, RW, TOP_DOWN, Twin, fault};

const TASK: CriticalLevel = CriticalLevel::TASK;

fn heap(twin: &Twin, kind: MallocType) -> Arc<dyn HostMalloc> {
    twin.0.create_malloc(kind).expect("known bits")
}

fn block(heap: &dyn HostMalloc, size: u64) -> u64 {
    heap.alloc(size, TASK).expect("room for a small block").0
}

#[test]
fn unknown_bits_are_refused() {
    let twin = Twin::new();
    for kind in 0..8 {
        assert_eq!(twin.0.create_malloc(MallocType(kind)).is_ok(), kind < 4, "{kind}");
    }
}

#[test]
fn blocks_are_aligned_and_apart_and_work() {
    let twin = Twin::new();
    let heap = heap(&twin, MallocType::THREADSAFE);
    let (a, b, c) = (block(&*heap, 24), block(&*heap, 0), block(&*heap, 1));
    assert!([a, b, c].iter().all(|at| at % 16 == 0));
    assert!(a + 24 <= b && b < c);
    assert_eq!(twin.poke(a + 16, &[7; 8]), Ok(()));
    assert_eq!(twin.peek(a + 23), Ok(7));
    let large = block(&*heap, 3 << 20);
    assert_eq!(twin.poke(large + (3 << 20) - 1, &[1]), Ok(()));
    assert_eq!(twin.poke(a, &[1]), Ok(()));
}

#[test]
fn only_live_blocks_can_be_touched() {
    let twin = Twin::new();
    let heap = heap(&twin, MallocType(0));
    let (a, empty) = (block(&*heap, 24), block(&*heap, 0));
    let outside = fault("ACCESS_VIOLATION", "read", a + 24);
    assert_eq!(twin.peek(a + 24), Err(outside));
    assert_eq!(twin.peek_word(a + 20), Err(fault("ACCESS_VIOLATION", "read", a + 20)));
    assert_eq!(twin.peek(empty), Err(fault("ACCESS_VIOLATION", "read", empty)));
    assert_eq!(heap.free(Address(a)), Ok(()));
    assert_eq!(twin.peek(a), Err(fault("ACCESS_VIOLATION", "read", a)));
}

#[test]
fn only_live_blocks_of_the_heap_can_be_freed() {
    let twin = Twin::new();
    let (one, other) = (heap(&twin, MallocType(0)), heap(&twin, MallocType(0)));
    let a = block(&*one, 8);
    let foreign = twin.some(PAGE, RESERVE | COMMIT, RW);
    let refused = Err(Refusal::not_ours());
    assert_eq!(one.free(Address(a + 1)), refused);
    assert_eq!(one.free(Address(foreign)), refused);
    assert_eq!(other.free(Address(a)), refused);
    assert_eq!(one.free(Address::NULL), Ok(()));
    assert_eq!(one.free(Address(a)), Ok(()));
    assert_eq!(one.free(Address(a)), refused);
}

#[test]
fn code_runs_only_in_executable_heaps() {
    let twin = Twin::new();
    for (kind, runs) in [(MallocType::EXECUTABLE, true), (MallocType::THREADSAFE, false)] {
        let heap = heap(&twin, kind);
        let a = block(&*heap, 1);
        assert_eq!(twin.poke(a, &[0xC3]), Ok(()));
        assert_eq!(twin.0.execute(Address(a)).is_ok(), runs);
    }
}

#[test]
fn heap_memory_is_committed_and_nobodys_to_manage() {
    let machine = Machine { commit_limit: Some(PAGE), ..Machine::WINDOWS_X64 };
    let twin = Twin::on(machine); // not charged
    let heap = heap(&twin, MallocType(0));
    let a = block(&*heap, 100);
    let region = twin.query(a);
    assert_eq!((region.state, region.protect), (RegionState::COMMIT, RW));
    assert_eq!(region.kind, RegionType::PRIVATE);
    assert_eq!(twin.0.virtual_free(region.allocation_base, 0, RELEASE), Err(Refusal::not_ours()));
    assert_eq!(twin.protect(a, 1, Protection::READONLY), Err(487));
    assert_eq!(twin.alloc(a, 1, COMMIT, RW), Err(487));
    assert_eq!(twin.alloc(a, 1, RESERVE, RW), Err(487));
    assert_eq!(twin.written(a, 1), Err(87));
    let base = region.allocation_base.0;
    assert!(twin.some(0x1_0000, RESERVE | TOP_DOWN, RW) < base);
    assert_eq!(heap.free(Address(a)), Ok(()));
    assert_eq!(twin.seen(base).0, RegionState::FREE); // the arena went with its last block
    assert!(heap.alloc(1, TASK).is_ok());
}

#[test]
fn blocks_too_large_for_the_space_are_out_of_memory() {
    let twin = Twin::new();
    let heap = heap(&twin, MallocType(0));
    for size in [END, u64::MAX, u64::MAX - 15] {
        let refused = heap.alloc(size, TASK).map_err(|refusal| refusal.is_out_of_memory());
        assert_eq!(refused, Err(true));
    }
}

#[test]
fn what_is_never_freed_is_told_with_its_source() {
    let twin = Twin::new();
    let heap = heap(&twin, MallocType(0));
    let a = heap.debug_alloc(24, TASK, "gc.cpp", 42).expect("room");
    assert_eq!(twin.0.leaks(), [format!("heap 0: 24 bytes at {a}, from gc.cpp:42")]);
    assert_eq!(heap.free(a), Ok(()));
    assert!(twin.0.leaks().is_empty());
    let mut byte = [0];
    assert!(twin.0.read(a, &mut byte).is_err());
}
