//! Which pages a step may change: the range that its call names, the allocation that it gives
//! back, and what it returned.
//!
//! Nothing but a call's own range changes by the law, so a picture of the whole space can be
//! kept by looking at that range alone.
//!
//! Deliberately not here: what is in the pages.

use std::ops::Range;

use hostmem_interface::scenario::{Action, Step, SymbolicCall};
use hostmem_interface::{Address, Call, FreeType, Outcome, Value};
use hostmem_model::State;

use crate::run::case::{Answered, Case};

/// Ranges of pages.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    ranges: Vec<Range<u64>>,
}

impl Extent {
    /// Adds pages.
    pub fn add(&mut self, pages: Range<u64>) {
        if !pages.is_empty() {
            self.ranges.push(pages);
        }
    }

    /// The ranges, ascending, no two of which touch.
    #[must_use]
    pub fn ranges(mut self) -> Vec<Range<u64>> {
        self.ranges.sort_by_key(|range| range.start);
        let mut out: Vec<Range<u64>> = Vec::new();
        for range in self.ranges {
            match out.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => out.push(range),
            }
        }
        out
    }
}

/// The range that a step's call names, in pages, inside user space; `None` if it names none.
#[must_use]
pub fn named(case: &Case<'_>, step: &Step) -> Option<Range<u64>> {
    let Action::Call(call) = &step.action else { return None };
    let address = case.address(*call.address()?)?;
    if address == Address::NULL {
        return None;
    }
    pages(case.view().state, address, size(call))
}

/// The pages of `[address, address + size)`, at least one, as far as they lie in user space.
#[must_use]
pub fn pages(state: &State, address: Address, size: u64) -> Option<Range<u64>> {
    let machine = state.machine();
    let end = address.0.saturating_add(size.max(1)).min(machine.end());
    let (start, end) = (address.0 / machine.page, end.div_ceil(machine.page));
    (start < end).then_some(start..end)
}

/// What a step may change, as far as that is known before it is carried out.
pub fn before(case: &Case<'_>, step: &Step, into: &mut Extent) {
    let Action::Call(call) = &step.action else { return };
    let state = case.view().state;
    let Some(address) = call.address().and_then(|place| case.address(*place)) else { return };
    match call {
        Call::VirtualQuery { .. } | Call::GetWriteWatch { .. } => return,
        // The size says nothing: the whole allocation goes.
        Call::VirtualFree { kind: FreeType::RELEASE, .. } | Call::VirtualFree { size: 0, .. } => {
            let found = state.space.find(address);
            into.ranges.extend(found.and_then(|it| pages(state, it.base(), it.size())));
        }
        Call::Free { .. } => {
            let block = state.heaps.block(address);
            into.ranges.extend(block.and_then(|block| pages(state, address, block.size)));
        }
        Call::ReleasedVirtualAddressSpace { .. } => {
            let found = state.foreign_overlapping(address, address.wrapping_add(1));
            into.ranges.extend(found.and_then(|(start, end)| pages(state, start, end.0 - start.0)));
        }
        _ => {}
    }
    into.ranges.extend(named(case, step));
}

/// What a step changed, as far as only its answer tells.
pub fn after(case: &Case<'_>, step: &Step, answered: &Answered, into: &mut Extent) {
    into.ranges.extend(returned(case, step, answered));
}

/// The range that a step got: from the base that it was given, which may lie before the address
/// that it named, to the end of what it asked for.
#[must_use]
pub fn returned(case: &Case<'_>, step: &Step, answered: &Answered) -> Option<Range<u64>> {
    let Action::Call(call) = &step.action else { return None };
    let Outcome::Done { value: Value::Address(base), .. } = &answered.outcome else { return None };
    let got = pages(case.view().state, *base, size(call))?;
    let asked = named(case, step).filter(|asked| asked.start >= got.start);
    Some(got.start..asked.map_or(got.end, |asked| asked.end))
}

/// The size of the range that a call names, bytes.
#[must_use]
pub fn size(call: &SymbolicCall) -> u64 {
    call.size().unwrap_or(0)
}
