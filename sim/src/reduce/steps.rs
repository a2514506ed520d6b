//! Fewer steps: what comes after the failure, then chunks of halving size, then single steps,
//! and pairs of them once they are few.

use hostmem_interface::scenario::{Name, Scenario, Step};

use crate::reduce::Reduction;
use crate::reduce::names::used;

/// Up to so many steps, every pair of them is tried.
const FEW: usize = 24;

impl Reduction<'_> {
    /// Drops what comes after the failing step.
    pub(super) fn truncate(&mut self, failed: usize) {
        if failed < self.best.steps.len() {
            let mut candidate = self.best.clone();
            candidate.steps.truncate(failed);
            self.try_candidate(candidate);
        }
    }

    /// Drops steps in chunks of halving size, as long as that helps, and then in pairs.
    pub(super) fn drop_steps(&mut self) {
        loop {
            let before = self.best.steps.len();
            let mut chunk = before / 2;
            while chunk > 0 {
                self.drop_chunks(chunk);
                chunk = chunk.min(self.best.steps.len()) / 2;
            }
            self.drop_pairs();
            if self.best.steps.len() == before {
                return;
            }
        }
    }

    /// Goes backwards, so that what is used goes after what uses it.
    fn drop_chunks(&mut self, chunk: usize) {
        let mut end = self.best.steps.len();
        while end > 0 {
            let start = end.saturating_sub(chunk);
            let candidate = without(&self.best, |at, _| (start..end).contains(&at));
            self.try_candidate(candidate);
            end = start.min(self.best.steps.len());
        }
    }

    /// Two steps that can only go together, wherever they stand: a call and what undoes it, an
    /// injected refusal and the call that it hits.
    fn drop_pairs(&mut self) {
        if self.best.steps.len() > FEW {
            return;
        }
        let mut first = 0;
        while first < self.best.steps.len() {
            let mut second = first + 1;
            while second < self.best.steps.len() {
                let candidate = without(&self.best, |at, _| at == first || at == second);
                if !self.try_candidate(candidate) {
                    second += 1;
                }
            }
            first += 1;
        }
    }
}

/// The scenario without some steps, and without those that use a name which they bound.
pub(super) fn without(scenario: &Scenario, drop: impl Fn(usize, &Step) -> bool) -> Scenario {
    let mut gone: Vec<Name> = Vec::new();
    let mut kept = Scenario { steps: Vec::new(), ..scenario.clone() };
    for (at, step) in scenario.steps.iter().enumerate() {
        if drop(at, step) || used(step).iter().any(|name| gone.contains(name)) {
            gone.extend(step.bind);
        } else {
            kept.steps.push(step.clone());
        }
    }
    kept
}
