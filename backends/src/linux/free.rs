//! `VirtualFree`: decommit and release. Past the checks both always succeed.
//!
//! Where the process is out of mappings, an emptied range is left accessible at the kernel:
//! its memory is gone, and from then on every access is judged by the ledger before it is
//! made ([`LinuxManager::overdue`]).
//!
//! Deliberately not here: release of a part (VF-15), which `VirtualFree` cannot express.

use std::ops::Range;
use std::sync::atomic::Ordering;

use hostmem_interface::{Address, FreeType, Refusal};

use super::kernel_view;
use super::manager::{LinuxManager, Space};
use super::mapping::Prot;
use super::mapping_budget::Purpose;
use super::watch::Watch;
use crate::arguments;
use crate::ledger::Allocation;
use crate::ledger::page_state::PageState;

impl LinuxManager {
    pub(super) fn free(&self, address: Address, size: u64, kind: FreeType) -> Result<(), Refusal> {
        let at = address.0;
        arguments::check_free(at, size, kind)?;
        let _quiet = self.without_writes(at);
        let mut space = self.space();
        let allocation = space.ledger.containing(at).ok_or(Refusal::not_ours())?;
        let range = allocation.freed(at, size, kind)?;
        if kind == FreeType::RELEASE {
            self.release(&mut space, &range);
        } else {
            self.decommit(&mut space, &range);
        }
        Ok(())
    }

    fn release(&self, space: &mut Space, range: &Range<u64>) {
        let allocation = space.ledger.containing(range.start).expect("found just now");
        let committed = allocation.committed(range);
        // Reserved pages have been inaccessible and empty all along.
        if committed > 0 || allocation.watched || self.overdue.load(Ordering::Relaxed) {
            self.empty(range);
        }
        self.commit.give(committed);
        space.ledger.remove(range.start);
    }

    fn decommit(&self, space: &mut Space, range: &Range<u64>) {
        let Space { ledger, watch } = space;
        let allocation = ledger.containing_mut(range.start).expect("found just now");
        let committed = allocation.committed(range);
        if committed == 0 {
            return;
        }
        match watch {
            Some(watch) if allocation.watched => {
                // Closed before the kernel is asked: a write that comes in between would be lost.
                self.close(range);
                keep_marks(allocation, watch, range);
                self.discard(range);
            }
            _ => self.empty(range),
        }
        let numbers = allocation.numbers(range);
        allocation.pages.set(numbers, PageState::RESERVED);
        self.commit.give(committed);
    }

    /// Takes the memory out of a range and makes it inaccessible.
    fn empty(&self, range: &Range<u64>) {
        let admitted = self.budget.admits(Purpose::Change) || relieves(range);
        if admitted && self.arena.empty(range.clone()).is_ok() {
            self.budget.relieved();
        } else {
            self.discard(range);
            self.overdue.store(true, Ordering::Release);
        }
    }

    /// Makes a watched range inaccessible, where a fresh mapping would end the watch: commit arms
    /// the pages anew.
    fn close(&self, range: &Range<u64>) {
        let admitted = self.budget.admits(Purpose::Change) || relieves(range);
        if !admitted || self.arena.protect(range.clone(), Prot::NONE).is_err() {
            self.overdue.store(true, Ordering::Release);
        }
    }

    fn discard(&self, range: &Range<u64>) {
        let done = self.arena.discard(range.clone());
        done.expect("MADV_DONTNEED on private memory of our own has no way to fail");
    }
}

/// Whether the kernel has so many mappings in a range that one in their place is a relief, even
/// if both ends have to be split off.
fn relieves(range: &Range<u64>) -> bool {
    kernel_view::mappings(range, 1).is_ok_and(|mappings| mappings.len() > 2)
}

/// Takes over what the kernel knows of writes to pages that are about to lose their memory.
fn keep_marks(allocation: &mut Allocation, watch: &Watch, range: &Range<u64>) {
    let mut written = Vec::new();
    for (run, state) in allocation.runs(range) {
        if state.is_committed() {
            let scanned = watch.scan(&run, false, u64::MAX, |found| written.push(found));
            if scanned.is_err() {
                written.push(run); // a lost record must not hide a write
            }
        }
    }
    written.iter().for_each(|run| allocation.mark(run, true));
}
