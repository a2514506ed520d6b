//! The record of the blocks that heaps gave out: what may be freed, what may be touched, and
//! what was forgotten.
//!
//! Shared by the backends that keep heaps themselves. Deliberately not here: the memory.

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::dispatch::leak;

/// Live blocks by address.
#[derive(Debug, Default)]
pub(crate) struct Blocks(BTreeMap<u64, Block>);

/// A live block.
#[derive(Debug)]
struct Block {
    /// Its heap, counted from 1.
    heap: u64,
    size: u64,
    source: Option<(String, i32)>,
}

impl Blocks {
    /// Takes a block in; `source` is the file and line that asked for it.
    pub(crate) fn insert(&mut self, at: u64, heap: u64, size: u64, source: Option<(String, i32)>) {
        self.0.insert(at, Block { heap, size, source });
    }

    /// Takes a block of that heap out; whether there was one.
    pub(crate) fn remove(&mut self, at: u64, heap: u64) -> bool {
        let ours = self.0.get(&at).is_some_and(|block| block.heap == heap);
        ours && self.0.remove(&at).is_some()
    }

    /// Forgets every block of a heap that goes.
    pub(crate) fn bury(&mut self, heap: u64) {
        self.0.retain(|_, block| block.heap != heap);
    }

    /// Whether a range lies in one live block.
    pub(crate) fn hold(&self, range: &Range<u64>) -> bool {
        let before = self.0.range(..=range.start).next_back();
        before.is_some_and(|(base, block)| range.end <= base + block.size)
    }

    /// The blocks still live, each with what its caller said of it.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let told = |block: &Block| {
            let source = block.source.as_ref().map(|(file, line)| (&**file, *line));
            leak(block.heap - 1, block.size, source)
        };
        self.0.values().map(told).collect()
    }
}
