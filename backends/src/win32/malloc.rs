//! The heaps of `CreateMalloc`: the system's own (`HeapCreate`, `HeapAlloc`, `HeapFree`).
//!
//! Every live block is on record: a stranger's pointer never reaches a heap, which would take
//! it for one of its own, and a case can only touch bytes of blocks.
//!
//! Deliberately not here: a difference between heaps with and without `MALLOC_THREADSAFE`.
//! Every heap is serialised.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostmem_interface::dispatch::unknown_malloc_type;
use hostmem_interface::{
    Address, CriticalLevel, HostMalloc, Hresult, MallocType, Refusal, Win32Error,
};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Memory::{
    HEAP_CREATE_ENABLE_EXECUTE, HeapAlloc, HeapCreate, HeapDestroy, HeapFree,
};

use super::system::{native, pointer};
use crate::blocks::Blocks;

/// All heaps of one manager.
#[derive(Debug, Default)]
pub(super) struct Heaps(Mutex<Record>);

#[derive(Debug, Default)]
struct Record {
    blocks: Blocks,
    created: u64,
}

impl Heaps {
    pub(super) fn create(self: &Arc<Self>, kind: MallocType) -> Result<Arc<Heap>, Refusal> {
        if kind.without(MallocType::THREADSAFE | MallocType::EXECUTABLE).0 != 0 {
            return Err(unknown_malloc_type());
        }
        let executable = kind.contains(MallocType::EXECUTABLE);
        let options = if executable { HEAP_CREATE_ENABLE_EXECUTE } else { 0 };
        // SAFETY: takes numbers, gives a handle or null.
        let handle = unsafe { HeapCreate(options, 0, 0) };
        if handle.is_null() {
            return Err(no_memory());
        }
        let mut record = self.record();
        record.created += 1;
        Ok(Arc::new(Heap { heaps: Arc::clone(self), number: record.created, handle }))
    }

    /// Does something with a range that lies in one live block, which cannot be freed
    /// meanwhile; `None` if it does not.
    pub(super) fn inside_block<T>(&self, range: &Range<u64>, act: impl FnOnce() -> T) -> Option<T> {
        let record = self.record();
        record.blocks.hold(range).then(act)
    }

    /// The blocks still live, each with what its caller said of it.
    pub(super) fn leaks(&self) -> Vec<String> {
        self.record().blocks.leaks()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A heap.
#[derive(Debug)]
pub(super) struct Heap {
    heaps: Arc<Heaps>,
    number: u64,
    handle: HANDLE,
}

// SAFETY: a heap's handle may be used by any thread, and the heap is serialised.
unsafe impl Send for Heap {}
// SAFETY: as above.
unsafe impl Sync for Heap {}

impl HostMalloc for Heap {
    fn alloc(&self, size: u64, _: CriticalLevel) -> Result<Address, Refusal> {
        self.block(size, None)
    }

    fn debug_alloc(
        &self,
        size: u64,
        _: CriticalLevel,
        file: &str,
        line: i32,
    ) -> Result<Address, Refusal> {
        self.block(size, Some((file.to_owned(), line)))
    }

    fn free(&self, address: Address) -> Result<(), Refusal> {
        if address.is_null() {
            return Ok(());
        }
        if !self.heaps.record().blocks.remove(address.0, self.number) {
            return Err(Refusal::from_hresult(Hresult::HOST_E_INVALIDOPERATION));
        }
        // SAFETY: a block of this heap, off the record, so that nobody touches it or frees it
        // again.
        let done = unsafe { HeapFree(self.handle, 0, pointer(address.0)) };
        if done == 0 { Err(Refusal::from_hresult(Hresult::E_UNEXPECTED)) } else { Ok(()) }
    }
}

impl Heap {
    fn block(&self, size: u64, source: Option<(String, i32)>) -> Result<Address, Refusal> {
        // SAFETY: a live heap.
        let block = unsafe { HeapAlloc(self.handle, 0, native(size)) };
        if block.is_null() {
            return Err(no_memory());
        }
        let at = block.expose_provenance() as u64;
        self.heaps.record().blocks.insert(at, self.number, size, source);
        Ok(Address(at))
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.heaps.record().blocks.bury(self.number);
        // SAFETY: nobody knows the heap any more, and none of its blocks can be touched.
        unsafe { HeapDestroy(self.handle) };
    }
}

/// `HeapAlloc` and `HeapCreate` only fail for lack of memory.
fn no_memory() -> Refusal {
    Refusal::from_win32(Win32Error::ERROR_NOT_ENOUGH_MEMORY)
}
