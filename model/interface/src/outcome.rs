//! What a call came to, as data: success with a value, a refusal, or a fault.
//!
//! Deliberately not here: breakages of the subject ([`crate::Reply`]).

use std::fmt;

use crate::{Address, Fault, Hresult, MallocId, MemoryLoad, Protection, QueryAnswer, Refusal};

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
