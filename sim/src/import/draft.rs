//! A scenario under construction: names instead of addresses, and holes for the reservations
//! at explicit addresses.
//!
//! Promise: between a hole and the last explicit reservation in it, the scenario places nothing
//! else. A hole is free memory until then, so a null-address reservation, or another hole,
//! could land in it wherever subjects place from one end.
//!
//! How: a *cluster* is a hole with the explicit reservations that touch. It is open from its
//! first reservation until something else is placed. A query of free memory waits; if an
//! explicit reservation names its address while nothing was placed in between, the hole moves
//! up before the query, and the query is kept as one of the hole. A reservation that touches
//! the open cluster joins it, so that what lay side by side lies side by side again; after
//! anything else was placed, it gets a hole of its own.
//!
//! Deliberately not here: which call of a log becomes which step (`wine`, `linux`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hostmem_interface::needs::call_needs;
use hostmem_interface::scenario::{
    Action, Expectation, Expected, Name, Outputs, Place, Scenario, Step,
};
use hostmem_interface::{
    AllocationType, Call, CriticalLevel, Machine, MemoryBasicInformation, OutPointer, Protection,
    RegionState, Win32Error,
};

use super::Reason;
use super::regions::BlockId;

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Wherever the subject likes.
    Null,
    /// Into a reservation.
    Block(BlockId, u64),
    /// Into a hole, at a recorded address.
    Hole(usize, u64),
    /// To free memory of which nothing is known yet.
    Waiting,
}

/// What a step must come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Whatever the law permits.
    Nothing,
    /// Success.
    Done,
    /// Success at this address.
    At(Target),
    /// Success at an address of the allocation granularity.
    Aligned,
    /// The protection before.
    Old(Protection),
    /// A region of a reservation, which lies there.
    Region(Target, MemoryBasicInformation),
    /// These written pages.
    Pages(Vec<Target>),
    /// A refusal that does not depend on the machine.
    Refused(Win32Error),
}

/// A call with targets for addresses.
pub(super) type Drafted = Call<Target, Name>;

#[derive(Debug)]
struct Slot {
    thread: u32,
    call: Drafted,
    bind: Option<BlockId>,
    expect: Expect,
}

#[derive(Debug)]
struct Hole {
    /// Recorded addresses, whole granules.
    span: Range<u64>,
    /// The slot before which it stands.
    before: usize,
    /// The slot of the last reservation in it.
    last: usize,
}

/// A query that waits for a hole.
#[derive(Debug)]
struct Waiting {
    slot: usize,
    address: u64,
    function: &'static str,
    /// Why it is left out if it stays without a hole.
    otherwise: Reason,
}

/// A scenario under construction.
#[derive(Debug, Default)]
pub(super) struct Draft {
    slots: Vec<Slot>,
    holes: Vec<Hole>,
    open: bool,
    waiting: Vec<Waiting>,
    /// Queries whose memory stayed unknown.
    dropped: Vec<(Reason, &'static str)>,
}

/// A finished scenario and what it consists of.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) scenario: Scenario,
    pub(super) holes: u64,
    pub(super) threads: u64,
}

impl Draft {
    /// A call on memory that a reservation holds, or on none.
    pub(super) fn push(&mut self, thread: u32, call: Drafted, expect: Expect) {
        self.slots.push(Slot { thread, call, bind: None, expect });
    }

    /// A reservation wherever the subject likes; `block` is `None` if it failed when recorded.
    pub(super) fn place(
        &mut self,
        thread: u32,
        size: u64,
        kind: AllocationType,
        protect: Protection,
        block: Option<BlockId>,
    ) {
        self.close();
        let call = allocate(Target::Null, size, kind, protect);
        let expect = if block.is_some() { Expect::Aligned } else { Expect::Nothing };
        self.slots.push(Slot { thread, call, bind: block, expect });
    }

    /// A reservation of `span` (whole granules around what is reserved) at `address`.
    pub(super) fn place_at(
        &mut self,
        thread: u32,
        span: Range<u64>,
        (address, size): (u64, u64),
        (kind, protect): (AllocationType, Protection),
        block: BlockId,
    ) {
        let slot = self.slots.len();
        let joins = self.open
            && self
                .holes
                .last()
                .is_some_and(|hole| span.start <= hole.span.end && hole.span.start <= span.end);
        if !joins {
            // A hole may stand only behind the last reservation of the one before.
            let since = if self.open { self.holes.last().map_or(0, |hole| hole.last) } else { 0 };
            self.drop_waiting(|waiting| waiting.slot < since);
            self.holes.push(Hole { span: span.clone(), before: slot, last: slot });
            self.open = true;
        }
        let id = self.holes.len() - 1;
        let hole = &mut self.holes[id];
        hole.span = hole.span.start.min(span.start)..hole.span.end.max(span.end);
        hole.last = slot;
        for waiting in self.waiting.extract_if(.., |waiting| span.contains(&waiting.address)) {
            hole.before = hole.before.min(waiting.slot);
            if let Call::VirtualQuery { address, .. } = &mut self.slots[waiting.slot].call {
                *address = Target::Hole(id, waiting.address);
            }
        }
        let call = allocate(Target::Hole(id, address), size, kind, protect);
        let expect = Expect::At(Target::Hole(id, super::regions::granule(address)));
        self.slots.push(Slot { thread, call, bind: Some(block), expect });
    }

    /// A query of memory that no reservation holds, at a recorded address.
    pub(super) fn query_free(
        &mut self,
        thread: u32,
        address: u64,
        (buffer, length): (OutPointer, u64),
        function: &'static str,
        otherwise: Reason,
    ) {
        self.waiting.push(Waiting { slot: self.slots.len(), address, function, otherwise });
        let call = Call::VirtualQuery { address: Target::Waiting, buffer, length };
        self.push(thread, call, Expect::Done);
    }

    /// From here on nothing may count on a hole from before.
    pub(super) fn close(&mut self) {
        self.open = false;
        self.drop_waiting(|_| true);
    }

    fn drop_waiting(&mut self, mut which: impl FnMut(&Waiting) -> bool) {
        let gone = self.waiting.extract_if(.., |waiting| which(waiting));
        self.dropped.extend(gone.map(|waiting| (waiting.otherwise, waiting.function)));
    }

    /// The queries that got no hole, each with the reason why it is left out.
    pub(super) fn take_dropped(&mut self) -> Vec<(Reason, &'static str)> {
        self.close();
        std::mem::take(&mut self.dropped)
    }

    /// Writes everything down in the words of the format.
    pub(super) fn finish(self) -> Finished {
        let mut writer = Writer::new(&self);
        let mut holes = self.holes.iter().enumerate().peekable();
        for (at, slot) in self.slots.iter().enumerate() {
            while let Some((id, hole)) = holes.next_if(|(_, hole)| hole.before == at) {
                writer.hole(id, hole, slot.thread);
            }
            writer.slot(slot);
        }
        let threads = writer.threads.len() as u64;
        Finished { scenario: writer.scenario, holes: self.holes.len() as u64, threads }
    }
}

/// Turns targets into places, in the order of the scenario.
struct Writer<'a> {
    draft: &'a Draft,
    scenario: Scenario,
    blocks: BTreeMap<BlockId, Name>,
    holes: Vec<Option<Name>>,
    threads: BTreeMap<u32, u32>,
}

impl<'a> Writer<'a> {
    fn new(draft: &'a Draft) -> Self {
        Self {
            draft,
            scenario: Scenario::default(),
            blocks: BTreeMap::new(),
            holes: vec![None; draft.holes.len()],
            threads: BTreeMap::new(),
        }
    }

    fn name(&mut self, text: String) -> Name {
        let name = Name(u32::try_from(self.scenario.names.len()).expect("at most MAX_STEPS"));
        self.scenario.names.push(Arc::from(text));
        name
    }

    /// Small numbers in order of appearance: the log's own say nothing.
    fn thread(&mut self, logged: u32) -> u32 {
        let next = u32::try_from(self.threads.len()).expect("at most MAX_STEPS");
        *self.threads.entry(logged).or_insert(next)
    }

    fn hole(&mut self, id: usize, hole: &Hole, thread: u32) {
        let name = self.name(format!("h{}", id + 1));
        self.holes[id] = Some(name);
        let size = hole.span.end - hole.span.start;
        let thread = self.thread(thread);
        let expect = Some(Box::new(Expectation::ok()));
        let step = Step::new(Action::Hole { size });
        self.scenario.steps.push(Step { bind: Some(name), thread, expect, ..step });
    }

    /// The place, or `None` for a query that nothing resolved.
    fn place_of(&self, target: Target) -> Option<Place> {
        Some(match target {
            Target::Null => Place::NULL,
            Target::Waiting => return None,
            Target::Block(id, offset) => {
                Place::Relative { name: *self.blocks.get(&id).expect("bound before use"), offset }
            }
            Target::Hole(id, address) => Place::Relative {
                name: self.holes[id].expect("a hole stands before its uses"),
                offset: address - self.draft.holes[id].span.start,
            },
        })
    }

    fn expectation(&self, expect: &Expect) -> Option<Expectation> {
        let outputs = match expect {
            Expect::Nothing => return None,
            Expect::Refused(error) => {
                let outcome = Expected::Error { win32: vec![*error], hresult: Vec::new() };
                return Some(Expectation { outcome, notified: None });
            }
            Expect::Done => Outputs::default(),
            Expect::At(target) => Outputs { address: self.place_of(*target), ..Outputs::default() },
            Expect::Aligned => {
                Outputs { aligned: Some(Machine::WINDOWS_X64.granularity), ..Outputs::default() }
            }
            Expect::Old(protect) => Outputs { old: Some(*protect), ..Outputs::default() },
            Expect::Pages(pages) => {
                let pages = pages.iter().map(|page| self.place_of(*page)).collect();
                Outputs { pages, ..Outputs::default() }
            }
            Expect::Region(base, region) => self.region(*base, region),
        };
        Some(Expectation::done(outputs))
    }

    /// What a query shows of a reservation whose base is `base`.
    fn region(&self, base: Target, region: &MemoryBasicInformation) -> Outputs {
        let offset = region.base_address.0 - region.allocation_base.0;
        let within = |place| match place {
            Place::Relative { name, offset: start } => {
                Place::Relative { name, offset: start + offset }
            }
            absolute @ Place::Absolute(_) => absolute,
        };
        let allocation = self.place_of(base);
        let committed = region.state == RegionState::COMMIT;
        Outputs {
            base_address: allocation.map(within),
            allocation_base: allocation,
            allocation_protect: Some(region.allocation_protect),
            region_size: Some(region.region_size),
            state: Some(region.state),
            protect: committed.then_some(region.protect),
            kind: Some(region.kind),
            ..Outputs::default()
        }
    }

    fn slot(&mut self, slot: &Slot) {
        let resolved =
            slot.call.resolve(|&target| self.place_of(target).ok_or(()), |&name| Ok::<_, ()>(name));
        let Ok(call) = resolved else { return };
        let expect = self.expectation(&slot.expect);
        let needs = call_needs(&call);
        self.scenario.needs = self.scenario.needs.union(needs);
        let bind = slot.bind.map(|block| {
            let name = self.name(format!("r{}", block.0 + 1));
            self.blocks.insert(block, name);
            name
        });
        let thread = self.thread(slot.thread);
        let step = Step::new(Action::Call(call));
        self.scenario.steps.push(Step { bind, thread, expect: expect.map(Box::new), ..step });
    }
}

pub(super) const fn allocate(
    address: Target,
    size: u64,
    kind: AllocationType,
    protect: Protection,
) -> Drafted {
    Call::VirtualAlloc { address, size, kind, protect, critical: CriticalLevel::TASK }
}

/// An offset into a reservation, as a target.
pub(super) const fn into_block(id: BlockId, base: u64, address: u64) -> Target {
    Target::Block(id, address.wrapping_sub(base))
}
