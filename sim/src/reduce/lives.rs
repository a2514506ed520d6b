//! Whole lives: the steps of one allocation or heap, from the step that creates it to the last
//! that uses it.
//!
//! A failure is nearly always about one range of memory. Keeping its steps alone takes a case
//! of hundreds of steps to a handful with one candidate; dropping a life takes the creating and
//! the releasing call together, neither of which can go without the other.

use hostmem_interface::scenario::{Name, Scenario, Step};

use crate::reduce::Reduction;
use crate::reduce::names::used;
use crate::reduce::steps::without;

/// Above this many steps it is worth trying every life alone.
const FEW: usize = 8;

impl Reduction<'_> {
    /// Keeps one life, if that is enough, and then drops those that are not needed.
    pub(super) fn lives(&mut self) {
        self.keep_one();
        self.drop_each();
    }

    /// The lives that the last step mentions first: they are nearest to the failure.
    fn keep_one(&mut self) {
        if self.best.steps.len() <= FEW {
            return;
        }
        let near: Vec<Name> = self.best.steps.last().map(used).unwrap_or_default();
        let bound = self.best.steps.iter().rev().filter_map(|step| step.bind);
        let far: Vec<Name> = bound.filter(|name| !near.contains(name)).collect();
        for name in near.into_iter().chain(far) {
            let wanted = ancestry(&self.best, name);
            let belongs = |step: &Step| {
                let mine = step.bind.into_iter().chain(used(step));
                mine.into_iter().any(|one| wanted.contains(&one))
            };
            let candidate = without(&self.best, |_, step| !belongs(step));
            if self.try_candidate(candidate) {
                return;
            }
        }
    }

    /// Drops a name with every step that mentions it.
    fn drop_each(&mut self) {
        let bound: Vec<Name> = self.best.steps.iter().filter_map(|step| step.bind).collect();
        for name in bound.into_iter().rev() {
            let mentions = |step: &Step| step.bind == Some(name) || used(step).contains(&name);
            let candidate = without(&self.best, |_, step| mentions(step));
            self.try_candidate(candidate);
        }
    }
}

/// A name and those that its creation goes back to: the hole of an explicit address, the heap
/// of a block.
fn ancestry(scenario: &Scenario, name: Name) -> Vec<Name> {
    let mut names = vec![name];
    let mut at = 0;
    while let Some(&name) = names.get(at) {
        let creating = scenario.steps.iter().find(|step| step.bind == Some(name));
        for older in creating.map(used).unwrap_or_default() {
            if !names.contains(&older) {
                names.push(older);
            }
        }
        at += 1;
    }
    names
}
