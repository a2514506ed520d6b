//! Canaries of `VirtualQuery`. They change what is told and never what is, so all of them
//! are caught by a query.

use hostmem_interface::{
    Call, MemoryBasicInformation, OutPointer, Protection, QueryAnswer, RegionState, Value,
};
use hostmem_model::State;
use hostmem_model::effect::Effect;
use hostmem_model::rule::{
    AS_04, GP_01, PR_05, PR_06, SM_03, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, VQ_06, VQ_06B, VQ_07,
    VQ_08, VQ_09, VQ_11, VQ_13,
};
use hostmem_model::rules::decide;
use hostmem_model::space::Allocation;
use hostmem_model::verdict::{Answer, Verdict};

use crate::Canary;
use crate::bent::{Bent, Lie, misheard, retell_value};

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "query-merges-allocations",
        rule: SM_03,
        seen_as: &[VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01, PR_05, PR_06],
        sentence: "A region runs on into an adjacent allocation whose pages are alike.",
        lie: Lie::Law(query_merges_allocations),
    },
    Canary {
        name: "query-from-region-start",
        rule: VQ_02,
        seen_as: &[VQ_01, VQ_03, VQ_04, VQ_05, GP_01, PR_05, PR_06],
        sentence: "A region is measured from its own start instead of the page that was asked \
                   about.",
        lie: Lie::Law(query_from_region_start),
    },
    Canary {
        name: "query-base-is-address",
        rule: VQ_02,
        seen_as: &[GP_01, PR_05, PR_06],
        sentence: "BaseAddress is the address that was asked about, not rounded to its page.",
        lie: Lie::Law(query_base_is_address),
    },
    Canary {
        name: "query-joins-protections",
        rule: VQ_05,
        seen_as: &[VQ_01, VQ_02, VQ_03, VQ_04, GP_01, PR_05, PR_06],
        sentence: "A region of committed pages does not end where the protection changes.",
        lie: Lie::Law(query_joins_protections),
    },
    Canary {
        name: "query-splits-written",
        rule: VQ_05,
        seen_as: &[VQ_01, VQ_02, VQ_03, VQ_04, GP_01, PR_05, PR_06],
        sentence: "A region ends where written pages of a watched allocation begin or end.",
        lie: Lie::Law(query_splits_written),
    },
    Canary {
        name: "query-hides-guard",
        rule: GP_01,
        seen_as: &[PR_05, PR_06],
        sentence: "Protect does not show an armed PAGE_GUARD.",
        lie: Lie::Law(query_hides_guard),
    },
    Canary {
        name: "query-reserved-protect",
        rule: VQ_03,
        seen_as: &[VQ_01, VQ_02, VQ_04, VQ_05],
        sentence: "A reserved page shows the protection that its allocation was reserved with.",
        lie: Lie::Law(query_reserved_protect),
    },
    Canary {
        name: "query-free-granules",
        rule: VQ_06,
        seen_as: &[VQ_11],
        sentence: "The size of a free region is rounded up to whole granules.",
        lie: Lie::Law(query_free_granules),
    },
    Canary {
        name: "query-free-in-halves",
        rule: VQ_13,
        seen_as: &[VQ_06, VQ_11],
        sentence: "A free region ends half way, where the next free region begins.",
        lie: Lie::Law(query_free_in_halves),
    },
    Canary {
        name: "query-free-protect-zero",
        rule: VQ_06B,
        seen_as: &[VQ_11, AS_04],
        sentence: "Free memory shows a protection of 0 instead of PAGE_NOACCESS.",
        lie: Lie::Law(query_free_protect_zero),
    },
    Canary {
        name: "query-short-buffer",
        rule: VQ_08,
        seen_as: &[],
        sentence: "VirtualQuery does not look at the length of the buffer.",
        lie: Lie::Law(query_short_buffer),
    },
    Canary {
        name: "query-beyond-is-free",
        rule: VQ_07,
        seen_as: &[VQ_09],
        sentence: "Memory beyond user space shows as a free page.",
        lie: Lie::Law(query_beyond_is_free),
    },
];

/// The lawful verdict on a query.
fn truth(state: &State, call: &Call) -> Option<Verdict> {
    matches!(call, Call::VirtualQuery { .. }).then(|| decide(state, call))
}

/// The lawful verdict on a query of owned memory, its region and its allocation.
fn owned<'a>(
    state: &'a State,
    call: &Call,
) -> Option<(Verdict, MemoryBasicInformation, &'a Allocation)> {
    let truth = truth(state, call)?;
    let Answer::Region(region) = truth.first.answer else { return None };
    let allocation = state.space.find(region.base_address)?;
    Some((truth, region, allocation))
}

fn told(truth: Verdict, region: MemoryBasicInformation) -> Bent {
    Bent::with_answer(truth, Answer::Region(region))
}

fn query_merges_allocations(state: &State, call: &Call) -> Option<Bent> {
    let (truth, mut region, allocation) = owned(state, call)?;
    let next = state.space.find(allocation.end()).filter(|_| region.end() == allocation.end())?;
    let behind = next.region(next.base());
    if (behind.state, behind.protect) != (region.state, region.protect) {
        return None;
    }
    region.region_size += behind.region_size;
    Some(told(truth, region))
}

fn query_from_region_start(state: &State, call: &Call) -> Option<Bent> {
    let (truth, mut region, allocation) = owned(state, call)?;
    let page = allocation.page_of(region.base_address);
    let mut runs = allocation.runs(allocation.all_pages());
    let (run, _) = runs.find(|(run, _)| run.contains(&page))?;
    region.region_size = region.end().0 - allocation.address_of(run.start).0;
    region.base_address = allocation.address_of(run.start);
    Some(told(truth, region))
}

fn query_base_is_address(state: &State, call: &Call) -> Option<Bent> {
    let (truth, mut region, _) = owned(state, call)?;
    region.base_address = *call.address()?;
    Some(told(truth, region))
}

fn query_joins_protections(state: &State, call: &Call) -> Option<Bent> {
    let (truth, mut region, allocation) = owned(state, call)?;
    let page = allocation.page_of(region.base_address);
    let end = allocation
        .runs(page..allocation.all_pages().end)
        .take_while(|(_, state)| state.is_committed())
        .last()?
        .0
        .end;
    region.region_size = allocation.address_of(end).0 - region.base_address.0;
    Some(told(truth, region))
}

fn query_splits_written(state: &State, call: &Call) -> Option<Bent> {
    let (truth, mut region, allocation) = owned(state, call)?;
    let first = allocation.page_of(region.base_address);
    let end = first + region.region_size / state.machine().page;
    let mut marked = allocation.marked(first..end).peekable();
    let cut = if marked.peek() == Some(&first) {
        // The first page that is not marked.
        marked.zip(first..).take_while(|(mark, page)| mark == page).last()?.0 + 1
    } else {
        marked.next()?
    };
    region.region_size = (cut - first) * state.machine().page;
    Some(told(truth, region))
}

fn query_hides_guard(state: &State, call: &Call) -> Option<Bent> {
    let (truth, mut region, _) = owned(state, call)?;
    region.protect = region.protect.without(Protection::GUARD);
    Some(told(truth, region))
}

fn query_reserved_protect(state: &State, call: &Call) -> Option<Bent> {
    let (truth, mut region, _) = owned(state, call)?;
    if region.state != RegionState::RESERVE {
        return None;
    }
    region.protect = region.allocation_protect;
    Some(told(truth, region))
}

/// Another story about a free region.
fn free(
    state: &State,
    call: &Call,
    change: impl FnOnce(&mut MemoryBasicInformation) + 'static,
) -> Option<Bent> {
    let truth = truth(state, call)?;
    let Answer::Unowned(_) = truth.first.answer else { return None };
    Some(Bent::from(truth).retold(|reply| {
        retell_value(reply, |value| match value {
            Value::Region(QueryAnswer { mut information, .. })
                if information.state == RegionState::FREE =>
            {
                change(&mut information);
                Value::Region(QueryAnswer::of(information))
            }
            other => other,
        })
    }))
}

fn query_free_granules(state: &State, call: &Call) -> Option<Bent> {
    let granularity = state.machine().granularity;
    free(state, call, move |region| {
        region.region_size = region.region_size.next_multiple_of(granularity);
    })
}

/// Halves, not pieces of one size: a walk of the whole address space must end.
fn query_free_in_halves(state: &State, call: &Call) -> Option<Bent> {
    let page = state.machine().page;
    free(state, call, move |region| {
        region.region_size = (region.region_size / 2).next_multiple_of(page);
    })
}

fn query_free_protect_zero(state: &State, call: &Call) -> Option<Bent> {
    free(state, call, |region| region.protect = Protection(0))
}

fn query_short_buffer(state: &State, call: &Call) -> Option<Bent> {
    let truth = truth(state, call)?;
    let Call::VirtualQuery { address, .. } = *call else { return None };
    if truth.first.rule != VQ_08 {
        return None;
    }
    let length = MemoryBasicInformation::SIZE;
    Some(misheard(state, &Call::VirtualQuery { address, buffer: OutPointer::Valid, length }))
}

fn query_beyond_is_free(state: &State, call: &Call) -> Option<Bent> {
    let truth = truth(state, call)?;
    if ![VQ_07, VQ_09].contains(&truth.first.rule) {
        return None;
    }
    let page = state.machine().page;
    let region = MemoryBasicInformation::free(call.address()?.align_down(page), page);
    Some(Bent::succeed(&truth, Answer::Region(region), Effect::None))
}
