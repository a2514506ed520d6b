//! The ranges that the runtime maps by itself, and announces.
//!
//! They only show in queries: memory that the runtime maps lies outside the arena by
//! construction, and nobody here could grant or take it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ledger::PAGE;

/// Announced mappings by base; a size of zero is unknown.
#[derive(Debug, Default)]
pub(super) struct Announced(Mutex<BTreeMap<u64, u64>>);

impl Announced {
    pub(super) fn acquired(&self, at: u64, size: u64) {
        // News of a part of what is known already takes nothing back.
        let mut mappings = self.mappings();
        let known = mappings.entry(at).or_insert(size);
        *known = size.max(*known);
    }

    pub(super) fn released(&self, at: u64) {
        self.mappings().remove(&at);
    }

    /// The mapping that holds `page` or is the next one behind it, in whole pages.
    pub(super) fn next_mapping(&self, page: u64) -> Option<Range<u64>> {
        let whole = |(base, size): (&u64, &u64)| {
            let end = base.checked_add(*size)?.checked_next_multiple_of(PAGE)?;
            let start = base & !(PAGE - 1);
            (*size > 0 && end > page).then_some(start..end)
        };
        self.mappings().iter().filter_map(whole).min_by_key(|mapping| mapping.start)
    }

    fn mappings(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
