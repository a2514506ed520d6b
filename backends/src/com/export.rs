//! A manager of ours as a COM object: any [`Host`] behind an `IHostMemoryManager`.
//!
//! What holds for every method:
//!
//! * a null out pointer is `E_POINTER` and nothing is done. Only `VirtualQuery`'s buffer and
//!   `VirtualProtect`'s old protection are the host's own business, because Win32 orders
//!   those checks among others; where the host says 998, COM says `E_POINTER`;
//! * out parameters are written on success, and zeroed on failure;
//! * the host's `HRESULT` is handed on as it is, whatever it is;
//! * a panic ends here and is `E_UNEXPECTED`: nothing ever unwinds into foreign frames;
//! * a heap keeps its manager alive, a registered callback is referenced until the manager
//!   is gone.
//!
//! Deliberately not here: any rule of memory, and memory to touch in place of the host's
//! (see `IHostmemInstruments`).
#![allow(missing_docs, reason = "everything public is documented; the macro adds its own types")]

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::Arc;

use hostmem_interface::{
    AccessKind, Address, AllocationType, Capability, CriticalLevel, ExecuteError, Fault, FreeType,
    Host, HostMalloc, Hresult, MallocType, MemoryAvailable, MemoryLoad, MemoryNotificationCallback,
    OutPointer, Protection, Refusal, Win32Error,
};
use windows_core::{HRESULT, IUnknownImpl as _, Interface, implement};

use super::interfaces::{
    ABILITY_ACCESS, ABILITY_LOAD_CONTROL, ABILITY_PRIVATE_ARENA, HostmemFault,
    ICLRMemoryNotificationCallback, IHostMalloc, IHostMalloc_Impl, IHostMemoryManager,
    IHostMemoryManager_Impl, IHostmemInstruments, IHostmemInstruments_Impl, IHostmemReport,
    IHostmemWriteWatch, NOT_RETURN,
};
use super::layout::{MEMORY_BASIC_INFORMATION, address, pointer, size};

/// A [`Host`] as a COM object. Callable from any thread, as the host is.
#[implement(IHostMemoryManager, IHostmemInstruments, IHostmemWriteWatch, IHostmemReport)]
pub struct ComManager {
    pub(super) host: Arc<dyn Host>,
}

impl std::fmt::Debug for ComManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComManager").field("host", &self.host.description().name).finish()
    }
}

impl ComManager {
    /// Exports a host. The object has one reference, the caller's.
    #[must_use]
    pub fn export(host: Arc<dyn Host>) -> IHostMemoryManager {
        Self { host }.into()
    }
}

/// A heap as a COM object.
#[implement(IHostMalloc)]
struct ComMalloc {
    heap: Arc<dyn HostMalloc>,
    /// The manager, for as long as one of its heaps is in use.
    _manager: windows_core::IUnknown,
}

/// A foreign callback. The reference that it holds is given back with it.
struct Callback(ICLRMemoryNotificationCallback);

// SAFETY: the runtime's callback may be called and released from any thread
// (mscoree.idl: a free-threaded object; hosting documentation, OnMemoryNotification).
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl MemoryNotificationCallback for Callback {
    fn on_memory_notification(&self, available: MemoryAvailable) {
        // SAFETY: a live COM object, kept by our own reference. Its answer means nothing
        // (mscoree.idl gives it none; the runtime's is always S_OK).
        let _ = unsafe { self.0.OnMemoryNotification(available.0) };
    }
}

fn code(hresult: Hresult) -> HRESULT {
    HRESULT(hresult.0.cast_signed())
}

pub(super) const OK: HRESULT = HRESULT(0);
pub(super) const E_POINTER: HRESULT = HRESULT(Hresult::E_POINTER.0.cast_signed());
const E_UNEXPECTED: HRESULT = HRESULT(Hresult::E_UNEXPECTED.0.cast_signed());
pub(super) const E_NOTIMPL: HRESULT = HRESULT(Hresult::E_NOTIMPL.0.cast_signed());

/// Runs a method's body, with panics turned into `E_UNEXPECTED`.
pub(super) fn boundary(body: impl FnOnce() -> HRESULT) -> HRESULT {
    // What a panic may have left half-done is the host's own and guarded by its locks.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(E_UNEXPECTED)
}

/// Success, or the host's own code.
pub(super) fn told(result: Result<(), Refusal>) -> HRESULT {
    result.map_or_else(|refusal| code(refusal.hresult), |()| OK)
}

/// The host's code for a call with a null out pointer, in COM's words.
pub(super) fn null_told(refusal: Refusal) -> HRESULT {
    match refusal.win32 {
        Some(Win32Error::ERROR_NOACCESS) => E_POINTER,
        _ => code(refusal.hresult),
    }
}

/// Writes an out parameter.
///
/// # Safety
/// `out` is null or writable.
pub(super) unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: the caller vouches for it; C callers need not align what they point to.
        unsafe { out.write_unaligned(value) };
    }
}

/// A method that gives an address or an object: null on failure.
///
/// # Safety
/// `out` is null or writable.
unsafe fn give(
    out: *mut *mut c_void,
    body: impl FnOnce() -> Result<*mut c_void, Refusal>,
) -> HRESULT {
    if out.is_null() {
        return E_POINTER;
    }
    // SAFETY: not null, so writable.
    unsafe { put(out, std::ptr::null_mut()) };
    boundary(|| match body() {
        Ok(value) => {
            // SAFETY: as above.
            unsafe { put(out, value) };
            OK
        }
        Err(refusal) => code(refusal.hresult),
    })
}

pub(super) fn out_pointer<T>(out: *const T) -> OutPointer {
    if out.is_null() { OutPointer::Null } else { OutPointer::Valid }
}

impl IHostMemoryManager_Impl for ComManager_Impl {
    unsafe fn CreateMalloc(&self, kind: u32, malloc: *mut *mut c_void) -> HRESULT {
        let create = || {
            let heap = self.host.memory().create_malloc(MallocType(kind))?;
            let manager = self.to_interface();
            Ok(IHostMalloc::from(ComMalloc { heap, _manager: manager }).into_raw())
        };
        // SAFETY: the caller's out parameter (mscoree.idl), as in every method here.
        unsafe { give(malloc, create) }
    }

    unsafe fn VirtualAlloc(
        &self,
        at: *mut c_void,
        bytes: usize,
        kind: u32,
        protect: u32,
        critical: u32,
        base: *mut *mut c_void,
    ) -> HRESULT {
        let (kind, protect) = (AllocationType(kind), Protection(protect));
        let critical = CriticalLevel(critical);
        let alloc = || {
            let memory = self.host.memory();
            memory.virtual_alloc(address(at), bytes as u64, kind, protect, critical).map(pointer)
        };
        // SAFETY: the caller's out parameter.
        unsafe { give(base, alloc) }
    }

    unsafe fn VirtualFree(&self, at: *mut c_void, bytes: usize, kind: u32) -> HRESULT {
        boundary(|| {
            told(self.host.memory().virtual_free(address(at), bytes as u64, FreeType(kind)))
        })
    }

    unsafe fn VirtualQuery(
        &self,
        at: *mut c_void,
        buffer: *mut c_void,
        length: usize,
        written: *mut usize,
    ) -> HRESULT {
        if written.is_null() {
            return E_POINTER;
        }
        // SAFETY: the caller's out parameter.
        unsafe { put(written, 0) };
        boundary(|| {
            let (null, length) = (out_pointer(buffer), length as u64);
            let answer = match self.host.memory().virtual_query(address(at), null, length) {
                Ok(answer) => answer,
                Err(refusal) => return null_told(refusal),
            };
            let whole = size_of::<MEMORY_BASIC_INFORMATION>() as u64;
            if answer.written > 0 && (buffer.is_null() || length < whole) {
                return E_POINTER; // a host that does not look at its arguments
            }
            // SAFETY: the caller's out parameters; the buffer has room for all 48 bytes.
            unsafe {
                if answer.written > 0 {
                    put(buffer.cast::<MEMORY_BASIC_INFORMATION>(), answer.information.into());
                }
                put(written, size(answer.written));
            }
            OK
        })
    }

    unsafe fn VirtualProtect(
        &self,
        at: *mut c_void,
        bytes: usize,
        protect: u32,
        old: *mut u32,
    ) -> HRESULT {
        // SAFETY: the caller's out parameter.
        unsafe { put(old, 0) };
        boundary(|| {
            let (null, bytes) = (out_pointer(old), bytes as u64);
            let memory = self.host.memory();
            match memory.virtual_protect(address(at), bytes, Protection(protect), null) {
                Ok(_) if old.is_null() => E_POINTER, // likewise
                Ok(before) => {
                    // SAFETY: the caller's out parameter.
                    unsafe { put(old, before.0) };
                    OK
                }
                Err(refusal) => null_told(refusal),
            }
        })
    }

    unsafe fn GetMemoryLoad(&self, load: *mut u32, available: *mut usize) -> HRESULT {
        // SAFETY: the caller's out parameters.
        unsafe {
            put(load, 0);
            put(available, 0);
        }
        if load.is_null() || available.is_null() {
            return E_POINTER;
        }
        boundary(|| {
            told(self.host.memory().get_memory_load().map(|now| {
                // SAFETY: the caller's out parameters.
                unsafe {
                    put(load, now.load);
                    put(available, size(now.available));
                }
            }))
        })
    }

    unsafe fn RegisterMemoryNotificationCallback(&self, callback: *mut c_void) -> HRESULT {
        boundary(|| {
            // SAFETY: the caller passes null or a live object of that interface.
            let callback = unsafe { ICLRMemoryNotificationCallback::from_raw_borrowed(&callback) };
            let Some(callback) = callback else { return E_POINTER };
            // Cloning is AddRef.
            let kept = Arc::new(Callback(callback.clone()));
            told(self.host.memory().register_memory_notification_callback(kept))
        })
    }

    unsafe fn NeedsVirtualAddressSpace(&self, at: *mut c_void, bytes: usize) -> HRESULT {
        boundary(|| told(self.host.memory().needs_virtual_address_space(address(at), bytes as u64)))
    }

    unsafe fn AcquiredVirtualAddressSpace(&self, at: *mut c_void, bytes: usize) -> HRESULT {
        boundary(|| {
            told(self.host.memory().acquired_virtual_address_space(address(at), bytes as u64))
        })
    }

    unsafe fn ReleasedVirtualAddressSpace(&self, at: *mut c_void) -> HRESULT {
        boundary(|| told(self.host.memory().released_virtual_address_space(address(at))))
    }
}

impl IHostMalloc_Impl for ComMalloc_Impl {
    unsafe fn Alloc(&self, bytes: usize, critical: u32, block: *mut *mut c_void) -> HRESULT {
        let alloc = || self.heap.alloc(bytes as u64, CriticalLevel(critical)).map(pointer);
        // SAFETY: the caller's out parameter.
        unsafe { give(block, alloc) }
    }

    unsafe fn DebugAlloc(
        &self,
        bytes: usize,
        critical: u32,
        file: *const c_char,
        line: i32,
        block: *mut *mut c_void,
    ) -> HRESULT {
        let alloc = || {
            let file = if file.is_null() {
                "".into()
            } else {
                // SAFETY: a string that ends with a null byte (mscoree.idl: char *).
                unsafe { CStr::from_ptr(file) }.to_string_lossy()
            };
            let critical = CriticalLevel(critical);
            self.heap.debug_alloc(bytes as u64, critical, &file, line).map(pointer)
        };
        // SAFETY: the caller's out parameter.
        unsafe { give(block, alloc) }
    }

    unsafe fn Free(&self, block: *mut c_void) -> HRESULT {
        boundary(|| told(self.heap.free(address(block))))
    }
}

/// The exception record of a fault.
fn record(fault: &Fault) -> HostmemFault {
    let access = match fault.access {
        AccessKind::Read => 0,
        AccessKind::Write => 1,
        AccessKind::Execute => 8,
    };
    HostmemFault { status: fault.status.0, access, address: fault.at.0 }
}

/// An access's answer: `S_FALSE` and the fault if there was one.
///
/// # Safety
/// `out` is null or writable.
unsafe fn accessed(result: Result<(), Fault>, out: *mut HostmemFault) -> HRESULT {
    match result {
        Ok(()) => OK,
        Err(fault) => {
            // SAFETY: the caller vouches for it.
            unsafe { put(out, record(&fault)) };
            code(Hresult::S_FALSE)
        }
    }
}

impl IHostmemInstruments_Impl for ComManager_Impl {
    unsafe fn Abilities(&self, abilities: *mut u32) -> HRESULT {
        if abilities.is_null() {
            return E_POINTER;
        }
        boundary(|| {
            let arena = self.host.description().capabilities.has(Capability::PrivateArena);
            let bits = [
                (self.host.access().is_some(), ABILITY_ACCESS),
                (self.host.load_control().is_some(), ABILITY_LOAD_CONTROL),
                (arena, ABILITY_PRIVATE_ARENA),
            ];
            let word = bits.into_iter().filter(|bit| bit.0).map(|bit| bit.1).sum();
            // SAFETY: the caller's out parameter.
            unsafe { put(abilities, word) };
            OK
        })
    }

    unsafe fn Read(
        &self,
        at: u64,
        bytes: usize,
        into: *mut u8,
        fault: *mut HostmemFault,
    ) -> HRESULT {
        if into.is_null() || fault.is_null() {
            return E_POINTER;
        }
        boundary(|| {
            let Some(access) = self.host.access() else { return E_NOTIMPL };
            // SAFETY: the caller's buffer has `bytes` initialised bytes (hostmem.h).
            let into = unsafe { slice::from_raw_parts_mut(into, bytes) };
            // SAFETY: the caller's out parameter.
            unsafe { accessed(access.read(Address(at), into), fault) }
        })
    }

    unsafe fn Write(
        &self,
        at: u64,
        bytes: usize,
        from: *const u8,
        fault: *mut HostmemFault,
    ) -> HRESULT {
        if from.is_null() || fault.is_null() {
            return E_POINTER;
        }
        boundary(|| {
            let Some(access) = self.host.access() else { return E_NOTIMPL };
            // SAFETY: the caller's buffer has `bytes` bytes (hostmem.h).
            let from = unsafe { slice::from_raw_parts(from, bytes) };
            // SAFETY: the caller's out parameter.
            unsafe { accessed(access.write(Address(at), from), fault) }
        })
    }

    unsafe fn Execute(&self, at: u64, byte: *mut u8, fault: *mut HostmemFault) -> HRESULT {
        if byte.is_null() || fault.is_null() {
            return E_POINTER;
        }
        boundary(|| {
            let Some(access) = self.host.access() else { return E_NOTIMPL };
            match access.execute(Address(at)) {
                Ok(()) => OK,
                // SAFETY: the caller's out parameter.
                Err(ExecuteError::Fault(raised)) => unsafe { accessed(Err(raised), fault) },
                Err(ExecuteError::NotReturn(seen)) => {
                    // SAFETY: the caller's out parameter.
                    unsafe { put(byte, seen) };
                    NOT_RETURN
                }
            }
        })
    }

    unsafe fn SetMemoryLoad(&self, load: u32, available: u64) -> HRESULT {
        boundary(|| match self.host.load_control() {
            Some(control) => told(control.set_memory_load(MemoryLoad { load, available })),
            None => E_NOTIMPL,
        })
    }
}
