//! What a workload made and still has, if it is still there.

use hostmem_interface::Address;
use hostmem_interface::scenario::{Name, Place};
use hostmem_model::space::Allocation;

use crate::view::{Binding, View};

/// An allocation that a workload asked for by a step that binds this name.
///
/// Where that was refused, something else bears the name by now, or nothing. Both are looked
/// at with the same eyes: it is the allocation of that size under the name, whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The name.
    pub name: Name,
    /// The size that was asked for, bytes.
    pub size: u64,
}

impl Held {
    /// The allocation, if there is one.
    #[must_use]
    pub fn find<'v>(&self, view: &View<'v>) -> Option<&'v Allocation> {
        let base = self.base(view)?;
        view.state.space.find(base).filter(|found| found.base() == base)
    }

    /// Where the name was bound to.
    #[must_use]
    pub fn base(&self, view: &View<'_>) -> Option<Address> {
        match view.bound.get(self.name.0 as usize) {
            Some(Binding::Range { base, size, malloc: None }) if *size == self.size => Some(*base),
            _ => None,
        }
    }

    /// A place in it.
    #[must_use]
    pub const fn at(&self, offset: u64) -> Place {
        Place::Relative { name: self.name, offset }
    }
}

/// The first page of an allocation from which on nothing is committed, in bytes from its
/// base: how far a heap that grows upward has grown.
#[must_use]
pub fn committed_end(allocation: &Allocation, page: u64) -> u64 {
    let runs = allocation.runs(allocation.all_pages());
    let last = runs.filter(|(_, state)| state.is_committed()).map(|(pages, _)| pages.end).last();
    last.unwrap_or(0) * page
}

/// Forgets what is no longer there.
pub fn forget_lost(held: &mut Vec<Held>, view: &View<'_>) {
    held.retain(|held| held.find(view).is_some());
}
