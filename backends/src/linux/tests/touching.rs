//! Every stub, every kind of fault, and many threads at once.

use std::thread;

use hostmem_interface::{AccessKind, NtStatus};

use super::super::mapping::{Arena, Prot};
use super::PAGE;
use crate::touch::{RawFault, Touch};

const MIB: u64 = 1 << 20;

fn violation(kind: AccessKind, at: u64) -> RawFault {
    RawFault { status: NtStatus::STATUS_ACCESS_VIOLATION, kind, at }
}

fn arena() -> (Touch, Arena) {
    (Touch::arm().unwrap(), Arena::open(MIB, MIB).unwrap())
}

fn read<const N: usize>(touch: Touch, at: u64) -> Result<[u8; N], RawFault> {
    let mut into = [0xEE; N];
    // SAFETY: the tests only pass addresses of their arena, or ones that cannot be mapped.
    unsafe { touch.read(at, &mut into) }.map(|()| into)
}

fn write(touch: Touch, at: u64, bytes: &[u8]) -> Result<(), RawFault> {
    // SAFETY: the tests only pass addresses of their arena, or ones that cannot be mapped.
    unsafe { touch.write(at, bytes) }
}

#[test]
fn what_was_written_is_read_in_every_width() {
    let (touch, arena) = arena();
    let at = arena.range().start;
    arena.protect(at..at + 2 * PAGE, Prot::READ_WRITE).unwrap();
    let bytes = [1, 2, 3, 4, 5, 6, 7, 0x88];
    for start in [at, at + 3, at + PAGE - 3] {
        write(touch, start, &bytes).unwrap();
        assert_eq!(read::<8>(touch, start), Ok(bytes));
        assert_eq!(read::<4>(touch, start), Ok([1, 2, 3, 4]));
        assert_eq!(read::<2>(touch, start + 6), Ok([7, 0x88]));
        assert_eq!(read::<1>(touch, start + 7), Ok([0x88]));
        assert_eq!(read::<5>(touch, start + 2), Ok([3, 4, 5, 6, 7]));
        write(touch, start, &[9; 3]).unwrap();
        write(touch, start + 4, &[8; 4]).unwrap();
        write(touch, start + 6, &[7; 2]).unwrap();
        write(touch, start + 7, &[6; 1]).unwrap();
        assert_eq!(read::<8>(touch, start), Ok([9, 9, 9, 4, 8, 8, 7, 6]));
    }
}

#[test]
fn a_fault_tells_kind_and_address_for_every_width() {
    let (touch, arena) = arena();
    let at = arena.range().start + 0x123;
    let fault = |kind| Err(violation(kind, at));
    assert_eq!(read::<1>(touch, at).map(drop), fault(AccessKind::Read));
    assert_eq!(read::<2>(touch, at).map(drop), fault(AccessKind::Read));
    assert_eq!(read::<4>(touch, at).map(drop), fault(AccessKind::Read));
    assert_eq!(read::<8>(touch, at).map(drop), fault(AccessKind::Read));
    assert_eq!(read::<77>(touch, at).map(drop), fault(AccessKind::Read));
    for size in [1, 2, 4, 8, 77] {
        assert_eq!(write(touch, at, &vec![1; size]), fault(AccessKind::Write));
    }
}

#[test]
fn a_straddling_access_faults_on_the_second_page_and_leaves_the_first_alone() {
    let (touch, arena) = arena();
    let at = arena.range().start;
    arena.protect(at..at + PAGE, Prot::READ_WRITE).unwrap();
    for (size, before) in [(8, 1), (8, 7), (4, 2), (2, 1)] {
        let start = at + PAGE - before;
        let expected = Err(violation(AccessKind::Write, at + PAGE));
        assert_eq!(write(touch, start, &vec![0xFF; size]), expected);
        assert_eq!(read::<1>(touch, start), Ok([0]));
    }
    let expected = Err(violation(AccessKind::Read, at + PAGE));
    assert_eq!(read::<8>(touch, at + PAGE - 4), expected);
}

#[test]
fn code_runs_only_where_it_may_be_executed() {
    let (touch, arena) = arena();
    let at = arena.range().start;
    arena.protect(at..at + PAGE, Prot::READ_WRITE).unwrap();
    write(touch, at + 16, &[0xC3]).unwrap();
    // SAFETY: the byte there is `ret`.
    let execute = |at| unsafe { touch.execute(at) };
    let fault = Err(violation(AccessKind::Execute, at + 16));
    assert_eq!(execute(at + 16), fault);
    arena.protect(at..at + PAGE, Prot::READ_EXECUTE).unwrap();
    assert_eq!(execute(at + 16), Ok(()));
    arena.protect(at..at + PAGE, Prot::NONE).unwrap();
    assert_eq!(execute(at + 16), fault);
}

#[test]
fn a_non_canonical_address_reports_the_address_that_was_accessed() {
    let (touch, _arena) = arena();
    let at = 0x8000_0000_0000_0000;
    assert_eq!(read::<8>(touch, at), Err(violation(AccessKind::Read, at)));
    assert_eq!(write(touch, at, &[1]), Err(violation(AccessKind::Write, at)));
}

#[test]
fn many_threads_fault_and_succeed_side_by_side() {
    let (touch, arena) = arena();
    let base = arena.range().start;
    arena.protect(base..base + 8 * PAGE, Prot::READ_WRITE).unwrap();
    let arena = &arena;
    thread::scope(|scope| {
        for thread in 0..8_u64 {
            scope.spawn(move || {
                let good = base + thread * PAGE + 8;
                let bad = arena.range().start + (8 + thread) * PAGE + 8;
                for round in 0..20_000_u64 {
                    write(touch, good, &round.to_le_bytes()).unwrap();
                    let expected = Err(violation(AccessKind::Read, bad));
                    assert_eq!(read::<8>(touch, bad), expected);
                    assert_eq!(read::<8>(touch, good), Ok(round.to_le_bytes()));
                    let expected = Err(violation(AccessKind::Write, bad));
                    assert_eq!(write(touch, bad, &[0; 3]), expected);
                }
            });
        }
    });
}
