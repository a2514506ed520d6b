//! Which rule to name for an outcome that fits no lawful answer: the one that decided, but for
//! what is certainly wrong where that one is not certain.
//!
//! Some rules are less certain than the refusal that they ask for: that a call is refused is
//! documented, only with which error, or which of two complaints comes first, rests on an
//! implementation. A subject that lets such a call succeed breaks a stronger rule.

use hostmem_interface::{Address, AllocationType, Call, FreeType, Outcome, Value};

use super::Judge;
use crate::rule::{
    RuleId, SM_03, VA_04, VA_05, VA_06, VA_30, VA_30B, VA_31, VF_01, VF_02, VF_03, VF_04, VP_02,
    VP_03, VP_04, VP_06, VP_07, VP_11, VP_11B, WW_01, WW_04B, WW_07,
};
use crate::verdict::{Answer, Verdict};

impl Judge {
    /// The rule that an outcome breaks, which is no lawful one.
    pub(super) fn broken_rule(&self, call: &Call, verdict: &Verdict, outcome: &Outcome) -> RuleId {
        let decided = verdict.first.rule;
        if outcome.is_done() && !verdict.permits_success() {
            return broken_by_success(call, decided);
        }
        if decided == WW_07 && self.is_wrong_inside(call, verdict, outcome) {
            return WW_01;
        }
        decided
    }

    /// Whether a report of written pages is wrong about those that lie in the range as a whole,
    /// or tells of others that no byte of it lies in: whatever an unaligned range means.
    fn is_wrong_inside(&self, call: &Call, verdict: &Verdict, outcome: &Outcome) -> bool {
        let (
            Call::GetWriteWatch { address, size, capacity, .. },
            Answer::Pages(right, unit),
            Some(Value::Pages { pages: seen, granularity }),
        ) = (call, &verdict.first.answer, outcome.value())
        else {
            return false;
        };
        let page = self.state.machine().page;
        let end = address.wrapping_add(*size);
        let whole = |at: &&Address| *at >= address && at.wrapping_add(page) <= end;
        let touched = |at: &Address| at.wrapping_add(page) > *address && *at < end;
        // Where there was no room for all, the meaning of the range decides which are left.
        let room = |pages: &[Address]| (pages.len() as u64) < *capacity;
        let same = right.iter().filter(whole).eq(seen.iter().filter(whole));
        unit != granularity || !seen.iter().all(touched) || room(right) && room(seen) && !same
    }
}

/// The rule by which a call cannot succeed, whatever else is wrong with it.
const fn broken_by_success(call: &Call, decided: RuleId) -> RuleId {
    match (decided, call) {
        // The range lies in no allocation, or not in one alone.
        (VF_04 | VP_04 | VP_06 | VP_07 | WW_04B, _) => SM_03,
        (VA_05 | VA_06, Call::VirtualAlloc { address, kind, .. })
            if !kind.contains(AllocationType::RESERVE) && !address.is_null() =>
        {
            SM_03
        }
        // Which complaint comes first is another question.
        (VF_03, Call::VirtualFree { size, kind, .. }) => {
            if kind.contains(FreeType::RELEASE) && *size != 0 { VF_01 } else { VF_02 }
        }
        (VP_03, _) => VP_02,
        (VA_31, _) => VA_04,
        (VA_30B, _) => VA_30,
        (VP_11B, _) => VP_11,
        _ => decided,
    }
}
