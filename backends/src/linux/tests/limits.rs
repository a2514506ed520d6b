//! What runs out: commit, mappings, address space; and what the backend says it is.

use std::sync::{Mutex, PoisonError};

use super::*;

#[test]
fn the_commit_limit_is_enforced_exactly_and_given_back() {
    let case = Case::with(LinuxOptions { commit_limit: Some(8 * PAGE), ..LinuxOptions::default() });
    let at = case.alloc(0, 0x20000, RESERVE, RW).unwrap();
    case.alloc(at, 6 * PAGE, COMMIT, RW).unwrap();
    let refusal = case.alloc(at + 5 * PAGE, 4 * PAGE, COMMIT, RW).unwrap_err();
    assert_eq!((error(refusal), refusal.hresult.0), (1455, 0x8007_000E));
    assert_eq!(case.query(at + 6 * PAGE).protect, Protection(0));
    case.alloc(at + 4 * PAGE, 4 * PAGE, COMMIT, RW).unwrap();
    assert_eq!(error(case.alloc(0, 1, BOTH, RW).unwrap_err()), 1455);
    case.decommit(at, PAGE);
    let other = case.alloc(0, 1, BOTH, RW).unwrap();
    case.release(other);
    case.release(at);
    case.alloc(0, 8 * PAGE, BOTH, RW).unwrap();
    case.check();
}

/// The tests that use up mappings take turns: they are the process's.
static TURN: Mutex<()> = Mutex::new(());

/// Enough mappings for the tests that run beside this one, and few enough to reach.
fn few_mappings() -> Case {
    let count = crate::linux::kernel_view::count().unwrap();
    let limit = Some(count * 2 + 4096 + 2000);
    Case::with(LinuxOptions { mapping_limit: limit, ..LinuxOptions::default() })
}

#[test]
fn growth_is_refused_while_mappings_are_left_and_changes_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let case = few_mappings();
    let pages = 40_000;
    let at = case.alloc(0, pages * PAGE, RESERVE, RW).unwrap();
    let every_other = (0..pages).step_by(2).map(|page| at + page * PAGE);
    let mut refused = None;
    for page in every_other {
        if let Err(refusal) = case.alloc(page, PAGE, COMMIT, RW) {
            refused = Some((page, refusal));
            break;
        }
    }
    let (page, refusal) = refused.unwrap();
    assert!(refusal.is_out_of_memory());
    assert_eq!(case.query(page).protect, Protection(0));
    case.check();
    // What exists can still be split, and giving back makes room.
    case.protect(at, PAGE, Protection::READONLY).unwrap();
    case.decommit(at, page - at);
    case.alloc(page, PAGE, COMMIT, RW).unwrap();
    case.check();
}

#[test]
fn without_mappings_left_a_decommit_still_succeeds_and_is_believed() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let case = few_mappings();
    let pages = 40_000;
    let at = case.alloc(0, pages * PAGE, BOTH, RW).unwrap();
    for page in (0..pages).step_by(2).map(|page| at + page * PAGE) {
        case.write(page, 1).unwrap();
        case.decommit(page, PAGE);
        assert_eq!(case.read(page), violation(AccessKind::Read, page));
        assert_eq!(case.read(page + PAGE), Ok(0));
    }
    assert!(case.0.overdue.load(std::sync::atomic::Ordering::Relaxed));
    case.check();
    let last = at + (pages - 2) * PAGE;
    let mut byte = [0; 8];
    let straddling = case.0.read(Address(last - 4), &mut byte);
    assert_eq!(straddling, violation(AccessKind::Read, last));
    assert!(case.0.execute(Address(last)).is_err());
    case.release(at);
    assert_eq!(case.read(at + PAGE), violation(AccessKind::Read, at + PAGE));
    let again = case.alloc(at, 0x10000, BOTH, RW).unwrap();
    assert_eq!(case.read(again), Ok(0));
    case.check();
}

#[test]
fn more_address_space_than_there_is_is_out_of_memory() {
    let case = Case::new();
    for (size, expected) in [(1 << 46, 8), (2 << 30, 8), (1 << 47, 87), (u64::MAX, 87), (0, 87)] {
        assert_eq!(error(case.alloc(0, size, RESERVE, RW).unwrap_err()), expected, "{size:#x}");
    }
}

#[test]
fn a_machine_that_this_one_is_not_is_refused() {
    use hostmem_interface::{Backend, OpenError};
    let open = |machine: Machine| LinuxBackend::default().open(&machine).map(drop);
    for machine in [
        Machine { page: 0x4000, ..Machine::WINDOWS_X64 },
        Machine { granularity: 0x1000, ..Machine::WINDOWS_X64 },
        Machine { lowest: 0x1000, ..Machine::WINDOWS_X64 },
        Machine { highest: 0x7FFE_FFFF, ..Machine::WINDOWS_X64 },
        Machine { physical: Some(1 << 20), ..Machine::WINDOWS_X64 },
    ] {
        assert!(matches!(open(machine), Err(OpenError::Machine(_))), "{machine:?}");
    }
    let limited = Machine { commit_limit: Some(1 << 20), ..Machine::WINDOWS_X64 };
    let manager = LinuxBackend::default().manager(&limited).unwrap();
    assert_eq!(manager.description().machine.commit_limit, Some(1 << 20));
    assert!(manager.description().machine.physical.is_some());
}

#[test]
fn an_absent_capability_has_its_reason() {
    use hostmem_interface::Capability;
    let case = Case::new();
    let description = case.0.description();
    for (_, capability) in Capability::ALL {
        let reasons = description.absent.iter().filter(|(absent, _)| *absent == capability);
        let absent = reasons.filter(|(_, reason)| !reason.is_empty()).count();
        assert_eq!(absent, usize::from(!description.capabilities.has(capability)));
    }
    let listening = Case::with(LinuxOptions { notifies: true, ..LinuxOptions::default() });
    let answer = listening.0.description().capabilities.has(Capability::Notifications);
    assert_eq!(answer, crate::linux::pressure::probe().is_ok());
}
