//! The scenario format `hostmem/1`: a named, ordered list of calls with what each must
//! answer. The only written form of a call, and a public contract.
//!
//! Map: this file is the data; [`read`](mod@read) makes it from a file's text,
//! [`write`](mod@write) makes the one canonical text of it, [`show`] one readable line of a
//! step, [`schema`](mod@schema) the JSON Schema; [`fits`] compares an expectation with what
//! came. Behind them: `table` (the format as a table), `json` (values with positions), `value`,
//! `names`, `step` and `expect` (what the reader is made of).
//!
//! Addresses are written relative to names that earlier steps bound ([`Place`]), so a
//! scenario replays wherever a subject happens to allocate.
//!
//! Deliberately not here: compression and files (`hostmem`), and running a scenario.

mod expect;
pub mod fits;
mod json;
mod names;
pub mod read;
pub mod schema;
pub mod show;
mod step;
mod table;
mod value;
pub mod write;

use std::sync::Arc;

pub use read::{ReadError, read};
pub use schema::schema;
pub use show::{show_place, show_step};
pub use write::{write, write_to};

use crate::{
    AccessKind, Address, Call, Capabilities, CriticalLevel, Hresult, Machine, MemoryAvailable,
    NtStatus, Protection, RegionState, RegionType, Win32Error,
};

/// The most steps that a scenario may have.
pub const MAX_STEPS: usize = 10_000_000;
/// The most bytes of JSON, after decompression.
pub const MAX_JSON: u64 = 256 << 20;
/// The most bytes of one read.
pub const MAX_READ: u64 = 64 << 20;
/// The most bytes that a case may write.
pub const MAX_WRITTEN: u64 = 1 << 30;
/// The most steps that may overlap in time.
pub const MAX_GROUP: usize = 6;
/// The most threads: a replay has them all, and a system has only so many.
pub const MAX_THREADS: usize = 4096;

/// How strong the evidence for a law is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Knowledge or inference.
    May,
    /// One sentence of documentation, or an implementation of a clone.
    Should,
    /// A test that runs on Windows, or explicit documentation.
    #[default]
    Must,
}

impl Level {
    /// Every level with its name in scenario files.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("must", Self::Must), ("should", Self::Should), ("may", Self::May)];

    /// Its name in scenario files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::May => "may",
            Self::Should => "should",
            Self::Must => "must",
        }
    }
}

/// A name that a step binds, as an index into [`Scenario::names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub u32);

/// An address as a scenario writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// `null` or a number.
    Absolute(Address),
    /// `"name+offset"`; wraps at 2^64.
    Relative {
        /// The name.
        name: Name,
        /// Added to it, modulo 2^64: a negative offset is its two's complement.
        offset: u64,
    },
}

impl Place {
    /// The null pointer.
    pub const NULL: Self = Self::Absolute(Address::NULL);
}

/// A call as a scenario writes it.
pub type SymbolicCall = Call<Place, Name>;

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// One call.
    Call(SymbolicCall),
    /// Finds a place for an explicit address: a null-address reservation of `size` bytes with
    /// `PAGE_NOACCESS`, released at once.
    Hole {
        /// Bytes.
        size: u64,
    },
    /// Walks `VirtualQuery` from `from` (or 0) to `to` (or the end of user space).
    Walk {
        /// First address.
        from: Option<Place>,
        /// Where to stop.
        to: Option<Place>,
    },
    /// Refuses the next matching calls in front of the subject.
    FailNext {
        /// The method's name.
        method: Arc<str>,
        /// How many calls.
        count: u64,
        /// With what.
        hresult: Hresult,
        /// Only calls up to this level.
        critical_at_most: Option<CriticalLevel>,
    },
}

impl Action {
    /// The `call` member of the step.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Call(call) => call.name(),
            Self::Hole { .. } => "Hole",
            Self::Walk { .. } => "Walk",
            Self::FailNext { .. } => "FailNext",
        }
    }
}

/// One expected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultExpectation {
    /// The exception code.
    pub status: NtStatus,
    /// What was attempted, if it matters.
    pub access: Option<AccessKind>,
    /// Where, if it matters.
    pub at: Option<Place>,
}

/// The bytes that a read must give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BytesExpectation {
    /// One of these.
    Bytes(Vec<Vec<u8>>),
    /// Nothing but this byte.
    Fill(u8),
}

/// The outputs that a success must have; what is `None` is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// The returned address.
    pub address: Option<Place>,
    /// The returned address is a multiple of this.
    pub aligned: Option<u64>,
    /// `*pflOldProtect`
    pub old: Option<Protection>,
    /// `BaseAddress`
    pub base_address: Option<Place>,
    /// `AllocationBase`
    pub allocation_base: Option<Place>,
    /// `AllocationProtect`
    pub allocation_protect: Option<Protection>,
    /// `RegionSize`
    pub region_size: Option<u64>,
    /// `RegionSize` is at least this.
    pub region_size_at_least: Option<u64>,
    /// `State`
    pub state: Option<RegionState>,
    /// `Protect`
    pub protect: Option<Protection>,
    /// `Type`
    pub kind: Option<RegionType>,
    /// Percent.
    pub load: Option<u32>,
    /// Bytes.
    pub available: Option<u64>,
    /// What was read.
    pub bytes: Option<BytesExpectation>,
    /// The pages of `GetWriteWatch`.
    pub pages: Option<Vec<Place>>,
    /// The granularity of `GetWriteWatch`.
    pub granularity: Option<u32>,
    /// Whether a walk meets no gap and no overlap.
    pub contiguous: Option<bool>,
    /// Whether a walk meets no two free regions side by side.
    pub no_adjacent_free: Option<bool>,
}

/// What a step must come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It succeeds with these outputs; `"ok"` names none.
    Done(Box<Outputs>),
    /// It fails; how is not said.
    Fails,
    /// It fails with one of these Win32 errors and one of these HRESULTs; an empty list says
    /// nothing.
    Error {
        /// Win32 errors.
        win32: Vec<Win32Error>,
        /// HRESULTs.
        hresult: Vec<Hresult>,
    },
    /// The access faults in one of these ways.
    Fault(Vec<FaultExpectation>),
}

/// The `expect` member of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// What the call comes to.
    pub outcome: Expected,
    /// The notifications delivered during the step, in order.
    pub notified: Option<Vec<MemoryAvailable>>,
}

impl Expectation {
    /// `"ok"`
    #[must_use]
    pub fn ok() -> Self {
        Self::done(Outputs::default())
    }

    /// Success with these outputs.
    #[must_use]
    pub fn done(outputs: Outputs) -> Self {
        Self { outcome: Expected::Done(Box::new(outputs)), notified: None }
    }
}

/// Where something stands in a file, both counted from 1; 0 if it was not read from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column, in bytes.
    pub column: u32,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// The name for the address or heap that it returns.
    pub bind: Option<Name>,
    /// The thread that issues it.
    pub thread: u32,
    /// Consecutive steps with the same number may overlap in time.
    pub with: Option<u64>,
    /// A remark.
    pub note: Option<Arc<str>>,
    /// What it must come to; `None`: whatever the model permits. In a box, because few steps
    /// have one and it is large.
    pub expect: Option<Box<Expectation>>,
    /// Where it stands in the file.
    pub position: Position,
}

impl Step {
    /// A step of thread 0 that does `action`, with no expectation.
    #[must_use]
    pub const fn new(action: Action) -> Self {
        Self {
            action,
            bind: None,
            thread: 0,
            with: None,
            note: None,
            expect: None,
            position: Position { line: 0, column: 0 },
        }
    }
}

/// What a scenario asks of the simulated machine; `None` leaves the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineRequest {
    /// Page size, bytes.
    pub page: Option<u64>,
    /// Allocation granularity, bytes.
    pub granularity: Option<u64>,
    /// Lowest address.
    pub lowest: Option<u64>,
    /// Highest address, inclusive.
    pub highest: Option<u64>,
    /// Physical memory, bytes.
    pub physical: Option<u64>,
    /// Commit limit, bytes.
    pub commit_limit: Option<u64>,
}

/// The most granules up to the end of user space: they are numbered in 32 bits.
const MOST_GRANULES: u64 = u32::MAX as u64;

impl MachineRequest {
    /// The machine that is meant: the defaults of the format with what is asked for. User space
    /// has whole granules, fewer than 2^32: a limit that is not asked for gives way.
    #[must_use]
    pub fn machine(&self) -> Machine {
        let default = Machine::WINDOWS_X64;
        let granularity = self.granularity.unwrap_or(default.granularity);
        let whole = |end: u64| {
            let granules = end.checked_div(granularity)?.min(MOST_GRANULES);
            (granules * granularity).checked_sub(1)
        };
        let lowest = default.lowest.checked_next_multiple_of(granularity.max(1));
        Machine {
            page: self.page.unwrap_or(default.page),
            granularity,
            lowest: self.lowest.or(lowest).unwrap_or(default.lowest),
            highest: self.highest.or(whole(default.end())).unwrap_or(default.highest),
            physical: self.physical,
            commit_limit: self.commit_limit,
        }
    }
}

/// A scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// One sentence: the law or the story.
    pub about: String,
    /// Ids of the rules that it proves.
    pub rules: Vec<String>,
    /// How strong its evidence is.
    pub level: Level,
    /// Where its expectation comes from.
    pub source: Option<String>,
    /// What the subject must be able to do beyond the core.
    pub needs: Capabilities,
    /// The machine it asks for.
    pub machine: MachineRequest,
    /// Every name that a step binds, in order of binding.
    pub names: Vec<Arc<str>>,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// The text of a name.
    ///
    /// # Panics
    /// If the name is of another scenario.
    #[must_use]
    pub fn name(&self, name: Name) -> &str {
        &self.names[name.0 as usize]
    }
}
