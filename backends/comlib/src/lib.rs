//! hostmem's own managers for a C or C++ host: a shared library with two functions.
//!
//! `HostmemCreateManager` is what a host needs; `HostmemCreateManagerOn` shows another machine,
//! for comparisons.
//!
//! `include/hostmem.h` is its documentation.
//!
//! Deliberately not here: anything else. What the object does is `hostmem_backends::com`.
#![allow(unsafe_code, reason = "a function with C linkage and raw pointers")]

use std::ffi::{CStr, c_char, c_void};
use std::panic::catch_unwind;
use std::sync::Arc;

use hostmem_backends::com::ComManager;
use hostmem_backends::com::interfaces::HostmemMachine;
#[cfg(any(target_os = "linux", windows))]
use hostmem_interface::OpenError;
use hostmem_interface::{Host, Hresult, Machine};
use hostmem_model::Simulator;
use windows_core::{HRESULT, Interface as _};

/// Makes a manager: `"linux"` or `"win32"` has real memory of the system that this is (as have
/// null and `""`), `"linux-pressure"` and `"win32-pressure"` listen to the system's memory
/// pressure too, `"model"` simulates a machine.
///
/// # Safety
/// `backend` is null or a string that ends with a null byte; `manager` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn HostmemCreateManager(
    backend: *const c_char,
    manager: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: as the caller vouches; null is the usual machine.
    unsafe { HostmemCreateManagerOn(backend, std::ptr::null(), manager) }
}

/// Makes a manager that shows a machine; null: 64-bit Windows without stated limits.
///
/// # Safety
/// As for [`HostmemCreateManager`]; `machine` is null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn HostmemCreateManagerOn(
    backend: *const c_char,
    machine: *const HostmemMachine,
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
    let machine = if machine.is_null() {
        Machine::WINDOWS_X64
    } else {
        // SAFETY: not null, so readable.
        unsafe { machine.read_unaligned() }.into()
    };
    match catch_unwind(|| open(backend, &machine)) {
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

fn open(backend: &[u8], machine: &Machine) -> Result<Arc<dyn Host>, Hresult> {
    match backend {
        b"model" => match Simulator::open(*machine) {
            Ok(manager) => Ok(Arc::new(manager)),
            Err(_) => Err(Hresult::E_INVALIDARG),
        },
        b"" => native(machine, false),
        b"linux" | b"linux-pressure" if cfg!(target_os = "linux") => {
            native(machine, backend.ends_with(b"-pressure"))
        }
        b"win32" | b"win32-pressure" if cfg!(windows) => {
            native(machine, backend.ends_with(b"-pressure"))
        }
        b"linux" | b"linux-pressure" | b"win32" | b"win32-pressure" => Err(Hresult::E_NOTIMPL),
        _ => Err(Hresult::E_INVALIDARG),
    }
}

/// Why a manager of this machine's own memory cannot be made.
#[cfg(any(target_os = "linux", windows))]
fn refused(why: &OpenError) -> Hresult {
    match why {
        OpenError::Machine(_) => Hresult::E_INVALIDARG,
        _ => Hresult::E_OUTOFMEMORY,
    }
}

#[cfg(target_os = "linux")]
fn native(machine: &Machine, notifies: bool) -> Result<Arc<dyn Host>, Hresult> {
    use hostmem_backends::linux::{LinuxBackend, LinuxOptions};

    let backend = LinuxBackend::new(LinuxOptions { notifies, ..LinuxOptions::default() });
    Ok(Arc::new(backend.manager(machine).map_err(|why| refused(&why))?))
}

#[cfg(windows)]
fn native(machine: &Machine, notifies: bool) -> Result<Arc<dyn Host>, Hresult> {
    use hostmem_backends::win32::{Win32Backend, Win32Options};

    let backend = Win32Backend::new(Win32Options { notifies });
    Ok(Arc::new(backend.manager(machine).map_err(|why| refused(&why))?))
}

#[cfg(not(any(target_os = "linux", windows)))]
fn native(_: &Machine, _: bool) -> Result<Arc<dyn Host>, Hresult> {
    Err(Hresult::E_NOTIMPL)
}
