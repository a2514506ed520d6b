//! The three hosting interfaces as traits: the ten methods of `IHostMemoryManager` in IDL
//! order, `IHostMalloc`, and the callback `ICLRMemoryNotificationCallback`.
//!
//! Source of every signature: mscoree.idl, interfaces of the same names. A method returns
//! `Ok` for `S_OK` and `Err` with a [`Refusal`] for anything else, because that is how the
//! runtime reads it. Out pointers that a C caller could pass as null are an [`OutPointer`]
//! argument, so that a manager has to say what it does with them.
//!
//! What a manager may do without has a body that says `E_NOTIMPL`: a manager that does not
//! override it says the same in its [`crate::Description`], and is never asked.
//!
//! Deliberately not here: touching memory ([`crate::MemoryAccess`]) and write watch
//! ([`crate::WriteWatch`]), which the runtime does behind the interface's back.

use std::sync::Arc;

use crate::{
    Address, AllocationType, CriticalLevel, FreeType, Hresult, MallocType, MemoryAvailable,
    OutPointer, Protection, QueryAnswer, Refusal,
};

/// The answer of what a manager does not do.
const NOT_IMPLEMENTED: Refusal = Refusal::from_hresult(Hresult::E_NOTIMPL);

/// `IHostMemoryManager`: every method may be called from any thread at any time.
///
/// `virtual_alloc`, `virtual_free` and `virtual_protect` are the core; each of the others
/// goes with a [`crate::Capability`].
pub trait HostMemoryManager: Send + Sync {
    /// `CreateMalloc` (slot 3): a new heap.
    ///
    /// # Errors
    /// `E_OUTOFMEMORY` if there is no memory for it.
    fn create_malloc(&self, kind: MallocType) -> Result<Arc<dyn HostMalloc>, Refusal> {
        let _ = kind;
        Err(NOT_IMPLEMENTED)
    }

    /// `VirtualAlloc` (slot 4): reserves, commits or resets `size` bytes; a null `address`
    /// leaves the place to the manager. Returns the base of the pages concerned.
    ///
    /// # Errors
    /// 87 for malformed arguments, 487 where the state of the memory forbids it, and
    /// `E_OUTOFMEMORY`.
    fn virtual_alloc(
        &self,
        address: Address,
        size: u64,
        kind: AllocationType,
        protect: Protection,
        critical: CriticalLevel,
    ) -> Result<Address, Refusal>;

    /// `VirtualFree` (slot 5): decommits `size` bytes, or releases a whole allocation.
    ///
    /// # Errors
    /// 87 for malformed arguments; 487 and `HOST_E_INVALIDOPERATION` for memory that the
    /// manager did not allocate.
    fn virtual_free(&self, address: Address, size: u64, kind: FreeType) -> Result<(), Refusal>;

    /// `VirtualQuery` (slot 6): the run of equal pages at `address`, any address of the
    /// process. `length` is the size of the caller's buffer in bytes.
    ///
    /// # Errors
    /// 87 beyond user space, 24 for a buffer under 48 bytes, 998 for a null one.
    fn virtual_query(
        &self,
        address: Address,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        let _ = (address, buffer, length);
        Err(NOT_IMPLEMENTED)
    }

    /// `VirtualProtect` (slot 7): changes committed pages; returns what the first had.
    ///
    /// # Errors
    /// 87 for malformed arguments, 487 where a page is not committed, 998 for a null `old`.
    fn virtual_protect(
        &self,
        address: Address,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal>;

    /// `GetMemoryLoad` (slot 8): the physical memory in use.
    ///
    /// # Errors
    /// Whatever keeps the manager from knowing.
    fn get_memory_load(&self) -> Result<MemoryLoad, Refusal> {
        Err(NOT_IMPLEMENTED)
    }

    /// `RegisterMemoryNotificationCallback` (slot 9): the manager keeps the callback for as
    /// long as it lives.
    ///
    /// # Errors
    /// If the manager cannot notify.
    fn register_memory_notification_callback(
        &self,
        callback: Arc<dyn MemoryNotificationCallback>,
    ) -> Result<(), Refusal> {
        let _ = callback;
        Err(NOT_IMPLEMENTED)
    }

    /// `NeedsVirtualAddressSpace` (slot 10): a mapping of `size` bytes (0: the whole file) at
    /// `address` (null: anywhere) failed; success asks the runtime to try once more.
    ///
    /// # Errors
    /// `E_OUTOFMEMORY` if the manager can make no room.
    fn needs_virtual_address_space(&self, address: Address, size: u64) -> Result<(), Refusal> {
        let _ = (address, size);
        Err(NOT_IMPLEMENTED)
    }

    /// `AcquiredVirtualAddressSpace` (slot 11): the runtime mapped `size` bytes (0: unknown)
    /// at `address` by itself.
    ///
    /// # Errors
    /// The runtime ignores the answer.
    fn acquired_virtual_address_space(&self, address: Address, size: u64) -> Result<(), Refusal> {
        let _ = (address, size);
        Err(NOT_IMPLEMENTED)
    }

    /// `ReleasedVirtualAddressSpace` (slot 12): the mapping at `address` is gone.
    ///
    /// # Errors
    /// The runtime ignores the answer.
    fn released_virtual_address_space(&self, address: Address) -> Result<(), Refusal> {
        let _ = address;
        Err(NOT_IMPLEMENTED)
    }
}

/// `IHostMalloc`: a heap that `CreateMalloc` made.
pub trait HostMalloc: Send + Sync {
    /// `Alloc` (slot 3): a block of at least `size` bytes, aligned as the process heap does
    /// (16 bytes on 64 bits), its contents undefined.
    ///
    /// # Errors
    /// `E_OUTOFMEMORY`.
    fn alloc(&self, size: u64, critical: CriticalLevel) -> Result<Address, Refusal>;

    /// `DebugAlloc` (slot 4): [`alloc`](Self::alloc) with the caller's source file and line,
    /// for reports of leaks.
    ///
    /// # Errors
    /// `E_OUTOFMEMORY`.
    fn debug_alloc(
        &self,
        size: u64,
        critical: CriticalLevel,
        file: &str,
        line: i32,
    ) -> Result<Address, Refusal> {
        let _ = (file, line);
        self.alloc(size, critical)
    }

    /// `Free` (slot 5): gives a block back. Null succeeds: the runtime passes it on.
    ///
    /// # Errors
    /// `HOST_E_INVALIDOPERATION` for anything that is not a live block of this heap.
    fn free(&self, address: Address) -> Result<(), Refusal>;
}

/// `ICLRMemoryNotificationCallback`: never blocks, may be called from any thread.
pub trait MemoryNotificationCallback: Send + Sync {
    /// `OnMemoryNotification` (slot 3).
    fn on_memory_notification(&self, available: MemoryAvailable);
}

/// What `GetMemoryLoad` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryLoad {
    /// Percent of physical memory in use, 0 to 100.
    pub load: u32,
    /// Bytes that the runtime may still take.
    pub available: u64,
}

/// A manager whose machine is simulated: its memory load can be set.
pub trait MemoryLoadControl: Send + Sync {
    /// Sets what `GetMemoryLoad` tells from now on, and delivers the notifications that the
    /// change causes before it returns.
    ///
    /// # Errors
    /// 87 for a load above 100 percent.
    fn set_memory_load(&self, load: MemoryLoad) -> Result<(), Refusal>;
}
