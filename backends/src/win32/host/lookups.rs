//! What the runtime looks up by name, for itself and for `DllImport`s of the program.

use std::ffi::{CStr, c_char, c_void};

use windows_sys::Win32::Foundation::{GetLastError, HMODULE, SetLastError};
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryExW};

use super::{seat, table, watcher};

pub(super) unsafe extern "system" fn get_proc_address(
    module: HMODULE,
    name: *const c_char,
) -> *const c_void {
    // SAFETY: the caller's own arguments.
    let found = unsafe { GetProcAddress(module, name.cast()) };
    let Some(found) = found else { return std::ptr::null() };
    let found = found as *const c_void;
    if name.addr() >> 16 == 0 {
        return found; // a number
    }
    // SAFETY: no number, so a terminated name.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default();
    if !table::concerns_memory(name) {
        return found;
    }
    match (table::replacement(name), seat::seat()) {
        (Some(ours), _) => ours,
        (None, Some(seat)) => {
            seat.missed(name);
            found
        }
        (None, None) => found,
    }
}

pub(super) unsafe extern "system" fn load_library_ex_w(
    name: *const u16,
    file: *mut c_void,
    flags: u32,
) -> HMODULE {
    // SAFETY: the caller's own arguments.
    let module = unsafe { LoadLibraryExW(name, file, flags) };
    // SAFETY: reads a number of the calling thread's own.
    let error = unsafe { GetLastError() };
    // SAFETY: loaded just now; the runtime never unloads its own modules.
    unsafe { watcher::look_at(module) };
    // SAFETY: writes a number of the calling thread's own.
    unsafe { SetLastError(error) };
    module
}
