//! Canaries of `VirtualProtect`.

use hostmem_interface::{Address, Call, OutPointer, Protection, Win32Error};
use hostmem_model::State;
use hostmem_model::effect::{Effect, Pages};
use hostmem_model::rule::{
    AF_02, AF_03, GP_01, GP_04, PR_05, PR_06, SM_03, SM_04, VP_01, VP_02, VP_03, VP_05, VP_07,
    VP_08, VP_09, VP_10, VP_12, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, ZF_02,
};
use hostmem_model::rules::decide;
use hostmem_model::verdict::{Answer, Verdict};

use crate::Canary;
use crate::bent::{Bent, Lie, allocation_of, committed, misheard, rounded_inward};

const BAD_ADDRESS: Win32Error = Win32Error::ERROR_INVALID_ADDRESS;

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "old-protection-of-last-page",
        rule: VP_10,
        seen_as: &[VP_09, GP_04, PR_05, PR_06],
        sentence: "VirtualProtect tells the old protection of the last page instead of the first.",
        lie: Lie::Law(old_protection_of_last_page),
    },
    Canary {
        name: "old-protection-is-new",
        rule: VP_10,
        seen_as: &[VP_09, GP_04, PR_05, PR_06],
        sentence: "VirtualProtect tells the new protection for the old one.",
        lie: Lie::Law(old_protection_is_new),
    },
    Canary {
        name: "protect-rounds-inward",
        rule: VP_09,
        seen_as: &[VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01, GP_04, PR_06, AF_02, AF_03, VP_10],
        sentence: "VirtualProtect leaves out a last page that it touches in part.",
        lie: Lie::Law(protect_rounds_inward),
    },
    Canary {
        name: "refused-protect-leaks",
        rule: SM_04,
        seen_as: &[VP_08, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01],
        sentence: "VirtualProtect that meets a reserved page is refused, but has changed the pages \
                   before it.",
        lie: Lie::Law(refused_protect_leaks),
    },
    Canary {
        name: "protect-zero-size",
        rule: VP_05,
        seen_as: &[],
        sentence: "VirtualProtect takes a size of zero for one page.",
        lie: Lie::Law(protect_zero_size),
    },
    Canary {
        name: "protect-address-first",
        rule: VP_01,
        seen_as: &[],
        sentence: "VirtualProtect looks at the address before the protection: 487 where both are \
                   wrong.",
        lie: Lie::Law(protect_address_first),
    },
    Canary {
        name: "protect-null-old-changes",
        rule: VP_02,
        seen_as: &[VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01],
        sentence: "VirtualProtect without a pointer for the old protection is refused, but has \
                   changed the pages.",
        lie: Lie::Law(protect_null_old_changes),
    },
    Canary {
        name: "protect-null-old-accepted",
        rule: VP_02,
        seen_as: &[VP_03],
        sentence: "VirtualProtect without a pointer for the old protection succeeds.",
        lie: Lie::Law(protect_null_old_accepted),
    },
    Canary {
        name: "protect-crosses-allocations",
        rule: SM_03,
        seen_as: &[VP_07],
        sentence: "VirtualProtect runs on into the allocation next door.",
        lie: Lie::Law(protect_crosses_allocations),
    },
    Canary {
        name: "protect-reserved",
        rule: VP_08,
        seen_as: &[],
        sentence: "VirtualProtect of a range with reserved pages changes the committed ones and \
                   succeeds.",
        lie: Lie::Law(protect_reserved),
    },
    Canary {
        name: "noaccess-discards",
        rule: VP_12,
        seen_as: &[ZF_02],
        sentence: "Pages that become PAGE_NOACCESS lose their bytes.",
        lie: Lie::Law(noaccess_discards),
    },
    Canary {
        name: "nocache-per-page",
        rule: PR_05,
        seen_as: &[PR_06],
        sentence: "A page whose protection was changed no longer shows the allocation's \
                   PAGE_NOCACHE.",
        lie: Lie::Law(nocache_per_page),
    },
];

/// The arguments and the lawful verdict.
fn truth(state: &State, call: &Call) -> Option<(Address, u64, Protection, Verdict)> {
    match call {
        Call::VirtualProtect { address, size, protect, .. } => {
            Some((*address, *size, *protect, decide(state, call)))
        }
        _ => None,
    }
}

fn old_protection_of_last_page(state: &State, call: &Call) -> Option<Bent> {
    let (.., truth) = truth(state, call)?;
    let Effect::Protect(pages, _) = &truth.first.effect else { return None };
    let allocation = allocation_of(state, pages)?;
    let old = allocation.shown(allocation.state(pages.range.end - 1));
    Some(Bent::with_answer(truth, Answer::Old(old)))
}

fn old_protection_is_new(state: &State, call: &Call) -> Option<Bent> {
    let (.., truth) = truth(state, call)?;
    let Effect::Protect(pages, to) = &truth.first.effect else { return None };
    let told = allocation_of(state, pages)?.shown(*to);
    Some(Bent::with_answer(truth, Answer::Old(told)))
}

fn protect_rounds_inward(state: &State, call: &Call) -> Option<Bent> {
    let (address, size, _, truth) = truth(state, call)?;
    let Effect::Protect(pages, to) = &truth.first.effect else { return None };
    let range = rounded_inward(allocation_of(state, pages)?, address, size);
    let effect = Effect::Protect(Pages::of(pages.base, range), *to);
    Some(Bent::with_effect(truth, effect))
}

/// The committed pages of a range that `VirtualProtect` refuses because others are not:
/// with `leading`, only those before the first that is not.
fn committed_part(state: &State, call: &Call, leading: bool) -> Option<(Verdict, Vec<Effect>)> {
    let (address, size, protect, truth) = truth(state, call)?;
    if truth.first.rule != VP_08 {
        return None;
    }
    let allocation = state.space.find(address)?;
    let (pages, to) = (allocation.touched(address, size)?, committed(protect)?);
    let change = |run| Effect::Protect(Pages::of(allocation.base(), run), to);
    let runs = allocation.runs(pages);
    let changes = if leading {
        runs.take_while(|(_, old)| old.is_committed()).map(|(run, _)| change(run)).collect()
    } else {
        runs.filter(|(_, old)| old.is_committed()).map(|(run, _)| change(run)).collect()
    };
    Some((truth, changes))
}

fn refused_protect_leaks(state: &State, call: &Call) -> Option<Bent> {
    let (truth, changes) = committed_part(state, call, true)?;
    Some(changes.into_iter().fold(Bent::refuse(&truth, BAD_ADDRESS), Bent::also))
}

fn protect_reserved(state: &State, call: &Call) -> Option<Bent> {
    let (address, .., protect) = truth(state, call).map(|(at, size, to, _)| (at, size, to))?;
    let (truth, changes) = committed_part(state, call, false)?;
    let allocation = state.space.find(address)?;
    let first = allocation.state(allocation.page_of(address));
    // Of a reserved first page there is no old protection to tell.
    let old = if first.is_committed() { allocation.shown(first) } else { protect };
    let success = Bent::succeed(&truth, Answer::Old(old), Effect::None);
    Some(changes.into_iter().fold(success, Bent::also))
}

fn protect_zero_size(state: &State, call: &Call) -> Option<Bent> {
    let (address, _, protect, truth) = truth(state, call)?;
    if truth.first.rule != VP_05 {
        return None;
    }
    let old = OutPointer::Valid;
    Some(misheard(state, &Call::VirtualProtect { address, size: 1, protect, old }))
}

fn protect_address_first(state: &State, call: &Call) -> Option<Bent> {
    let (address, .., truth) = truth(state, call)?;
    let both = truth.first.rule == VP_01 && state.space.find(address).is_none();
    both.then(|| Bent::refuse(&truth, BAD_ADDRESS))
}

/// What the call would be with a pointer.
fn with_pointer(state: &State, call: &Call) -> Option<(Verdict, Verdict)> {
    let (address, size, protect, truth) = truth(state, call)?;
    if ![VP_02, VP_03].contains(&truth.first.rule) {
        return None;
    }
    let old = OutPointer::Valid;
    let would = decide(state, &Call::VirtualProtect { address, size, protect, old });
    Some((truth, would))
}

fn protect_null_old_changes(state: &State, call: &Call) -> Option<Bent> {
    let (truth, would) = with_pointer(state, call)?;
    Some(Bent::refuse_but(&truth, Win32Error::ERROR_NOACCESS, would.first.effect))
}

fn protect_null_old_accepted(state: &State, call: &Call) -> Option<Bent> {
    with_pointer(state, call).map(|(_, would)| Bent::from(would))
}

fn protect_crosses_allocations(state: &State, call: &Call) -> Option<Bent> {
    let (address, size, protect, truth) = truth(state, call)?;
    if truth.first.rule != VP_07 {
        return None;
    }
    let first = state.space.find(address)?;
    let next = state.space.find(first.end())?;
    let last = Address(address.wrapping_add(size).0 - 1);
    if state.space.find(last)?.base() != next.base() {
        return None;
    }
    let (page, to) = (first.page_of(address), committed(protect)?);
    let (here, there) = (page..first.all_pages().end, 0..next.page_of(last) + 1);
    if !first.all_committed(here.clone()) || !next.all_committed(there.clone()) {
        return None;
    }
    let old = Answer::Old(first.shown(first.state(page)));
    let effect = Effect::Protect(Pages::of(first.base(), here), to);
    let bent = Bent::succeed(&truth, old, effect);
    Some(bent.also(Effect::Protect(Pages::of(next.base(), there), to)))
}

fn noaccess_discards(state: &State, call: &Call) -> Option<Bent> {
    let (_, _, protect, truth) = truth(state, call)?;
    let Effect::Protect(pages, _) = &truth.first.effect else { return None };
    if protect != Protection::NOACCESS {
        return None;
    }
    let (gone, change) = (Effect::Decommit(pages.clone()), truth.first.effect.clone());
    Some(Bent::with_effect(truth, gone).also(change))
}

/// Nothing of the state says that a page was changed, but a protection other than the one
/// that the allocation was made with does.
fn nocache_per_page(state: &State, call: &Call) -> Option<Bent> {
    let Call::VirtualQuery { .. } = call else { return None };
    let truth = decide(state, call);
    let Answer::Region(mut region) = truth.first.answer else { return None };
    let modifiers = Protection::NOCACHE | Protection::WRITECOMBINE;
    let changed = region.protect != region.allocation_protect;
    if !changed || !region.protect.intersects(modifiers) {
        return None;
    }
    region.protect = region.protect.without(modifiers);
    Some(Bent::with_answer(truth, Answer::Region(region)))
}
