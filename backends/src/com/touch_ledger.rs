//! What of a foreign manager's memory may be touched: what it handed out, and nothing else.
//!
//! A scenario may come from a stranger and the manager may lie, so an access is only made
//! inside reservations and blocks that this case obtained and still has, and a manager that
//! hands out what the worker itself lives in is found out before anything is written there.
//!
//! Deliberately not here: protections. The processor knows them, and a wrong one is a
//! finding.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes in a page.
pub(super) const PAGE: u64 = 0x1000;

/// A mapping of the worker's.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) range: Range<u64>,
    /// Whether it is the memory of `malloc`, which a library may share with the worker: its
    /// heaps may hand out blocks there, and only their word says that they are not ours.
    pub(super) shared: bool,
}

/// The record of what was handed out.
#[derive(Debug, Default)]
pub(super) struct TouchLedger {
    /// What the worker had mapped before the library was there.
    own: Vec<Own>,
    /// Base and end of reservations.
    reservations: BTreeMap<u64, u64>,
    /// Base and end of live heap blocks.
    blocks: BTreeMap<u64, u64>,
}

impl TouchLedger {
    /// A ledger for a process that lives in `own`.
    pub(super) fn new(own: Vec<Own>) -> Self {
        Self { own, ..Self::default() }
    }

    /// A successful reservation of `size` bytes at `address` (0: anywhere), told at `base`.
    ///
    /// # Errors
    /// If it is memory that the worker lives in.
    pub(super) fn reserved(&mut self, address: u64, size: u64, base: u64) -> Result<(), String> {
        // A reservation covers whole pages from its base to the last byte asked for (VA-06).
        let from = if address == 0 || base > address { base } else { address };
        let end = from.saturating_add(size).checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        self.refuse_own(&(base..end), false, "VirtualAlloc")?;
        self.reservations.insert(base, end);
        Ok(())
    }

    /// A block of a heap.
    ///
    /// # Errors
    /// If it is memory that the worker lives in.
    pub(super) fn allocated(&mut self, base: u64, size: u64) -> Result<(), String> {
        let end = base.saturating_add(size);
        self.refuse_own(&(base..end), true, "Alloc")?;
        self.blocks.insert(base, end);
        Ok(())
    }

    fn refuse_own(&self, range: &Range<u64>, block: bool, who: &str) -> Result<(), String> {
        let overlaps = |own: &&Own| {
            let Range { start, end } = own.range;
            start < range.end && range.start < end && !(block && own.shared)
        };
        match self.own.iter().find(overlaps) {
            None => Ok(()),
            Some(own) => Err(format!(
                "{who} handed out {:#x} to {:#x}, where something of the process itself is \
                 mapped ({:#x} to {:#x})",
                range.start, range.end, own.range.start, own.range.end
            )),
        }
    }

    /// Forgets the reservation at `base`; its end, to put it back if the call is refused.
    pub(super) fn release(&mut self, base: u64) -> Option<u64> {
        self.reservations.remove(&base)
    }

    /// Puts a reservation back.
    pub(super) fn keep(&mut self, base: u64, end: u64) {
        self.reservations.insert(base, end);
    }

    /// Forgets the block at `base`; its end.
    pub(super) fn free(&mut self, base: u64) -> Option<u64> {
        self.blocks.remove(&base)
    }

    /// Puts a block back.
    pub(super) fn keep_block(&mut self, base: u64, end: u64) {
        self.blocks.insert(base, end);
    }

    /// How far memory that may be touched reaches without a gap from `at`; `at` if it may
    /// not be touched itself.
    pub(super) fn reach(&self, at: u64) -> u64 {
        let mut reach = at;
        loop {
            let inside = |map: &BTreeMap<u64, u64>| {
                map.range(..=reach).next_back().map(|(_, end)| *end).filter(|end| *end > reach)
            };
            match inside(&self.reservations).or_else(|| inside(&self.blocks)) {
                Some(end) => reach = end,
                None => return reach,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_handed_out_and_not_taken_back_is_in_reach() {
        let mut ledger = TouchLedger::new(Vec::new());
        ledger.reserved(0, 5000, 0x10000).unwrap();
        assert_eq!((ledger.reach(0x10000), ledger.reach(0xFFFF)), (0x12000, 0xFFFF));
        ledger.reserved(0x12345, 1, 0x12000).unwrap();
        assert_eq!(ledger.reach(0x10000), 0x13000, "neighbours are one stretch");
        assert_eq!(ledger.release(0x10000), Some(0x12000));
        assert_eq!(ledger.reach(0x11FFF), 0x11FFF);
        ledger.allocated(0x50, 16).unwrap();
        assert_eq!((ledger.reach(0x58), ledger.reach(0x60)), (0x60, 0x60));
        assert_eq!(ledger.free(0x50), Some(0x60));
        assert_eq!(ledger.reach(0x50), 0x50);
    }

    #[test]
    fn what_the_process_lives_in_is_never_in_reach() {
        let own = |range, shared| Own { range, shared };
        let own = vec![own(0x20000..0x30000, false), own(0x50000..0x60000, true)];
        let mut ledger = TouchLedger::new(own);
        assert!(ledger.reserved(0, 0x10000, 0x2F000).is_err());
        assert!(ledger.allocated(0x1FFF8, 16).is_err());
        assert_eq!(ledger.reach(0x2F000), 0x2F000);
        ledger.reserved(0, 0x10000, 0x30000).unwrap();
        ledger.allocated(0x50000, 16).unwrap();
        assert!(ledger.reserved(0, 16, 0x50000).is_err());
    }
}
