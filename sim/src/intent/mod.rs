//! Intents: operations described relative to what exists, such as "commit 3 pages at 40 % of
//! the newest reservation".
//!
//! An intent is plain data and means something in every state: what it aims at is counted
//! modulo what there is, and where there is nothing of the kind, it makes it. So intents can
//! be dropped and reordered at will, which is what shrinking does, and what is left is still
//! a case.
//!
//! Map: this file is the data; [`aim`] finds what an intent aims at; [`realise`] turns an
//! intent into steps; [`kinds`] draws sensible ones, [`spoil`] puts mistakes into them.
//!
//! Deliberately not here: sequences with a purpose ([`crate::workload`]).

pub mod aim;
pub mod kinds;
pub mod realise;
pub mod spoil;

use hostmem_interface::{
    AllocationType, CriticalLevel, FreeType, MallocType, OutPointer, Protection, WatchFlags,
    WatchPointers,
};

/// What an operation is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A live allocation, any page.
    Any,
    /// A reserved page.
    Reserved,
    /// A committed page.
    Committed,
    /// A committed page that can be written, with no guard armed.
    Writable,
    /// A page with an armed guard.
    Guarded,
    /// A reserved page of an allocation that was reserved with `PAGE_GUARD`; with nothing of
    /// it committed, or with something.
    ReservedGuard {
        /// Whether some other page is committed.
        touched: bool,
    },
    /// A page where code may run.
    Code,
    /// A page of an allocation with write watch.
    Watched,
    /// An armed page of an allocation with write watch.
    WatchedGuard,
    /// A page of an allocation with `PAGE_NOCACHE`.
    Uncached,
    /// A page of an allocation for physical pages.
    Physical,
    /// A page whose contents are uncertain after a reset.
    Uncertain,
    /// The free rest of the last granule of an allocation.
    Tail,
    /// The granule behind an allocation.
    Behind,
    /// Where something was bound that lives no more, or a hole.
    Gone,
    /// A live heap block.
    Block,
    /// This address.
    Number(u64),
    /// So many bytes below the end of user space.
    BelowEnd(u64),
}

/// A place, relative to what exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    /// What it is a place in.
    pub target: Target,
    /// The how-manieth of its kind, counted from the newest, modulo their number.
    pub nth: u16,
    /// Which page: this share of the pages that suit, in 65536ths.
    pub share: u16,
    /// Added to the page's address.
    pub nudge: i64,
}

impl Aim {
    /// The first byte of the newest of a kind.
    #[must_use]
    pub const fn at(target: Target) -> Self {
        Self { target, nth: 0, share: 0, nudge: 0 }
    }

    /// So many bytes on.
    #[must_use]
    pub const fn nudged(self, nudge: i64) -> Self {
        Self { nudge, ..self }
    }
}

/// How far an operation reaches from its aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So many bytes.
    Bytes(u64),
    /// So many pages, but not beyond the end of the allocation.
    Pages(u16),
    /// This share of what is left of the allocation, in 65536ths.
    Share(u16),
    /// To the end of the allocation, and so many bytes more.
    Beyond(u64),
    /// To the end of user space, and so many bytes more.
    PastSpace(u64),
}

/// Where `VirtualAlloc` is asked to allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// Anywhere: a null address.
    Anywhere,
    /// In a hole found for the purpose, so many bytes behind its beginning.
    Hole(u32),
    /// There.
    At(Aim),
}

/// What is passed to `IHostMalloc::Free`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freed {
    /// The null pointer.
    Null,
    /// A live block, to its own heap.
    Own(u16),
    /// A live block, to another heap.
    Foreign(u16),
    /// A live block's address, so many bytes on.
    Inside(u16, u16),
    /// Something that is not a block (any more).
    Wild(Aim),
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// These bytes.
    Bytes(Vec<u8>),
    /// So many times the same byte.
    Fill(u32, u8),
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// `VirtualAlloc`
    Alloc {
        /// `pAddress`
        site: Site,
        /// `dwSize`
        extent: Extent,
        /// `flAllocationType`
        kind: AllocationType,
        /// `flProtect`
        protect: Protection,
        /// `eCriticalLevel`
        critical: CriticalLevel,
    },
    /// `VirtualFree`
    Free {
        /// `lpAddress`
        aim: Aim,
        /// `dwSize`
        extent: Extent,
        /// `dwFreeType`
        kind: FreeType,
    },
    /// `VirtualProtect`
    Protect {
        /// `lpAddress`
        aim: Aim,
        /// `dwSize`
        extent: Extent,
        /// `flNewProtect`
        protect: Protection,
        /// `pflOldProtect`
        old: OutPointer,
    },
    /// `VirtualQuery`
    Query {
        /// `lpAddress`
        aim: Aim,
        /// `lpBuffer`
        buffer: OutPointer,
        /// `dwLength`
        length: u64,
    },
    /// A walk over one allocation and so many granules behind it, or over everything.
    Walk {
        /// Which allocation; `None`: the whole of user space.
        over: Option<u16>,
        /// Granules behind it.
        behind: u8,
    },
    /// A read.
    Read {
        /// First byte.
        aim: Aim,
        /// Bytes.
        size: u32,
    },
    /// A write.
    Write {
        /// First byte.
        aim: Aim,
        /// What.
        text: Text,
    },
    /// An execution: of a `ret` that is there or is put there, or one that must fault.
    Execute {
        /// Where.
        aim: Aim,
    },
    /// `GetWriteWatch`
    GetWatch {
        /// `lpBaseAddress`
        aim: Aim,
        /// `dwRegionSize`
        extent: Extent,
        /// `dwFlags`
        flags: WatchFlags,
        /// `*lpdwCount`
        capacity: u64,
        /// Which out pointers are null.
        null: WatchPointers,
    },
    /// `ResetWriteWatch`
    ResetWatch {
        /// `lpBaseAddress`
        aim: Aim,
        /// `dwRegionSize`
        extent: Extent,
    },
    /// `CreateMalloc`
    CreateMalloc(MallocType),
    /// `IHostMalloc::Alloc` or `DebugAlloc`
    HeapAlloc {
        /// Which heap, counted from the newest.
        heap: u16,
        /// `cbSize`
        size: u64,
        /// `eCriticalLevel`
        critical: CriticalLevel,
        /// `iLineNo` of `DebugAlloc`
        debug: Option<i32>,
    },
    /// `IHostMalloc::Free`
    HeapFree(Freed),
    /// `GetMemoryLoad`
    GetLoad,
    /// The harness sets the load: percent, and available bytes.
    SetLoad(u32, u64),
    /// `RegisterMemoryNotificationCallback`
    Register,
    /// `NeedsVirtualAddressSpace`
    Needs(Aim, u64),
    /// `AcquiredVirtualAddressSpace`
    Acquired(Aim, u64),
    /// `ReleasedVirtualAddressSpace`
    Released(Aim),
}
