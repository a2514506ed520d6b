//! Canaries of `CreateMalloc` and `IHostMalloc`.

use hostmem_interface::{Address, Call, Data, MallocId, Value, Win32Error};
use hostmem_model::State;
use hostmem_model::effect::Effect;
use hostmem_model::rule::{HM_03, HM_04, HM_05, HM_06, HM_07, HM_08};
use hostmem_model::rules::decide;
use hostmem_model::verdict::{Answer, Verdict};

use crate::Canary;
use crate::bent::{Bent, Lie, retell_value};

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "heap-misaligned",
        rule: HM_03,
        seen_as: &[HM_08],
        sentence: "Alloc returns blocks aligned to 8 bytes.",
        lie: Lie::Law(heap_misaligned),
    },
    Canary {
        name: "heap-block-twice",
        rule: HM_03,
        seen_as: &[HM_08],
        sentence: "Alloc returns a block that is live already.",
        lie: Lie::Law(heap_block_twice),
    },
    Canary {
        name: "heap-clobbers-neighbour",
        rule: HM_07,
        seen_as: &[],
        sentence: "Alloc writes into a block of the same heap that is live.",
        lie: Lie::Law(heap_clobbers_neighbour),
    },
    Canary {
        name: "heap-last-byte-lost",
        rule: HM_07,
        seen_as: &[],
        sentence: "The last byte of a block does not keep what is written to it.",
        lie: Lie::Law(heap_last_byte_lost),
    },
    Canary {
        name: "heap-free-twice",
        rule: HM_06,
        seen_as: &[],
        sentence: "Free of a block that is not live succeeds.",
        lie: Lie::Law(heap_free_twice),
    },
    Canary {
        name: "heap-free-of-another",
        rule: HM_06,
        seen_as: &[],
        sentence: "Free takes blocks of other heaps.",
        lie: Lie::Law(heap_free_of_another),
    },
    Canary {
        name: "heap-free-leaks",
        rule: HM_04,
        seen_as: &[HM_06],
        sentence: "Free succeeds and leaves the block live: a second Free succeeds too.",
        lie: Lie::Law(heap_free_leaks),
    },
    Canary {
        name: "heap-free-null-refused",
        rule: HM_05,
        seen_as: &[],
        sentence: "Free of a null pointer is refused.",
        lie: Lie::Law(heap_free_null_refused),
    },
];

/// The lawful verdict on `Alloc` or `DebugAlloc`, and the heap.
fn alloc(state: &State, call: &Call) -> Option<(MallocId, Verdict)> {
    match call {
        Call::Alloc { malloc, .. } | Call::DebugAlloc { malloc, .. } => {
            Some((*malloc, decide(state, call)))
        }
        _ => None,
    }
}

/// The lawful verdict on `Free`.
fn free(state: &State, call: &Call) -> Option<(Address, Verdict)> {
    match call {
        Call::Free { address, .. } => Some((*address, decide(state, call))),
        _ => None,
    }
}

fn live_block(state: &State, malloc: MallocId) -> Option<Address> {
    let mut live = state.heaps.blocks().filter(|(_, it)| it.malloc == malloc && it.size > 0);
    live.next().map(|(base, _)| base)
}

fn heap_misaligned(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = alloc(state, call)?;
    Some(Bent::from(truth).retold(|reply| {
        retell_value(reply, |value| match value {
            Value::Address(base) => Value::Address(base.wrapping_add(8)),
            other => other,
        })
    }))
}

fn heap_block_twice(state: &State, call: &Call) -> Option<Bent> {
    let (malloc, truth) = alloc(state, call)?;
    let live = live_block(state, malloc)?;
    Some(Bent::succeed(&truth, Answer::Address(live), Effect::None))
}

fn heap_clobbers_neighbour(state: &State, call: &Call) -> Option<Bent> {
    let (malloc, truth) = alloc(state, call)?;
    let at = live_block(state, malloc)?;
    let dirt = Data::Fill { size: 1, byte: 0xDD };
    let clobber = Effect::Access { at, data: Some(dirt), length: 1, disarmed: None };
    Some(Bent::from(truth).also(clobber))
}

fn heap_last_byte_lost(state: &State, call: &Call) -> Option<Bent> {
    let Call::Write { address, data } = call else { return None };
    let (base, block) = state.heaps.holding(*address)?;
    let truth = decide(state, call);
    let end = base.wrapping_add(block.size);
    if truth.first.answer != Answer::Nothing || address.wrapping_add(data.size()) != end {
        return None;
    }
    let (at, length) = (*address, data.size().checked_sub(1)?);
    let effect = Effect::Access { at, data: Some(data.clone()), length, disarmed: None };
    Some(Bent::with_effect(truth, effect))
}

fn heap_free_twice(state: &State, call: &Call) -> Option<Bent> {
    let (address, truth) = free(state, call)?;
    let dead = truth.first.rule == HM_06 && state.heaps.block(address).is_none();
    dead.then(|| Bent::succeed(&truth, Answer::Nothing, Effect::None))
}

fn heap_free_of_another(state: &State, call: &Call) -> Option<Bent> {
    let (address, truth) = free(state, call)?;
    let live = truth.first.rule == HM_06 && state.heaps.block(address).is_some();
    live.then(|| Bent::succeed(&truth, Answer::Nothing, Effect::FreeBlock(address)))
}

fn heap_free_leaks(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = free(state, call)?;
    let Effect::FreeBlock(_) = truth.first.effect else { return None };
    Some(Bent::with_effect(truth, Effect::None))
}

fn heap_free_null_refused(state: &State, call: &Call) -> Option<Bent> {
    let (_, truth) = free(state, call)?;
    let null = truth.first.rule == HM_05;
    null.then(|| Bent::refuse(&truth, Win32Error::ERROR_INVALID_PARAMETER))
}
