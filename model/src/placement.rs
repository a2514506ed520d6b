//! Where the model itself puts memory when the caller leaves the choice to it: bottom-up at
//! the lowest place that is large enough, top-down at the highest.
//!
//! Other managers choose otherwise, and the judge follows them; this is only what the model
//! does when it acts alone.

use std::collections::BTreeSet;

use hostmem_interface::Address;

use crate::state::State;

/// Blocks are aligned to this many bytes.
const BLOCK_ALIGNMENT: u64 = 16;
/// A heap takes at least this much at a time, where there is room.
const ARENA: u64 = 1 << 20;

/// A place for a reservation of `size` bytes.
#[must_use]
pub fn place(state: &State, size: u64, top_down: bool) -> Option<Address> {
    if top_down { highest(state, size) } else { lowest(state, size) }
}

fn lowest(state: &State, size: u64) -> Option<Address> {
    let granularity = state.machine().granularity;
    let mut from = Address(state.machine().lowest);
    loop {
        let base = state.space.lowest_hole_from(from, size)?;
        match in_the_way(state, base, base.checked_add(size)?) {
            None => return Some(base),
            Some((_, end)) => from = Address(end.0.next_multiple_of(granularity)),
        }
    }
}

/// Goes down from the highest hole, past each thing in the way.
fn highest(state: &State, size: u64) -> Option<Address> {
    let machine = state.machine();
    let mut base = state.space.highest_hole(size)?;
    loop {
        let end = base.checked_add(size)?;
        let foreign = in_the_way(state, base, end).map(|(start, _)| start);
        let owned = || {
            let before = state.space.previous(base).filter(|found| found.end() > base);
            let next = before.or_else(|| state.space.next(base));
            next.map(crate::space::Allocation::base).filter(|start| *start < end)
        };
        let Some(obstacle) = foreign.or_else(owned) else { return Some(base) };
        base = Address(obstacle.0.checked_sub(size)?).align_down(machine.granularity);
        if base.0 < machine.lowest {
            return None;
        }
    }
}

/// What the space does not know of in a range: a mapping of the runtime's own, or a block of a
/// heap. The model's own blocks lie in such mappings; a subject whose state is gone on from may
/// have them anywhere.
fn in_the_way(state: &State, start: Address, end: Address) -> Option<(Address, Address)> {
    state.foreign_overlapping(start, end).or_else(|| {
        let held = state.heaps.holding(start);
        let (base, block) = held.or_else(|| state.heaps.blocks_from(start).next())?;
        (base < end).then(|| (base, base.wrapping_add(block.size.max(1))))
    })
}

/// A place for a heap block, first fit in the ranges that the heaps have; or at the
/// beginning of a new range, which is returned with its size.
#[must_use]
pub fn heap_place(
    state: &State,
    arenas: &BTreeSet<Address>,
    size: u64,
) -> Option<(Address, Option<(Address, u64)>)> {
    let need = size.max(1).checked_next_multiple_of(BLOCK_ALIGNMENT)?;
    for (arena, end) in state.foreign().filter(|(base, _)| arenas.contains(base)) {
        if let Some(base) = gap(state, arena, end, need) {
            return Some((base, None));
        }
    }
    // In a small space there may be no room for as much as it would like.
    [need.max(ARENA), need].into_iter().find_map(|bytes| {
        let bytes = bytes.checked_next_multiple_of(state.machine().page)?;
        let arena = highest(state, bytes)?;
        Some((arena, Some((arena, bytes))))
    })
}

/// The lowest gap of `need` bytes between the blocks of an arena.
fn gap(state: &State, arena: Address, end: Address, need: u64) -> Option<Address> {
    let mut at = arena;
    let blocks = state.heaps.blocks_from(arena).take_while(|(base, _)| *base < end);
    for (base, block) in blocks {
        if base.0 - at.0 >= need {
            return Some(at);
        }
        at = Address((base.0 + block.size.max(1)).next_multiple_of(BLOCK_ALIGNMENT));
    }
    (at.checked_add(need)? <= end).then_some(at)
}
