//! Foreign addresses, and a ledger that is lied to.

use hostmem_interface::ExecuteError;

use super::*;

#[test]
fn what_is_outside_the_arena_is_never_touched_changed_or_freed() {
    let case = Case::new();
    let victim = Box::new([0x5A_u8; 0x2000]);
    let stack = 0x5A_u8;
    let arena = case.0.arena.range();
    let addresses = [
        victim.as_ptr() as u64 + 0x1000,
        &raw const stack as u64,
        Case::new as *const () as u64,
        0x1_0000,
        arena.start - 8,
        arena.end,
        0x7FFF_FFFE_FFF0,
    ];
    for at in addresses {
        assert_eq!(case.read(at), violation(AccessKind::Read, at));
        assert_eq!(case.0.write(Address(at), &[0; 8]), violation(AccessKind::Write, at));
        assert_eq!(case.0.write(Address(at), &[0; 5]), violation(AccessKind::Write, at));
        let fault = violation::<()>(AccessKind::Execute, at).unwrap_err();
        assert_eq!(case.0.execute(Address(at)), Err(ExecuteError::Fault(fault)));
        for kind in [RESERVE, BOTH, COMMIT, AllocationType::RESET] {
            let refusal = case.alloc(at, 8, kind, RW).unwrap_err();
            assert_eq!(error(refusal), 487, "{at:#x} {kind}");
        }
        for (size, kind) in [(0, FreeType::RELEASE), (8, FreeType::DECOMMIT)] {
            assert_eq!(case.free(at, size, kind), Err(Refusal::not_ours()));
        }
        let refusal = case.protect(at, 8, Protection::NOACCESS).unwrap_err();
        assert_eq!(error(refusal), 487);
        assert_ne!(case.query(at).state, hostmem_interface::RegionState::FREE);
    }
    assert!(victim.iter().all(|&byte| byte == 0x5A) && stack == 0x5A);
}

#[test]
fn a_range_that_leaves_the_arena_stops_at_its_end() {
    let case = Case::new();
    let end = case.0.arena.range().end;
    let refusal = case.alloc(end - 0x10000, 0x10001, RESERVE, RW).unwrap_err();
    assert_eq!(error(refusal), 487);
    let at = case.alloc(end - 0x10000, 0x10000, BOTH, RW).unwrap();
    assert_eq!(at, end - 0x10000);
    let straddling = case.0.write(Address(end - 4), &[1; 8]);
    assert_eq!(straddling, violation(AccessKind::Write, end));
    assert_eq!(case.read(end - 4), Ok(0));
    case.protect(end - PAGE, PAGE, Protection(0x104)).unwrap();
    let straddling = case.0.write(Address(end - 4), &[1; 8]);
    assert_eq!(straddling, guard(AccessKind::Write, end - 4));
    for size in [0x10001, 1 << 31] {
        assert_eq!(error(case.protect(at, size, RW).unwrap_err()), 487);
        assert_eq!(error(case.free(at, size, FreeType::DECOMMIT).unwrap_err()), 87);
    }
}

#[test]
fn addresses_without_a_meaning_are_answered() {
    let case = Case::new();
    for at in [0, 1, 0xFFFF, 0x7FFF_FFFF_0000, 1 << 63, u64::MAX - 7, u64::MAX] {
        assert_eq!(case.read(at), violation(AccessKind::Read, at));
        assert_eq!(case.0.write(Address(at), &[0; 8]), violation(AccessKind::Write, at));
        assert!(case.0.execute(Address(at)).is_err());
        assert!(case.free(at, u64::MAX, FreeType::DECOMMIT).is_err());
        assert!(case.protect(at, u64::MAX, RW).is_err());
        if at != 0 {
            assert_eq!(error(case.alloc(at, u64::MAX, RESERVE, RW).unwrap_err()), 87);
        }
    }
}

#[test]
fn a_checkpoint_notices_what_was_done_behind_the_ledger() {
    use crate::linux::mapping::Prot;
    let case = Case::new();
    let at = case.alloc(0, 0x10000, BOTH, RW).unwrap();
    case.check();
    case.0.arena.protect(at + PAGE..at + 2 * PAGE, Prot::READ).unwrap();
    let lie = case.0.checkpoint().unwrap_err();
    assert_eq!(lie, format!("{:#x}: the ledger says rw-, the kernel r--", at + PAGE));
    // The kernel's word counts for an access.
    assert_eq!(case.write(at + PAGE, 1), violation(AccessKind::Write, at + PAGE));
    case.0.arena.protect(at + PAGE..at + 2 * PAGE, Prot::READ_WRITE).unwrap();
    case.decommit(at, PAGE);
    case.0.arena.protect(at..at + PAGE, Prot::READ_WRITE).unwrap();
    assert_eq!(case.read(at), Ok(0));
    assert!(case.0.checkpoint().is_err());
}
