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

    /// How many bytes are committed without a gap from `start` on, up to `end`; `None` if the
    /// allocation does not exist or is shorter.
    #[must_use]
    pub fn committed(&self, view: &View<'_>, start: u64, end: u64) -> Option<u64> {
        let page = view.state.machine().page;
        let allocation = self.find(view)?;
        let pages = start / page..end.div_ceil(page);
        if pages.end > allocation.all_pages().end {
            return None;
        }
        let first = pages.start;
        let runs = allocation.runs(pages).take_while(|(_, state)| state.is_committed());
        Some(runs.last().map_or(0, |(pages, _)| (pages.end - first) * page))
    }

    /// A place in it.
    #[must_use]
    pub const fn at(&self, offset: u64) -> Place {
        Place::Relative { name: self.name, offset }
    }
}

/// Forgets what is no longer there.
pub fn forget_lost(held: &mut Vec<Held>, view: &View<'_>) {
    held.retain(|held| held.find(view).is_some());
}
