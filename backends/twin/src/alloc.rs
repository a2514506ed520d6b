//! Canaries of `VirtualAlloc`: reservations and commits.

use hostmem_interface::{Address, AllocationType, Call, Data, Protection, Win32Error};
use hostmem_model::State;
use hostmem_model::effect::{Effect, Pages};
use hostmem_model::page::PageState;
use hostmem_model::rule::{
    AF_02, AF_03, GP_01, GP_02, PR_06, SM_04, SM_05, VA_04, VA_08, VA_09, VA_10, VA_12, VA_15,
    VA_16, VA_17, VA_21, VA_23, VA_24, VA_25, VA_26, VA_27, VA_31, VA_50, VA_51, VP_08, VP_09,
    VP_10, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, VQ_06, ZF_01, ZF_02,
};
use hostmem_model::rules::decide;
use hostmem_model::verdict::{Answer, Verdict};

use crate::Canary;
use crate::bent::{Bent, Lie, allocation_of, committed, misheard, rounded_inward};

const BAD_ADDRESS: Win32Error = Win32Error::ERROR_INVALID_ADDRESS;

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "reserve-whole-granules",
        rule: VA_12,
        seen_as: &[VA_10, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, VQ_06],
        sentence: "A reservation is rounded up to whole granules instead of whole pages.",
        lie: Lie::Law(reserve_whole_granules),
    },
    Canary {
        name: "reserve-returns-page",
        rule: VA_10,
        seen_as: &[VA_51],
        sentence: "An explicit reservation returns its address rounded down to a page, not to the \
                   granularity.",
        lie: Lie::Law(reserve_returns_page),
    },
    Canary {
        name: "reserve-forgets-offset",
        rule: VA_10,
        seen_as: &[VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, VQ_06],
        sentence: "An explicit reservation counts its size from the rounded base, not from the \
                   address.",
        lie: Lie::Law(reserve_forgets_offset),
    },
    Canary {
        name: "reserve-over-neighbour",
        rule: VA_15,
        seen_as: &[VA_16],
        sentence: "An explicit reservation that overlaps an allocation says that it succeeded.",
        lie: Lie::Law(reserve_over_neighbour),
    },
    Canary {
        name: "null-commit-refused",
        rule: VA_09,
        seen_as: &[],
        sentence: "COMMIT with a null address is refused instead of reserving.",
        lie: Lie::Law(null_commit_refused),
    },
    Canary {
        name: "commit-rounds-inward",
        rule: SM_05,
        seen_as: &[
            VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01, AF_02, AF_03, PR_06, VP_08, VP_09, VP_10,
        ],
        sentence: "COMMIT leaves out a last page that it touches in part.",
        lie: Lie::Law(commit_rounds_inward),
    },
    Canary {
        name: "commit-beyond-end",
        rule: VA_21,
        seen_as: &[],
        sentence: "COMMIT that runs past the end of the allocation commits up to there and \
                   succeeds.",
        lie: Lie::Law(commit_beyond_end),
    },
    Canary {
        name: "refused-commit-leaks",
        rule: SM_04,
        seen_as: &[VA_21, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01],
        sentence: "COMMIT that runs past the end of the allocation is refused, but commits up to \
                   there.",
        lie: Lie::Law(refused_commit_leaks),
    },
    Canary {
        name: "commit-limit-ignored",
        rule: VA_27,
        seen_as: &[],
        sentence: "COMMIT beyond the commit limit succeeds.",
        lie: Lie::Law(commit_limit_ignored),
    },
    Canary {
        name: "commit-limit-leaks",
        rule: SM_04,
        seen_as: &[VA_27, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01],
        sentence: "COMMIT beyond the commit limit is refused, but leaves its pages committed.",
        lie: Lie::Law(commit_limit_leaks),
    },
    Canary {
        name: "recommit-zeroes",
        rule: ZF_02,
        seen_as: &[],
        sentence: "COMMIT of committed pages makes them zero.",
        lie: Lie::Law(recommit_zeroes),
    },
    Canary {
        name: "recommit-keeps-protection",
        rule: VA_23,
        seen_as: &[
            VA_24, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01, GP_02, AF_02, AF_03, PR_06, VP_10,
        ],
        sentence: "COMMIT of committed pages leaves the protection that they have.",
        lie: Lie::Law(recommit_keeps_protection),
    },
    Canary {
        name: "commit-sets-allocation-protect",
        rule: VA_25,
        seen_as: &[VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01],
        sentence: "AllocationProtect becomes what the pages were last given.",
        lie: Lie::Law(commit_sets_allocation_protect),
    },
    Canary {
        name: "commit-not-zeroed",
        rule: VA_26,
        seen_as: &[ZF_01, ZF_02],
        sentence: "Newly committed pages hold a byte that is not zero.",
        lie: Lie::Law(commit_not_zeroed),
    },
    Canary {
        name: "address-before-protection",
        rule: VA_31,
        seen_as: &[VA_04],
        sentence: "VirtualAlloc looks at the address before the protection: 487 where both are \
                   wrong.",
        lie: Lie::Law(address_before_protection),
    },
    Canary {
        name: "zero-size-is-a-page",
        rule: VA_08,
        seen_as: &[],
        sentence: "VirtualAlloc takes a size of zero for one page.",
        lie: Lie::Law(zero_size_is_a_page),
    },
    Canary {
        name: "success-is-conflict",
        rule: VA_17,
        seen_as: &[VA_10, VA_51],
        sentence: "An explicit reservation directly behind an allocation is refused as if it \
                   overlapped.",
        lie: Lie::Law(success_is_conflict),
    },
    Canary {
        name: "null-reserve-at-page",
        rule: VA_12,
        seen_as: &[VA_09, VA_50],
        sentence: "A reservation at a null address is told to begin one page behind its base.",
        lie: Lie::Law(null_reserve_at_page),
    },
];

/// The arguments that most of these look at.
struct Asked {
    address: Address,
    size: u64,
    kind: AllocationType,
    protect: Protection,
}

fn asked(call: &Call) -> Option<Asked> {
    match call {
        Call::VirtualAlloc { address, size, kind, protect, .. } => {
            Some(Asked { address: *address, size: *size, kind: *kind, protect: *protect })
        }
        _ => None,
    }
}

/// The lawful verdict on a `VirtualAlloc`.
fn truth(state: &State, call: &Call) -> Option<(Asked, Verdict)> {
    Some((asked(call)?, decide(state, call)))
}

fn reserve_whole_granules(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = truth(state, call)?;
    let Effect::Reserve { base, size, terms, state: pages } = truth.first.effect else {
        return None;
    };
    // No two allocations share a granule, so there is always room for the rest of one.
    let size = size.next_multiple_of(state.machine().granularity);
    Some(Bent::with_effect(truth, Effect::Reserve { base, size, terms, state: pages }))
}

fn reserve_returns_page(state: &State, call: &Call) -> Option<Bent> {
    let (asked, truth) = truth(state, call)?;
    let Effect::Reserve { base: Some(_), .. } = truth.first.effect else { return None };
    let page = asked.address.align_down(state.machine().page);
    Some(Bent::with_answer(truth, Answer::Address(page)))
}

fn reserve_forgets_offset(state: &State, call: &Call) -> Option<Bent> {
    let (asked, truth) = truth(state, call)?;
    let Effect::Reserve { base: Some(base), terms, state: pages, .. } = truth.first.effect else {
        return None;
    };
    let size = asked.size.next_multiple_of(state.machine().page);
    let effect = Effect::Reserve { base: Some(base), size, terms, state: pages };
    Some(Bent::with_effect(truth, effect))
}

fn reserve_over_neighbour(state: &State, call: &Call) -> Option<Bent> {
    let (asked, truth) = truth(state, call)?;
    let reserves = asked.kind.contains(AllocationType::RESERVE);
    if !reserves || ![VA_15, VA_16].contains(&truth.first.rule) {
        return None;
    }
    let base = asked.address.align_down(state.machine().granularity);
    Some(Bent::succeed(&truth, Answer::Address(base), Effect::None))
}

fn null_commit_refused(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = truth(state, call)?;
    (truth.first.rule == VA_09).then(|| Bent::refuse(&truth, BAD_ADDRESS))
}

fn commit_rounds_inward(state: &State, call: &Call) -> Option<Bent> {
    let (asked, truth) = truth(state, call)?;
    let Effect::Commit(pages, to) = &truth.first.effect else { return None };
    let allocation = allocation_of(state, pages)?;
    let range = rounded_inward(allocation, asked.address, asked.size);
    let effect = Effect::Commit(Pages::of(pages.base, range), *to);
    Some(Bent::with_effect(truth, effect))
}

/// The part of a commit that runs past the end which lies inside the allocation.
fn part_inside(state: &State, asked: &Asked) -> Option<(Address, Effect)> {
    let allocation = state.space.find(asked.address)?;
    let first = allocation.page_of(asked.address);
    let pages = Pages::of(allocation.base(), first..allocation.all_pages().end);
    let effect = Effect::Commit(pages, committed(asked.protect)?);
    Some((allocation.address_of(first), effect))
}

fn commit_beyond_end(state: &State, call: &Call) -> Option<Bent> {
    let (asked, truth) = truth(state, call)?;
    if truth.first.rule != VA_21 {
        return None;
    }
    let (first, effect) = part_inside(state, &asked)?;
    Some(Bent::succeed(&truth, Answer::Address(first), effect))
}

fn refused_commit_leaks(state: &State, call: &Call) -> Option<Bent> {
    let (asked, truth) = truth(state, call)?;
    if truth.first.rule != VA_21 {
        return None;
    }
    let (_, effect) = part_inside(state, &asked)?;
    Some(Bent::refuse_but(&truth, BAD_ADDRESS, effect))
}

/// What a commit that the limit forbids would have done.
fn over_limit(state: &State, asked: &Asked, truth: &Verdict) -> Option<(Address, Effect)> {
    if truth.first.rule != VA_27 || asked.kind.contains(AllocationType::RESERVE) {
        return None;
    }
    let allocation = state.space.find(asked.address)?;
    let pages = allocation.touched(asked.address, asked.size)?;
    let first = allocation.address_of(pages.start);
    let pages = Pages::of(allocation.base(), pages);
    Some((first, Effect::Commit(pages, committed(asked.protect)?)))
}

fn commit_limit_ignored(state: &State, call: &Call) -> Option<Bent> {
    let (asked, truth) = truth(state, call)?;
    let (first, effect) = over_limit(state, &asked, &truth)?;
    Some(Bent::succeed(&truth, Answer::Address(first), effect))
}

fn commit_limit_leaks(state: &State, call: &Call) -> Option<Bent> {
    let (asked, truth) = truth(state, call)?;
    let (_, effect) = over_limit(state, &asked, &truth)?;
    Some(Bent::refuse_but(&truth, Win32Error::ERROR_COMMITMENT_LIMIT, effect))
}

fn recommit_zeroes(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = truth(state, call)?;
    let Effect::Commit(pages, _) = &truth.first.effect else { return None };
    let (zero, commit) = (Effect::Decommit(pages.clone()), truth.first.effect.clone());
    Some(Bent::with_effect(truth, zero).also(commit))
}

fn recommit_keeps_protection(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = truth(state, call)?;
    let Effect::Commit(pages, to) = truth.first.effect.clone() else { return None };
    let fresh = allocation_of(state, &pages)?
        .runs(pages.range)
        .filter(|(_, old)| !old.is_committed())
        .map(|(run, _)| Effect::Commit(Pages::of(pages.base, run), to));
    Some(fresh.fold(Bent::with_effect(truth, Effect::None), Bent::also))
}

/// Nothing of the state says what was given last, but the page itself does.
fn commit_sets_allocation_protect(state: &State, call: &Call) -> Option<Bent> {
    let Call::VirtualQuery { .. } = call else { return None };
    let truth = decide(state, call);
    let Answer::Region(region) = truth.first.answer else { return None };
    let allocation = state.space.find(region.base_address)?;
    let page = allocation.state(allocation.page_of(region.base_address));
    if page == PageState::RESERVED {
        return None;
    }
    let mut told = region;
    told.allocation_protect = region.protect;
    Some(Bent::with_answer(truth, Answer::Region(told)))
}

fn commit_not_zeroed(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = truth(state, call)?;
    let Effect::Commit(pages, _) = &truth.first.effect else { return None };
    let allocation = allocation_of(state, pages)?;
    if allocation.terms().watched {
        // It would mark the page too (WW-09), which is another canary's fault.
        return None;
    }
    let fresh = allocation.runs(pages.range.clone()).find(|(_, old)| !old.is_committed())?.0;
    let last = allocation.address_of(fresh.end - 1);
    let at = last.wrapping_add(state.machine().page - 1);
    let dirt = Data::Fill { size: 1, byte: 0xCC };
    let dirty = Effect::Access { at, data: Some(dirt), length: 1, disarmed: None };
    Some(Bent::from(truth).also(dirty))
}

fn address_before_protection(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = truth(state, call)?;
    (truth.first.rule == VA_31).then(|| Bent::refuse(&truth, BAD_ADDRESS))
}

fn zero_size_is_a_page(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = truth(state, call)?;
    let Call::VirtualAlloc { address, kind, protect, critical, .. } = *call else { return None };
    if truth.first.rule != VA_08 {
        return None;
    }
    let heard = Call::VirtualAlloc { address, size: 1, kind, protect, critical };
    Some(misheard(state, &heard))
}

fn success_is_conflict(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = truth(state, call)?;
    let Effect::Reserve { base: Some(base), .. } = truth.first.effect else { return None };
    let before = state.space.find(Address(base.0 - 1))?;
    (before.end() == base).then(|| Bent::refuse(&truth, BAD_ADDRESS))
}

fn null_reserve_at_page(state: &State, call: &Call) -> Option<Bent> {
    use hostmem_interface::Value;

    let (_, truth) = truth(state, call)?;
    let Answer::AnyBase { .. } = truth.first.answer else { return None };
    let page = state.machine().page;
    Some(Bent::from(truth).retold(move |reply| {
        crate::bent::retell_value(reply, |value| match value {
            Value::Address(base) => Value::Address(base.wrapping_add(page)),
            other => other,
        })
    }))
}
