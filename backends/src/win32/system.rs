//! The system's calls on virtual memory, with numbers for pointers and results for flags.
//!
//! The last error is cleared before each call, so that a call that fails without setting one
//! is seen to. Deliberately not here: which addresses may be passed.

use std::ffi::c_void;
use std::{mem, ptr};

use hostmem_interface::{
    Address, AllocationType, FreeType, Machine, MemoryBasicInformation, OutPointer, Protection,
    RegionState, RegionType, Win32Error,
};
use windows_sys::Win32::Foundation::{GetLastError, SetLastError};
use windows_sys::Win32::System::Memory::{
    GetWriteWatch, MEMORY_BASIC_INFORMATION, ResetWriteWatch, VirtualAlloc, VirtualFree,
    VirtualProtect, VirtualQuery,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};

/// The most pages that one `GetWriteWatch` can tell: its buffer is ours to provide.
const MOST_PAGES: u64 = 1 << 24;

/// An address as the pointer that the calls want.
pub(super) fn pointer(at: u64) -> *mut c_void {
    ptr::with_exposed_provenance_mut(native(at))
}

/// A number as the pointer-sized one that the calls want: the same on 64 bits.
pub(super) const fn native(value: u64) -> usize {
    value as usize
}

fn address(of: *const c_void) -> Address {
    Address(of.expose_provenance() as u64)
}

/// Makes a call; its own word on whether it failed decides.
fn checked<T>(call: impl FnOnce() -> T, failed: impl FnOnce(&T) -> bool) -> Result<T, Win32Error> {
    // SAFETY: writes a number of the calling thread's own.
    unsafe { SetLastError(0) };
    let told = call();
    // SAFETY: reads a number of the calling thread's own.
    if failed(&told) { Err(Win32Error(unsafe { GetLastError() })) } else { Ok(told) }
}

/// `VirtualAlloc`.
///
/// # Errors
/// The last error.
///
/// # Safety
/// The range holds no memory of anybody but the case.
pub(super) unsafe fn alloc(
    at: u64,
    size: u64,
    kind: AllocationType,
    protect: Protection,
) -> Result<Address, Win32Error> {
    // SAFETY: the caller vouches for the range.
    let call = || unsafe { VirtualAlloc(pointer(at), native(size), kind.0, protect.0) };
    checked(call, |base| base.is_null()).map(|base| address(base))
}

/// `VirtualFree`.
///
/// # Errors
/// The last error.
///
/// # Safety
/// The range holds no memory of anybody but the case, and nothing refers to it any more.
pub(super) unsafe fn free(at: u64, size: u64, kind: FreeType) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the range.
    let call = || unsafe { VirtualFree(pointer(at), native(size), kind.0) };
    checked(call, |done| *done == 0).map(drop)
}

/// `VirtualProtect`; the old protection, or 0 where `old` is null.
///
/// # Errors
/// The last error.
///
/// # Safety
/// The range holds no memory of anybody but the case.
pub(super) unsafe fn protect(
    at: u64,
    size: u64,
    protect: Protection,
    old: OutPointer,
) -> Result<Protection, Win32Error> {
    let mut before = 0;
    let out = if old == OutPointer::Null { ptr::null_mut() } else { &raw mut before };
    // SAFETY: the caller vouches for the range; the out pointer is valid or null, which the
    // system has to refuse.
    let call = || unsafe { VirtualProtect(pointer(at), native(size), protect.0, out) };
    checked(call, |done| *done == 0).map(|_| Protection(before))
}

/// `VirtualQuery` with a buffer and a length of the caller's choice; how much was written.
///
/// # Errors
/// The last error.
pub(super) fn query(
    at: u64,
    buffer: OutPointer,
    length: u64,
) -> Result<(u64, MemoryBasicInformation), Win32Error> {
    let mut found = MEMORY_BASIC_INFORMATION::default();
    let out = if buffer == OutPointer::Null { ptr::null_mut() } else { &raw mut found };
    // SAFETY: the buffer holds what the call writes, whatever longer length is claimed, or is
    // null, which the system has to refuse. The address is only looked up.
    let call = || unsafe { VirtualQuery(pointer(at), out, native(length)) };
    let written = checked(call, |written| *written == 0)?;
    Ok((written as u64, information(&found)))
}

/// The region at an address; `None` beyond user space.
pub(super) fn region(at: u64) -> Option<MemoryBasicInformation> {
    query(at, OutPointer::Valid, MemoryBasicInformation::SIZE).ok().map(|(_, region)| region)
}

fn information(found: &MEMORY_BASIC_INFORMATION) -> MemoryBasicInformation {
    MemoryBasicInformation {
        base_address: address(found.BaseAddress),
        allocation_base: address(found.AllocationBase),
        allocation_protect: Protection(found.AllocationProtect),
        region_size: found.RegionSize as u64,
        state: RegionState(found.State),
        protect: Protection(found.Protect),
        kind: RegionType(found.Type),
    }
}

/// Which out pointers of `GetWriteWatch` are null.
pub(super) use hostmem_interface::WatchPointers;

/// `GetWriteWatch`; the pages and the unit. A capacity beyond what the range can hold is
/// passed on cut to that.
///
/// # Errors
/// The last error.
pub(super) fn get_write_watch(
    at: u64,
    size: u64,
    flags: u32,
    capacity: u64,
    null: WatchPointers,
) -> Result<(Vec<Address>, u32), Win32Error> {
    let pages = (size / 0x1000).saturating_add(2).min(MOST_PAGES);
    let mut count = native(capacity.min(pages));
    let mut found: Vec<*mut c_void> = vec![ptr::null_mut(); count.max(1)];
    let mut unit = 0;
    let valid = |pointer: OutPointer| pointer != OutPointer::Null;
    let addresses = if valid(null.addresses) { found.as_mut_ptr() } else { ptr::null_mut() };
    let counted = if valid(null.count) { &raw mut count } else { ptr::null_mut() };
    let granularity = if valid(null.granularity) { &raw mut unit } else { ptr::null_mut() };
    // SAFETY: every out pointer is valid for what the call writes, or null, which the system
    // has to refuse; the range is only looked up and its marks belong to the case.
    let call = || unsafe {
        GetWriteWatch(flags, pointer(at), native(size), addresses, counted, granularity)
    };
    checked(call, |told| *told != 0)?;
    found.truncate(count);
    Ok((found.into_iter().map(|page| address(page)).collect(), unit))
}

/// `ResetWriteWatch`.
///
/// # Errors
/// The last error.
pub(super) fn reset_write_watch(at: u64, size: u64) -> Result<(), Win32Error> {
    // SAFETY: changes nothing but marks, which only the case looks at.
    let call = || unsafe { ResetWriteWatch(pointer(at), native(size)) };
    checked(call, |told| *told != 0).map(drop)
}

/// The machine's units and limits, without its memory.
pub(super) fn machine() -> Machine {
    // SAFETY: an all-zero SYSTEM_INFO is a valid value of that plain struct.
    let mut info: SYSTEM_INFO = unsafe { mem::zeroed() };
    // SAFETY: a valid out pointer.
    unsafe { GetSystemInfo(&raw mut info) };
    Machine {
        page: u64::from(info.dwPageSize),
        granularity: u64::from(info.dwAllocationGranularity),
        lowest: address(info.lpMinimumApplicationAddress).0,
        highest: address(info.lpMaximumApplicationAddress).0,
        physical: None,
        commit_limit: None,
    }
}
