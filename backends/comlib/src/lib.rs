//! hostmem's own managers for a C or C++ host: a shared library with one function.
//!
//! `include/hostmem.h` is its documentation.
//!
//! Deliberately not here: anything else. What the object does is `hostmem_backends::com`.
#![allow(unsafe_code, reason = "a function with C linkage and raw pointers")]

use std::ffi::{CStr, c_char, c_void};
use std::panic::catch_unwind;
use std::sync::Arc;

use hostmem_backends::com::ComManager;
use hostmem_interface::{Host, Hresult, Machine};
use hostmem_model::Simulator;
use windows_core::{HRESULT, Interface as _};

/// Makes a manager: `"linux"` (also null and `""`) has real memory, `"model"` simulates it.
///
/// # Safety
/// `backend` is null or a string that ends with a null byte; `manager` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn HostmemCreateManager(
    backend: *const c_char,
    manager: *mut *mut c_void,
) -> HRESULT {
    if manager.is_null() {
        return told(Hresult::E_POINTER);
    }
    // SAFETY: not null, so writable.
    unsafe { manager.write_unaligned(std::ptr::null_mut()) };
    let backend = if backend.is_null() {
        &[]
    } else {
        // SAFETY: a string, as the caller vouches.
        unsafe { CStr::from_ptr(backend) }.to_bytes()
    };
    match catch_unwind(|| open(backend)) {
        Ok(Ok(host)) => {
            let object = ComManager::export(host).into_raw();
            // SAFETY: as above.
            unsafe { manager.write_unaligned(object) };
            told(Hresult::S_OK)
        }
        Ok(Err(refused)) => told(refused),
        Err(_) => told(Hresult::E_UNEXPECTED),
    }
}

fn told(hresult: Hresult) -> HRESULT {
    HRESULT(hresult.0.cast_signed())
}

fn open(backend: &[u8]) -> Result<Arc<dyn Host>, Hresult> {
    match backend {
        b"model" => Ok(Arc::new(Simulator::new(Machine::WINDOWS_X64))),
        b"linux" | b"" => linux(),
        _ => Err(Hresult::E_INVALIDARG),
    }
}

#[cfg(target_os = "linux")]
fn linux() -> Result<Arc<dyn Host>, Hresult> {
    let backend = hostmem_backends::linux::LinuxBackend::default();
    match backend.manager(&Machine::WINDOWS_X64) {
        Ok(manager) => Ok(Arc::new(manager)),
        Err(_) => Err(Hresult::E_OUTOFMEMORY),
    }
}

#[cfg(not(target_os = "linux"))]
fn linux() -> Result<Arc<dyn Host>, Hresult> {
    Err(Hresult::E_NOTIMPL)
}
