//! Finds what an intent aims at.
//!
//! What a case made is found through its names, newest first, so the answer does not depend
//! on where a subject put things.
//!
//! Deliberately not here: what is done there ([`super::realise`]).

use hostmem_interface::scenario::{Name, Place};
use hostmem_interface::{AccessKind, Address, Protection};
use hostmem_model::page::PageState;
use hostmem_model::space::Allocation;

use super::{Aim, Extent, Target};
use crate::view::{Binding, View};

/// A place that was found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'v> {
    /// As a scenario writes it.
    pub place: Place,
    /// Where it lies.
    pub address: Address,
    /// The live allocation that was aimed at.
    pub allocation: Option<&'v Allocation>,
}

impl Found<'_> {
    /// How many bytes an extent is from here.
    #[must_use]
    pub fn reach(&self, view: &View<'_>, extent: Extent) -> u64 {
        let machine = view.state.machine();
        let rest = match self.allocation.and_then(|found| found.end().offset_from(self.address)) {
            Some(rest) if rest > 0 => rest,
            _ => machine.page,
        };
        match extent {
            Extent::Bytes(bytes) => bytes,
            Extent::Pages(pages) => (u64::from(pages) * machine.page).clamp(1, rest),
            Extent::Share(share) => part(rest, share).max(1),
            Extent::Beyond(more) => rest.saturating_add(more),
            Extent::PastSpace(more) => {
                machine.end().saturating_sub(self.address.0).saturating_add(more)
            }
        }
    }
}

/// This many 65536ths of a number.
fn part(whole: u64, share: u16) -> u64 {
    let product = u128::from(whole) * u128::from(share);
    u64::try_from(product >> 16).expect("a part is smaller than the whole")
}

impl Aim {
    /// What it aims at; `None` if there is nothing of the kind.
    #[must_use]
    pub fn find<'v>(&self, view: &View<'v>) -> Option<Found<'v>> {
        let absolute = |address: u64| {
            let address = Address(address.wrapping_add_signed(self.nudge));
            Some(Found { place: Place::Absolute(address), address, allocation: None })
        };
        match self.target {
            Target::Number(number) => absolute(number),
            Target::BelowEnd(below) => absolute(view.state.machine().end().wrapping_sub(below)),
            _ => self.find_named(view),
        }
    }

    fn find_named<'v>(&self, view: &View<'v>) -> Option<Found<'v>> {
        let count = view.bound.len();
        let start = usize::from(self.nth) % count.max(1);
        let order = (start..count).chain(0..start);
        order.map(|back| count - 1 - back).find_map(|number| {
            let Binding::Range { base, size, malloc } = view.bound[number] else { return None };
            let (offset, allocation) = self.suits(view, base, size, malloc)?;
            let offset = offset.wrapping_add_signed(self.nudge);
            let name = Name(u32::try_from(number).ok()?);
            let place = Place::Relative { name, offset };
            Some(Found { place, address: base.wrapping_add(offset), allocation })
        })
    }

    /// Where in a bound range the target is, if it is there.
    fn suits<'v>(
        &self,
        view: &View<'v>,
        base: Address,
        size: u64,
        malloc: Option<Name>,
    ) -> Option<(u64, Option<&'v Allocation>)> {
        let state = view.state;
        if self.target == Target::Block {
            let live = malloc.is_some() && state.heaps.block(base).is_some();
            return live.then(|| (part(size, self.share), None));
        }
        let owner = state.space.find(base);
        if self.target == Target::Gone {
            let gone = owner.is_none() && state.heaps.block(base).is_none();
            return gone.then(|| (part(size, self.share) & !(state.machine().page - 1), None));
        }
        let allocation = owner.filter(|found| found.base() == base && malloc.is_none())?;
        let offset = match self.target {
            Target::Tail => tail(view, allocation),
            Target::Behind => Some(allocation.size().next_multiple_of(state.machine().granularity)),
            _ => self.page(view, allocation).map(|page| page * state.machine().page),
        };
        offset.map(|offset| (offset, Some(allocation)))
    }

    /// The page at this share of those that suit.
    fn page(&self, view: &View<'_>, allocation: &Allocation) -> Option<u64> {
        if !suits_allocation(self.target, allocation) {
            return None;
        }
        if self.target == Target::Uncertain {
            return uncertain_page(view, allocation);
        }
        let runs = || {
            let all = allocation.runs(allocation.all_pages());
            all.filter(|(_, state)| suits_page(self.target, *state)).map(|(pages, _)| pages)
        };
        let suiting: u64 = runs().map(|pages| pages.end - pages.start).sum();
        let mut left = part(suiting, self.share);
        for pages in runs() {
            match left.checked_sub(pages.end - pages.start) {
                Some(rest) => left = rest,
                None => return Some(pages.start + left),
            }
        }
        None
    }
}

/// The first byte of the last granule that belongs to no allocation.
fn tail(view: &View<'_>, allocation: &Allocation) -> Option<u64> {
    (!allocation.end().is_aligned(view.state.machine().granularity)).then(|| allocation.size())
}

fn uncertain_page(view: &View<'_>, allocation: &Allocation) -> Option<u64> {
    let found = view.state.contents.first_uncertain(allocation.base(), allocation.size());
    found.map(|at| allocation.page_of(at))
}

fn suits_allocation(target: Target, allocation: &Allocation) -> bool {
    let terms = allocation.terms();
    match target {
        Target::Watched | Target::WatchedGuard => terms.watched,
        Target::Physical => terms.physical,
        Target::Uncached => terms.protect.contains(Protection::NOCACHE),
        Target::ReservedGuard { touched } => {
            let guard = terms.protect.contains(Protection::GUARD);
            guard && (allocation.committed_pages() > 0) == touched
        }
        _ => true,
    }
}

fn suits_page(target: Target, page: PageState) -> bool {
    match target {
        Target::Reserved | Target::ReservedGuard { .. } => !page.is_committed(),
        Target::Committed => page.is_committed(),
        Target::Writable => page.permits(AccessKind::Write) && !page.is_guarded(),
        Target::Guarded | Target::WatchedGuard => page.is_guarded(),
        Target::Code => page.permits(AccessKind::Execute) && !page.is_guarded(),
        _ => true,
    }
}
