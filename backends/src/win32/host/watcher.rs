//! When modules are patched: as soon as the loader has mapped one, before its code runs, and
//! again when the call that loaded it is back.
//!
//! The loader tells of a new module before it runs anything of it
//! (`LdrRegisterDllNotification`). Windows documents that this may be before the imports are
//! filled in, which would undo the patch: hence the second time, which changes nothing where
//! the first one held.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{
    GetModuleFileNameW, GetModuleHandleW, GetProcAddress,
};
use windows_sys::core::{s, w};

use super::imports::Image;
use super::table;

/// The modules of the runtime that ask for memory.
const MODULES: [&str; 2] = ["coreclr.dll", "clrjit.dll"];
const LOADED: u32 = 1;

static PATCHED: AtomicU64 = AtomicU64::new(0);

/// What the loader tells (`LDR_DLL_NOTIFICATION_DATA`).
#[repr(C)]
struct Notice {
    flags: u32,
    full: *const c_void,
    base: *const Text,
    module: HMODULE,
    size: u32,
}

/// `UNICODE_STRING`
#[repr(C)]
struct Text {
    bytes: u16,
    room: u16,
    buffer: *const u16,
}

type Callback = unsafe extern "system" fn(u32, *const Notice, *mut c_void);
type Register = unsafe extern "system" fn(u32, Callback, *mut c_void, *mut *mut c_void) -> i32;

/// Begins to look out for modules of the runtime; says whether the loader tells of them.
pub(super) fn begin() -> bool {
    // SAFETY: ntdll is loaded in every process and never unloaded.
    let found = unsafe {
        GetProcAddress(GetModuleHandleW(w!("ntdll.dll")), s!("LdrRegisterDllNotification"))
    };
    let Some(found) = found else { return false };
    // SAFETY: that is its type, as documented.
    let register =
        unsafe { std::mem::transmute::<unsafe extern "system" fn() -> isize, Register>(found) };
    let mut cookie = ptr::null_mut();
    // SAFETY: the callback lives as long as the process, as does the registration.
    unsafe { register(0, noticed, ptr::null_mut(), &raw mut cookie) == 0 }
}

/// How many slots were given a function of ours.
pub(super) fn patched() -> u64 {
    PATCHED.load(Ordering::Relaxed)
}

unsafe extern "system" fn noticed(reason: u32, notice: *const Notice, _: *mut c_void) {
    if reason != LOADED || notice.is_null() {
        return;
    }
    // SAFETY: the loader's own data, valid during this call.
    let notice = unsafe { &*notice };
    // SAFETY: likewise.
    let name = unsafe { &*notice.base };
    // SAFETY: so many bytes of text are there.
    let name = unsafe { std::slice::from_raw_parts(name.buffer, usize::from(name.bytes / 2)) };
    if is_ours(name) {
        // SAFETY: mapped, and not unloaded during this call; the runtime never unloads these.
        unsafe { patch(notice.module) };
    }
}

fn is_ours(name: &[u16]) -> bool {
    let name = String::from_utf16_lossy(name).to_ascii_lowercase();
    MODULES.iter().any(|known| name.rsplit('\\').next() == Some(*known))
}

/// Patches a module if it is one of the runtime's.
///
/// # Safety
/// The module is loaded, and stays so.
pub(super) unsafe fn look_at(module: HMODULE) {
    if module.is_null() || module.addr() & 3 != 0 {
        return; // none, or mapped as data
    }
    let mut name = [0; 1024];
    // SAFETY: as much room as is claimed.
    let length = unsafe { GetModuleFileNameW(module, name.as_mut_ptr(), 1024) };
    if is_ours(&name[..length as usize]) {
        // SAFETY: the caller vouches for it.
        unsafe { patch(module) };
    }
}

/// # Safety
/// The module is loaded, and stays so.
unsafe fn patch(module: HMODULE) {
    // SAFETY: the caller vouches for it.
    let image = unsafe { Image::of(module) };
    for slot in image.slots() {
        if let Some(function) = table::replacement(slot.name)
            && slot.target() != function
            && slot.set(function)
        {
            PATCHED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The memory functions that a loaded module of the runtime still takes from the system.
pub(super) fn left_over() -> Vec<String> {
    let mut left = Vec::new();
    for name in MODULES {
        let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
        // SAFETY: a terminated name.
        let module = unsafe { GetModuleHandleW(wide.as_ptr()) };
        if module.is_null() {
            continue;
        }
        // SAFETY: the runtime never unloads its modules.
        let image = unsafe { Image::of(module) };
        for slot in image.slots() {
            let ours = table::replacement(slot.name);
            let misses = ours.map_or(table::concerns_memory(slot.name), |it| it != slot.target());
            if misses {
                left.push(format!("{name}: {}", slot.name));
            }
        }
    }
    left
}
