//! One table for each call: what must be answered in which state, and by which rule.
//!
//! A row holds a call and what the law says to it: every reading as `RULE answer`, the
//! model's own first. What a success does is read off by further rows.

mod access;
mod alloc;
mod effects;
mod free;
mod heaps;
mod judge;
mod placement;
mod protect;
mod query;
mod reset;
mod watch;
mod words;

use hostmem_interface::{
    Address, AllocationType, Call, CriticalLevel, Data, FreeType, Machine, MallocId, OutPointer,
    Outcome, Protection, Reply, WatchFlags, WatchPointers,
};
use hostmem_model::State;
use hostmem_model::actor::Actor;
use hostmem_model::rules::decide;

pub(crate) const PAGE: u64 = 0x1000;
pub(crate) const GRANULE: u64 = 0x1_0000;
/// The first address behind user space.
pub(crate) const END: u64 = 0x7FFF_FFFF_0000;
/// Where tests put their first allocation.
pub(crate) const P: u64 = 0x10_0000;

pub(crate) const C: u32 = 0x1000;
pub(crate) const R: u32 = 0x2000;
pub(crate) const RC: u32 = 0x3000;
pub(crate) const RESET: u32 = 0x8_0000;
pub(crate) const UNDO: u32 = 0x100_0000;
pub(crate) const DOWN: u32 = 0x10_0000;
pub(crate) const WATCH: u32 = 0x20_0000;
pub(crate) const PHYSICAL: u32 = 0x40_0000;
pub(crate) const LARGE: u32 = 0x2000_0000;
pub(crate) const DECOMMIT: u32 = 0x4000;
pub(crate) const RELEASE: u32 = 0x8000;

pub(crate) const NA: u32 = 1;
pub(crate) const RO: u32 = 2;
pub(crate) const RW: u32 = 4;
pub(crate) const COW: u32 = 8;
pub(crate) const X: u32 = 0x10;
pub(crate) const RX: u32 = 0x20;
pub(crate) const RWX: u32 = 0x40;
pub(crate) const GUARD: u32 = 0x100;
pub(crate) const NOCACHE: u32 = 0x200;
pub(crate) const COMBINE: u32 = 0x400;

/// A refusal with 87, as a reading says it.
pub(crate) const BAD: &str = "refused: ERROR_INVALID_PARAMETER";
/// A refusal with 487.
pub(crate) const ADDRESS: &str = "refused: ERROR_INVALID_ADDRESS";
/// A refusal with 998.
pub(crate) const NULL: &str = "refused: ERROR_NOACCESS";

pub(crate) fn alloc(address: u64, size: u64, kind: u32, protect: u32) -> Call {
    Call::VirtualAlloc {
        address: Address(address),
        size,
        kind: AllocationType(kind),
        protect: Protection(protect),
        critical: CriticalLevel::TASK,
    }
}

pub(crate) fn free(address: u64, size: u64, kind: u32) -> Call {
    Call::VirtualFree { address: Address(address), size, kind: FreeType(kind) }
}

pub(crate) fn protect(address: u64, size: u64, protect: u32) -> Call {
    let (address, protect) = (Address(address), Protection(protect));
    Call::VirtualProtect { address, size, protect, old: OutPointer::Valid }
}

pub(crate) fn protect_null(address: u64, size: u64, protect: u32) -> Call {
    let (address, protect) = (Address(address), Protection(protect));
    Call::VirtualProtect { address, size, protect, old: OutPointer::Null }
}

pub(crate) fn query(address: u64) -> Call {
    Call::VirtualQuery { address: Address(address), buffer: OutPointer::Valid, length: 48 }
}

pub(crate) fn read(address: u64, size: u64) -> Call {
    Call::Read { address: Address(address), size }
}

pub(crate) fn write(address: u64, bytes: &[u8]) -> Call {
    Call::Write { address: Address(address), data: Data::Bytes(bytes.into()) }
}

pub(crate) fn fill(address: u64, size: u64, byte: u8) -> Call {
    Call::Write { address: Address(address), data: Data::Fill { size, byte } }
}

pub(crate) fn execute(address: u64) -> Call {
    Call::Execute { address: Address(address) }
}

pub(crate) fn watch(address: u64, size: u64, flags: u32, capacity: u64) -> Call {
    let null = WatchPointers::default();
    let (address, flags) = (Address(address), WatchFlags(flags));
    Call::GetWriteWatch { address, size, flags, capacity, null }
}

pub(crate) fn clear(address: u64, size: u64) -> Call {
    Call::ResetWriteWatch { address: Address(address), size }
}

pub(crate) fn acquire(address: u64, size: u64) -> Call {
    Call::AcquiredVirtualAddressSpace { address: Address(address), size }
}

pub(crate) fn let_go(address: u64) -> Call {
    Call::ReleasedVirtualAddressSpace { address: Address(address) }
}

pub(crate) fn block(heap: u32, size: u64) -> Call {
    Call::Alloc { malloc: MallocId(heap), size, critical: CriticalLevel::TASK }
}

/// A model to ask.
pub(crate) struct World(pub(crate) Actor);

impl World {
    pub(crate) fn new() -> Self {
        Self::on(Machine::WINDOWS_X64)
    }

    pub(crate) fn on(machine: Machine) -> Self {
        Self(Actor::new(State::new(machine)))
    }

    /// A world in which these calls have succeeded.
    pub(crate) fn after(calls: &[Call]) -> Self {
        let mut world = Self::new();
        calls.iter().for_each(|call| world.does(call));
        world
    }

    /// Carries out a call, which succeeds.
    pub(crate) fn does(&mut self, call: &Call) {
        match self.0.act(call) {
            Reply::Outcome { outcome: Outcome::Done { .. }, .. } => {}
            other => panic!("{call:?}: {other:?}"),
        }
    }

    /// Carries out a call, whatever comes; its outcome in words.
    pub(crate) fn gets(&mut self, call: &Call) -> String {
        match self.0.act(call) {
            Reply::Outcome { outcome, .. } => outcome.to_string(),
            other => format!("{other:?}"),
        }
    }

    /// Every reading of the law.
    pub(crate) fn says(&self, call: &Call) -> String {
        let verdict = decide(&self.0.state, call);
        let words = verdict.readings().map(|it| format!("{} {}", it.rule, it.answer));
        words.collect::<Vec<_>>().join(" | ")
    }

    /// Holds the law against a table.
    pub(crate) fn rows(&self, rows: &[(Call, &str)]) {
        let mut wrong = Vec::new();
        for (at, (call, right)) in rows.iter().enumerate() {
            let said = self.says(call);
            if said != *right {
                wrong.push(format!("row {at}, {call:?}:\n  says {said}\n  not  {right}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// State and protection of the region at an address, and its size.
    pub(crate) fn seen(&mut self, address: u64) -> (u32, u32, u64) {
        let region = crate::driver::dump::region(&mut self.0, Address(address));
        (region.state.0, region.protect.0, region.region_size)
    }

    /// The marked pages of a range.
    pub(crate) fn marked(&mut self, address: u64, size: u64) -> Vec<u64> {
        let base = Address(address);
        let it = self.0.state.space.find(base).expect("an allocation");
        let pages = it.touched(base, size).expect("inside it");
        it.marked(pages).map(|page| it.address_of(page).0).collect()
    }
}

/// A rule and what follows it, as a row writes them.
pub(crate) fn by(rule: &str, answer: &str) -> String {
    format!("{rule} {answer}")
}
