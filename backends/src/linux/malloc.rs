//! The heaps of `CreateMalloc`: blocks by a TLSF allocator (crate `rlsf`) on memory of our own.
//!
//! Heaps live in a mapping beside the arena, so that a case can neither free nor protect the
//! memory under them; `VirtualQuery` shows it as part of the reserved space outside. Each
//! heap grows by chunks and gives them back when it goes. Every live block is on record: a
//! stranger's pointer never reaches the allocator, and a case can only touch bytes of blocks.
//!
//! Deliberately not here: a difference between heaps with and without `MALLOC_THREADSAFE`.
//! Every heap may be called from any thread.

use std::alloc::Layout;
use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostmem_interface::dispatch::unknown_malloc_type;
use hostmem_interface::{
    Address, CriticalLevel, HostMalloc, Hresult, MallocType, Refusal, Win32Error,
};
use rlsf::Tlsf;

use super::commit_charge::CommitCharge;
use super::manager::refuse;
use super::mapping::{Arena, Prot, native, pointer};
use super::mapping_budget::{MappingBudget, Purpose};
use crate::blocks::Blocks;
use crate::ledger::gaps::Gaps;
use crate::ledger::{GRANULE, PAGE};

/// Addresses for all heaps of a case: wanted, and the least that will do.
const LARGEST: u64 = 64 << 30;
const SMALLEST: u64 = 64 << 20;
/// What a heap grows by at least.
const CHUNK: u64 = 4 * GRANULE;
/// The alignment of the process heap on 64 bits.
const ALIGNMENT: usize = 16;

/// All heaps of one manager.
#[derive(Debug)]
pub(super) struct Heaps {
    commit: Arc<CommitCharge>,
    budget: MappingBudget,
    ground: Mutex<Ground>,
}

/// The memory under the heaps, and the record of their blocks.
#[derive(Debug, Default)]
struct Ground {
    /// Mapped when the first heap is created.
    memory: Option<(Arena, Gaps)>,
    blocks: Blocks,
    created: u64,
}

impl Heaps {
    pub(super) fn new(commit: Arc<CommitCharge>, budget: MappingBudget) -> Self {
        Self { commit, budget, ground: Mutex::default() }
    }

    pub(super) fn create(self: &Arc<Self>, kind: MallocType) -> Result<Arc<Heap>, Refusal> {
        if kind.without(MallocType::THREADSAFE | MallocType::EXECUTABLE).0 != 0 {
            return Err(unknown_malloc_type());
        }
        let mut ground = self.ground();
        if ground.memory.is_none() {
            let arena = Arena::open(LARGEST, SMALLEST).map_err(|_| no_memory())?;
            let range = arena.range();
            let gaps = Gaps::new(range.start / GRANULE..range.end / GRANULE);
            ground.memory = Some((arena, gaps));
        }
        ground.created += 1;
        let executable = kind.contains(MallocType::EXECUTABLE);
        Ok(Arc::new(Heap {
            heaps: Arc::clone(self),
            number: ground.created,
            prot: if executable { Prot::ALL } else { Prot::READ_WRITE },
            pool: Mutex::new(Pool { blocks: Tlsf::new(), chunks: Vec::new() }),
        }))
    }

    /// Does something with a range that lies in one live block, which cannot be freed
    /// meanwhile; `None` if it does not.
    pub(super) fn inside_block<T>(&self, range: &Range<u64>, act: impl FnOnce() -> T) -> Option<T> {
        let ground = self.ground();
        ground.blocks.hold(range).then(act)
    }

    /// The blocks still live, each with what its caller said of it.
    pub(super) fn leaks(&self) -> Vec<String> {
        self.ground().blocks.leaks()
    }

    fn ground(&self) -> MutexGuard<'_, Ground> {
        self.ground.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits a chunk for a heap.
    fn chunk(&self, size: u64, prot: Prot) -> Option<Range<u64>> {
        let mut ground = self.ground();
        let (arena, gaps) = ground.memory.as_mut().expect("mapped with the first heap");
        let granules = size.div_ceil(GRANULE);
        let first = gaps.lowest(granules)?;
        let range = first * GRANULE..(first + granules) * GRANULE;
        let pages = granules * GRANULE / PAGE;
        if !self.commit.take(pages) {
            return None;
        }
        let granted = self.budget.admits(Purpose::Growth)
            && arena
                .protect(range.clone(), prot)
                .or_else(|error| arena.empty(range.clone()).and(Err(error)))
                .is_ok();
        if !granted {
            self.commit.give(pages);
            return None;
        }
        gaps.take(&(first..first + granules));
        Some(range)
    }

    /// Takes back everything that a heap had.
    fn bury(&self, heap: u64, chunks: &[Range<u64>]) {
        let mut ground = self.ground();
        ground.blocks.bury(heap);
        let Some((arena, gaps)) = &mut ground.memory else { return };
        for chunk in chunks {
            // Without the means to split, the memory goes and the addresses stay in use.
            if self.budget.admits(Purpose::Change) && arena.empty(chunk.clone()).is_ok() {
                gaps.give(&(chunk.start / GRANULE..chunk.end / GRANULE));
            } else {
                drop(arena.discard(chunk.clone()));
            }
            self.commit.give((chunk.end - chunk.start) / PAGE);
        }
        self.budget.relieved();
    }
}

/// A heap.
pub(super) struct Heap {
    heaps: Arc<Heaps>,
    number: u64,
    prot: Prot,
    pool: Mutex<Pool>,
}

struct Pool {
    blocks: Tlsf<'static, u32, u32, 32, 8>,
    chunks: Vec<Range<u64>>,
}

// SAFETY: the allocator's pointers lead into the heap mapping, which belongs to no thread.
unsafe impl Send for Pool {}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("number", &self.number).finish_non_exhaustive()
    }
}

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
        let mut pool = self.pool();
        if !self.heaps.ground().blocks.remove(address.0, self.number) {
            return Err(Refusal::from_hresult(Hresult::HOST_E_INVALIDOPERATION));
        }
        let block = NonNull::new(pointer(address.0).cast::<u8>()).expect("blocks are not null");
        // SAFETY: this heap's allocator gave the block out with that alignment, and it is off
        // the record now, so nobody touches it or frees it again.
        unsafe { pool.blocks.deallocate(block, ALIGNMENT) };
        Ok(())
    }
}

impl Heap {
    fn block(&self, size: u64, source: Option<(String, i32)>) -> Result<Address, Refusal> {
        if size > LARGEST {
            return Err(no_memory());
        }
        // An empty block still needs an address of its own.
        let layout = Layout::from_size_align(native(size.max(1)), ALIGNMENT);
        let layout = layout.map_err(|_| no_memory())?;
        let mut pool = self.pool();
        let block = match pool.blocks.allocate(layout) {
            Some(block) => block,
            None => {
                // The allocator rounds a request up to an eighth more before it searches.
                let wanted = (size + size / 8 + GRANULE).max(CHUNK);
                let chunk = self.heaps.chunk(wanted, self.prot).ok_or(no_memory())?;
                pool.feed(chunk);
                pool.blocks.allocate(layout).ok_or(no_memory())?
            }
        };
        let at = block.as_ptr().expose_provenance() as u64;
        self.heaps.ground().blocks.insert(at, self.number, size, source);
        Ok(Address(at))
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// Gives the allocator a chunk to carve up.
    fn feed(&mut self, chunk: Range<u64>) {
        let start = NonNull::new(pointer(chunk.start).cast::<u8>()).expect("chunks are not null");
        let block = NonNull::slice_from_raw_parts(start, native(chunk.end - chunk.start));
        // SAFETY: fresh readable and writable memory that nobody else uses, and that stays
        // until the heap, and the allocator with it, is gone.
        unsafe { self.blocks.insert_free_block_ptr(block) };
        self.chunks.push(chunk);
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        let pool = self.pool.get_mut().unwrap_or_else(PoisonError::into_inner);
        pool.blocks = Tlsf::new(); // before its memory goes
        self.heaps.bury(self.number, &pool.chunks);
    }
}

fn no_memory() -> Refusal {
    refuse(Win32Error::ERROR_NOT_ENOUGH_MEMORY)
}
