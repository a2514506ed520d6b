//! What is said of memory that is not the case's: that there is no allocation, and nothing to
//! touch. The system is not asked.
//!
//! Malformed arguments are refused as such first, as everywhere.

use hostmem_interface::{
    AccessKind, Address, AllocationType, Fault, FreeType, NtStatus, OutPointer, Protection,
    Refusal, WatchFlags, WatchPointers, Win32Error,
};

use crate::arguments::{self, AllocArguments};

const NOT_OURS: Refusal = Refusal::from_win32(Win32Error::ERROR_INVALID_ADDRESS);
const MALFORMED: Refusal = Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER);

/// The answer of `VirtualAlloc`.
pub(super) fn alloc(at: u64, size: u64, kind: AllocationType, protect: Protection) -> Refusal {
    AllocArguments { at, size, kind, protect }.check().err().unwrap_or(NOT_OURS)
}

/// The answer of `VirtualFree`; `own_start` if the range begins in an allocation of the case
/// and leaves it.
pub(super) fn free(at: u64, size: u64, kind: FreeType, own_start: bool) -> Refusal {
    let leaves = if own_start { MALFORMED } else { NOT_OURS };
    arguments::check_free(at, size, kind).err().unwrap_or(leaves)
}

/// The answer of `VirtualProtect`.
pub(super) fn protect(at: u64, size: u64, protect: Protection, old: OutPointer) -> Refusal {
    arguments::check_protect(at, size, protect, old).err().unwrap_or(NOT_OURS)
}

/// The answer of `GetWriteWatch`.
pub(super) fn watch(size: u64, flags: WatchFlags, capacity: u64, null: WatchPointers) -> Refusal {
    arguments::check_watch(size, flags, capacity, null).err().unwrap_or(MALFORMED)
}

/// The answer of `ResetWriteWatch`.
pub(super) const fn reset_watch() -> Refusal {
    MALFORMED
}

/// What an access comes to.
pub(super) const fn violation(access: AccessKind, at: u64) -> Fault {
    Fault { status: NtStatus::STATUS_ACCESS_VIOLATION, access, at: Address(at) }
}
