//! What a program does with memory besides asking a manager for it: it reads, writes and
//! executes, and it asks which pages were written.
//!
//! A fault is an answer here, data like any other. Splitting a long access into single ones
//! is the dispatcher's work ([`crate::dispatch`]): a manager only sees accesses of 1, 2, 4 or
//! 8 bytes, which may straddle two pages, and longer ones that lie inside one page.
//!
//! Deliberately not here: the law of faults and marks (`hostmem-model`).

use std::fmt;

use crate::{Address, NtStatus, Refusal, WatchFlags, WatchPointers};

/// What an access wanted: the first parameter of the exception record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessKind {
    /// 0
    Read,
    /// 1
    Write,
    /// 8
    Execute,
}

impl AccessKind {
    /// Every kind with its name in scenario files.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("read", Self::Read), ("write", Self::Write), ("execute", Self::Execute)];
}

impl fmt::Display for AccessKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
        })
    }
}

/// The exception that an access raised (`EXCEPTION_RECORD`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The exception code.
    pub status: NtStatus,
    /// What was attempted.
    pub access: AccessKind,
    /// The first byte of the access on the faulting page.
    pub at: Address,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} at {}", self.status, self.access, self.at)
    }
}

/// Why code at an address was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecuteError {
    /// The access faulted.
    Fault(Fault),
    /// The byte there is not `c3` (`ret`): nothing else is ever run.
    NotReturn(u8),
}

/// Memory that can be touched as a program touches it.
pub trait MemoryAccess: Send + Sync {
    /// Reads `into.len()` bytes at `address`, as one access.
    ///
    /// # Errors
    /// The fault; `into` is unspecified then.
    fn read(&self, address: Address, into: &mut [u8]) -> Result<(), Fault>;

    /// Writes `bytes` at `address`, as one access: nothing of it shows if it faults.
    ///
    /// # Errors
    /// The fault.
    fn write(&self, address: Address, bytes: &[u8]) -> Result<(), Fault>;

    /// Calls the code at `address` as a function without arguments, if the byte there,
    /// looked at directly before, is `c3`.
    ///
    /// # Errors
    /// The fault, or the byte that was there.
    fn execute(&self, address: Address) -> Result<(), ExecuteError>;
}

/// What `GetWriteWatch` tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatchAnswer {
    /// The bases of written pages, ascending.
    pub pages: Vec<Address>,
    /// The unit of the record, in bytes.
    pub granularity: u32,
}

/// The Win32 functions of memory reserved with `MEM_WRITE_WATCH` (memoryapi.h).
pub trait WriteWatch: Send + Sync {
    /// `GetWriteWatch`: up to `capacity` written pages of `[address, address + size)`.
    ///
    /// # Errors
    /// 87 for malformed arguments or memory without write watch, 998 for a null pointer.
    fn get_write_watch(
        &self,
        address: Address,
        size: u64,
        flags: WatchFlags,
        capacity: u64,
        null: WatchPointers,
    ) -> Result<WatchAnswer, Refusal>;

    /// `ResetWriteWatch`: clears the marks of `[address, address + size)`.
    ///
    /// # Errors
    /// 87 for malformed arguments or memory without write watch.
    fn reset_write_watch(&self, address: Address, size: u64) -> Result<(), Refusal>;
}
