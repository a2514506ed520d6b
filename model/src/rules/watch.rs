//! `GetWriteWatch` and `ResetWriteWatch`.
//!
//! Two kinds of mistake are told apart: malformed arguments (87) and null pointers (998).
//! Only one order among them is known, that a capacity of zero wins over null addresses; a
//! call that makes both kinds of mistake in another way may name either.

use std::ops::Range;

use hostmem_interface::{Address, OutPointer, WatchFlags, WatchPointers, Win32Error};

use crate::effect::{Effect, Pages};
use crate::rule::{RuleId, WW_01, WW_02, WW_03, WW_04, WW_04B, WW_05, WW_06, WW_07};
use crate::rules::leaves;
use crate::space::Allocation;
use crate::state::State;
use crate::verdict::{Answer, No, Permitted, Verdict};

const BAD_ARGUMENT: Win32Error = Win32Error::ERROR_INVALID_PARAMETER;

/// What the law permits for `GetWriteWatch`.
pub(super) fn get(
    state: &State,
    address: Address,
    size: u64,
    flags: WatchFlags,
    capacity: u64,
    null: WatchPointers,
) -> Verdict {
    let bad_argument = if flags.without(WatchFlags::RESET).0 != 0 || capacity == 0 {
        Some(WW_02)
    } else {
        range(state, address, size).err()
    };
    match (bad_argument, null_pointer(null, capacity)) {
        (Some(rule), false) => Verdict::refuse(rule, BAD_ARGUMENT),
        (None, true) => Verdict::refuse(WW_02, Win32Error::ERROR_NOACCESS),
        (Some(rule), true) => Verdict::refuse(WW_02, Win32Error::ERROR_NOACCESS)
            .or(Permitted::refused(rule, No::Win32(BAD_ARGUMENT))),
        (None, false) => report(state, address, size, flags, capacity),
    }
}

/// Whether a null pointer is to be complained about: null addresses are not looked at if
/// nothing would be written there.
fn null_pointer(null: WatchPointers, capacity: u64) -> bool {
    let addresses = null.addresses == OutPointer::Null && capacity > 0;
    addresses || null.count == OutPointer::Null || null.granularity == OutPointer::Null
}

fn report(state: &State, address: Address, size: u64, flags: WatchFlags, capacity: u64) -> Verdict {
    let Ok((allocation, pages)) = range(state, address, size) else {
        unreachable!("the range was checked")
    };
    let most = usize::try_from(capacity).unwrap_or(usize::MAX);
    let marked: Vec<u64> = allocation.marked(pages.clone()).take(most).collect();
    let addresses = marked.iter().map(|page| allocation.address_of(*page)).collect();
    let page = state.machine().page;
    let rule = if !address.is_aligned(page) || !size.is_multiple_of(page) {
        WW_07
    } else if flags.contains(WatchFlags::RESET) {
        WW_06
    } else if !allocation.all_committed(pages) {
        WW_05
    } else {
        WW_01
    };
    let granularity = u32::try_from(page).expect("pages are far below 4 GiB");
    let effect = if flags.contains(WatchFlags::RESET) {
        Effect::Unmark(allocation.base(), marked)
    } else {
        Effect::None
    };
    Verdict::succeed(rule, Answer::Pages(addresses, granularity), effect)
}

/// What the law permits for `ResetWriteWatch`.
pub(super) fn reset(state: &State, address: Address, size: u64) -> Verdict {
    match range(state, address, size) {
        Err(rule) => Verdict::refuse(rule, BAD_ARGUMENT),
        Ok((allocation, pages)) => {
            let page = state.machine().page;
            let aligned = address.is_aligned(page) && size.is_multiple_of(page);
            let rule = if aligned { WW_06 } else { WW_07 };
            let effect = Effect::UnmarkAll(Pages::of(allocation.base(), pages));
            Verdict::succeed(rule, Answer::Nothing, effect)
        }
    }
}

/// The watched allocation and its pages that a range names, or the rule it breaks.
fn range(state: &State, address: Address, size: u64) -> Result<(&Allocation, Range<u64>), RuleId> {
    if size == 0 || leaves(state.machine(), address, size) {
        return Err(WW_03);
    }
    let allocation = state.space.find(address).ok_or(WW_04B)?;
    if !allocation.terms().watched {
        return Err(WW_04);
    }
    let pages = allocation.touched(address, size).ok_or_else(|| {
        let neighbour = state.space.find(allocation.end());
        if neighbour.is_some_and(|it| it.terms().watched) { WW_04B } else { WW_04 }
    })?;
    Ok((allocation, pages))
}
