//! Calls that hang again and again: further scenarios that make them are passed over, or a run
//! on an implementation that hangs would take hours to say so.
//!
//! Scenarios run in waves of a fixed size, and only the waves before one decide what it passes
//! over: neither the number of jobs nor the clock does.
//!
//! Deliberately not here: the time limit.

use std::collections::BTreeMap;

use hostmem_interface::scenario::Scenario;

use crate::report::{CaseResult, VerdictWord};
use crate::run::scenario::happens_call_by_call;

/// How many scenarios run before it is looked at what hangs: few at first, for a first try with
/// `--only` may select no more that all hang.
const FIRST: usize = 4;
/// The same later.
const WAVE: usize = 8;
/// How often a call may hang.
const ENOUGH: usize = 3;

/// What is run, in waves.
pub fn waves<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
    let (first, rest) = all.split_at(FIRST.min(all.len()));
    std::iter::once(first).chain(rest.chunks(WAVE))
}

/// How the reason of what is passed over begins.
const NOT_RUN: &str = "not run: ";

/// Whether that is why something was skipped.
#[must_use]
pub fn was_passed_over(reason: Option<&str>) -> bool {
    reason.is_some_and(|why| why.starts_with(NOT_RUN))
}

/// What hung where no step did; every scenario needs it.
const AROUND: &str = "start, open or close";

/// How often which call hung on one implementation.
#[derive(Clone, Debug, Default)]
pub struct Hangs(BTreeMap<String, usize>);

impl Hangs {
    /// Counts a scenario that hung.
    pub fn note(&mut self, scenario: &Scenario, result: &CaseResult) {
        let reason = result.reason.as_deref().unwrap_or_default();
        let hung = result.word == VerdictWord::Broken && reason.starts_with("hung: ");
        let name = match result.step {
            None => Some(AROUND),
            Some(step) => scenario.steps.get(step.wrapping_sub(1)).map(|it| it.action.name()),
        };
        if let (true, Some(name)) = (hung && happens_call_by_call(reason), name) {
            *self.0.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Why a scenario is not run any more, if it is not.
    #[must_use]
    pub fn passed_over(&self, scenario: &Scenario) -> Option<String> {
        let steps = scenario.steps.iter().map(|step| step.action.name());
        let mut often =
            std::iter::once(AROUND).chain(steps).filter_map(|name| self.0.get_key_value(name));
        let (name, times) = often.find(|(_, times)| **times >= ENOUGH)?;
        Some(format!("{NOT_RUN}{name} hung in {times} scenarios before"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{ "format": "hostmem/1", "about": "a", "steps": [
        { "call": "VirtualAlloc", "address": null, "size": 1, "type": "MEM_RESERVE",
          "protect": "PAGE_NOACCESS", "bind": "p" },
        { "call": "VirtualQuery", "address": "p" } ] }"#;

    fn hung(step: usize, reason: &str) -> CaseResult {
        CaseResult {
            step: Some(step),
            reason: Some(reason.to_owned()),
            ..CaseResult::new("a", "toy", VerdictWord::Broken)
        }
    }

    #[test]
    fn a_call_that_hung_often_enough_is_not_made_again() {
        let scenario = hostmem_interface::scenario::read::read(TEXT).unwrap();
        let mut hangs = Hangs::default();
        for result in [
            hung(1, "died: exited with code 3"),
            hung(1, "hung: no answer; one call at a time it did not happen again"),
            hung(9, "hung: no answer"),
        ] {
            (0..ENOUGH).for_each(|_| hangs.note(&scenario, &result));
            assert_eq!(hangs.passed_over(&scenario), None, "{result:?}");
        }
        (1..ENOUGH).for_each(|_| hangs.note(&scenario, &hung(2, "hung: no answer")));
        assert_eq!(hangs.passed_over(&scenario), None);
        hangs.note(&scenario, &hung(2, "hung: no answer"));
        let why = hangs.passed_over(&scenario).unwrap();
        assert!(was_passed_over(Some(&why)) && !was_passed_over(None));
        assert_eq!(why, "not run: VirtualQuery hung in 3 scenarios before");
        let other = Scenario { steps: scenario.steps[..1].to_vec(), ..scenario };
        assert_eq!(hangs.passed_over(&other), None, "it makes no such call");
        let at_close = CaseResult { step: None, ..hung(0, "hung: no answer to close") };
        (0..ENOUGH).for_each(|_| hangs.note(&other, &at_close));
        let why = hangs.passed_over(&other).unwrap();
        assert_eq!(why, "not run: start, open or close hung in 3 scenarios before");
    }
}
