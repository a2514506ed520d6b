//! The format as a table: every call with its arguments and outputs, in canonical order.
//!
//! The reader, the writer's tests and the JSON Schema all go by this table.
//!
//! Deliberately not here: how a value of a kind is read or written.

use crate::{
    AccessKind, AllocationType, CriticalLevel, FreeType, Hresult, MallocType, MemoryAvailable,
    NtStatus, Protection, RegionState, RegionType, WatchFlags, Win32Error,
};

/// A 32-bit word with named values.
#[derive(Debug)]
pub(super) struct Word {
    /// What messages call it.
    pub(super) what: &'static str,
    pub(super) names: &'static [(&'static str, u32)],
    /// Whether names may be joined by `|`.
    pub(super) set: bool,
}

const fn set(what: &'static str, names: &'static [(&'static str, u32)]) -> Word {
    Word { what, names, set: true }
}

const fn one(what: &'static str, names: &'static [(&'static str, u32)]) -> Word {
    Word { what, names, set: false }
}

/// Every `MEM_` constant of the Windows headers that a caller could mix up: a scenario may
/// pass each of them to either call, to see it refused.
const MEMORY: &[(&str, u32)] = &[
    ("MEM_RESERVE", AllocationType::RESERVE.0),
    ("MEM_COMMIT", AllocationType::COMMIT.0),
    ("MEM_DECOMMIT", FreeType::DECOMMIT.0),
    ("MEM_RELEASE", FreeType::RELEASE.0),
    ("MEM_FREE", RegionState::FREE.0),
    ("MEM_PRIVATE", RegionType::PRIVATE.0),
    ("MEM_MAPPED", RegionType::MAPPED.0),
    ("MEM_RESET", AllocationType::RESET.0),
    ("MEM_TOP_DOWN", AllocationType::TOP_DOWN.0),
    ("MEM_WRITE_WATCH", AllocationType::WRITE_WATCH.0),
    ("MEM_PHYSICAL", AllocationType::PHYSICAL.0),
    ("MEM_RESET_UNDO", AllocationType::RESET_UNDO.0),
    ("MEM_LARGE_PAGES", AllocationType::LARGE_PAGES.0),
];

pub(super) static ALLOCATION: Word = set("an allocation type", MEMORY);
pub(super) static FREE: Word = set("a free type", MEMORY);
pub(super) static PROTECTION: Word = set("a protection", Protection::NAMES);
pub(super) static STATE: Word = one("a state", RegionState::NAMES);
pub(super) static TYPE: Word = one("a type", RegionType::NAMES);
pub(super) static CRITICAL: Word = one("a critical level", CriticalLevel::NAMES);
pub(super) static AVAILABLE: Word = one("a notification", MemoryAvailable::NAMES);
pub(super) static MALLOC: Word = set("a heap type", MallocType::NAMES);
pub(super) static WATCH: Word = set("write-watch flags", WatchFlags::NAMES);
pub(super) static ERROR: Word = one("a Win32 error", Win32Error::NAMES);
pub(super) static HRESULT: Word = one("an HRESULT", Hresult::NAMES);
pub(super) static STATUS: Word = one("an exception code", NtStatus::NAMES);

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// An address.
    Place,
    /// The name of a heap.
    Heap,
    /// A number of bytes.
    Size,
    /// A number up to this.
    Count(u64),
    /// Bytes as hex digits.
    Hex,
    /// Any text.
    Text,
    /// A word with named values.
    Word(&'static Word),
    /// `"null"`
    NullPointer,
    /// A list of out pointers.
    NullPointers,
    /// The name of a call that can be refused.
    Method,
    /// Hex digits, or a list of them.
    Alternatives,
    /// A list of addresses.
    Places,
    /// `true` or `false`
    Bool,
}

/// A member of a step or of an expectation.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// What a successful call can bind a name to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binds {
    Nothing,
    Address,
    Heap,
    /// An address, and the step is pointless without a name for it.
    Place,
}

/// How a call can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fails {
    Never,
    Refused,
    Faulted,
}

/// A call of the format.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) call: &'static str,
    pub(super) arguments: &'static [Member],
    pub(super) outputs: &'static [Member],
    pub(super) binds: Binds,
    pub(super) fails: Fails,
}

impl Shape {
    /// The shape of the call of that name.
    pub(super) fn named(call: &str) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.call == call)
    }

    /// Whether `FailNext` can refuse it.
    pub(super) fn can_be_refused(&self) -> bool {
        self.fails == Fails::Refused && !matches!(self.call, "Hole" | "SetMemoryLoad")
    }
}

/// The out pointers of `GetWriteWatch`, as `null` lists them.
pub(super) const POINTERS: [&str; 3] = ["addresses", "count", "granularity"];
/// The members that any step may have, besides `call`.
pub(super) const COMMON: [&str; 5] = ["bind", "thread", "with", "note", "expect"];
/// The kinds of access, as `access` names them.
pub(super) const ACCESSES: &[(&str, AccessKind)] = AccessKind::NAMES;

const fn need(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: false }
}

const ADDRESS: Member = need("address", Kind::Place);
const SIZE: Member = need("size", Kind::Size);
const LEVEL: Member = may("critical", Kind::Word(&CRITICAL));
const HEAP: Member = need("malloc", Kind::Heap);
const PROTECT: Member = need("protect", Kind::Word(&PROTECTION));
const ANY_COUNT: Kind = Kind::Count(u64::MAX);
const COUNT_32: Kind = Kind::Count(u32::MAX as u64);
const RETURNED: &[Member] = &[may("address", Kind::Place), may("aligned", Kind::Size)];
const REGION: &[Member] = &[
    may("BaseAddress", Kind::Place),
    may("AllocationBase", Kind::Place),
    may("AllocationProtect", Kind::Word(&PROTECTION)),
    may("RegionSize", Kind::Size),
    may("RegionSizeAtLeast", Kind::Size),
    may("State", Kind::Word(&STATE)),
    may("Protect", Kind::Word(&PROTECTION)),
    may("Type", Kind::Word(&TYPE)),
];

const fn call(
    call: &'static str,
    arguments: &'static [Member],
    outputs: &'static [Member],
    binds: Binds,
) -> Shape {
    Shape { call, arguments, outputs, binds, fails: Fails::Refused }
}

const fn access(
    call: &'static str,
    arguments: &'static [Member],
    outputs: &'static [Member],
) -> Shape {
    Shape { call, arguments, outputs, binds: Binds::Nothing, fails: Fails::Faulted }
}

const fn harness(
    call: &'static str,
    arguments: &'static [Member],
    outputs: &'static [Member],
) -> Shape {
    Shape { call, arguments, outputs, binds: Binds::Nothing, fails: Fails::Never }
}

/// Every call of the format, in its order.
pub(super) static SHAPES: &[Shape] = &[
    call(
        "VirtualAlloc",
        &[ADDRESS, SIZE, need("type", Kind::Word(&ALLOCATION)), PROTECT, LEVEL],
        RETURNED,
        Binds::Address,
    ),
    call("VirtualFree", &[ADDRESS, SIZE, need("type", Kind::Word(&FREE))], &[], Binds::Nothing),
    call(
        "VirtualProtect",
        &[ADDRESS, SIZE, PROTECT, may("old", Kind::NullPointer)],
        &[may("old", Kind::Word(&PROTECTION))],
        Binds::Nothing,
    ),
    call(
        "VirtualQuery",
        &[ADDRESS, may("length", ANY_COUNT), may("buffer", Kind::NullPointer)],
        REGION,
        Binds::Nothing,
    ),
    call("CreateMalloc", &[need("kind", Kind::Word(&MALLOC))], &[], Binds::Heap),
    call("Alloc", &[HEAP, SIZE, LEVEL], RETURNED, Binds::Address),
    call(
        "DebugAlloc",
        &[HEAP, SIZE, LEVEL, need("file", Kind::Text), need("line", Kind::Count(i32::MAX as u64))],
        RETURNED,
        Binds::Address,
    ),
    call("Free", &[HEAP, ADDRESS], &[], Binds::Nothing),
    call(
        "GetMemoryLoad",
        &[],
        &[may("load", COUNT_32), may("available", Kind::Size)],
        Binds::Nothing,
    ),
    call("RegisterMemoryNotificationCallback", &[], &[], Binds::Nothing),
    call("NeedsVirtualAddressSpace", &[ADDRESS, SIZE], &[], Binds::Nothing),
    call("AcquiredVirtualAddressSpace", &[ADDRESS, SIZE], &[], Binds::Nothing),
    call("ReleasedVirtualAddressSpace", &[ADDRESS], &[], Binds::Nothing),
    access(
        "Read",
        &[ADDRESS, SIZE],
        &[may("bytes", Kind::Alternatives), may("fill", Kind::Count(255))],
    ),
    access(
        "Write",
        // Either `bytes`, or `size` and `fill`: the reader and the schema know.
        &[ADDRESS, may("bytes", Kind::Hex), may("size", Kind::Size), may("fill", Kind::Count(255))],
        &[],
    ),
    access("Execute", &[ADDRESS], &[]),
    call(
        "GetWriteWatch",
        &[
            ADDRESS,
            SIZE,
            may("flags", Kind::Word(&WATCH)),
            need("capacity", ANY_COUNT),
            may("null", Kind::NullPointers),
        ],
        &[may("pages", Kind::Places), may("granularity", Kind::Count(u32::MAX as u64))],
        Binds::Nothing,
    ),
    call("ResetWriteWatch", &[ADDRESS, SIZE], &[], Binds::Nothing),
    call("Hole", &[SIZE], &[], Binds::Place),
    harness(
        "Walk",
        &[may("from", Kind::Place), may("to", Kind::Place)],
        &[may("contiguous", Kind::Bool), may("no_adjacent_free", Kind::Bool)],
    ),
    call(
        "SetMemoryLoad",
        &[need("load", COUNT_32), need("available", Kind::Size)],
        &[],
        Binds::Nothing,
    ),
    harness(
        "FailNext",
        &[
            need("method", Kind::Method),
            may("count", ANY_COUNT),
            may("hresult", Kind::Word(&HRESULT)),
            may("critical_at_most", Kind::Word(&CRITICAL)),
        ],
        &[],
    ),
];
