//! The heaps that `CreateMalloc` made, their live blocks, and what is known of their bytes.
//!
//! A fresh block may hold anything (`IHostMalloc` zeroes nothing), so each byte is known
//! only once it was written or read.
//!
//! Deliberately not here: where blocks lie, which the manager chooses.

use std::collections::BTreeMap;

use hostmem_interface::{Address, Data, MallocId, MallocType};

/// Bytes are kept in pieces of this size.
const CHUNK: usize = 256;

/// Some bytes of a block, each known or not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chunk([Option<u8>; CHUNK]);

/// A live block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its heap.
    pub malloc: MallocId,
    /// Bytes.
    pub size: u64,
    chunks: BTreeMap<u64, Chunk>,
}

/// All heaps of a case.
#[derive(Clone, Debug, Default)]
pub struct Heaps {
    kinds: Vec<MallocType>,
    blocks: BTreeMap<u64, Block>,
}

impl Heaps {
    /// How many heaps were created.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.kinds.len()).expect("fewer than 2^32 heaps in a case")
    }

    /// What a heap was created as.
    #[must_use]
    pub fn kind(&self, malloc: MallocId) -> Option<MallocType> {
        self.kinds.get(malloc.0 as usize).copied()
    }

    /// The live block at exactly this address.
    #[must_use]
    pub fn block(&self, address: Address) -> Option<&Block> {
        self.blocks.get(&address.0)
    }

    /// The live blocks, ascending.
    pub fn blocks(&self) -> impl Iterator<Item = (Address, &Block)> {
        self.blocks.iter().map(|(base, block)| (Address(*base), block))
    }

    /// The live blocks from `at` on, ascending.
    pub fn blocks_from(&self, at: Address) -> impl Iterator<Item = (Address, &Block)> {
        self.blocks.range(at.0..).map(|(base, block)| (Address(*base), block))
    }

    /// The live block that holds the byte at `at`, and its base.
    #[must_use]
    pub fn holding(&self, at: Address) -> Option<(Address, &Block)> {
        let (base, block) = self.blocks.range(..=at.0).next_back()?;
        (at.0 - base < block.size).then_some((Address(*base), block))
    }

    /// Whether a live block holds any byte of `[start, start + size)`, or begins at `start`.
    #[must_use]
    pub fn overlap(&self, start: Address, size: u64) -> bool {
        let end = start.0.saturating_add(size.max(1));
        let before = self.blocks.range(..start.0).next_back();
        before.is_some_and(|(base, block)| base + block.size > start.0)
            || self.blocks.range(start.0..end).next().is_some()
    }

    /// Whether a read that gave `seen` at `at`, inside one block, is possible.
    #[must_use]
    pub fn permit(&self, at: Address, seen: &[u8]) -> bool {
        let Some((base, block)) = self.holding(at) else { return false };
        let mut rest = seen;
        pieces(at.0 - base.0, seen.len() as u64).all(|(chunk, from, to)| {
            let (now, behind) = rest.split_at(to - from);
            rest = behind;
            block.chunks.get(&chunk).is_none_or(|known| {
                let fits = |(known, seen): (&Option<u8>, &u8)| known.is_none_or(|it| it == *seen);
                known.0[from..to].iter().zip(now).all(fits)
            })
        })
    }

    /// What a read most likely gives; unknown bytes as zero.
    #[must_use]
    pub fn likeliest(&self, at: Address, size: u64) -> Vec<u8> {
        let Some((base, block)) = self.holding(at) else { return Vec::new() };
        let mut bytes = Vec::new();
        for (chunk, from, to) in pieces(at.0 - base.0, size) {
            match block.chunks.get(&chunk) {
                Some(known) => bytes.extend(known.0[from..to].iter().map(|it| it.unwrap_or(0))),
                None => bytes.resize(bytes.len() + to - from, 0),
            }
        }
        bytes
    }

    pub(crate) fn create(&mut self, kind: MallocType) {
        self.kinds.push(kind);
    }

    pub(crate) fn insert(&mut self, address: Address, size: u64, malloc: MallocId) {
        let old = self.blocks.insert(address.0, Block { malloc, size, chunks: BTreeMap::new() });
        assert!(old.is_none(), "a new block lies on no other");
    }

    pub(crate) fn remove(&mut self, address: Address) {
        self.blocks.remove(&address.0).expect("a live block");
    }

    pub(crate) fn saw(&mut self, at: Address, seen: &[u8]) {
        self.write(at, &Data::Bytes(seen.into()), 0, seen.len() as u64);
    }

    pub(crate) fn write(&mut self, at: Address, data: &Data, from: u64, length: u64) {
        let (base, _) = self.holding(at).expect("a write inside a block");
        let block = self.blocks.get_mut(&base.0).expect("just found");
        let (mut bytes, mut done) = ([0; CHUNK], from);
        for (chunk, from, to) in pieces(at.0 - base.0, length) {
            let bytes = &mut bytes[from..to];
            data.copy_to(done, bytes);
            done += bytes.len() as u64;
            let known = block.chunks.entry(chunk).or_insert_with(|| Chunk([None; CHUNK]));
            for (known, byte) in known.0[from..to].iter_mut().zip(bytes) {
                *known = Some(*byte);
            }
        }
    }
}

/// The chunks that hold a range of a block, each with the part of it: first and behind.
fn pieces(offset: u64, length: u64) -> impl Iterator<Item = (u64, usize, usize)> {
    let whole = CHUNK as u64;
    let end = offset + length;
    let within = |at: u64| usize::try_from(at).expect("at most a chunk");
    (offset / whole..end.div_ceil(whole)).map(move |chunk| {
        let start = chunk * whole;
        (chunk, within(offset.saturating_sub(start)), within((end - start).min(whole)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_its_bytes_and_not_the_one_behind() {
        let mut heaps = Heaps::default();
        heaps.insert(Address(0x1000), 0x20, MallocId(0));
        assert!(heaps.holding(Address(0x101F)).is_some());
        assert!(heaps.holding(Address(0x1020)).is_none());
        assert!(heaps.overlap(Address(0xFF0), 0x11) && !heaps.overlap(Address(0xFF0), 0x10));
        assert!(!heaps.overlap(Address(0x1020), 0x10));
    }

    #[test]
    fn only_known_bytes_bind() {
        let mut heaps = Heaps::default();
        heaps.insert(Address(0x1000), 0x200, MallocId(0));
        heaps.write(Address(0x10FF), &Data::Bytes([7, 8].into()), 0, 2);
        assert!(heaps.permit(Address(0x10FE), &[99, 7, 8]));
        assert!(!heaps.permit(Address(0x10FF), &[7, 9]));
        assert_eq!(heaps.likeliest(Address(0x10FE), 4), [0, 7, 8, 0], "across two chunks");
        heaps.saw(Address(0x10FE), &[99]);
        assert!(!heaps.permit(Address(0x10FE), &[98]));
    }
}
