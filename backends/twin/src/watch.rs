//! Canaries of write watch. A mark is not seen until `GetWriteWatch` tells of it, so most of
//! these are caught there.

use hostmem_interface::{Call, OutPointer};
use hostmem_model::State;
use hostmem_model::effect::{Effect, Pages};
use hostmem_model::rule::{
    GP_09, RuleId, VP_13, WW_01, WW_02, WW_04, WW_05, WW_06, WW_07, WW_08, WW_09, WW_10, WW_12,
};
use hostmem_model::rules::decide;
use hostmem_model::verdict::{Answer, Verdict};

use crate::Canary;
use crate::bent::{Bent, Lie, allocation_of, rewrite};

/// What decides a `GetWriteWatch` that succeeds.
const REPORTS: &[RuleId] = &[WW_01, WW_05, WW_06, WW_07];

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "watch-lost-on-decommit",
        rule: WW_12,
        seen_as: REPORTS,
        sentence: "MEM_DECOMMIT takes the marks of its pages away.",
        lie: Lie::Law(watch_lost_on_decommit),
    },
    Canary {
        name: "watch-reads-mark",
        rule: WW_09,
        seen_as: REPORTS,
        sentence: "A read marks the pages that it touches.",
        lie: Lie::Law(watch_reads_mark),
    },
    Canary {
        name: "watch-protect-marks",
        rule: WW_09,
        seen_as: &[VP_13, WW_01, WW_05, WW_06, WW_07],
        sentence: "VirtualProtect marks the first page that it changes.",
        lie: Lie::Law(watch_protect_marks),
    },
    Canary {
        name: "watch-failed-write-marks",
        rule: WW_10,
        seen_as: REPORTS,
        sentence: "A write that faults marks the page that it faulted on.",
        lie: Lie::Law(watch_failed_write_marks),
    },
    Canary {
        name: "watch-guard-marks",
        rule: GP_09,
        seen_as: REPORTS,
        sentence: "A write that fires a guard marks the page.",
        lie: Lie::Law(watch_guard_marks),
    },
    Canary {
        name: "watch-straddle-marks-one",
        rule: WW_08,
        seen_as: REPORTS,
        sentence: "A write across a page boundary marks the first page only.",
        lie: Lie::Law(watch_straddle_marks_one),
    },
    Canary {
        name: "watch-reset-clears-all",
        rule: WW_06,
        seen_as: &[WW_01, WW_05, WW_07],
        sentence: "ResetWriteWatch clears every mark of the allocation.",
        lie: Lie::Law(watch_reset_clears_all),
    },
    Canary {
        name: "watch-report-clears-range",
        rule: WW_06,
        seen_as: &[WW_01, WW_05, WW_07],
        sentence: "WRITE_WATCH_FLAG_RESET clears marks that the call had no room to report.",
        lie: Lie::Law(watch_report_clears_range),
    },
    Canary {
        name: "watch-report-clears-nothing",
        rule: WW_06,
        seen_as: &[WW_01, WW_05, WW_07],
        sentence: "WRITE_WATCH_FLAG_RESET leaves the marks.",
        lie: Lie::Law(watch_report_clears_nothing),
    },
    Canary {
        name: "watch-descending",
        rule: WW_01,
        seen_as: &[WW_05, WW_06, WW_07],
        sentence: "Written pages are reported in descending order.",
        lie: Lie::Law(watch_descending),
    },
    Canary {
        name: "watch-unwatched",
        rule: WW_04,
        seen_as: &[],
        sentence: "GetWriteWatch of memory without write watch reports no pages and succeeds.",
        lie: Lie::Law(watch_unwatched),
    },
    Canary {
        name: "watch-no-room",
        rule: WW_02,
        seen_as: &[],
        sentence: "GetWriteWatch with a capacity of zero succeeds.",
        lie: Lie::Law(watch_no_room),
    },
];

fn watch_lost_on_decommit(state: &State, call: &Call) -> Option<Bent> {
    let Call::VirtualFree { .. } = call else { return None };
    let truth = decide(state, call);
    let Effect::Decommit(pages) = truth.first.effect.clone() else { return None };
    Some(Bent::from(truth).also(Effect::UnmarkAll(pages)))
}

fn watch_reads_mark(state: &State, call: &Call) -> Option<Bent> {
    let Call::Read { address, size } = *call else { return None };
    let truth = decide(state, call);
    let watched = state.space.find(address)?.terms().watched;
    if !watched || !matches!(truth.first.answer, Answer::Bytes(..)) {
        return None;
    }
    let mark = rewrite(state, address, size)?;
    Some(Bent::from(truth).also(mark))
}

fn watch_protect_marks(state: &State, call: &Call) -> Option<Bent> {
    let Call::VirtualProtect { .. } = call else { return None };
    let truth = decide(state, call);
    let Effect::Protect(pages, _) = &truth.first.effect else { return None };
    let first = allocation_of(state, pages)?.address_of(pages.range.start);
    let mark = rewrite(state, first, 1)?;
    Some(Bent::from(truth).also(mark))
}

fn watch_failed_write_marks(state: &State, call: &Call) -> Option<Bent> {
    let Call::Write { .. } = call else { return None };
    let truth = decide(state, call);
    let Answer::Fault(fault) = truth.first.answer else { return None };
    let fires = matches!(truth.first.effect, Effect::Access { disarmed: Some(_), .. });
    if fires || !state.space.find(fault.at)?.terms().watched {
        return None;
    }
    let mark = rewrite(state, fault.at, 1)?;
    Some(Bent::from(truth).also(mark))
}

fn watch_guard_marks(state: &State, call: &Call) -> Option<Bent> {
    let Call::Write { .. } = call else { return None };
    let truth = decide(state, call);
    let Effect::Access { disarmed: Some(at), .. } = truth.first.effect else { return None };
    let mark = rewrite(state, at, 1)?;
    Some(Bent::from(truth).also(mark))
}

fn watch_straddle_marks_one(state: &State, call: &Call) -> Option<Bent> {
    let Call::Write { address, data } = call else { return None };
    let truth = decide(state, call);
    let Answer::Nothing = truth.first.answer else { return None };
    let allocation = state.space.find(*address)?;
    if !matches!(data.size(), 2 | 4 | 8) {
        return None;
    }
    let (first, last) = (allocation.page_of(*address), address.wrapping_add(data.size() - 1));
    if last >= allocation.end() {
        return None;
    }
    let second = allocation.page_of(last);
    let fresh = second != first && allocation.marked(second..second + 1).next().is_none();
    let unmark = Effect::Unmark(allocation.base(), vec![second]);
    fresh.then(|| Bent::from(truth).also(unmark))
}

fn watch_reset_clears_all(state: &State, call: &Call) -> Option<Bent> {
    let truth = truth(state, call)?;
    let Effect::UnmarkAll(pages) = &truth.first.effect else { return None };
    let all = Pages::of(pages.base, allocation_of(state, pages)?.all_pages());
    Some(Bent::with_effect(truth, Effect::UnmarkAll(all)))
}

/// The lawful verdict on a call of write watch.
fn truth(state: &State, call: &Call) -> Option<Verdict> {
    let watch = matches!(call, Call::GetWriteWatch { .. } | Call::ResetWriteWatch { .. });
    watch.then(|| decide(state, call))
}

fn watch_report_clears_range(state: &State, call: &Call) -> Option<Bent> {
    let Call::GetWriteWatch { address, size, .. } = *call else { return None };
    let truth = decide(state, call);
    let Effect::Unmark(base, _) = truth.first.effect else { return None };
    let range = state.space.find(base)?.touched(address, size)?;
    Some(Bent::with_effect(truth, Effect::UnmarkAll(Pages::of(base, range))))
}

fn watch_report_clears_nothing(state: &State, call: &Call) -> Option<Bent> {
    let truth = truth(state, call)?;
    let Effect::Unmark(..) = truth.first.effect else { return None };
    Some(Bent::with_effect(truth, Effect::None))
}

fn watch_descending(state: &State, call: &Call) -> Option<Bent> {
    let truth = truth(state, call)?;
    let Answer::Pages(mut pages, unit) = truth.first.answer.clone() else { return None };
    pages.reverse();
    Some(Bent::with_answer(truth, Answer::Pages(pages, unit)))
}

fn no_pages(state: &State, truth: &Verdict) -> Option<Bent> {
    let unit = u32::try_from(state.machine().page).ok()?;
    Some(Bent::succeed(truth, Answer::Pages(Vec::new(), unit), Effect::None))
}

fn watch_unwatched(state: &State, call: &Call) -> Option<Bent> {
    let Call::GetWriteWatch { address, .. } = *call else { return None };
    let truth = decide(state, call);
    let plain = !state.space.find(address)?.terms().watched;
    if truth.first.rule != WW_04 || !plain {
        return None;
    }
    no_pages(state, &truth)
}

fn watch_no_room(state: &State, call: &Call) -> Option<Bent> {
    let Call::GetWriteWatch { capacity: 0, null, .. } = call else { return None };
    let pointers = [null.addresses, null.count, null.granularity];
    if pointers.contains(&OutPointer::Null) {
        return None;
    }
    no_pages(state, &decide(state, call))
}
