//! `CreateMalloc` and its heaps.
//!
//! Promise: a block is 16-byte aligned, belongs to the heap that gave it, and can be touched
//! to its last byte and no further. The bytes of a dead block are never given out again
//! while a neighbour lives, so that using them shows as a fault.
//!
//! Map: a heap takes *arenas* from the top of the address space and hands them out from the
//! bottom up; an arena goes back when its last block does. Arenas are not charged as commit.
//!
//! Deliberately not here: reuse of single blocks, and contents: a fresh arena is zero, but
//! nobody is promised that. A heap that is dropped keeps its blocks, as nothing says that it
//! may take them away.

use std::collections::BTreeMap;

use hostmem_interface::{Address, MallocType, Protection, Refusal};

use crate::refusals::{INVALID_PARAMETER, NOT_ENOUGH_MEMORY, NOT_OURS, ensure};
use crate::space::{Allocation, Purpose, Space};

/// Where blocks start: as in the process heap on 64 bits.
const ALIGNMENT: u64 = 16;
/// The least that a heap takes at a time, in bytes.
const ARENA: u64 = 1 << 20;

/// All heaps, and all live blocks under their addresses.
#[derive(Debug, Default)]
pub(crate) struct Heaps {
    heaps: Vec<Heap>,
    blocks: BTreeMap<u64, Block>,
}

/// One heap.
#[derive(Debug)]
struct Heap {
    kind: MallocType,
    /// What is left of its newest arena.
    next: u64,
    end: u64,
}

/// A live block.
#[derive(Debug)]
struct Block {
    heap: usize,
    size: u64,
    /// The source line that asked for it, if it was told.
    origin: Option<String>,
}

/// `CreateMalloc`: the number of the new heap. Bits without a name are refused.
pub(crate) fn create(space: &mut Space, kind: MallocType) -> Result<usize, Refusal> {
    let known = MallocType::THREADSAFE | MallocType::EXECUTABLE;
    ensure(kind.without(known).0 == 0, INVALID_PARAMETER)?;
    space.heaps.heaps.push(Heap { kind, next: 0, end: 0 });
    Ok(space.heaps.heaps.len() - 1)
}

/// `Alloc` and `DebugAlloc`. A block of size 0 has an address of its own and no bytes.
pub(crate) fn alloc(
    space: &mut Space,
    heap: usize,
    size: u64,
    origin: Option<String>,
) -> Result<Address, Refusal> {
    let taken = size.max(1).checked_next_multiple_of(ALIGNMENT).ok_or(NOT_ENOUGH_MEMORY)?;
    if space.heaps.heaps[heap].end - space.heaps.heaps[heap].next < taken {
        add_arena(space, heap, taken)?;
    }
    let from = &mut space.heaps.heaps[heap];
    let address = from.next;
    from.next += taken;
    space.heaps.blocks.insert(address, Block { heap, size, origin });
    Ok(Address(address))
}

/// `Free`. Null is fine: the runtime passes it on.
pub(crate) fn free(space: &mut Space, heap: usize, address: Address) -> Result<(), Refusal> {
    if address.is_null() {
        return Ok(());
    }
    let block = space.heaps.blocks.get(&address.0).ok_or(NOT_OURS)?;
    ensure(block.heap == heap, NOT_OURS)?;
    space.heaps.blocks.remove(&address.0);
    remove_empty_arena(space, address);
    Ok(())
}

fn add_arena(space: &mut Space, heap: usize, least: u64) -> Result<(), Refusal> {
    let count = least.max(ARENA).div_ceil(space.machine.page);
    let pages = space.highest_hole(count).ok_or(NOT_ENOUGH_MEMORY)?;
    let from = &mut space.heaps.heaps[heap];
    from.next = pages.start * space.machine.page;
    from.end = pages.end * space.machine.page;
    let executable = from.kind.contains(MallocType::EXECUTABLE);
    let protect = if executable { Protection::EXECUTE_READWRITE } else { Protection::READWRITE };
    space.add(Allocation {
        pages,
        protect,
        watched: false,
        physical: false,
        purpose: Purpose::Heap { heap },
    });
    Ok(())
}

/// Gives an arena back if no block is left in it.
fn remove_empty_arena(space: &mut Space, address: Address) {
    let Some(arena) = space.holder(space.page_of(address)) else { return };
    let Purpose::Heap { heap } = arena.purpose else { return };
    let first = arena.pages.start;
    let bytes = space.address_of(first).0..space.address_of(arena.pages.end).0;
    if space.heaps.blocks.range(bytes.clone()).next().is_some() {
        return;
    }
    space.remove(first);
    let of = &mut space.heaps.heaps[heap];
    if of.end == bytes.end {
        (of.next, of.end) = (0, 0); // it was the newest one
    }
}

impl Heaps {
    /// Whether bytes lie inside one live block.
    pub(crate) fn lies_in_a_block(&self, address: Address, length: u64) -> bool {
        let Some((start, block)) = self.blocks.range(..=address.0).next_back() else {
            return false;
        };
        let offset = address.0 - start;
        length <= block.size && offset <= block.size - length
    }

    /// A line for each live block.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let line = |(address, block): (&u64, &Block)| {
            let origin = block.origin.as_ref().map(|at| format!(", from {at}")).unwrap_or_default();
            format!("heap {}: {} bytes at {address:#x}{origin}", block.heap, block.size)
        };
        self.blocks.iter().map(line).collect()
    }

    /// Whether every block lies in memory of its heap.
    ///
    /// # Errors
    /// The first that does not.
    pub(crate) fn check(&self, space: &Space) -> Result<(), String> {
        for (address, block) in &self.blocks {
            let arena = space.holder(space.page_of(Address(*address)));
            let purpose = arena.map(|arena| arena.purpose);
            if purpose != Some(Purpose::Heap { heap: block.heap }) {
                return Err(format!("the block at {address:#x} lies in no arena of its heap"));
            }
        }
        Ok(())
    }
}
