//! The traits turned into data: a [`Call`] says what is asked, an [`Outcome`](crate::Outcome)
//! what came back.
//!
//! A call is generic over how it names addresses and heaps: `Call` with its defaults names
//! them absolutely, as a manager sees them; a scenario's call names them relative to what
//! earlier steps bound ([`crate::scenario`]). [`Call::resolve`] turns one into the other.
//!
//! Deliberately not here: how a call is carried out ([`crate::dispatch`]), and how it is
//! written ([`crate::scenario`]).

use std::sync::Arc;

use crate::{Address, AllocationType, CriticalLevel, FreeType, MallocType, Protection, WatchFlags};

/// The k-th heap that a case created, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MallocId(pub u32);

/// An out pointer of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OutPointer {
    /// Points to enough writable memory.
    #[default]
    Valid,
    /// The null pointer.
    Null,
}

/// The three out pointers of `GetWriteWatch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WatchPointers {
    /// `lpAddresses`
    pub addresses: OutPointer,
    /// `lpdwCount`
    pub count: OutPointer,
    /// `lpdwGranularity`
    pub granularity: OutPointer,
}

/// What a write puts down. A fill is kept as a run, however long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// The same byte over and over.
    Fill {
        /// How many bytes.
        size: u64,
        /// The byte.
        byte: u8,
    },
}

impl Data {
    /// How many bytes are written.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Fill { size, .. } => *size,
        }
    }

    /// Copies the bytes from `offset` on into `into`.
    ///
    /// # Panics
    /// If the range is not part of the data.
    pub fn copy_to(&self, offset: u64, into: &mut [u8]) {
        match self {
            Self::Bytes(bytes) => {
                let offset = usize::try_from(offset).expect("an offset into a slice");
                into.copy_from_slice(&bytes[offset..offset + into.len()]);
            }
            Self::Fill { size, byte } => {
                assert!(offset + into.len() as u64 <= *size, "a range of the fill");
                into.fill(*byte);
            }
        }
    }
}

/// A call on a memory manager, or an access to its memory, with all arguments.
///
/// `A` is how addresses are named, `M` how heaps are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call<A = Address, M = MallocId> {
    /// `IHostMemoryManager::CreateMalloc`
    CreateMalloc {
        /// `dwMallocType`
        kind: MallocType,
    },
    /// `IHostMemoryManager::VirtualAlloc`
    VirtualAlloc {
        /// `pAddress`
        address: A,
        /// `dwSize`, bytes
        size: u64,
        /// `flAllocationType`
        kind: AllocationType,
        /// `flProtect`
        protect: Protection,
        /// `eCriticalLevel`
        critical: CriticalLevel,
    },
    /// `IHostMemoryManager::VirtualFree`
    VirtualFree {
        /// `lpAddress`
        address: A,
        /// `dwSize`, bytes
        size: u64,
        /// `dwFreeType`
        kind: FreeType,
    },
    /// `IHostMemoryManager::VirtualQuery`
    VirtualQuery {
        /// `lpAddress`
        address: A,
        /// `lpBuffer`
        buffer: OutPointer,
        /// `dwLength`, bytes
        length: u64,
    },
    /// `IHostMemoryManager::VirtualProtect`
    VirtualProtect {
        /// `lpAddress`
        address: A,
        /// `dwSize`, bytes
        size: u64,
        /// `flNewProtect`
        protect: Protection,
        /// `pflOldProtect`
        old: OutPointer,
    },
    /// `IHostMemoryManager::GetMemoryLoad`
    GetMemoryLoad,
    /// `IHostMemoryManager::RegisterMemoryNotificationCallback`
    RegisterMemoryNotificationCallback,
    /// `IHostMemoryManager::NeedsVirtualAddressSpace`
    NeedsVirtualAddressSpace {
        /// `startAddress`
        address: A,
        /// `size`, bytes
        size: u64,
    },
    /// `IHostMemoryManager::AcquiredVirtualAddressSpace`
    AcquiredVirtualAddressSpace {
        /// `startAddress`
        address: A,
        /// `size`, bytes
        size: u64,
    },
    /// `IHostMemoryManager::ReleasedVirtualAddressSpace`
    ReleasedVirtualAddressSpace {
        /// `startAddress`
        address: A,
    },
    /// `IHostMalloc::Alloc`
    Alloc {
        /// The heap.
        malloc: M,
        /// `cbSize`, bytes
        size: u64,
        /// `eCriticalLevel`
        critical: CriticalLevel,
    },
    /// `IHostMalloc::DebugAlloc`
    DebugAlloc {
        /// The heap.
        malloc: M,
        /// `cbSize`, bytes
        size: u64,
        /// `eCriticalLevel`
        critical: CriticalLevel,
        /// `pszFileName`
        file: Arc<str>,
        /// `iLineNo`
        line: i32,
    },
    /// `IHostMalloc::Free`
    Free {
        /// The heap.
        malloc: M,
        /// `pMem`
        address: A,
    },
    /// A program reads.
    Read {
        /// First byte.
        address: A,
        /// How many bytes.
        size: u64,
    },
    /// A program writes.
    Write {
        /// First byte.
        address: A,
        /// What.
        data: Data,
    },
    /// A program calls code at an address, if the byte there is `c3`.
    Execute {
        /// Entry point.
        address: A,
    },
    /// Win32 `GetWriteWatch`
    GetWriteWatch {
        /// `lpBaseAddress`
        address: A,
        /// `dwRegionSize`, bytes
        size: u64,
        /// `dwFlags`
        flags: WatchFlags,
        /// `*lpdwCount` on entry
        capacity: u64,
        /// Which out pointers are null.
        null: WatchPointers,
    },
    /// Win32 `ResetWriteWatch`
    ResetWriteWatch {
        /// `lpBaseAddress`
        address: A,
        /// `dwRegionSize`, bytes
        size: u64,
    },
    /// The harness moves the simulated machine.
    SetMemoryLoad {
        /// Percent.
        load: u32,
        /// Bytes.
        available: u64,
    },
}

impl Call {
    /// What a `Hole` begins with: a reservation of `size` bytes wherever there is room, which
    /// [`Call::release`] gives back at once.
    #[must_use]
    pub const fn reserve_hole(size: u64) -> Self {
        Self::VirtualAlloc {
            address: Address::NULL,
            size,
            kind: AllocationType::RESERVE,
            protect: Protection::NOACCESS,
            critical: CriticalLevel::TASK,
        }
    }

    /// The release of the whole allocation at `base`.
    #[must_use]
    pub const fn release(base: Address) -> Self {
        Self::VirtualFree { address: base, size: 0, kind: FreeType::RELEASE }
    }
}

impl<A, M> Call<A, M> {
    /// The method's name, as in scenario files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateMalloc { .. } => "CreateMalloc",
            Self::VirtualAlloc { .. } => "VirtualAlloc",
            Self::VirtualFree { .. } => "VirtualFree",
            Self::VirtualQuery { .. } => "VirtualQuery",
            Self::VirtualProtect { .. } => "VirtualProtect",
            Self::GetMemoryLoad => "GetMemoryLoad",
            Self::RegisterMemoryNotificationCallback => "RegisterMemoryNotificationCallback",
            Self::NeedsVirtualAddressSpace { .. } => "NeedsVirtualAddressSpace",
            Self::AcquiredVirtualAddressSpace { .. } => "AcquiredVirtualAddressSpace",
            Self::ReleasedVirtualAddressSpace { .. } => "ReleasedVirtualAddressSpace",
            Self::Alloc { .. } => "Alloc",
            Self::DebugAlloc { .. } => "DebugAlloc",
            Self::Free { .. } => "Free",
            Self::Read { .. } => "Read",
            Self::Write { .. } => "Write",
            Self::Execute { .. } => "Execute",
            Self::GetWriteWatch { .. } => "GetWriteWatch",
            Self::ResetWriteWatch { .. } => "ResetWriteWatch",
            Self::SetMemoryLoad { .. } => "SetMemoryLoad",
        }
    }

    /// The critical level of a call that has one.
    #[must_use]
    pub const fn critical(&self) -> Option<CriticalLevel> {
        match self {
            Self::VirtualAlloc { critical, .. }
            | Self::Alloc { critical, .. }
            | Self::DebugAlloc { critical, .. } => Some(*critical),
            _ => None,
        }
    }

    /// The address argument of a call that has one.
    #[must_use]
    pub const fn address(&self) -> Option<&A> {
        match self {
            Self::VirtualAlloc { address, .. }
            | Self::VirtualFree { address, .. }
            | Self::VirtualQuery { address, .. }
            | Self::VirtualProtect { address, .. }
            | Self::NeedsVirtualAddressSpace { address, .. }
            | Self::AcquiredVirtualAddressSpace { address, .. }
            | Self::ReleasedVirtualAddressSpace { address }
            | Self::Free { address, .. }
            | Self::Read { address, .. }
            | Self::Write { address, .. }
            | Self::Execute { address }
            | Self::GetWriteWatch { address, .. }
            | Self::ResetWriteWatch { address, .. } => Some(address),
            _ => None,
        }
    }

    /// The size argument of a call that has one, or how much it writes; bytes.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::VirtualAlloc { size, .. }
            | Self::VirtualFree { size, .. }
            | Self::VirtualProtect { size, .. }
            | Self::NeedsVirtualAddressSpace { size, .. }
            | Self::AcquiredVirtualAddressSpace { size, .. }
            | Self::Alloc { size, .. }
            | Self::DebugAlloc { size, .. }
            | Self::Read { size, .. }
            | Self::GetWriteWatch { size, .. }
            | Self::ResetWriteWatch { size, .. } => Some(*size),
            Self::Write { data, .. } => Some(data.size()),
            _ => None,
        }
    }

    /// The heap argument of a call that has one.
    #[must_use]
    pub const fn malloc(&self) -> Option<&M> {
        match self {
            Self::Alloc { malloc, .. }
            | Self::DebugAlloc { malloc, .. }
            | Self::Free { malloc, .. } => Some(malloc),
            _ => None,
        }
    }

    /// The same call with its address and heap named differently.
    ///
    /// # Errors
    /// The first error of either function.
    pub fn resolve<B, N, E>(
        &self,
        mut place: impl FnMut(&A) -> Result<B, E>,
        mut heap: impl FnMut(&M) -> Result<N, E>,
    ) -> Result<Call<B, N>, E> {
        Ok(match self {
            Self::CreateMalloc { kind } => Call::CreateMalloc { kind: *kind },
            Self::VirtualAlloc { address, size, kind, protect, critical } => Call::VirtualAlloc {
                address: place(address)?,
                size: *size,
                kind: *kind,
                protect: *protect,
                critical: *critical,
            },
            Self::VirtualFree { address, size, kind } => {
                Call::VirtualFree { address: place(address)?, size: *size, kind: *kind }
            }
            Self::VirtualQuery { address, buffer, length } => {
                Call::VirtualQuery { address: place(address)?, buffer: *buffer, length: *length }
            }
            Self::VirtualProtect { address, size, protect, old } => Call::VirtualProtect {
                address: place(address)?,
                size: *size,
                protect: *protect,
                old: *old,
            },
            Self::GetMemoryLoad => Call::GetMemoryLoad,
            Self::RegisterMemoryNotificationCallback => Call::RegisterMemoryNotificationCallback,
            Self::NeedsVirtualAddressSpace { address, size } => {
                Call::NeedsVirtualAddressSpace { address: place(address)?, size: *size }
            }
            Self::AcquiredVirtualAddressSpace { address, size } => {
                Call::AcquiredVirtualAddressSpace { address: place(address)?, size: *size }
            }
            Self::ReleasedVirtualAddressSpace { address } => {
                Call::ReleasedVirtualAddressSpace { address: place(address)? }
            }
            Self::Alloc { malloc, size, critical } => {
                Call::Alloc { malloc: heap(malloc)?, size: *size, critical: *critical }
            }
            Self::DebugAlloc { malloc, size, critical, file, line } => Call::DebugAlloc {
                malloc: heap(malloc)?,
                size: *size,
                critical: *critical,
                file: Arc::clone(file),
                line: *line,
            },
            Self::Free { malloc, address } => {
                Call::Free { malloc: heap(malloc)?, address: place(address)? }
            }
            Self::Read { address, size } => Call::Read { address: place(address)?, size: *size },
            Self::Write { address, data } => {
                Call::Write { address: place(address)?, data: data.clone() }
            }
            Self::Execute { address } => Call::Execute { address: place(address)? },
            Self::GetWriteWatch { address, size, flags, capacity, null } => Call::GetWriteWatch {
                address: place(address)?,
                size: *size,
                flags: *flags,
                capacity: *capacity,
                null: *null,
            },
            Self::ResetWriteWatch { address, size } => {
                Call::ResetWriteWatch { address: place(address)?, size: *size }
            }
            Self::SetMemoryLoad { load, available } => {
                Call::SetMemoryLoad { load: *load, available: *available }
            }
        })
    }
}
