//! A subject in whose memory somebody writes unseen, as a program does that runs on it.
//!
//! Then the record of writes (`GetWriteWatch`) is news to the judge, not a question: a page that
//! is reported for the first time was written, if anybody could have written it. That is so if
//! it is committed, or was when it last could be. Once reported, it must be reported until its
//! mark is cleared, like any other.
//!
//! Deliberately not here: what the pages hold, which nobody asks of such a subject, and guards
//! that fire unseen.

use hostmem_interface::{Address, Call, Outcome, Value, WatchFlags};

use super::Judge;
use crate::effect::{Effect, Pages};
use crate::space::Allocation;

/// Pages of watched allocations, by their addresses, that had memory after their marks were
/// last cleared, and have none now.
#[derive(Clone, Debug, Default)]
pub(super) struct Unseen {
    lost: std::collections::BTreeSet<u64>,
}

impl Judge {
    /// The same judge, of a subject in whose memory somebody writes unseen.
    #[must_use]
    pub fn with_unseen_writes(mut self) -> Self {
        self.unseen = Some(Unseen::default());
        self
    }

    /// Takes an outcome's news of writes for true, as far as they are possible. To be asked
    /// before [`Judge::decide`]; without [unseen writes](Self::with_unseen_writes) it changes
    /// nothing.
    pub fn believe(&mut self, call: &Call, outcome: &Outcome) {
        let Some(unseen) = &self.unseen else { return };
        let (Call::GetWriteWatch { .. }, Outcome::Done { value: Value::Pages { pages, .. }, .. }) =
            (call, outcome)
        else {
            return;
        };
        let possible = |at: &Address| {
            let allocation = self.state.space.find(*at)?;
            let page = allocation.page_of(*at);
            let held = allocation.state(page).is_committed() || unseen.lost.contains(&at.0);
            (allocation.terms().watched && held)
                .then(|| Effect::Mark(Pages::of(allocation.base(), page..page + 1)))
        };
        let marks: Vec<Effect> = pages.iter().filter_map(possible).collect();
        marks.iter().for_each(|mark| self.state.apply(mark));
    }

    /// Remembers which pages lose their memory, before they do.
    pub(super) fn remember(&mut self, call: &Call, effect: &Effect) {
        let Some(mut unseen) = self.unseen.take() else { return };
        match (call, effect) {
            (_, Effect::Decommit(pages)) => {
                if let Some(allocation) = self.watched(pages.base) {
                    let runs = allocation.runs(pages.range.clone());
                    let had = runs.filter(|(_, state)| state.is_committed());
                    let had = had.flat_map(|(run, _)| run);
                    unseen.lost.extend(had.map(|page| allocation.address_of(page).0));
                }
            }
            (_, Effect::Release(base)) => {
                if let Some(allocation) = self.watched(*base) {
                    unseen.forget(allocation.base(), allocation.end());
                }
            }
            (Call::ResetWriteWatch { .. }, Effect::UnmarkAll(pages)) => {
                if let Some(allocation) = self.watched(pages.base) {
                    let at = |page| allocation.address_of(page);
                    unseen.forget(at(pages.range.start), at(pages.range.end));
                }
            }
            (Call::GetWriteWatch { flags, .. }, Effect::Unmark(base, pages))
                if flags.contains(WatchFlags::RESET) =>
            {
                if let Some(allocation) = self.watched(*base) {
                    for page in pages {
                        unseen.lost.remove(&allocation.address_of(*page).0);
                    }
                }
            }
            _ => {}
        }
        self.unseen = Some(unseen);
    }

    fn watched(&self, base: Address) -> Option<&Allocation> {
        self.state.space.find(base).filter(|allocation| allocation.terms().watched)
    }
}

impl Unseen {
    fn forget(&mut self, start: Address, end: Address) {
        self.lost.retain(|page| !(start.0..end.0).contains(page));
    }
}
