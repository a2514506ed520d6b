//! `VirtualQuery`.

use hostmem_interface::{Address, MemoryBasicInformation, OutPointer, Protection, Win32Error};

use crate::effect::Effect;
use crate::page::ALLOCATION_MODIFIERS;
use crate::rule::{
    AS_04, GP_01, PR_05, PR_06, RuleId, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, VQ_06, VQ_07, VQ_08,
    VQ_09, VQ_10, VQ_11,
};
use crate::rules::beyond;
use crate::space::Allocation;
use crate::state::State;
use crate::verdict::{Answer, No, Permitted, Unowned, Verdict};

/// What the law permits for `VirtualQuery`.
#[inline(never)]
pub(super) fn decide(state: &State, address: Address, buffer: OutPointer, length: u64) -> Verdict {
    let short = length < MemoryBasicInformation::SIZE;
    if beyond(state.machine(), address) {
        // A manager may also say "nothing there" with S_OK and no bytes (VQ-07).
        let rule = if short || buffer == OutPointer::Null { VQ_09 } else { VQ_07 };
        return Verdict::refuse(rule, Win32Error::ERROR_INVALID_PARAMETER).or(Permitted::success(
            VQ_07,
            Answer::NoBytes,
            Effect::None,
        ));
    }
    if buffer == OutPointer::Null {
        let verdict = Verdict::refuse(VQ_10, Win32Error::ERROR_NOACCESS);
        return if short { verdict.or(bad_length()) } else { verdict };
    }
    if short {
        return Verdict::only(bad_length());
    }
    match state.space.find(address) {
        Some(allocation) => owned(allocation, address),
        None => unowned(state, address),
    }
}

const fn bad_length() -> Permitted {
    Permitted::refused(VQ_08, No::Win32(Win32Error::ERROR_BAD_LENGTH))
}

fn owned(allocation: &Allocation, address: Address) -> Verdict {
    let region = allocation.region(address);
    let rule = owned_rule(allocation, address, &region);
    Verdict::succeed(rule, Answer::Region(region), Effect::None)
}

/// The rule that says most about this region.
fn owned_rule(
    allocation: &Allocation,
    address: Address,
    region: &MemoryBasicInformation,
) -> RuleId {
    let modifiers = Protection(region.protect.0 & ALLOCATION_MODIFIERS.0);
    if region.allocation_protect.intersects(Protection::WRITECOMBINE) {
        // The weakest word of the answer: whoever does not show it breaks no other rule.
        PR_06
    } else if modifiers.intersects(Protection::NOCACHE) {
        PR_05
    } else if region.protect.intersects(Protection::GUARD) {
        GP_01
    } else if address != region.base_address {
        VQ_02
    } else if region.end() != allocation.end() {
        VQ_05
    } else if region.protect.0 == 0 {
        VQ_03
    } else if region.protect != region.allocation_protect {
        VQ_04
    } else {
        VQ_01
    }
}

fn unowned(state: &State, address: Address) -> Verdict {
    let machine = state.machine();
    let before = state.space.previous(address).map(Allocation::end);
    let after = state.space.next(address).map(Allocation::base);
    let acquired = state
        .foreign_overlapping(address.align_down(machine.page), address.wrapping_add(1))
        .is_some();
    let unowned = Unowned {
        at: address,
        start: before.unwrap_or(Address::NULL),
        end: after.unwrap_or(Address(machine.end())),
        between_owned: before.is_some() && after.is_some(),
        acquired,
    };
    let rule = if acquired {
        AS_04
    } else if address.0 < machine.lowest {
        VQ_11
    } else {
        VQ_06
    };
    Verdict::succeed(rule, Answer::Unowned(unowned), Effect::None)
}
