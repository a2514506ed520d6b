//! The heaps of `CreateMalloc`.

use std::sync::Arc;
use std::thread;

use hostmem_interface::{ExecuteError, HostMalloc, Hresult, MallocType};

use super::*;

fn heap(case: &Case, kind: u32) -> Arc<dyn HostMalloc> {
    case.0.create_malloc(MallocType(kind)).unwrap()
}

/// A byte that tells a block from its neighbours.
fn mark(index: usize) -> u8 {
    u8::try_from(index % 251).unwrap()
}

fn alloc(heap: &dyn HostMalloc, size: u64) -> u64 {
    heap.alloc(size, CriticalLevel::TASK).unwrap().0
}

#[test]
fn blocks_are_aligned_distinct_and_hold_what_is_written() {
    let case = Case::new();
    let heap = heap(&case, 1);
    let blocks: Vec<_> = (0..200).map(|size| (alloc(&*heap, size * 37), size * 37)).collect();
    for (index, &(at, size)) in blocks.iter().enumerate() {
        assert_eq!(at % 16, 0);
        assert!(
            blocks[..index]
                .iter()
                .all(|&(other, length)| at + size <= other || other + length <= at)
        );
        if size > 0 {
            case.write(at + size - 1, mark(index)).unwrap();
        }
    }
    for (index, &(at, size)) in blocks.iter().enumerate().skip(1) {
        assert_eq!(case.read(at + size - 1), Ok(mark(index)));
        heap.free(Address(at)).unwrap();
        assert_eq!(case.read(at), violation(AccessKind::Read, at));
    }
    case.check();
}

#[test]
fn only_live_blocks_are_freed_and_null_is_fine() {
    let case = Case::new();
    let (one, two) = (heap(&case, 0), heap(&case, 1));
    let at = alloc(&*one, 0);
    let foreign = [at + 1, at - 16, 1, 0x7000_0000, u64::MAX];
    let refused = Refusal::from_hresult(Hresult::HOST_E_INVALIDOPERATION);
    for address in foreign {
        assert_eq!(one.free(Address(address)), Err(refused));
    }
    assert_eq!(two.free(Address(at)), Err(refused));
    assert_eq!(one.free(Address::NULL), Ok(()));
    assert_eq!(one.free(Address(at)), Ok(()));
    assert_eq!(one.free(Address(at)), Err(refused));
}

#[test]
fn an_access_past_a_block_is_answered_without_touching() {
    let case = Case::new();
    let heap = heap(&case, 1);
    let at = alloc(&*heap, 24);
    let neighbour = alloc(&*heap, 24);
    case.write(neighbour, 5).unwrap();
    for outside in [at - 1, at + 24, at - 16, at + 31] {
        assert_eq!(case.write(outside, 0xFF), violation(AccessKind::Write, outside));
    }
    let straddling = case.0.write(Address(at + 20), &[0xFF; 8]);
    assert_eq!(straddling, violation(AccessKind::Write, at + 20));
    assert_eq!(case.read(neighbour), Ok(5));
    heap.free(Address(at)).unwrap();
    heap.free(Address(neighbour)).unwrap();
}

#[test]
fn the_memory_under_a_heap_cannot_be_freed_protected_or_reserved() {
    let case = Case::new();
    let heap = heap(&case, 1);
    let at = alloc(&*heap, 24);
    assert_eq!(error(case.free(at & !0xFFFF, 0, FreeType::RELEASE).unwrap_err()), 487);
    assert_eq!(error(case.protect(at, 1, Protection::NOACCESS).unwrap_err()), 487);
    assert_eq!(error(case.alloc(at, 1, RESERVE, RW).unwrap_err()), 487);
    assert_eq!(case.read(at).map(drop), Ok(()));
}

#[test]
fn code_runs_in_blocks_of_an_executable_heap_only() {
    let case = Case::new();
    let (plain, executable) = (heap(&case, 1), heap(&case, 3));
    let at = alloc(&*executable, 1);
    case.write(at, 0xC3).unwrap();
    assert_eq!(case.0.execute(Address(at)), Ok(()));
    let at = alloc(&*plain, 1);
    case.write(at, 0xC3).unwrap();
    let fault = violation::<()>(AccessKind::Execute, at).unwrap_err();
    assert_eq!(case.0.execute(Address(at)), Err(ExecuteError::Fault(fault)));
}

#[test]
fn a_leak_is_reported_with_file_and_line_until_its_heap_goes() {
    let case = Case::new();
    let heap = heap(&case, 1);
    let at = heap.debug_alloc(10, CriticalLevel::TASK, "gc.cpp", 77).unwrap();
    let leaks = case.0.leaks();
    assert_eq!(leaks, ["heap 0: 10 bytes from gc.cpp:77"]);
    drop(heap);
    assert!(case.0.leaks().is_empty());
    assert_eq!(case.read(at.0), violation(AccessKind::Read, at.0));
}

#[test]
fn unknown_kinds_and_impossible_sizes_are_refused() {
    let case = Case::new();
    assert_eq!(
        case.0.create_malloc(MallocType(4)).map(drop).unwrap_err().hresult,
        Hresult::E_INVALIDARG
    );
    let heap = heap(&case, 1);
    for size in [u64::MAX, 1 << 63, 1 << 40, (64 << 30) - 1] {
        let refusal = heap.alloc(size, CriticalLevel::TASK).unwrap_err();
        assert!(refusal.is_out_of_memory());
    }
    let large = alloc(&*heap, 100 << 20);
    case.write(large + (100 << 20) - 1, 1).unwrap();
    heap.free(Address(large)).unwrap();
}

#[test]
fn threads_share_a_heap() {
    let case = Case::new();
    let heap = heap(&case, 1);
    thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (case, heap) = (&case, &heap);
            scope.spawn(move || {
                for round in 0..2000_u64 {
                    let at = alloc(&**heap, 8 + round % 300);
                    case.write(at, thread).unwrap();
                    assert_eq!(case.read(at), Ok(thread));
                    heap.free(Address(at)).unwrap();
                }
            });
        }
    });
    assert!(case.0.leaks().is_empty());
}
