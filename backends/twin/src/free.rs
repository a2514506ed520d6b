//! Canaries of `VirtualFree`.

use hostmem_interface::{Address, Call, FreeType, Hresult, Outcome, Reply, Win32Error};
use hostmem_model::State;
use hostmem_model::effect::{Effect, Pages};
use hostmem_model::page::PageState;
use hostmem_model::rule::{
    AF_01, AF_02, AF_03, GP_01, HR_04, SM_03, SM_05, VF_01, VF_02, VF_03, VF_05, VF_06, VF_07,
    VF_08, VF_09, VF_10, VF_11, VF_13, VF_14, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, ZF_01, ZF_02,
};
use hostmem_model::rules::decide;
use hostmem_model::verdict::{Answer, Verdict};

use crate::Canary;
use crate::bent::{Bent, Lie, allocation_of, misheard, rounded_inward};

const BAD_ADDRESS: Win32Error = Win32Error::ERROR_INVALID_ADDRESS;

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "decommit-keeps-bytes",
        rule: ZF_01,
        seen_as: &[VF_13, ZF_02],
        sentence: "The bytes of decommitted pages are there again when they are committed again.",
        lie: Lie::Law(decommit_keeps_bytes),
    },
    Canary {
        name: "decommit-rounds-inward",
        rule: VF_10,
        seen_as: &[SM_05, VF_11, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01, AF_01, AF_02, AF_03],
        sentence: "MEM_DECOMMIT leaves a last page that it touches in part.",
        lie: Lie::Law(decommit_rounds_inward),
    },
    Canary {
        name: "decommit-beyond-end-487",
        rule: VF_07,
        seen_as: &[],
        sentence: "MEM_DECOMMIT past the end of the allocation is refused with 487 instead of 87.",
        lie: Lie::Law(decommit_beyond_end_487),
    },
    Canary {
        name: "decommit-crosses-allocations",
        rule: SM_03,
        seen_as: &[VF_07],
        sentence: "MEM_DECOMMIT runs on into the allocation next door.",
        lie: Lie::Law(decommit_crosses_allocations),
    },
    Canary {
        name: "decommit-zero-anywhere",
        rule: VF_08,
        seen_as: &[],
        sentence: "MEM_DECOMMIT with size zero takes the rest of the allocation from wherever it \
                   begins.",
        lie: Lie::Law(decommit_zero_anywhere),
    },
    Canary {
        name: "decommit-needs-committed",
        rule: VF_11,
        seen_as: &[],
        sentence: "MEM_DECOMMIT of pages that are not committed is refused.",
        lie: Lie::Law(decommit_needs_committed),
    },
    Canary {
        name: "release-interior",
        rule: VF_09,
        seen_as: &[],
        sentence: "MEM_RELEASE of an address inside the allocation releases it.",
        lie: Lie::Law(release_interior),
    },
    Canary {
        name: "release-with-size",
        rule: VF_01,
        seen_as: &[],
        sentence: "MEM_RELEASE takes a size, and releases the whole allocation.",
        lie: Lie::Law(release_with_size),
    },
    Canary {
        name: "release-needs-decommit",
        rule: VF_14,
        seen_as: &[],
        sentence: "MEM_RELEASE of an allocation with committed pages is refused.",
        lie: Lie::Law(release_needs_decommit),
    },
    Canary {
        name: "release-of-nothing",
        rule: VF_06,
        seen_as: &[VF_05],
        sentence: "MEM_RELEASE of memory in no allocation succeeds, a second release included.",
        lie: Lie::Law(release_of_nothing),
    },
    Canary {
        name: "free-type-any-release",
        rule: VF_02,
        seen_as: &[],
        sentence: "MEM_DECOMMIT and MEM_RELEASE together are taken for MEM_RELEASE.",
        lie: Lie::Law(free_type_any_release),
    },
    Canary {
        name: "free-address-first",
        rule: VF_03,
        seen_as: &[],
        sentence: "VirtualFree looks at the address before type and size: 487 where both are \
                   wrong.",
        lie: Lie::Law(free_address_first),
    },
    Canary {
        name: "free-says-s-false",
        rule: HR_04,
        seen_as: &[],
        sentence: "MEM_DECOMMIT succeeds with S_FALSE, which the runtime takes for a failure.",
        lie: Lie::Law(free_says_s_false),
    },
];

/// The arguments and the lawful verdict.
fn truth(state: &State, call: &Call) -> Option<(Address, u64, FreeType, Verdict)> {
    match call {
        Call::VirtualFree { address, size, kind } => {
            Some((*address, *size, *kind, decide(state, call)))
        }
        _ => None,
    }
}

fn decommit_keeps_bytes(state: &State, call: &Call) -> Option<Bent> {
    let (.., truth) = truth(state, call)?;
    let Effect::Decommit(pages) = truth.first.effect.clone() else { return None };
    // The same change of state, by the effect that leaves the contents alone.
    Some(Bent::with_effect(truth, Effect::Commit(pages, PageState::RESERVED)))
}

fn decommit_rounds_inward(state: &State, call: &Call) -> Option<Bent> {
    let (address, size, _, truth) = truth(state, call)?;
    let Effect::Decommit(pages) = &truth.first.effect else { return None };
    if size == 0 {
        return None;
    }
    let range = rounded_inward(allocation_of(state, pages)?, address, size);
    let effect = Effect::Decommit(Pages::of(pages.base, range));
    Some(Bent::with_effect(truth, effect))
}

fn decommit_beyond_end_487(state: &State, call: &Call) -> Option<Bent> {
    let (.., truth) = truth(state, call)?;
    (truth.first.rule == VF_07).then(|| Bent::refuse(&truth, BAD_ADDRESS))
}

fn decommit_crosses_allocations(state: &State, call: &Call) -> Option<Bent> {
    let (address, size, _, truth) = truth(state, call)?;
    if truth.first.rule != VF_07 {
        return None;
    }
    let first = state.space.find(address)?;
    let next = state.space.find(first.end())?;
    let last = Address(address.wrapping_add(size).0 - 1);
    if next.base() != first.end() || state.space.find(last)?.base() != next.base() {
        return None;
    }
    let here = Pages::of(first.base(), first.page_of(address)..first.all_pages().end);
    let there = Pages::of(next.base(), 0..next.page_of(last) + 1);
    let bent = Bent::succeed(&truth, Answer::Nothing, Effect::Decommit(here));
    Some(bent.also(Effect::Decommit(there)))
}

fn decommit_zero_anywhere(state: &State, call: &Call) -> Option<Bent> {
    let (address, .., truth) = truth(state, call)?;
    if truth.first.rule != VF_08 {
        return None;
    }
    let allocation = state.space.find(address)?;
    let rest = allocation.page_of(address)..allocation.all_pages().end;
    let effect = Effect::Decommit(Pages::of(allocation.base(), rest));
    Some(Bent::succeed(&truth, Answer::Nothing, effect))
}

fn decommit_needs_committed(state: &State, call: &Call) -> Option<Bent> {
    let (.., truth) = truth(state, call)?;
    (truth.first.rule == VF_11).then(|| Bent::refuse(&truth, BAD_ADDRESS))
}

fn release_interior(state: &State, call: &Call) -> Option<Bent> {
    let (address, .., truth) = truth(state, call)?;
    if truth.first.rule != VF_09 {
        return None;
    }
    let base = state.space.find(address)?.base();
    Some(Bent::succeed(&truth, Answer::Nothing, Effect::Release(base)))
}

fn release_with_size(state: &State, call: &Call) -> Option<Bent> {
    let (address, _, kind, truth) = truth(state, call)?;
    if truth.first.rule != VF_01 {
        return None;
    }
    Some(misheard(state, &Call::VirtualFree { address, size: 0, kind }))
}

fn release_needs_decommit(state: &State, call: &Call) -> Option<Bent> {
    let (address, .., truth) = truth(state, call)?;
    let Effect::Release(_) = truth.first.effect else { return None };
    let used = state.space.find(address)?.committed_pages() > 0;
    used.then(|| Bent::refuse(&truth, BAD_ADDRESS))
}

fn release_of_nothing(state: &State, call: &Call) -> Option<Bent> {
    let (_, _, kind, truth) = truth(state, call)?;
    let nothing = [VF_05, VF_06].contains(&truth.first.rule) && kind == FreeType::RELEASE;
    nothing.then(|| Bent::succeed(&truth, Answer::Nothing, Effect::None))
}

fn free_type_any_release(state: &State, call: &Call) -> Option<Bent> {
    let (address, size, kind, truth) = truth(state, call)?;
    if truth.first.rule != VF_02 || !kind.contains(FreeType::RELEASE) {
        return None;
    }
    Some(misheard(state, &Call::VirtualFree { address, size, kind: FreeType::RELEASE }))
}

fn free_address_first(state: &State, call: &Call) -> Option<Bent> {
    let (.., truth) = truth(state, call)?;
    (truth.first.rule == VF_03).then(|| Bent::refuse(&truth, BAD_ADDRESS))
}

fn free_says_s_false(state: &State, call: &Call) -> Option<Bent> {
    let (.., truth) = truth(state, call)?;
    let Effect::Decommit(_) = truth.first.effect else { return None };
    Some(Bent::from(truth).retold(|reply| match reply {
        Reply::Outcome { outcome: Outcome::Done { value, .. }, notified } => {
            Reply::Outcome { outcome: Outcome::Done { code: Hresult::S_FALSE, value }, notified }
        }
        other => other,
    }))
}
