//! Canaries of memory load, notifications and address-space notices.

use hostmem_interface::{Call, MemoryAvailable, Reply, Win32Error};
use hostmem_model::State;
use hostmem_model::effect::Effect;
use hostmem_model::pressure::Pressure;
use hostmem_model::rule::{AS_02, AS_03, AS_04, ML_01, ML_02, NT_01, NT_02};
use hostmem_model::rules::decide;
use hostmem_model::verdict::Answer;

use crate::Canary;
use crate::bent::{Bent, Lie};

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "memory-load-frozen",
        rule: ML_02,
        seen_as: &[ML_01],
        sentence: "GetMemoryLoad tells for ever what it told first.",
        lie: Lie::Law(memory_load_frozen),
    },
    Canary {
        name: "memory-load-above-100",
        rule: ML_02,
        seen_as: &[],
        sentence: "A load above 100 percent is accepted.",
        lie: Lie::Law(memory_load_above_100),
    },
    Canary {
        name: "notified-twice",
        rule: NT_02,
        seen_as: &[],
        sentence: "Each notification is delivered twice.",
        lie: Lie::Law(notified_twice),
    },
    Canary {
        name: "notified-each-time",
        rule: NT_02,
        seen_as: &[],
        sentence: "A notification is delivered for every new load, whether its class changed or \
                   not.",
        lie: Lie::Law(notified_each_time),
    },
    Canary {
        name: "notified-at-once",
        rule: NT_01,
        seen_as: &[NT_02],
        sentence: "Registering the callback delivers a notification.",
        lie: Lie::Law(notified_at_once),
    },
    Canary {
        name: "acquired-of-nothing-refused",
        rule: AS_02,
        seen_as: &[],
        sentence: "AcquiredVirtualAddressSpace of no bytes is refused.",
        lie: Lie::Law(acquired_of_nothing_refused),
    },
    Canary {
        name: "released-unknown-refused",
        rule: AS_03,
        seen_as: &[],
        sentence: "ReleasedVirtualAddressSpace of an unknown base is refused.",
        lie: Lie::Law(released_unknown_refused),
    },
    Canary {
        name: "acquired-forgotten",
        rule: AS_04,
        seen_as: &[],
        sentence: "An acquired range still shows as free.",
        lie: Lie::Law(acquired_forgotten),
    },
];

fn memory_load_frozen(state: &State, call: &Call) -> Option<Bent> {
    let Call::GetMemoryLoad = call else { return None };
    let first = Pressure::new(state.machine()).load();
    Some(Bent::with_answer(decide(state, call), Answer::Load(Some(first))))
}

fn memory_load_above_100(state: &State, call: &Call) -> Option<Bent> {
    let Call::SetMemoryLoad { load: 101.., .. } = call else { return None };
    Some(Bent::succeed(&decide(state, call), Answer::Nothing, Effect::None))
}

/// The same reply with other notifications.
fn notifying(
    reply: Reply,
    change: impl FnOnce(Vec<MemoryAvailable>) -> Vec<MemoryAvailable>,
) -> Reply {
    match reply {
        Reply::Outcome { outcome, notified } => {
            Reply::Outcome { outcome, notified: change(notified) }
        }
        other => other,
    }
}

fn notified_twice(state: &State, call: &Call) -> Option<Bent> {
    let Call::SetMemoryLoad { .. } = call else { return None };
    let truth = Bent::from(decide(state, call));
    Some(truth.retold(|reply| notifying(reply, |notified| notified.repeat(2))))
}

fn notified_each_time(state: &State, call: &Call) -> Option<Bent> {
    let Call::SetMemoryLoad { load: ..=100, available } = *call else { return None };
    let class = state.pressure.registered.then(|| state.pressure.class(available));
    let truth = Bent::from(decide(state, call));
    Some(truth.retold(move |reply| notifying(reply, |_| class.into_iter().collect())))
}

fn notified_at_once(state: &State, call: &Call) -> Option<Bent> {
    let Call::RegisterMemoryNotificationCallback = call else { return None };
    let class = state.pressure.class(state.pressure.load().available);
    let truth = Bent::from(decide(state, call));
    Some(truth.retold(move |reply| notifying(reply, |_| vec![class])))
}

fn acquired_of_nothing_refused(state: &State, call: &Call) -> Option<Bent> {
    let Call::AcquiredVirtualAddressSpace { size: 0, .. } = call else { return None };
    Some(Bent::refuse(&decide(state, call), Win32Error::ERROR_INVALID_PARAMETER))
}

fn released_unknown_refused(state: &State, call: &Call) -> Option<Bent> {
    let Call::ReleasedVirtualAddressSpace { address } = call else { return None };
    if state.foreign().any(|(base, _)| base == *address) {
        return None;
    }
    Some(Bent::refuse(&decide(state, call), Win32Error::ERROR_INVALID_ADDRESS))
}

fn acquired_forgotten(state: &State, call: &Call) -> Option<Bent> {
    let Call::AcquiredVirtualAddressSpace { .. } = call else { return None };
    Some(Bent::with_effect(decide(state, call), Effect::None))
}
