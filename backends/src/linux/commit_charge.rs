//! The commit limit: how many pages may be committed at once, heaps included.
//!
//! Linux grants memory that it may not have, so the limit that Windows enforces is kept here.
//!
//! Deliberately not here: what is resident. A committed page counts, touched or not.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ledger::PAGE;

/// Pages committed, and how many may be.
#[derive(Debug)]
pub(super) struct CommitCharge {
    limit: u64,
    used: AtomicU64,
}

impl CommitCharge {
    /// Nothing committed yet, under a limit in bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit: limit / PAGE, used: AtomicU64::new(0) }
    }

    /// Takes pages; whether there were that many left.
    pub(super) fn take(&self, pages: u64) -> bool {
        let after = |used: u64| used.checked_add(pages).filter(|&sum| sum <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).is_ok()
    }

    /// Gives pages back.
    pub(super) fn give(&self, pages: u64) {
        self.used.fetch_sub(pages, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_reached_exactly_and_a_refusal_takes_nothing() {
        let charge = CommitCharge::new(10 * PAGE + 1);
        assert!(charge.take(7) && !charge.take(4) && !charge.take(u64::MAX));
        assert!(charge.take(3) && !charge.take(1));
        charge.give(1);
        assert!(charge.take(1) && charge.take(0));
    }
}
