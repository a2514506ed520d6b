//! Canaries of accesses: faults, guards, and what a store leaves behind.

use hostmem_interface::{AccessKind, Address, Call, Data, Fault, NtStatus, Protection};
use hostmem_model::State;
use hostmem_model::effect::{Effect, Pages};
use hostmem_model::page::PageState;
use hostmem_model::rule::{
    AF_01, AF_02, AF_03, AF_04, AF_05, GP_01, GP_02, GP_03, GP_04, GP_05, GP_06, GP_07, GP_09,
    PR_05, PR_06, VA_42E, VQ_01, VQ_02, VQ_04, VQ_05, WW_10, ZF_01, ZF_02,
};
use hostmem_model::rules::decide;
use hostmem_model::verdict::{Answer, Verdict};

use crate::Canary;
use crate::bent::{Bent, Lie, access};

/// What is encoded as `c3`.
const RET: u8 = 0xC3;

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "guard-not-one-shot",
        rule: GP_02,
        seen_as: &[
            GP_01, GP_04, GP_05, GP_09, AF_02, AF_03, PR_05, PR_06, VQ_01, VQ_02, VQ_04, VQ_05,
        ],
        sentence: "A guard that fired stays armed.",
        lie: Lie::Law(guard_not_one_shot),
    },
    Canary {
        name: "guard-disarms-neighbours",
        rule: GP_03,
        seen_as: &[GP_01, GP_02, GP_04, GP_05, GP_09, PR_05, PR_06],
        sentence: "A guard that fires disarms every page of its region.",
        lie: Lie::Law(guard_disarms_neighbours),
    },
    Canary {
        name: "guard-silent",
        rule: GP_02,
        seen_as: &[GP_09],
        sentence: "The first access to an armed page disarms it and goes through without an \
                   exception.",
        lie: Lie::Law(guard_silent),
    },
    Canary {
        name: "guard-plain-violation",
        rule: GP_02,
        seen_as: &[GP_09],
        sentence: "A guard raises STATUS_ACCESS_VIOLATION.",
        lie: Lie::Law(guard_plain_violation),
    },
    Canary {
        name: "guard-in-reservation",
        rule: GP_06,
        seen_as: &[GP_07],
        sentence: "An access to reserved memory of an allocation made with PAGE_GUARD raises the \
                   guard's exception.",
        lie: Lie::Law(guard_in_reservation),
    },
    Canary {
        name: "straddle-half-visible",
        rule: AF_04,
        seen_as: &[AF_05, ZF_01, ZF_02],
        sentence: "A store across two pages whose second faults leaves its bytes in the first.",
        lie: Lie::Law(straddle_half_visible),
    },
    Canary {
        name: "straddle-reports-start",
        rule: AF_04,
        seen_as: &[],
        sentence: "An access across two pages whose second faults reports where it began.",
        lie: Lie::Law(straddle_reports_start),
    },
    Canary {
        name: "fault-at-page",
        rule: AF_01,
        seen_as: &[AF_02, AF_03, GP_05, GP_06, GP_07],
        sentence: "A violation reports the page instead of the exact address.",
        lie: Lie::Law(fault_at_page),
    },
    Canary {
        name: "execute-anything",
        rule: AF_02,
        seen_as: &[],
        sentence: "Code runs wherever it can be read.",
        lie: Lie::Law(execute_anything),
    },
    Canary {
        name: "execute-is-unreadable",
        rule: AF_03,
        seen_as: &[VA_42E],
        sentence: "PAGE_EXECUTE cannot be read.",
        lie: Lie::Law(execute_is_unreadable),
    },
    Canary {
        name: "readonly-is-writable",
        rule: AF_03,
        seen_as: &[WW_10],
        sentence: "PAGE_READONLY can be written.",
        lie: Lie::Law(readonly_is_writable),
    },
];

/// An access with its lawful verdict.
struct Touch {
    kind: AccessKind,
    at: Address,
    size: u64,
    truth: Verdict,
}

impl Touch {
    fn of(state: &State, call: &Call) -> Option<Self> {
        let (kind, at, size) = access(call)?;
        Some(Self { kind, at, size, truth: decide(state, call) })
    }

    /// The state of the page that all of the access lies in, if it is one of an allocation.
    fn page(&self, state: &State) -> Option<PageState> {
        let page = state.machine().page;
        let allocation = state.space.find(self.at)?;
        let within = self.size <= page - self.at.0 % page;
        within.then(|| allocation.state(allocation.page_of(self.at)))
    }

    /// The page whose guard fires.
    fn fires(&self) -> Option<Address> {
        match self.truth.first.effect {
            Effect::Access { disarmed, .. } => disarmed,
            _ => None,
        }
    }

    fn violation(&self, at: Address) -> Answer {
        let status = NtStatus::STATUS_ACCESS_VIOLATION;
        Answer::Fault(Fault { status, access: self.kind, at })
    }
}

fn guard_not_one_shot(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    touch.fires()?;
    let Effect::Access { at, data, length, .. } = touch.truth.first.effect.clone() else {
        return None;
    };
    let effect = Effect::Access { at, data, length, disarmed: None };
    Some(Bent::with_effect(touch.truth, effect))
}

fn guard_disarms_neighbours(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    let at = touch.fires()?;
    let allocation = state.space.find(at)?;
    let page = allocation.page_of(at);
    let mut runs = allocation.runs(allocation.all_pages());
    let (run, guarded) = runs.find(|(run, _)| run.contains(&page))?;
    let disarm = Effect::Protect(Pages::of(allocation.base(), run), guarded.disarmed());
    Some(Bent::from(touch.truth).also(disarm))
}

fn guard_silent(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    let disarmed = Some(touch.fires()?);
    touch.page(state)?;
    let Touch { at, size, truth, .. } = touch;
    match call {
        Call::Read { .. } => {
            let effect = Effect::Access { at, data: None, length: 0, disarmed };
            Some(Bent::succeed(&truth, Answer::Bytes(at, size), effect))
        }
        Call::Write { data, .. } => {
            let effect = Effect::Access { at, data: Some(data.clone()), length: size, disarmed };
            Some(Bent::succeed(&truth, Answer::Nothing, effect))
        }
        _ => None,
    }
}

fn guard_plain_violation(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    let answer = touch.violation(touch.fires()?);
    Some(Bent::with_answer(touch.truth, answer))
}

fn guard_in_reservation(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    let Answer::Fault(fault) = touch.truth.first.answer else { return None };
    if ![GP_06, GP_07].contains(&touch.truth.first.rule) {
        return None;
    }
    let fault = Fault { status: NtStatus::STATUS_GUARD_PAGE_VIOLATION, ..fault };
    Some(Bent::with_answer(touch.truth, Answer::Fault(fault)))
}

fn straddle_half_visible(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    let Call::Write { data, .. } = call else { return None };
    if touch.truth.first.rule != AF_04 {
        return None;
    }
    let page = state.machine().page;
    let (at, data) = (touch.at, Some(Data::clone(data)));
    let effect = Effect::Access { at, data, length: page - at.0 % page, disarmed: None };
    Some(Bent::with_effect(touch.truth, effect))
}

fn straddle_reports_start(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    if touch.truth.first.rule != AF_04 {
        return None;
    }
    let answer = touch.violation(touch.at);
    Some(Bent::with_answer(touch.truth, answer))
}

fn fault_at_page(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    let Answer::Fault(fault) = touch.truth.first.answer else { return None };
    if fault.status != NtStatus::STATUS_ACCESS_VIOLATION || touch.truth.first.rule == AF_04 {
        return None;
    }
    let answer = touch.violation(fault.at.align_down(state.machine().page));
    Some(Bent::with_answer(touch.truth, answer))
}

/// Only where the byte is a `ret`: no subject may run anything else.
fn execute_anything(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    let page = touch.page(state)?;
    let ret = state.contents.likeliest(touch.at, 1) == [RET];
    let runs = touch.kind == AccessKind::Execute
        && touch.truth.first.rule == AF_02
        && page.permits(AccessKind::Read)
        && !page.is_guarded();
    (runs && ret).then(|| Bent::succeed(&touch.truth, Answer::Nothing, Effect::None))
}

fn execute_is_unreadable(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    let page = touch.page(state)?;
    let Answer::Bytes(..) = touch.truth.first.answer else { return None };
    if page.protection() != Protection::EXECUTE {
        return None;
    }
    let answer = touch.violation(touch.at);
    Some(Bent::succeed(&touch.truth, answer, Effect::None))
}

fn readonly_is_writable(state: &State, call: &Call) -> Option<Bent> {
    let touch = Touch::of(state, call)?;
    let Call::Write { data, .. } = call else { return None };
    if touch.page(state)?.protection() != Protection::READONLY {
        return None;
    }
    let Touch { at, size: length, truth, .. } = touch;
    let effect = Effect::Access { at, data: Some(data.clone()), length, disarmed: None };
    Some(Bent::succeed(&truth, Answer::Nothing, effect))
}
