//! What committed memory holds, and when it loses it.

use super::*;

#[test]
fn committed_memory_is_zero_keeps_what_is_written_and_is_zero_again_after_a_decommit() {
    let case = Case::new();
    let at = case.alloc(0, 0x10000, RESERVE, RW).unwrap();
    assert_eq!(case.read(at), violation(AccessKind::Read, at));
    case.alloc(at + 0x1800, 0x1000, COMMIT, RW).unwrap();
    assert_eq!(case.read(at), violation(AccessKind::Read, at));
    for page in [1, 2] {
        assert_eq!(case.read(at + page * PAGE), Ok(0));
        case.write(at + page * PAGE, 7).unwrap();
    }
    case.alloc(at, 0x10000, COMMIT, Protection::READONLY).unwrap();
    assert_eq!(case.read(at + PAGE), Ok(7));
    assert_eq!(case.write(at + PAGE, 8), violation(AccessKind::Write, at + PAGE));
    case.protect(at, 0x10000, Protection::NOACCESS).unwrap();
    assert_eq!(case.read(at + PAGE), violation(AccessKind::Read, at + PAGE));
    assert_eq!(case.protect(at, 0x10000, RW), Ok(Protection::NOACCESS));
    assert_eq!(case.read(at + PAGE), Ok(7));
    case.check();
    case.decommit(at + PAGE, 1);
    assert_eq!(case.read(at + PAGE), violation(AccessKind::Read, at + PAGE));
    case.alloc(at + PAGE, 1, COMMIT, RW).unwrap();
    assert_eq!((case.read(at + PAGE), case.read(at + 2 * PAGE)), (Ok(0), Ok(7)));
    case.release(at);
    assert_eq!(case.read(at), violation(AccessKind::Read, at));
    assert_eq!(case.alloc(at, 0x10000, BOTH, RW), Ok(at));
    assert_eq!(case.read(at + 2 * PAGE), Ok(0));
    case.check();
}

#[test]
fn a_reset_keeps_what_was_written_so_that_undo_is_true() {
    let case = Case::new();
    let at = case.alloc(0, 0x10000, BOTH, RW).unwrap();
    case.write(at, 9).unwrap();
    for kind in [AllocationType::RESET, AllocationType::RESET_UNDO] {
        assert_eq!(case.alloc(at, PAGE, kind, Protection::NOACCESS), Ok(at));
    }
    assert_eq!((case.read(at), case.query(at).protect), (Ok(9), RW));
    let past = case.alloc(at, 0x10001, AllocationType::RESET, RW).unwrap_err();
    assert_eq!(error(past), 487);
}

#[test]
fn nocache_belongs_to_the_allocation() {
    let case = Case::new();
    let at = case.alloc(0, 0x2000, BOTH, Protection(0x204)).unwrap();
    assert_eq!(case.protect(at, PAGE, Protection::READONLY), Ok(Protection(0x204)));
    assert_eq!(case.query(at).protect, Protection(0x202));
    assert_eq!(case.query(at).allocation_protect, Protection(0x204));
    let plain = case.alloc(0, 0x1000, BOTH, RW).unwrap();
    assert_eq!(case.protect(plain, PAGE, Protection(0x202)), Ok(RW));
    assert_eq!(case.query(plain).protect, Protection::READONLY);
}

#[test]
fn a_change_that_the_kernel_refuses_half_way_is_undone() {
    use std::sync::atomic::Ordering;
    let case = Case::new();
    let at = case.alloc(0, 0x10000, RESERVE, RW).unwrap();
    case.alloc(at + PAGE, PAGE, COMMIT, Protection::READONLY).unwrap();
    let before = [case.query(at), case.query(at + PAGE), case.query(at + 2 * PAGE)];
    for act in [
        || |case: &Case, at| case.alloc(at, 0x4000, COMMIT, RW).map(drop),
        || |case: &Case, at| case.alloc(at + PAGE, PAGE, COMMIT, RW).map(drop),
    ] as [fn() -> fn(&Case, u64) -> Result<(), Refusal>; 2]
    {
        case.0.arena.fail_in.store(1, Ordering::Relaxed);
        let refusal = act()(&case, at).unwrap_err();
        assert!(refusal.is_out_of_memory());
        case.check();
        let after = [case.query(at), case.query(at + PAGE), case.query(at + 2 * PAGE)];
        assert_eq!(before, after);
    }
    case.0.arena.fail_in.store(1, Ordering::Relaxed);
    let refusal = case.alloc(0, 0x10000, BOTH, RW).unwrap_err();
    assert!(refusal.is_out_of_memory());
    case.check();
    assert_eq!(case.alloc(0, 0x10000, BOTH, RW), Ok(at + 0x10000));
}
