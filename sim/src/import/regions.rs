//! The recorded process's address space, as far as the log tells: which reservation owns which
//! addresses, and which of them are committed.
//!
//! Addresses here are the recorded ones. They never reach a scenario: a step names a
//! reservation and an offset.
//!
//! Deliberately not here: protections, and memory that nobody in the log reserved.

use std::ops::Range;

use hostmem_interface::Machine;
use rangemap::{RangeMap, RangeSet};

use super::Reason;

/// A reservation of the log, counted from 0 in the order of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockId(pub(super) u32);

#[derive(Debug)]
struct Block {
    span: Range<u64>,
    watched: bool,
    committed: RangeSet<u64>,
}

/// What the log says of the address space at one moment.
#[derive(Debug, Default)]
pub(super) struct Regions {
    owners: RangeMap<u64, BlockId>,
    blocks: Vec<Block>,
    /// Everything that was ever reserved.
    once: RangeSet<u64>,
}

/// The pages with at least one byte of `size` bytes at `address` (SM-05); `None` if there is no
/// byte, or one outside user space.
pub(super) fn pages(address: u64, size: u64) -> Option<Range<u64>> {
    let machine = Machine::WINDOWS_X64;
    let end = address.checked_add(size)?;
    if size == 0 || end > machine.end() {
        return None;
    }
    let mask = machine.page - 1;
    Some(address & !mask..(end + mask) & !mask)
}

/// An address rounded down to the allocation granularity.
pub(super) const fn granule(address: u64) -> u64 {
    address & !(Machine::WINDOWS_X64.granularity - 1)
}

impl Regions {
    /// How many reservations there were.
    pub(super) fn count(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Enters a reservation of free pages.
    pub(super) fn reserve(&mut self, span: Range<u64>, watched: bool) -> BlockId {
        let id = BlockId(u32::try_from(self.blocks.len()).expect("at most MAX_STEPS"));
        self.owners.insert(span.clone(), id);
        self.once.insert(span.clone());
        self.blocks.push(Block { span, watched, committed: RangeSet::new() });
        id
    }

    /// The reservation that owns an address.
    fn at(&self, address: u64) -> Option<BlockId> {
        self.owners.get(&address).copied()
    }

    /// The reservation that owns all of a range.
    pub(super) fn holding(&self, range: &Range<u64>) -> Option<BlockId> {
        let (owned, &id) = self.owners.get_key_value(&range.start)?;
        (range.end <= owned.end).then_some(id)
    }

    /// The parts of a range that reservations own.
    pub(super) fn owned(&self, range: &Range<u64>) -> Vec<(Range<u64>, BlockId)> {
        self.owners
            .overlapping(range)
            .map(|(owned, &id)| (owned.start.max(range.start)..owned.end.min(range.end), id))
            .collect()
    }

    /// The reservation that owns an address, or why a call there cannot be named.
    pub(super) fn owner(&self, address: u64) -> Result<BlockId, Reason> {
        self.at(address).ok_or(if self.once.contains(&address) {
            Reason::Released
        } else {
            Reason::NeverReserved
        })
    }

    /// The reservation's recorded base.
    pub(super) fn base(&self, id: BlockId) -> u64 {
        self.block(id).span.start
    }

    /// Whether it was made with `MEM_WRITE_WATCH`.
    pub(super) fn is_watched(&self, id: BlockId) -> bool {
        self.block(id).watched
    }

    /// The reservation is gone.
    pub(super) fn release(&mut self, id: BlockId) {
        let span = self.block(id).span.clone();
        let pieces: Vec<_> = self.owned(&span);
        for (piece, owner) in pieces {
            if owner == id {
                self.owners.remove(piece);
            }
        }
    }

    /// Pages of a reservation became something that is not its memory.
    pub(super) fn give_up(&mut self, id: BlockId, range: &Range<u64>) {
        self.owners.remove(range.clone());
        self.decommit(id, range);
    }

    /// Whether it owns nothing any more.
    pub(super) fn is_gone(&self, id: BlockId) -> bool {
        let span = &self.block(id).span;
        !self.owners.overlapping(span).any(|(_, &owner)| owner == id)
    }

    pub(super) fn commit(&mut self, id: BlockId, range: &Range<u64>) {
        self.blocks[id.0 as usize].committed.insert(range.clone());
    }

    pub(super) fn decommit(&mut self, id: BlockId, range: &Range<u64>) {
        self.blocks[id.0 as usize].committed.remove(range.clone());
    }

    /// The whole reservation, as it was made.
    pub(super) fn span(&self, id: BlockId) -> &Range<u64> {
        &self.block(id).span
    }

    /// Whether every page is committed.
    pub(super) fn is_committed(&self, id: BlockId, range: &Range<u64>) -> bool {
        let committed = &self.block(id).committed;
        committed.get(&range.start).is_some_and(|run| range.end <= run.end)
    }

    /// The committed parts of a range.
    pub(super) fn committed(&self, id: BlockId, range: &Range<u64>) -> Vec<Range<u64>> {
        self.block(id)
            .committed
            .overlapping(range)
            .map(|run| run.start.max(range.start)..run.end.min(range.end))
            .collect()
    }

    fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_belongs_to_one_reservation_or_to_none() {
        let mut regions = Regions::default();
        let first = regions.reserve(0x1_0000..0x2_0000, false);
        let second = regions.reserve(0x2_0000..0x3_0000, true);
        assert_eq!(regions.holding(&(0x1_0000..0x2_0000)), Some(first));
        assert_eq!(regions.holding(&(0x1_0000..0x2_1000)), None, "neighbours never join");
        regions.release(first);
        assert_eq!((regions.at(0x1_0000), regions.at(0x2_0000)), (None, Some(second)));
        assert_eq!(regions.owner(0x1_0000), Err(Reason::Released));
        assert_eq!(regions.owner(0x4_0000), Err(Reason::NeverReserved));
    }

    #[test]
    fn pages_are_those_with_a_byte_in_user_space() {
        assert_eq!(pages(0x1_1FFF, 2), Some(0x1_1000..0x1_3000));
        assert_eq!(pages(0x1_0000, 0), None);
        assert_eq!(pages(0x7FFF_FFFE_F000, 0x1000), Some(0x7FFF_FFFE_F000..0x7FFF_FFFF_0000));
        assert_eq!(pages(0x7FFF_FFFE_F000, 0x1001), None);
        assert_eq!(pages(u64::MAX, 2), None);
    }

    #[test]
    fn a_reservation_is_gone_with_its_last_page() {
        let mut regions = Regions::default();
        let block = regions.reserve(0x1_0000..0x1_3000, false);
        regions.commit(block, &(0x1_0000..0x1_3000));
        regions.give_up(block, &(0x1_1000..0x1_2000));
        assert_eq!(regions.committed(block, &(0x1_0000..0x1_3000)).len(), 2);
        assert!(!regions.is_gone(block));
        regions.release(block);
        assert!(regions.is_gone(block));
    }
}
