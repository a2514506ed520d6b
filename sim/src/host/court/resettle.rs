//! What a judge believes after a divergence: what the subject shows of the memory concerned.
//!
//! Deliberately not here: marks of write watch, which the next report tells.

use hostmem_interface::{Address, MemoryBasicInformation, RegionState, Value};
use hostmem_model::Judge;
use hostmem_model::effect::{Effect, Pages};
use hostmem_model::page::PageState;
use hostmem_model::space::{Allocation, Terms};

use super::{Testimony, reserves};

type Look = dyn Fn(Address) -> Option<MemoryBasicInformation> + Send + Sync;

/// Has a judge take the subject's word for the allocation that a call named or made.
pub(super) fn resettle(judge: &mut Judge, said: &Testimony, look: &Look) {
    let at = match said.outcome.value() {
        Some(Value::Address(base)) if reserves(&said.call) => Some(*base),
        _ => said.call.address().copied(),
    };
    let Some(at) = at.filter(|at| !at.is_null()) else { return };
    let before = judge.state.space.find(at).map(|found| (found.base(), found.terms()));
    if before.is_none() && !reserves(&said.call) {
        return; // memory of somebody else
    }
    let base = before.map_or(at.align_down(judge.state.machine().granularity), |(base, _)| base);
    if before.is_some() {
        judge.state.apply(&Effect::Release(base));
    }
    let regions = regions(base, look);
    let Some((first, last)) = regions.first().zip(regions.last()) else { return };
    let size = last.end().0 - base.0;
    let terms = before.map_or(
        Terms { protect: first.allocation_protect, watched: false, physical: false },
        |(_, terms)| terms,
    );
    if judge.state.space.overlaps(base, size) {
        return; // it shows what cannot be: the next call there tells
    }
    let state = PageState::RESERVED;
    judge.state.apply(&Effect::Reserve { base: Some(base), size, terms, state });
    for region in regions.iter().filter(|region| region.state == RegionState::COMMIT) {
        let allocation = judge.state.space.find(base).expect("reserved just now");
        let commit = commit(allocation, region);
        judge.state.apply(&commit);
    }
}

fn commit(allocation: &Allocation, region: &MemoryBasicInformation) -> Effect {
    let first = allocation.page_of(region.base_address);
    let pages = allocation.touched(region.base_address, region.region_size);
    let pages = pages.unwrap_or(first..first + 1);
    Effect::Commit(Pages::of(allocation.base(), pages), PageState::committed(region.protect))
}

/// The regions of the allocation at `base`; none if that is not where one begins.
fn regions(base: Address, look: &Look) -> Vec<MemoryBasicInformation> {
    let mut regions: Vec<MemoryBasicInformation> = Vec::new();
    let mut at = base;
    while let Some(region) = look(at) {
        let same = region.state != RegionState::FREE && region.allocation_base == base;
        if !same || region.end() <= at {
            break;
        }
        at = region.end();
        regions.push(region);
    }
    regions
}
