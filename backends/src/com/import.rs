//! A foreign `IHostMemoryManager` as a [`Host`]: every method through its vtable.
//!
//! Out parameters are filled with a pattern before each call, so that a success which forgot
//! to write one is seen: the runtime passes uninitialised locals (mscoree's EEVirtualAlloc and
//! EEVirtualQuery). What no answer to a call can be is kept in a [`Note`] of the calling thread
//! and becomes a broken subject, not a wrong value. A null pointer of a scenario is a null
//! pointer here. Foreign addresses are passed on to the manager: refusing them is its duty.
//!
//! Everything is released in the end, heaps first, and what `Release` says is kept: an object
//! that is not gone then is a leak.
//!
//! Deliberately not here: reading and writing memory ([`super::import_access`]).

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::{ManuallyDrop, take};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostmem_interface::{
    Address, AllocationType, CriticalLevel, Description, FreeType, Host, HostMalloc,
    HostMemoryManager, Hresult, MallocType, MemoryAccess, MemoryAvailable, MemoryBasicInformation,
    MemoryLoad, MemoryLoadControl, MemoryNotificationCallback, OutPointer, Protection, QueryAnswer,
    Refusal, WriteWatch,
};
use windows_core::{HRESULT, IUnknown_Vtbl, Interface, implement};

use super::import_access::Memory;
use super::interfaces::{
    ICLRMemoryNotificationCallback, ICLRMemoryNotificationCallback_Impl, IHostMalloc,
    IHostMemoryManager, IHostmemReport, IHostmemWriteWatch,
};
use super::layout::{MEMORY_BASIC_INFORMATION, address, pointer, size};

/// What out parameters hold before a call.
const UNWRITTEN: u8 = 0xA5;
const UNWRITTEN_32: u32 = 0xA5A5_A5A5;
const UNWRITTEN_64: usize = 0xA5A5_A5A5_A5A5_A5A5;
/// No buffer of a query is longer than this, whatever length the manager is told.
const LONGEST_BUFFER: u64 = 0x1000;
/// Bytes behind the buffer that nobody may write.
const BEHIND: usize = 64;

/// What is to be said of a call beyond its answer.
#[derive(Debug, Default)]
pub(super) struct Note {
    /// What no answer to that call can be.
    pub(super) lied: Option<String>,
    /// A success code other than `S_OK` that came with a value.
    pub(super) success: Option<Hresult>,
}

thread_local! {
    static NOTE: RefCell<Note> = RefCell::default();
}

/// Takes the note of this thread's last call.
pub(super) fn take_note() -> Note {
    NOTE.with_borrow_mut(take)
}

/// Notes a lie. The value that the call gives then is never told.
pub(super) fn lied(what: impl Into<String>) {
    NOTE.with_borrow_mut(|note| note.lied = Some(what.into()));
}

/// What `Release` and the like said in the end.
pub(super) type Leaks = Arc<Mutex<Vec<String>>>;

/// The manager with everything that must outlive its heaps.
pub(super) struct Held {
    pub(super) manager: ManuallyDrop<IHostMemoryManager>,
    /// Callbacks of ours that the manager was given.
    callbacks: Mutex<Vec<ICLRMemoryNotificationCallback>>,
    leaks: Leaks,
    pub(super) memory: Memory,
    /// Its page, bytes.
    pub(super) page: u64,
    /// Its write watch, if it has one.
    pub(super) watch: Option<IHostmemWriteWatch>,
    report: Option<IHostmemReport>,
}

// SAFETY: every method of the interfaces may be called from any thread at any time
// (hosting interface, threading); the rest is guarded by locks.
unsafe impl Send for Held {}
// SAFETY: as above.
unsafe impl Sync for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: dropped once, here, and never used again.
        let manager = unsafe { ManuallyDrop::take(&mut self.manager) };
        self.memory.forget_instruments();
        (self.watch, self.report) = (None, None);
        let left = release(manager);
        let mut leaks = self.leaks.lock().unwrap_or_else(PoisonError::into_inner);
        if left != 0 {
            leaks.push(format!("IHostMemoryManager: the last Release returned {left}, not 0"));
        }
        let callbacks = self.callbacks.get_mut().unwrap_or_else(PoisonError::into_inner);
        for callback in callbacks.drain(..) {
            let left = release(callback);
            if left != 0 {
                leaks.push(format!(
                    "ICLRMemoryNotificationCallback: {left} references left when the manager \
                     was gone"
                ));
            }
        }
    }
}

/// Gives a reference back; what `Release` says.
fn release<I: Interface>(object: I) -> u32 {
    let raw = object.into_raw();
    // SAFETY: a live COM object starts with its vtable, and every vtable with IUnknown's; the
    // reference is ours, and given back once.
    unsafe {
        let vtable = *raw.cast::<*const IUnknown_Vtbl>();
        ((*vtable).Release)(raw)
    }
}

/// A foreign manager.
pub(super) struct ComHost {
    held: Arc<Held>,
    description: Description,
}

impl ComHost {
    /// Takes over the only reference to a manager. What is still there when everything was
    /// released is told in `leaks`.
    pub(super) fn new(
        manager: IHostMemoryManager,
        memory: Memory,
        watch: Option<IHostmemWriteWatch>,
        description: Description,
        leaks: Leaks,
    ) -> Self {
        let report = manager.cast().ok();
        let manager = ManuallyDrop::new(manager);
        let (callbacks, page) = (Mutex::default(), description.machine.page);
        let held = Held { manager, callbacks, leaks, memory, page, watch, report };
        Self { held: Arc::new(held), description }
    }

    fn manager(&self) -> &IHostMemoryManager {
        &self.held.manager
    }

    /// The object.
    pub(super) fn object(&self) -> &IHostMemoryManager {
        self.manager()
    }
}

/// `S_OK`, or the code as a refusal. Success codes without a value stand there too.
pub(super) fn said(hresult: HRESULT) -> Result<(), Refusal> {
    match Hresult(hresult.0.cast_unsigned()) {
        Hresult::S_OK => Ok(()),
        other => Err(Refusal::from_hresult(other)),
    }
}

/// An address that a success must have written.
fn written(method: &str, hresult: HRESULT, out: *mut c_void) -> Result<Address, Refusal> {
    said(hresult)?;
    if out.expose_provenance() == UNWRITTEN_64 {
        lied(format!("{method} returned S_OK and did not write its out parameter"));
    }
    Ok(address(out))
}

pub(super) fn unwritten() -> *mut c_void {
    std::ptr::without_provenance_mut(UNWRITTEN_64)
}

impl HostMemoryManager for ComHost {
    fn create_malloc(&self, kind: MallocType) -> Result<Arc<dyn HostMalloc>, Refusal> {
        let mut out = unwritten();
        // SAFETY: a live object (as in every method here) and a valid out pointer.
        let hresult = unsafe { self.manager().CreateMalloc(kind.0, &raw mut out) };
        let at = written("CreateMalloc", hresult, out)?;
        if at.is_null() || at.0 == UNWRITTEN_64 as u64 {
            lied("CreateMalloc returned S_OK and no heap");
            return Err(Refusal::from_hresult(Hresult::E_POINTER));
        }
        // SAFETY: S_OK hands out one reference to a heap, which is ours now.
        let heap = unsafe { IHostMalloc::from_raw(out) };
        let heap = ManuallyDrop::new(heap);
        Ok(Arc::new(ComHeap { heap, held: Arc::clone(&self.held) }))
    }

    fn virtual_alloc(
        &self,
        at: Address,
        bytes: u64,
        kind: AllocationType,
        protect: Protection,
        critical: CriticalLevel,
    ) -> Result<Address, Refusal> {
        let mut out = unwritten();
        // SAFETY: a valid out pointer.
        let hresult = unsafe {
            self.manager().VirtualAlloc(
                pointer(at),
                size(bytes),
                kind.0,
                protect.0,
                critical.0,
                &raw mut out,
            )
        };
        let base = written("VirtualAlloc", hresult, out)?;
        // A commit reserves too where it is given no address.
        if kind.contains(AllocationType::RESERVE) || at.is_null() {
            self.held.memory.reserved(at.0, bytes, base.0);
        }
        Ok(base)
    }

    fn virtual_free(&self, at: Address, bytes: u64, kind: FreeType) -> Result<(), Refusal> {
        let release = kind.contains(FreeType::RELEASE);
        let free = || {
            // SAFETY: no memory of ours is concerned unless the manager breaks its word, and
            // then this process is the one that suffers for it.
            said(unsafe { self.manager().VirtualFree(pointer(at), size(bytes), kind.0) })
        };
        if release { self.held.memory.releasing(at.0, free) } else { free() }
    }

    fn virtual_query(
        &self,
        at: Address,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        let room = size(length.clamp(MemoryBasicInformation::SIZE, LONGEST_BUFFER)) + BEHIND;
        let mut bytes = vec![UNWRITTEN; room];
        let out = match buffer {
            OutPointer::Valid => bytes.as_mut_ptr().cast(),
            OutPointer::Null => std::ptr::null_mut(),
        };
        let mut told = UNWRITTEN_64;
        // SAFETY: a valid or null buffer; a `length` beyond it is only a number, for there is
        // one structure to write, and room for it.
        let hresult =
            unsafe { self.manager().VirtualQuery(pointer(at), out, size(length), &raw mut told) };
        let allowed = size(length.min((room - BEHIND) as u64));
        if bytes[allowed..].iter().any(|byte| *byte != UNWRITTEN) {
            lied(format!("VirtualQuery wrote beyond the {length} bytes of its buffer"));
        }
        match Hresult(hresult.0.cast_unsigned()) {
            Hresult::S_OK => {}
            code if code.is_success() => {
                NOTE.with_borrow_mut(|note| note.success = Some(code));
            }
            code => return Err(Refusal::from_hresult(code)),
        }
        if told == UNWRITTEN_64 {
            lied("VirtualQuery succeeded and did not write *pResult");
        }
        if told == 0 {
            return Ok(QueryAnswer { written: 0, information: MemoryBasicInformation::default() });
        }
        // SAFETY: every bit pattern is a value of that plain struct, and 48 bytes are there.
        let region = unsafe { bytes.as_ptr().cast::<MEMORY_BASIC_INFORMATION>().read_unaligned() };
        Ok(QueryAnswer { written: told as u64, information: region.into() })
    }

    fn virtual_protect(
        &self,
        at: Address,
        bytes: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal> {
        let mut before = UNWRITTEN_32;
        let out = match old {
            OutPointer::Valid => &raw mut before,
            OutPointer::Null => std::ptr::null_mut(),
        };
        // SAFETY: a valid or null out pointer; memory as for VirtualFree.
        let hresult =
            unsafe { self.manager().VirtualProtect(pointer(at), size(bytes), protect.0, out) };
        said(hresult)?;
        match (old, before) {
            (OutPointer::Null, _) => Ok(Protection(0)),
            (OutPointer::Valid, UNWRITTEN_32) => {
                lied("VirtualProtect returned S_OK and did not write *pflOldProtect");
                Ok(Protection(0))
            }
            (OutPointer::Valid, before) => Ok(Protection(before)),
        }
    }

    fn get_memory_load(&self) -> Result<MemoryLoad, Refusal> {
        let (mut load, mut available) = (UNWRITTEN_32, UNWRITTEN_64);
        // SAFETY: valid out pointers.
        let hresult = unsafe { self.manager().GetMemoryLoad(&raw mut load, &raw mut available) };
        said(hresult)?;
        if load == UNWRITTEN_32 || available == UNWRITTEN_64 {
            lied("GetMemoryLoad returned S_OK and did not write both out parameters");
        }
        Ok(MemoryLoad { load, available: available as u64 })
    }

    fn register_memory_notification_callback(
        &self,
        callback: Arc<dyn MemoryNotificationCallback>,
    ) -> Result<(), Refusal> {
        let object: ICLRMemoryNotificationCallback = Bell(callback).into();
        let raw = object.as_raw();
        let mut callbacks = self.held.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        callbacks.push(object);
        drop(callbacks); // the manager may call back at once
        // SAFETY: a live object of ours, which lives as long as the manager.
        said(unsafe { self.manager().RegisterMemoryNotificationCallback(raw) })
    }

    fn needs_virtual_address_space(&self, at: Address, bytes: u64) -> Result<(), Refusal> {
        // SAFETY: the addresses of the three notices are only numbers.
        said(unsafe { self.manager().NeedsVirtualAddressSpace(pointer(at), size(bytes)) })
    }

    fn acquired_virtual_address_space(&self, at: Address, bytes: u64) -> Result<(), Refusal> {
        // SAFETY: as above.
        said(unsafe { self.manager().AcquiredVirtualAddressSpace(pointer(at), size(bytes)) })
    }

    fn released_virtual_address_space(&self, at: Address) -> Result<(), Refusal> {
        // SAFETY: as above.
        said(unsafe { self.manager().ReleasedVirtualAddressSpace(pointer(at)) })
    }
}

/// Our callback, as the manager sees it.
#[implement(ICLRMemoryNotificationCallback)]
struct Bell(Arc<dyn MemoryNotificationCallback>);

impl ICLRMemoryNotificationCallback_Impl for Bell_Impl {
    unsafe fn OnMemoryNotification(&self, available: u32) -> HRESULT {
        self.0.on_memory_notification(MemoryAvailable(available));
        HRESULT(0)
    }
}

/// A foreign heap. Its last reference is ours.
struct ComHeap {
    heap: ManuallyDrop<IHostMalloc>,
    /// Dropped after the heap's reference is given back.
    held: Arc<Held>,
}

// SAFETY: as for `Held`; a heap created without MALLOC_THREADSAFE is the scenario's business.
unsafe impl Send for ComHeap {}
// SAFETY: as above.
unsafe impl Sync for ComHeap {}

impl Drop for ComHeap {
    fn drop(&mut self) {
        // SAFETY: dropped once, here, and never used again.
        let left = release(unsafe { ManuallyDrop::take(&mut self.heap) });
        if left != 0 {
            let mut leaks = self.held.leaks.lock().unwrap_or_else(PoisonError::into_inner);
            leaks.push(format!("IHostMalloc: the last Release returned {left}, not 0"));
        }
    }
}

impl ComHeap {
    fn obtained(
        &self,
        method: &str,
        told: HRESULT,
        out: *mut c_void,
        bytes: u64,
    ) -> Result<Address, Refusal> {
        let base = written(method, told, out)?;
        self.held.memory.allocated(base.0, bytes);
        Ok(base)
    }
}

impl HostMalloc for ComHeap {
    fn alloc(&self, bytes: u64, critical: CriticalLevel) -> Result<Address, Refusal> {
        let mut out = unwritten();
        // SAFETY: a live heap and a valid out pointer.
        let told = unsafe { self.heap.Alloc(size(bytes), critical.0, &raw mut out) };
        self.obtained("Alloc", told, out, bytes)
    }

    fn debug_alloc(
        &self,
        bytes: u64,
        critical: CriticalLevel,
        file: &str,
        line: i32,
    ) -> Result<Address, Refusal> {
        // A C string ends at its first null byte, wherever the scenario's ends.
        let file = file.split('\0').next().unwrap_or_default();
        let file = CString::new(file).expect("no null byte is left");
        let mut out = unwritten();
        // SAFETY: a live heap, a string, and a valid out pointer.
        let told = unsafe {
            let level = critical.0;
            self.heap.DebugAlloc(size(bytes), level, file.as_ptr(), line, &raw mut out)
        };
        self.obtained("DebugAlloc", told, out, bytes)
    }

    fn free(&self, at: Address) -> Result<(), Refusal> {
        self.held.memory.freeing(at.0, || {
            // SAFETY: a live heap; a block that is not live is its business to refuse.
            said(unsafe { self.heap.Free(pointer(at)) })
        })
    }
}

impl Host for ComHost {
    fn description(&self) -> &Description {
        &self.description
    }

    fn memory(&self) -> &dyn HostMemoryManager {
        self
    }

    fn access(&self) -> Option<&dyn MemoryAccess> {
        self.held.memory.accessible().then_some(&*self.held as &dyn MemoryAccess)
    }

    fn watch(&self) -> Option<&dyn WriteWatch> {
        self.held.watch.as_ref().map(|_| &*self.held as &dyn WriteWatch)
    }

    fn leaks(&self) -> Vec<String> {
        self.held.report.as_ref().map(reported).unwrap_or_default()
    }

    fn load_control(&self) -> Option<&dyn MemoryLoadControl> {
        self.held.memory.controllable().then_some(&*self.held as &dyn MemoryLoadControl)
    }
}

/// The leaks that a manager knows of.
fn reported(report: &IHostmemReport) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    unsafe extern "system" fn tell(lines: *mut c_void, line: *const c_char) {
        if !line.is_null() {
            // SAFETY: the context is the list below, which outlives the call, and the line is
            // a string (hostmem.h); nobody else has the list meanwhile.
            let (lines, line) =
                unsafe { (&mut *lines.cast::<Vec<String>>(), CStr::from_ptr(line)) };
            lines.push(line.to_string_lossy().into_owned());
        }
    }
    // SAFETY: a live object, a function of that type, and the context that it expects.
    let told = unsafe { report.Leaks(Some(tell), (&raw mut lines).cast()) };
    if told.0 != 0 {
        lines.push(format!("IHostmemReport::Leaks returned {told:?}"));
    }
    lines
}

/// Locks that no panic of ours leaves half-done.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
