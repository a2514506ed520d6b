//! `VirtualFree`: decommit and release.

use hostmem_interface::{Address, FreeType, Win32Error};

use crate::effect::{Effect, Pages};
use crate::rule::{
    VF_01, VF_02, VF_03, VF_04, VF_05, VF_06, VF_07, VF_08, VF_09, VF_10, VF_11, VF_12, VF_14,
};
use crate::rules::{beyond, leaves};
use crate::space::{Allocation, Found};
use crate::state::State;
use crate::verdict::{Answer, No, Permitted, Verdict};

const BAD_ARGUMENT: Win32Error = Win32Error::ERROR_INVALID_PARAMETER;
const BAD_ADDRESS: Win32Error = Win32Error::ERROR_INVALID_ADDRESS;

/// What the law permits for `VirtualFree`.
#[inline(never)]
pub(super) fn decide(state: &State, address: Address, size: u64, kind: FreeType) -> Verdict {
    let found = state.space.look_up(address);
    if kind.contains(FreeType::RELEASE) && size != 0 {
        let rule = if found.is_none() { VF_03 } else { VF_01 };
        return Verdict::refuse(rule, BAD_ARGUMENT);
    }
    if kind != FreeType::DECOMMIT && kind != FreeType::RELEASE {
        let rule = if found.is_none() { VF_03 } else { VF_02 };
        return Verdict::refuse(rule, BAD_ARGUMENT);
    }
    if beyond(state.machine(), address) || leaves(state.machine(), address, size) {
        return Verdict::refuse(VF_04, BAD_ARGUMENT);
    }
    let Some(found) = found else {
        let rule = if address.0 < state.machine().lowest { VF_05 } else { VF_06 };
        return Verdict::only(Permitted::refused(rule, No::NotOurs));
    };
    if kind == FreeType::RELEASE {
        release(found.allocation, address)
    } else {
        decommit(&found, address, size)
    }
}

fn release(allocation: &Allocation, address: Address) -> Verdict {
    if allocation.page_of(address) != 0 {
        return Verdict::refuse(VF_09, BAD_ADDRESS);
    }
    Verdict::succeed(VF_14, Answer::Nothing, Effect::Release(allocation.base()))
}

fn decommit(found: &Found<'_>, address: Address, size: u64) -> Verdict {
    let allocation = found.allocation;
    let (rule, pages) = if size == 0 {
        if allocation.page_of(address) != 0 {
            return Verdict::refuse(VF_08, BAD_ADDRESS);
        }
        (VF_12, allocation.all_pages())
    } else {
        let Some(pages) = allocation.touched(address, size) else {
            return Verdict::refuse(VF_07, BAD_ARGUMENT);
        };
        let rule = if allocation.all_committed(pages.clone()) { VF_10 } else { VF_11 };
        (rule, pages)
    };
    let effect = Effect::Decommit(Pages::found(found, pages));
    Verdict::succeed(rule, Answer::Nothing, effect)
}
