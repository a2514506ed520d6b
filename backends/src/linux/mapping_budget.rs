//! How many more mappings the process may have: `vm.max_map_count` must never be reached,
//! because then `malloc` fails everywhere in the process.
//!
//! A counter runs ahead of the truth: every change of the address space can add at most two
//! mappings, so it grows by two each time. When it reaches a limit, the kernel is asked for
//! the true number, which is almost always far lower. The counter is the process's: all cases
//! share it.
//!
//! Two limits: growth (`VirtualAlloc`, heaps) stops first, so that decommit, protect and
//! guard pages can still split what exists.
//!
//! Deliberately not here: what a caller is told, and what to do instead of a split.

use std::sync::atomic::{AtomicU64, Ordering};

use super::kernel_view;

/// Mappings left to the rest of the process at any time.
const HEADROOM: u64 = 4096;
/// The kernel's default of `vm.max_map_count`.
const DEFAULT_LIMIT: u64 = 65_530;
/// The most mappings that one change can add: it splits one mapping into three.
const SPLIT: u64 = 2;
/// After a refusal this many more are refused without another count, which costs
/// milliseconds with so many mappings, unless memory was given back in between.
const PATIENCE: u64 = 1024;

/// Never less than the mappings of the process, as far as this backend made them.
static AT_MOST: AtomicU64 = AtomicU64::new(u64::MAX / 2);
/// Refusals since the last count or release.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// What a change of the address space is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// More memory.
    Growth,
    /// A change of what there is.
    Change,
}

/// The limits of one manager.
#[derive(Clone, Copy, Debug)]
pub(super) struct MappingBudget {
    growth: u64,
    change: u64,
}

impl MappingBudget {
    /// A budget under a limit of the whole process, by default the kernel's.
    pub(super) fn new(limit: Option<u64>) -> Self {
        let kernel = || {
            let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?;
            text.trim().parse().ok()
        };
        let limit: u64 = limit.or_else(kernel).unwrap_or(DEFAULT_LIMIT);
        let change = limit.saturating_sub(HEADROOM);
        Self { growth: change - change / 4, change }
    }

    /// Whether one more change may be made.
    pub(super) fn admits(&self, purpose: Purpose) -> bool {
        let limit = match purpose {
            Purpose::Growth => self.growth,
            Purpose::Change => self.change,
        };
        if AT_MOST.fetch_add(SPLIT, Ordering::Relaxed) + SPLIT <= limit {
            return true;
        }
        let refused = REFUSED.load(Ordering::Relaxed);
        if refused != 0 && !refused.is_multiple_of(PATIENCE) {
            REFUSED.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        // Changes that other threads make during the count are missed: the headroom is for them.
        let count = kernel_view::count().unwrap_or(u64::MAX / 2);
        AT_MOST.store(count + SPLIT, Ordering::Relaxed);
        let admitted = count + SPLIT <= limit;
        REFUSED.store(u64::from(!admitted), Ordering::Relaxed);
        admitted
    }

    /// Memory was given back: the next refusal is worth a count again.
    pub(super) fn relieved(&self) {
        REFUSED.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_stops_before_changes_do() {
        let budget = MappingBudget::new(Some(HEADROOM + 4000));
        assert_eq!((budget.growth, budget.change), (3000, 4000));
        assert!(MappingBudget::new(None).admits(Purpose::Growth));
    }

    #[test]
    fn a_process_above_the_limit_is_admitted_nothing() {
        let budget = MappingBudget::new(Some(HEADROOM + 2));
        assert!(!budget.admits(Purpose::Growth) && !budget.admits(Purpose::Change));
        budget.relieved();
        assert!(!budget.admits(Purpose::Change));
    }
}
