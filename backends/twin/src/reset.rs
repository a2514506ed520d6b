//! Canaries of `MEM_RESET`.

use hostmem_interface::{Call, Value};
use hostmem_model::State;
use hostmem_model::effect::Effect;
use hostmem_model::rule::{
    AF_01, AF_02, AF_03, GP_01, VA_22, VA_23, VA_42, VA_42B, VA_42C, VA_42E, VP_08, VP_10, VQ_01,
    VQ_02, VQ_03, VQ_04, VQ_05,
};
use hostmem_model::rules::decide;

use crate::Canary;
use crate::bent::{Bent, Lie, allocation_of, committed, retell_value};

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "reset-sets-protection",
        rule: VA_42,
        seen_as: &[VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01, AF_02, AF_03, VP_10],
        sentence: "MEM_RESET gives its pages the protection that it should ignore.",
        lie: Lie::Law(reset_sets_protection),
    },
    Canary {
        name: "reset-decommits",
        rule: VA_42,
        seen_as: &[
            VA_42B, VA_42C, VQ_01, VQ_02, VQ_03, VQ_04, VQ_05, GP_01, AF_01, AF_02, AF_03, VA_42E,
            VA_22, VA_23, VP_08,
        ],
        sentence: "MEM_RESET decommits its pages.",
        lie: Lie::Law(reset_decommits),
    },
    Canary {
        name: "reset-half-a-page",
        rule: VA_42E,
        seen_as: &[],
        sentence: "A read after MEM_RESET shows the old bytes first and zeros behind them, within \
                   one page.",
        lie: Lie::Law(reset_half_a_page),
    },
];

fn reset_sets_protection(state: &State, call: &Call) -> Option<Bent> {
    let Call::VirtualAlloc { protect, .. } = *call else { return None };
    let truth = decide(state, call);
    let Effect::Reset(pages) = &truth.first.effect else { return None };
    if !allocation_of(state, pages)?.all_committed(pages.range.clone()) {
        return None;
    }
    let change = Effect::Protect(pages.clone(), committed(protect)?);
    Some(Bent::from(truth).also(change))
}

fn reset_decommits(state: &State, call: &Call) -> Option<Bent> {
    let Call::VirtualAlloc { .. } = call else { return None };
    let truth = decide(state, call);
    let Effect::Reset(pages) = &truth.first.effect else { return None };
    let gone = Effect::Decommit(pages.clone());
    Some(Bent::with_effect(truth, gone))
}

fn reset_half_a_page(state: &State, call: &Call) -> Option<Bent> {
    let Call::Read { address, size } = *call else { return None };
    let truth = decide(state, call);
    let page = state.machine().page;
    let within = size <= page - address.0 % page;
    if truth.first.rule != VA_42E || !within {
        return None;
    }
    Some(Bent::from(truth).retold(|reply| {
        retell_value(reply, |value| match value {
            Value::Bytes(mut bytes) => {
                let half = bytes.len().div_ceil(2);
                bytes[half..].fill(0);
                Value::Bytes(bytes)
            }
            other => other,
        })
    }))
}
