//! `VirtualProtect`.

use hostmem_interface::{Address, OutPointer, Protection, Win32Error};

use crate::effect::{Effect, Pages};
use crate::page::PageState;
use crate::rule::{
    GP_04, PR_05, PR_06, RuleId, VP_01, VP_02, VP_03, VP_04, VP_05, VP_05B, VP_06, VP_07, VP_08,
    VP_09, VP_10, VP_11, VP_11B,
};
use crate::rules::protection::{is_copy_on_write, malformed_base, malformed_modifiers};
use crate::rules::{beyond, leaves};
use crate::space::Allocation;
use crate::state::State;
use crate::verdict::{Answer, No, Permitted, Verdict};

const BAD_ARGUMENT: Win32Error = Win32Error::ERROR_INVALID_PARAMETER;
const BAD_ADDRESS: Win32Error = Win32Error::ERROR_INVALID_ADDRESS;

/// What the law permits for `VirtualProtect`.
#[inline(never)]
pub(super) fn decide(
    state: &State,
    address: Address,
    size: u64,
    protect: Protection,
    old: OutPointer,
) -> Verdict {
    if malformed_base(protect).is_some() {
        return Verdict::refuse(VP_01, BAD_ARGUMENT);
    }
    if old == OutPointer::Null {
        return null_old(&with_pointer(state, address, size, protect), protect);
    }
    with_pointer(state, address, size, protect)
}

/// The rest of the checks, where the base value is well formed and there is room for the old
/// protection.
fn with_pointer(state: &State, address: Address, size: u64, protect: Protection) -> Verdict {
    if beyond(state.machine(), address) || leaves(state.machine(), address, size) {
        return Verdict::refuse(VP_04, BAD_ARGUMENT);
    }
    if size == 0 {
        return Verdict::refuse(VP_05, BAD_ARGUMENT);
    }
    let modifiers = malformed_modifiers(protect).is_some();
    // That wrong modifiers win over a wrong address rests on an implementation: either error is
    // permitted where both are wrong.
    let misplaced = |rule| match Verdict::refuse(VP_05B, BAD_ARGUMENT) {
        either if modifiers => either.or(Permitted::refused(rule, No::Win32(BAD_ADDRESS))),
        _ => Verdict::refuse(rule, BAD_ADDRESS),
    };
    let Some(found) = state.space.look_up(address) else { return misplaced(VP_06) };
    let allocation = found.allocation;
    let Some(pages) = allocation.touched(address, size) else { return misplaced(VP_07) };
    let committed = allocation.all_committed(pages.clone());
    if modifiers && committed {
        return Verdict::refuse(VP_05B, BAD_ARGUMENT);
    }
    if is_copy_on_write(protect) && !modifiers {
        return Verdict::refuse(if committed { VP_11 } else { VP_11B }, BAD_ARGUMENT);
    }
    if !committed {
        return misplaced(VP_08);
    }
    let first = allocation.state(pages.start);
    let rule = success_rule(allocation, first, protect, pages.end - pages.start);
    let answer = Answer::Old(allocation.shown(first));
    let effect = Effect::Protect(Pages::found(&found, pages), PageState::committed(protect));
    Verdict::succeed(rule, answer, effect)
}

/// The pointer is looked at before the address and, by an implementation, before the
/// modifiers; where both are wrong, either error is permitted. That it alone is wrong is
/// certain; that it wins over anything else rests on an implementation.
fn null_old(otherwise: &Verdict, protect: Protection) -> Verdict {
    let rule = if otherwise.permits_success() { VP_02 } else { VP_03 };
    let verdict = Verdict::refuse(rule, Win32Error::ERROR_NOACCESS);
    if malformed_modifiers(protect).is_some() {
        return verdict.or(Permitted::refused(VP_05B, No::Win32(BAD_ARGUMENT)));
    }
    verdict
}

/// The rule that says most about a success: that the old value shows `PAGE_WRITECOMBINE`, what
/// it does to a guard, to `PAGE_NOCACHE`, to several pages, or else what the old value is.
fn success_rule(
    allocation: &Allocation,
    first: PageState,
    protect: Protection,
    pages: u64,
) -> RuleId {
    let cached = |protect: Protection| !protect.intersects(Protection::NOCACHE);
    if allocation.terms().protect.intersects(Protection::WRITECOMBINE) {
        // The weakest word of the answer: whoever does not show it breaks no other rule.
        PR_06
    } else if first.is_guarded() || protect.contains(Protection::GUARD) {
        GP_04
    } else if !cached(protect) || !cached(allocation.terms().protect) {
        PR_05
    } else if pages > 1 {
        VP_09
    } else {
        VP_10
    }
}
