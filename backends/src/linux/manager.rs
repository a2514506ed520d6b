//! [`LinuxManager`]: the interface's traits, each method handed to the file of its call.
//!
//! One lock guards the ledger and is held while the kernel is asked to follow, so that two
//! calls never interleave. Accesses do not take it unless they fault.
//!
//! Lock order: `writes`, then `space`. The heaps' locks are never held with either.
//!
//! Deliberately not here: any rule of Win32.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use hostmem_interface::dispatch::Host;
use hostmem_interface::{
    Address, AllocationType, Capability, CriticalLevel, Description, FreeType, HostMalloc,
    HostMemoryManager, Hresult, MallocType, MemoryAccess, MemoryLoad, MemoryNotificationCallback,
    OutPointer, Protection, QueryAnswer, Refusal, Win32Error, WriteWatch,
};

use super::announced::Announced;
use super::commit_charge::CommitCharge;
use super::malloc::Heaps;
use super::mapping::Arena;
use super::mapping_budget::MappingBudget;
use super::memory_load;
use super::pressure::Listener;
use super::watch::Watch;
use crate::callbacks::Callbacks;
use crate::ledger::Ledger;
use crate::touch::Touch;

/// One case's memory, managed as `IHostMemoryManager` demands. Callable from any thread.
#[derive(Debug)]
pub struct LinuxManager {
    pub(super) description: Description,
    /// The right to touch memory, where this machine allows it.
    pub(super) touch: Option<Touch>,
    pub(super) budget: MappingBudget,
    pub(super) commit: Arc<CommitCharge>,
    pub(super) space: Mutex<Space>,
    /// Held shared by writes; alone by execution, so that code that was looked at stays as it is,
    /// and by what changes watched memory ([`Self::without_writes`]).
    pub(super) writes: RwLock<()>,
    /// Some emptied range could not be made inaccessible: the ledger judges before accesses.
    pub(super) overdue: AtomicBool,
    pub(super) heaps: Arc<Heaps>,
    pub(super) callbacks: Callbacks<Listener>,
    pub(super) announced: Announced,
    /// Last, so that it is unmapped after everything that knows its addresses.
    pub(super) arena: Arena,
}

/// What the lock guards.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) ledger: Ledger,
    /// Opened with the first watched reservation.
    pub(super) watch: Option<Watch>,
}

impl LinuxManager {
    pub(super) fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().expect("no call panicked half-way through a change")
    }

    /// Keeps writes away while the memory at an address changes, if that is watched: the kernel
    /// marks a page before the store is made, so that of a write which is half way then, the mark
    /// would stay though it faults in the end (WW-10), or would be told of before its time.
    pub(super) fn without_writes(&self, at: u64) -> Option<RwLockWriteGuard<'_, ()>> {
        let watched = self.space().ledger.containing(at).is_some_and(|it| it.watched);
        watched.then(|| self.writes.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether write watch works here.
    pub(super) fn can_watch(&self) -> bool {
        self.description.capabilities.has(Capability::WriteWatch)
    }
}

impl HostMemoryManager for LinuxManager {
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
        self.query(address, buffer, length)
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
        let figures = memory_load::figures();
        figures.map(memory_load::Figures::load).map_err(|_| Refusal::from_hresult(Hresult::E_FAIL))
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

    fn acquired_virtual_address_space(&self, address: Address, size: u64) -> Result<(), Refusal> {
        self.announced.acquired(address.0, size);
        Ok(())
    }

    fn released_virtual_address_space(&self, address: Address) -> Result<(), Refusal> {
        self.announced.released(address.0);
        Ok(())
    }
}

impl Host for LinuxManager {
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
        self.can_watch().then_some(self as &dyn WriteWatch)
    }

    fn checkpoint(&self) -> Result<(), String> {
        self.compare_views()
    }

    fn leaks(&self) -> Vec<String> {
        self.heaps.leaks()
    }
}

pub(super) fn refuse(error: Win32Error) -> Refusal {
    Refusal::from_win32(error)
}
