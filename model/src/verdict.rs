//! What the law permits for one call: a list of lawful answers, each with its rule and its
//! effect.
//!
//! Usually there is one. There are several where the caller leaves a choice open, or where
//! the evidence for a rule conflicts: then every reading is permitted, and a report says
//! which was taken.
//!
//! Deliberately not here: how an answer is compared with what a subject said
//! ([`crate::judge`]), and how an effect is applied ([`crate::effect`]).

use std::fmt;

use hostmem_interface::{
    Address, Fault, Hresult, MemoryBasicInformation, Protection, Refusal, Win32Error,
};

use crate::effect::Effect;
use crate::rule::RuleId;

/// A lawful way to say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// With this Win32 error.
    Win32(Win32Error),
    /// Out of address space, commit or memory; this error says which.
    Memory(Win32Error),
    /// `HOST_E_INVALIDOPERATION` over 487: the memory is not the manager's.
    NotOurs,
    /// Somehow.
    Any,
}

impl No {
    /// The refusal that hostmem's own model gives.
    #[must_use]
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::Win32(error) | Self::Memory(error) => Refusal::from_win32(error),
            Self::NotOurs => Refusal::not_ours(),
            Self::Any => Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER),
        }
    }
}

/// What an answer must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A refusal.
    Refused(No),
    /// Success without a value.
    Nothing,
    /// Success with this address.
    Address(Address),
    /// Success with some page-aligned address in `[lowest, highest]`.
    AddressIn(Address, Address),
    /// Success with a free, granule-aligned base for `size` bytes.
    AnyBase {
        /// Bytes.
        size: u64,
        /// Where the model itself would look first.
        top_down: bool,
    },
    /// Success with the old protection.
    Old(Protection),
    /// Success with exactly this region.
    Region(MemoryBasicInformation),
    /// Success with a region of memory that the case does not own.
    Unowned(Unowned),
    /// Success that writes no bytes.
    NoBytes,
    /// Success with the bytes that the model holds for this range.
    Bytes(Address, u64),
    /// Success with bytes that fit what is known of a heap block.
    BlockBytes(Address, u64),
    /// This fault.
    Fault(Fault),
    /// An access violation of this kind somewhere in `[address, address + size)`.
    FaultIn(Fault, u64),
    /// Success with these written pages.
    Pages(Vec<Address>, u32),
    /// Success with a new heap.
    Malloc,
    /// Success with a block of at least this many bytes.
    Block(u64),
    /// Success with a memory load; `None` where any sensible one will do.
    Load(Option<hostmem_interface::MemoryLoad>),
}

/// What a query of memory that the case does not own must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unowned {
    /// The queried address.
    pub at: Address,
    /// The first owned address behind it, or the end of user space.
    pub end: Address,
    /// The first address behind the last owned memory before it, or 0.
    pub start: Address,
    /// Whether both neighbours are owned memory, so that the free size is known.
    pub between_owned: bool,
    /// Whether the runtime announced a mapping there.
    pub acquired: bool,
}

/// One lawful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted {
    /// The rule that decides.
    pub rule: RuleId,
    /// What the answer looks like.
    pub answer: Answer,
    /// What it does.
    pub effect: Effect,
}

impl Permitted {
    /// A refusal, which has no effect (SM-04).
    #[must_use]
    pub const fn refused(rule: RuleId, no: No) -> Self {
        Self { rule, answer: Answer::Refused(no), effect: Effect::None }
    }

    /// A success.
    #[must_use]
    pub const fn success(rule: RuleId, answer: Answer, effect: Effect) -> Self {
        Self { rule, answer, effect }
    }
}

/// Everything that the law permits for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The first reading: what the model itself does.
    pub first: Permitted,
    /// Other readings.
    pub others: Vec<Permitted>,
}

impl Verdict {
    /// The only lawful answer.
    #[must_use]
    pub const fn only(first: Permitted) -> Self {
        Self { first, others: Vec::new() }
    }

    /// A refusal with a Win32 error, and nothing else.
    #[must_use]
    pub const fn refuse(rule: RuleId, error: Win32Error) -> Self {
        Self::only(Permitted::refused(rule, No::Win32(error)))
    }

    /// A success, and nothing else.
    #[must_use]
    pub const fn succeed(rule: RuleId, answer: Answer, effect: Effect) -> Self {
        Self::only(Permitted::success(rule, answer, effect))
    }

    /// One more reading.
    #[must_use]
    pub fn or(mut self, other: Permitted) -> Self {
        self.others.push(other);
        self
    }

    /// The readings of another verdict too.
    #[must_use]
    pub fn or_all(mut self, other: Self) -> Self {
        self.others.push(other.first);
        self.others.extend(other.others);
        self
    }

    /// Every reading, the model's own first.
    pub fn readings(&self) -> impl Iterator<Item = &Permitted> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Whether some reading is a success.
    #[must_use]
    pub fn permits_success(&self) -> bool {
        self.readings().any(|reading| !matches!(reading.answer, Answer::Refused(_)))
    }

    /// Whether every reading is a fault.
    #[must_use]
    pub fn permits_only_faults(&self) -> bool {
        let fault = |answer: &Answer| matches!(answer, Answer::Fault(_) | Answer::FaultIn(..));
        self.readings().all(|reading| fault(&reading.answer))
    }
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Win32(error) => write!(f, "refused: {error}"),
            Self::Memory(error) => write!(f, "refused for lack of memory ({error})"),
            Self::NotOurs => write!(
                f,
                "refused: {} ({})",
                Win32Error::ERROR_INVALID_ADDRESS,
                Hresult::HOST_E_INVALIDOPERATION
            ),
            Self::Any => f.write_str("refused"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(no) => write!(f, "{no}"),
            Self::Nothing => f.write_str("ok"),
            Self::Address(address) => write!(f, "{address}"),
            Self::AddressIn(lowest, highest) => {
                write!(f, "a page address from {lowest} to {highest}")
            }
            Self::AnyBase { size, .. } => {
                write!(f, "the base of {size:#x} free bytes, aligned to the granularity")
            }
            Self::Old(protect) => write!(f, "old {protect}"),
            Self::Region(region) => {
                let value =
                    hostmem_interface::Value::Region(hostmem_interface::QueryAnswer::of(*region));
                write!(f, "{value}")
            }
            Self::Unowned(unowned) => write!(
                f,
                "a region at {} inside {} to {}, free or foreign",
                unowned.at, unowned.start, unowned.end
            ),
            Self::NoBytes => f.write_str("ok, nothing written"),
            Self::Bytes(at, size) => write!(f, "the {size} bytes written at {at} before"),
            Self::BlockBytes(at, size) => {
                write!(f, "{size} bytes at {at}, as far as they were written before")
            }
            Self::Fault(fault) => write!(f, "fault: {fault}"),
            Self::FaultIn(fault, size) => write!(f, "fault: {fault} or up to {size} bytes on"),
            Self::Pages(pages, granularity) => {
                let value = hostmem_interface::Value::Pages {
                    pages: pages.clone(),
                    granularity: *granularity,
                };
                write!(f, "{value}")
            }
            Self::Malloc => f.write_str("a new heap"),
            Self::Block(size) => write!(f, "a block of {size} bytes, aligned to 16"),
            Self::Load(Some(load)) => {
                write!(f, "load {} %, {} bytes available", load.load, load.available)
            }
            Self::Load(None) => f.write_str("a load from 0 to 100 %"),
        }
    }
}
