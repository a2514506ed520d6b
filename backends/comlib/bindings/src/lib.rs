//! A manager between two of Microsoft's definitions: what hostmem calls are methods of the traits
//! that the crate `windows` generates from Microsoft's metadata, and what they call is hostmem's
//! own manager, through the vtables of the same crate.
//!
//! `hostmem check --backend com:hostmem_bindings.dll#COMLIB#BACKEND` so sends every call through
//! both directions of hostmem's own definitions: an identifier, a slot, an argument or a number
//! that is not Microsoft's shows. Identifiers and enumerations are compared as well, when this
//! crate is compiled.
//!
//! Map: `manager` is `IHostMemoryManager`; `heap` `IHostMalloc` and the callback;
//! `optional` hands on the interfaces that are hostmem's own, of which Microsoft knows nothing.
//!
//! Deliberately not here: anything on other systems, and any rule of memory.
#![cfg(windows)]
#![allow(unsafe_code, reason = "calls through vtables, and a function with C linkage")]
#![allow(non_snake_case, reason = "methods are called as in mscoree.idl")]
#![allow(missing_docs, reason = "everything public is documented; the macro adds its own types")]

mod agreement;
mod heap;
mod manager;
mod optional;

use std::ffi::{CStr, CString, c_char, c_void};

use hostmem_backends::com::interfaces::{CREATE_MANAGER_ON, CreateManagerOn, HostmemMachine};
use hostmem_interface::Hresult;
use windows::Win32::System::ClrHosting::IHostMemoryManager;
use windows_core::{HRESULT, Interface as _};

const OK: HRESULT = HRESULT(0);

/// Makes a manager: `LIBRARY#BACKEND`, the library that it hands its calls on to and which of
/// that library's managers.
///
/// # Safety
/// `text` is null or a string that ends with a null byte; `manager` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn HostmemCreateManager(
    text: *const c_char,
    manager: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: as the caller vouches; null is the usual machine.
    unsafe { HostmemCreateManagerOn(text, std::ptr::null(), manager) }
}

/// The same on another machine, if the library can show it; null: the usual one.
///
/// # Safety
/// As for [`HostmemCreateManager`]; `machine` is null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn HostmemCreateManagerOn(
    text: *const c_char,
    machine: *const HostmemMachine,
    manager: *mut *mut c_void,
) -> HRESULT {
    if manager.is_null() || text.is_null() {
        return told(Hresult::E_POINTER);
    }
    // SAFETY: a string, as the caller vouches.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let inner = match text.rsplit_once('#') {
        // SAFETY: whoever names the library wants its code to run.
        Some((library, backend)) => unsafe { opened(library, backend, machine) },
        None => Err(told(Hresult::E_INVALIDARG)),
    };
    match inner {
        Ok(inner) => {
            let object = manager::Between::around(inner).into_raw();
            // SAFETY: not null, so writable.
            unsafe { manager.write_unaligned(object) };
            OK
        }
        Err(why) => why,
    }
}

/// What Microsoft's traits leave no room for: the generated code writes a result through whatever
/// pointer it is given, and a callee never sees a null one.
#[unsafe(no_mangle)]
pub extern "system" fn HostmemLacks() -> *const c_char {
    c"buffers".as_ptr()
}

fn told(hresult: Hresult) -> HRESULT {
    HRESULT(hresult.0.cast_signed())
}

/// A manager of another library, by Microsoft's definition.
///
/// # Safety
/// Runs the library's code.
unsafe fn opened(
    library: &str,
    backend: &str,
    machine: *const HostmemMachine,
) -> Result<IHostMemoryManager, HRESULT> {
    let invalid = |_| told(Hresult::E_INVALIDARG);
    let backend = CString::new(backend).map_err(|_| told(Hresult::E_INVALIDARG))?;
    // SAFETY: the caller vouches for it.
    let library = unsafe { libloading::Library::new(library) }.map_err(invalid)?;
    let library = Box::leak(Box::new(library)); // its objects outlive every call
    // SAFETY: the library promises that type under that name (hostmem.h).
    let create = unsafe { library.get::<CreateManagerOn>(CREATE_MANAGER_ON) }.map_err(invalid)?;
    let mut made = std::ptr::null_mut();
    // SAFETY: a string, a machine or null, and a valid out pointer.
    let code = unsafe { create(backend.as_ptr(), machine, &raw mut made) };
    if code != OK {
        return Err(code);
    }
    // SAFETY: S_OK hands out one reference to a manager, which is ours now.
    Ok(unsafe { IHostMemoryManager::from_raw(made) })
}
