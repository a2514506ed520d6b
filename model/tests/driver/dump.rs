//! A state spelled out, so that two can be compared, and the laws that every state keeps.

use std::ops::Range;

use hostmem_interface::{
    Address, Call, MemoryBasicInformation, OutPointer, Outcome, RegionState, Reply, Value,
};
use hostmem_model::State;
use hostmem_model::actor::Actor;
use hostmem_model::page::PageState;
use hostmem_model::space::{Allocation, Terms};

/// One allocation: where, as what, its runs and its marks.
type Owned = (Address, u64, Terms, Vec<(Range<u64>, PageState)>, Vec<u64>);

/// Everything that a call could change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dump {
    allocations: Vec<Owned>,
    /// Written pages: likeliest bytes, and those if the system discarded what it may.
    contents: Vec<(Address, Vec<u8>, Vec<u8>)>,
    blocks: Vec<(Address, u32, u64, Vec<u8>)>,
    heaps: u32,
    foreign: Vec<(Address, Address)>,
    load: (u32, u64, bool),
}

impl Dump {
    pub(crate) fn of(state: &State) -> Self {
        let page = state.machine().page;
        let owned = |it: &Allocation| {
            let runs = it.runs(it.all_pages()).collect();
            (it.base(), it.size(), it.terms(), runs, it.marked(it.all_pages()).collect())
        };
        let written = |at: Address| {
            (at, state.contents.likeliest(at, page), state.contents.discarded(at, page))
        };
        let block = |(at, block): (Address, &hostmem_model::heaps::Block)| {
            (at, block.malloc.0, block.size, state.heaps.likeliest(at, block.size.min(300)))
        };
        let load = state.pressure.load();
        Self {
            allocations: state.space.iter().map(owned).collect(),
            contents: state.contents.written_pages().map(written).collect(),
            blocks: state.heaps.blocks().map(block).collect(),
            heaps: state.heaps.count(),
            foreign: state.foreign().collect(),
            load: (load.load, load.available, state.pressure.registered),
        }
    }

    /// Where allocations lie and which of their pages are marked.
    pub(crate) fn marks(&self) -> Vec<(Address, Vec<u64>)> {
        self.allocations.iter().map(|it| (it.0, it.4.clone())).collect()
    }

    /// The same but for page states: what a fault may leave behind.
    pub(crate) fn without_page_states(mut self) -> Self {
        self.allocations.iter_mut().for_each(|it| it.3.clear());
        self
    }
}

/// Allocations are disjoint, granule aligned, inside user space, and counted right; every
/// look-up of the space finds what a search of all of them finds.
pub(crate) fn assert_sound(state: &State, probes: &[Address]) {
    let machine = *state.machine();
    let all: Vec<&Allocation> = state.space.iter().collect();
    let mut behind = machine.lowest;
    let mut committed = 0;
    for it in &all {
        assert!(it.base().is_aligned(machine.granularity) && it.base().0 >= behind);
        assert!(it.size() > 0 && it.size().is_multiple_of(machine.page));
        behind = it.end().0;
        let pages = it.all_pages().filter(|page| it.state(*page).is_committed()).count() as u64;
        assert_eq!(pages, it.committed_pages());
        committed += pages * machine.page;
    }
    assert!(behind <= machine.end());
    assert_eq!(state.space.committed(), committed);
    assert_eq!((state.space.len(), state.space.is_empty()), (all.len(), all.is_empty()));
    for at in probes.iter().filter(|at| at.0 <= machine.highest) {
        assert_found(state, &all, *at);
    }
}

fn assert_found(state: &State, all: &[&Allocation], at: Address) {
    let machine = *state.machine();
    let base = |it: Option<&Allocation>| it.map(Allocation::base);
    let granule_end = |it: &Allocation| it.end().0.next_multiple_of(machine.granularity);
    let holds = |it: &&&Allocation| it.base() <= at && at < it.end();
    assert_eq!(base(state.space.find(at)), all.iter().find(holds).map(|it| it.base()));
    let owns = |it: &&&Allocation| it.base() <= at && at.0 < granule_end(it);
    assert_eq!(base(state.space.owner_of_granule(at)), all.iter().find(owns).map(|it| it.base()));
    let next = all.iter().find(|it| it.base() >= at).map(|it| it.base());
    assert_eq!(base(state.space.next(at)), next);
    let previous = all.iter().rfind(|it| it.base() <= at).map(|it| it.base());
    assert_eq!(base(state.space.previous(at)), previous);
    let end = next.unwrap_or(Address(machine.end()));
    assert_eq!(state.space.free_run(at), (at.align_down(machine.page), end));
}

/// The region at an address as the model shows it.
pub(crate) fn region(actor: &mut Actor, address: Address) -> MemoryBasicInformation {
    let length = MemoryBasicInformation::SIZE;
    match actor.act(&Call::VirtualQuery { address, buffer: OutPointer::Valid, length }) {
        Reply::Outcome { outcome: Outcome::Done { value: Value::Region(answer), .. }, .. } => {
            assert_eq!(answer.written, length);
            answer.information
        }
        other => panic!("a query of {address}: {other:?}"),
    }
}

/// Queries from 0 to the end meet no gap, no overlap, and runs that are as long as can be.
pub(crate) fn assert_canonical(actor: &mut Actor) {
    let end = Address(actor.state.machine().end());
    let mut before: Option<MemoryBasicInformation> = None;
    let mut at = Address::NULL;
    while at < end {
        let seen = region(actor, at);
        assert_eq!(seen.base_address, at);
        assert!(seen.region_size > 0);
        if let Some(last) = before {
            let one = last.allocation_base == seen.allocation_base;
            let alike = last.state == seen.state && last.protect == seen.protect;
            assert!(!(one && alike), "{last:?} and {seen:?} are one run");
            assert!(last.state != RegionState::FREE || seen.state != RegionState::FREE);
        }
        at = seen.end();
        before = Some(seen);
    }
    assert_eq!(at, end);
}
