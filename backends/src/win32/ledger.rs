//! What is the case's own: its allocations, whole, as the system showed them when they were
//! made.
//!
//! Deliberately not here: the state of any page. The system knows it.

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::{MemoryBasicInformation, RegionState};

use super::system;

/// Allocations by base, with their ends.
#[derive(Debug, Default)]
pub(super) struct Ledger(BTreeMap<u64, u64>);

impl Ledger {
    /// The allocation that an address belongs to.
    pub(super) fn containing(&self, at: u64) -> Option<Range<u64>> {
        let (&base, &end) = self.0.range(..=at).next_back()?;
        (at < end).then_some(base..end)
    }

    /// The memory around an address that is the case's without a gap: its allocation and those
    /// that lie right behind it.
    pub(super) fn stretch(&self, at: u64) -> Option<Range<u64>> {
        let mut whole = self.containing(at)?;
        while let Some(&end) = self.0.get(&whole.end) {
            whole.end = end;
        }
        Some(whole)
    }

    /// Whether a range lies inside one allocation.
    pub(super) fn holds(&self, range: &Range<u64>) -> bool {
        self.containing(range.start).is_some_and(|whole| range.end <= whole.end)
    }

    /// Whether a page of a range belongs to somebody else, as the system shows it now.
    pub(super) fn is_foreign(&self, range: &Range<u64>) -> bool {
        if self.holds(range) {
            return false;
        }
        regions(range).any(|region| {
            let base = region.base_address.0;
            region.state != RegionState::FREE && !self.holds(&(base..base + region.region_size))
        })
    }

    /// Takes in the allocation that holds `at`, as far as the system shows it.
    pub(super) fn insert(&mut self, at: u64) {
        let Some(first) = system::region(at) else { return };
        if first.state == RegionState::FREE {
            return; // the system said that it granted memory; a checkpoint will tell
        }
        let base = first.allocation_base.0;
        let same = |region: &MemoryBasicInformation| region.allocation_base.0 == base;
        let end = regions(&(base..u64::MAX)).take_while(same).map(|region| region.end().0).last();
        self.0.insert(base, end.unwrap_or(first.end().0));
    }

    /// Takes an allocation out.
    pub(super) fn remove(&mut self, at: u64) {
        if let Some(whole) = self.containing(at) {
            self.0.remove(&whole.start);
        }
    }

    /// All allocations, ascending.
    pub(super) fn allocations(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().map(|(&base, &end)| base..end)
    }
}

/// The system's regions over a range, the first from the page of its start.
pub(crate) fn regions(range: &Range<u64>) -> impl Iterator<Item = MemoryBasicInformation> + use<> {
    let (mut at, end) = (range.start, range.end);
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let region = system::region(at)?;
        // A region that does not lead on would be walked for ever.
        at = Some(region.end().0).filter(|next| *next > at)?;
        Some(region)
    })
}
