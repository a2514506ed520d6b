//! Views of files: the runtime maps them by itself, and a host hears of it
//! (`AcquiredVirtualAddressSpace`, `ReleasedVirtualAddressSpace`), or is asked for room after a
//! mapping failed (`NeedsVirtualAddressSpace`), after which it is tried once more.

use std::ffi::c_void;

use hostmem_interface::{Address, Call, MemoryBasicInformation};
use windows_sys::Win32::Foundation::{GetLastError, HANDLE, SetLastError};
use windows_sys::Win32::System::Memory::{
    MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFileEx, UnmapViewOfFile,
};

use super::super::ledger::regions;
use super::super::system;
use super::hooks::ask;
use super::seat::Asked;

pub(super) unsafe extern "system" fn map_view_of_file(
    file: HANDLE,
    access: u32,
    high: u32,
    low: u32,
    size: usize,
) -> *mut c_void {
    // SAFETY: the caller's own arguments.
    unsafe { map_view_of_file_ex(file, access, high, low, size, std::ptr::null()) }
}

pub(super) unsafe extern "system" fn map_view_of_file_ex(
    file: HANDLE,
    access: u32,
    high: u32,
    low: u32,
    size: usize,
    at: *const c_void,
) -> *mut c_void {
    let map = || {
        // SAFETY: the caller's own arguments.
        unsafe { MapViewOfFileEx(file, access, high, low, size, at) }.Value
    };
    let mut view = map();
    if view.is_null() {
        // SAFETY: reads a number of the calling thread's own.
        let error = unsafe { GetLastError() };
        let address = Address(at.expose_provenance() as u64);
        let needs = Call::NeedsVirtualAddressSpace { address, size: size as u64 };
        if ask(needs, Asked::Done).is_some() {
            view = map();
        }
        if view.is_null() {
            // SAFETY: writes a number of the calling thread's own.
            unsafe { SetLastError(error) };
            return view;
        }
    }
    let address = Address(view.expose_provenance() as u64);
    ask(Call::AcquiredVirtualAddressSpace { address, size: extent(address) }, Asked::Done);
    view
}

/// The bytes of the mapping at an address, as the system shows it.
fn extent(address: Address) -> u64 {
    let Some(first) = system::region(address.0) else { return 0 };
    let behind = first.end().0..u64::MAX;
    let same = |it: &MemoryBasicInformation| it.allocation_base == first.allocation_base;
    let last = regions(&behind).take_while(same).last().unwrap_or(first);
    last.end().0 - address.0
}

pub(super) unsafe extern "system" fn unmap_view_of_file(view: *const c_void) -> i32 {
    let address = Address(view.expose_provenance() as u64);
    // Before it is gone: afterwards the place may be another's.
    ask(Call::ReleasedVirtualAddressSpace { address }, Asked::Done);
    let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: view.cast_mut() };
    // SAFETY: the caller's own view.
    unsafe { UnmapViewOfFile(view) }
}
