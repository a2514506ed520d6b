//! One thread: what overlaps in time is put in sequence where the failure stays, the whole
//! case at once, then group by group; what threads are left are numbered from 0 on.

use hostmem_interface::scenario::{Scenario, Step};

use crate::reduce::Reduction;

impl Reduction<'_> {
    /// Makes the case as sequential as the failure lets it be.
    pub(super) fn sequential(&mut self) {
        if self.best.steps.iter().all(|step| step.thread == 0 && step.with.is_none()) {
            return;
        }
        let whole = with_steps(&self.best, alone);
        if self.try_candidate(whole) {
            return;
        }
        let mut groups: Vec<u64> = self.best.steps.iter().filter_map(|step| step.with).collect();
        groups.dedup();
        for group in groups {
            let candidate = with_steps(&self.best, |step| {
                if step.with == Some(group) { alone(step) } else { step.clone() }
            });
            self.try_candidate(candidate);
        }
        // Steps that overlap nothing need no thread of their own.
        let candidate =
            with_steps(
                &self.best,
                |step| {
                    if step.with.is_none() { alone(step) } else { step.clone() }
                },
            );
        self.try_candidate(candidate);
        let renumbered = renumbered(&self.best);
        self.try_candidate(renumbered);
    }
}

/// On the first thread, overlapping nothing.
fn alone(step: &Step) -> Step {
    Step { thread: 0, with: None, ..step.clone() }
}

fn with_steps(scenario: &Scenario, change: impl Fn(&Step) -> Step) -> Scenario {
    Scenario { steps: scenario.steps.iter().map(change).collect(), ..scenario.clone() }
}

/// The threads numbered from 0 on in the order of their first step, the groups from 1 on.
fn renumbered(scenario: &Scenario) -> Scenario {
    fn number<T: PartialEq>(known: &mut Vec<T>, one: T) -> usize {
        known.iter().position(|it| *it == one).unwrap_or_else(|| {
            known.push(one);
            known.len() - 1
        })
    }
    let (mut threads, mut groups) = (Vec::new(), Vec::new());
    let mut renumbered = scenario.clone();
    for step in &mut renumbered.steps {
        let thread = number(&mut threads, step.thread);
        step.thread = u32::try_from(thread).unwrap_or(step.thread);
        step.with = step.with.map(|group| number(&mut groups, group) as u64 + 1);
    }
    renumbered
}
