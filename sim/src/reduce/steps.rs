//! Fewer steps: what comes after the failure, then chunks of halving size, then whole lives
//! (a creating step with everything that uses its name), then single steps.

use hostmem_interface::scenario::{Name, Scenario, Step};

use crate::reduce::Reduction;
use crate::reduce::names::used;

impl Reduction<'_> {
    /// Drops what comes after the failing step.
    pub(super) fn truncate(&mut self, failed: usize) {
        if failed < self.best.steps.len() {
            let mut candidate = self.best.clone();
            candidate.steps.truncate(failed);
            self.try_candidate(candidate);
        }
    }

    /// Drops steps in chunks, then by life, then one by one.
    pub(super) fn drop_steps(&mut self) {
        let mut chunk = self.best.steps.len() / 2;
        while chunk > 0 {
            self.drop_chunks(chunk);
            chunk /= 2;
        }
        self.drop_lives();
        self.drop_chunks(1);
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

    /// Drops a name with every step that mentions it.
    fn drop_lives(&mut self) {
        let bound: Vec<Name> = self.best.steps.iter().filter_map(|step| step.bind).collect();
        for name in bound.into_iter().rev() {
            let mentions = |step: &Step| step.bind == Some(name) || used(step).contains(&name);
            let candidate = without(&self.best, |_, step| mentions(step));
            self.try_candidate(candidate);
        }
    }
}

/// The scenario without some steps, and without those that use a name which they bound.
fn without(scenario: &Scenario, drop: impl Fn(usize, &Step) -> bool) -> Scenario {
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
