//! [`Win32Manager`]: the interface's traits, each method handed to the file of its call.
//!
//! One lock guards the record of what is the case's: held alone by calls that change it, and
//! shared by all others, so that these overlap at the system as the caller's threads do.
//!
//! Deliberately not here: any rule of Win32.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hostmem_interface::dispatch::Host;
use hostmem_interface::{
    Address, AllocationType, CriticalLevel, Description, FreeType, HostMalloc, HostMemoryManager,
    MallocType, MemoryAccess, MemoryLoad, MemoryNotificationCallback, OutPointer, Protection,
    QueryAnswer, Refusal, WriteWatch,
};

use super::ledger::Ledger;
use super::malloc::Heaps;
use super::pressure::Listener;
use super::turn::Turn;
use super::{memory_load, system};
use crate::callbacks::Callbacks;
use crate::touch::Touch;

/// One case's memory, managed by the system. Callable from any thread.
#[derive(Debug)]
pub struct Win32Manager {
    pub(super) description: Description,
    /// The right to touch memory, where this machine allows it.
    pub(super) touch: Option<Touch>,
    pub(super) ledger: RwLock<Ledger>,
    pub(super) heaps: Arc<Heaps>,
    pub(super) callbacks: Callbacks<Listener>,
    /// If it is a subject: given back when all else is gone.
    pub(super) turn: Option<Turn>,
}

impl Win32Manager {
    pub(super) fn ledger(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shuts every other call of the case out.
    pub(super) fn ledger_alone(&self) -> RwLockWriteGuard<'_, Ledger> {
        self.ledger.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back what the case left.
impl Drop for Win32Manager {
    fn drop(&mut self) {
        let ledger = self.ledger.get_mut().unwrap_or_else(PoisonError::into_inner);
        for whole in ledger.allocations() {
            // SAFETY: an allocation of this case, which is over. A refusal leaves it to the
            // process, which has nothing better to do with it.
            let _ = unsafe { system::free(whole.start, 0, FreeType::RELEASE) };
        }
    }
}

impl HostMemoryManager for Win32Manager {
    fn create_malloc(&self, kind: MallocType) -> Result<Arc<dyn HostMalloc>, Refusal> {
        Ok(self.heaps.create(kind)?)
    }

    fn virtual_alloc(
        &self,
        address: Address,
        size: u64,
        kind: AllocationType,
        protect: Protection,
        _: CriticalLevel,
    ) -> Result<Address, Refusal> {
        self.alloc(address, size, kind, protect)
    }

    fn virtual_free(&self, address: Address, size: u64, kind: FreeType) -> Result<(), Refusal> {
        self.free(address, size, kind)
    }

    fn virtual_query(
        &self,
        address: Address,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        Self::query(address, buffer, length)
    }

    fn virtual_protect(
        &self,
        address: Address,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal> {
        self.protect(address, size, protect, old)
    }

    fn get_memory_load(&self) -> Result<MemoryLoad, Refusal> {
        memory_load::answer()
    }

    fn register_memory_notification_callback(
        &self,
        callback: Arc<dyn MemoryNotificationCallback>,
    ) -> Result<(), Refusal> {
        self.callbacks.register(callback, Listener::start)
    }

    fn needs_virtual_address_space(&self, _: Address, _: u64) -> Result<(), Refusal> {
        // Address space is never short on 64 bits: trying once more costs nothing.
        Ok(())
    }

    fn acquired_virtual_address_space(&self, _: Address, _: u64) -> Result<(), Refusal> {
        // The system's own queries show what the runtime has mapped.
        Ok(())
    }

    fn released_virtual_address_space(&self, _: Address) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Host for Win32Manager {
    fn description(&self) -> &Description {
        &self.description
    }

    fn memory(&self) -> &dyn HostMemoryManager {
        self
    }

    fn access(&self) -> Option<&dyn MemoryAccess> {
        self.touch.map(|_| self as &dyn MemoryAccess)
    }

    fn watch(&self) -> Option<&dyn WriteWatch> {
        Some(self)
    }

    fn checkpoint(&self) -> Result<(), String> {
        self.compare_views()
    }

    fn leaks(&self) -> Vec<String> {
        self.heaps.leaks()
    }
}

/// Every address that a call names: at least the page of its start, and no further than the
/// end of the address space.
pub(super) fn span(at: u64, size: u64) -> Range<u64> {
    at..at.saturating_add(size.max(1))
}
