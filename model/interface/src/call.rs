//! The traits turned into data: a [`Call`] says what is asked, an [`Outcome`] what came back.
//!
//! A call is generic over how it names addresses and heaps: `Call` with its defaults names
//! them absolutely, as a manager sees them; a scenario's call names them relative to what
//! earlier steps bound ([`crate::scenario`]). [`Call::resolve`] turns one into the other.
//!
//! Deliberately not here: how a call is carried out ([`crate::dispatch`]), and how it is
//! written ([`crate::scenario`]).

use std::fmt;
use std::sync::Arc;

use crate::{
    Address, AllocationType, CriticalLevel, Fault, FreeType, Hresult, MallocType, MemoryLoad,
    Protection, QueryAnswer, Refusal, WatchFlags,
};

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

/// What a successful call gave back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Nothing but success.
    Nothing,
    /// `VirtualAlloc`, `Alloc`, `DebugAlloc`: an address.
    Address(Address),
    /// `VirtualProtect`: the protection before.
    Old(Protection),
    /// `VirtualQuery`: a region.
    Region(QueryAnswer),
    /// `CreateMalloc`: the heap's number in this case.
    Malloc(MallocId),
    /// `GetMemoryLoad`: the load.
    Load(MemoryLoad),
    /// A read: the bytes.
    Bytes(Vec<u8>),
    /// `GetWriteWatch`: the written pages.
    Pages {
        /// Their bases, ascending.
        pages: Vec<Address>,
        /// The unit of the record, in bytes.
        granularity: u32,
    },
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It succeeded.
    Done {
        /// `S_OK`, or another success code.
        code: Hresult,
        /// What it gave.
        value: Value,
    },
    /// The manager refused it.
    Refused(Refusal),
    /// The access faulted.
    Faulted(Fault),
}

impl Outcome {
    /// Success with `S_OK`.
    #[must_use]
    pub const fn done(value: Value) -> Self {
        Self::Done { code: Hresult::S_OK, value }
    }

    /// Success with `S_OK` and nothing else.
    #[must_use]
    pub const fn ok() -> Self {
        Self::done(Value::Nothing)
    }

    /// The value of a success.
    #[must_use]
    pub const fn value(&self) -> Option<&Value> {
        match self {
            Self::Done { value, .. } => Some(value),
            Self::Refused(_) | Self::Faulted(_) => None,
        }
    }

    /// The address that a successful allocation returned.
    #[must_use]
    pub const fn address(&self) -> Option<Address> {
        match self {
            Self::Done { value: Value::Address(address), .. } => Some(*address),
            _ => None,
        }
    }

    /// Whether the call succeeded.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        Self::Faulted(fault)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("ok"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Old(protect) => write!(f, "old {protect}"),
            Self::Region(QueryAnswer { written: 0, .. }) => f.write_str("ok, nothing written"),
            Self::Region(QueryAnswer { information: at, .. }) => write!(
                f,
                "BaseAddress {}, AllocationBase {}, AllocationProtect {}, RegionSize {:#x}, \
                 State {}, Protect {}, Type {}",
                at.base_address,
                at.allocation_base,
                at.allocation_protect,
                at.region_size,
                at.state,
                at.protect,
                at.kind
            ),
            Self::Malloc(id) => write!(f, "heap {}", id.0),
            Self::Load(load) => {
                write!(f, "load {} %, {} bytes available", load.load, load.available)
            }
            Self::Bytes(bytes) => write_bytes(f, bytes),
            Self::Pages { pages, granularity } => {
                write!(f, "{} written pages", pages.len())?;
                for page in pages.iter().take(8) {
                    write!(f, " {page}")?;
                }
                let rest = if pages.len() > 8 { " …" } else { "" };
                write!(f, "{rest}, granularity {granularity:#x}")
            }
        }
    }
}

/// A run of one byte as such, anything else as up to 32 bytes of hex digits.
fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    if let [first, rest @ ..] = bytes
        && bytes.len() > 8
        && rest.iter().all(|byte| byte == first)
    {
        return write!(f, "{} bytes of {first:02x}", bytes.len());
    }
    for byte in bytes.iter().take(32) {
        write!(f, "{byte:02x}")?;
    }
    if bytes.len() > 32 { write!(f, "… ({} bytes)", bytes.len()) } else { Ok(()) }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { code: Hresult::S_OK, value } => write!(f, "{value}"),
            Self::Done { code, value } => write!(f, "{value} with {code}"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Faulted(fault) => write!(f, "fault: {fault}"),
        }
    }
}
