//! Shrinks a failing case: the same failure, by the same rule, in as few and as plain steps
//! as can be found.
//!
//! Map: [`steps`] drops steps (chunks, then what belongs together, then one by one);
//! [`arguments`] makes the rest plainer (one thread, small sizes, offsets and sizes on page
//! and granularity boundaries). The passes are repeated until none helps.
//!
//! A case is a [`Scenario`], so one reducer serves generated cases, files and crashes alike.
//! Dropping a step that binds a name drops the steps that use it: what is left is always a
//! case.
//!
//! Deliberately not here: how a case is run. The caller says whether a smaller one still
//! fails in the same way.

pub mod arguments;
pub mod names;
pub mod steps;

use hostmem_interface::scenario::Scenario;

/// The most candidates that are tried.
const MOST_TRIALS: usize = 4000;

/// Tells whether a candidate still fails in the same way.
pub type StillFails<'a> = &'a mut dyn FnMut(&Scenario) -> bool;

/// A reduction in progress.
pub struct Reduction<'a> {
    best: Scenario,
    still_fails: StillFails<'a>,
    trials: usize,
}

impl std::fmt::Debug for Reduction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reduction")
            .field("steps", &self.best.steps.len())
            .field("trials", &self.trials)
            .finish_non_exhaustive()
    }
}

/// What a reduction came to.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// The smallest case found.
    pub scenario: Scenario,
    /// How many steps it had before.
    pub steps_before: usize,
    /// How many candidates were run.
    pub trials: usize,
}

/// Shrinks `scenario`, which fails at step `failed` (counted from 1).
pub fn reduce(scenario: Scenario, failed: usize, still_fails: StillFails<'_>) -> Reduced {
    let steps_before = scenario.steps.len();
    let mut reduction = Reduction { best: scenario, still_fails, trials: 0 };
    reduction.truncate(failed);
    loop {
        let before = reduction.best.clone();
        reduction.drop_steps();
        reduction.simplify_arguments();
        if reduction.best == before || reduction.trials >= MOST_TRIALS {
            break;
        }
    }
    let scenario = names::compact(&reduction.best);
    Reduced { scenario, steps_before, trials: reduction.trials }
}

impl Reduction<'_> {
    /// Keeps a candidate if it fails in the same way.
    fn try_candidate(&mut self, candidate: Scenario) -> bool {
        if self.trials >= MOST_TRIALS || candidate.steps.is_empty() || candidate == self.best {
            return false;
        }
        self.trials += 1;
        let fails = (self.still_fails)(&candidate);
        if fails {
            self.best = candidate;
        }
        fails
    }
}
