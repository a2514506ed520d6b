//! Shrinks a failing case: the same failure, by the same rule, in as few and as plain steps
//! as can be found.
//!
//! Map, in the order in which the passes are tried:
//!
//! * [`threads`]: one thread instead of several, groups that overlap made sequential;
//! * [`lives`]: what is left if only the steps of one allocation or heap stay, so that what
//!   does not touch the failing range goes first; or if one of them goes from beginning to end;
//! * [`steps`]: steps dropped in chunks of halving size, one by one, and at last in pairs;
//! * [`places`]: addresses: plainer names for them, offsets drawn together, no hole where any
//!   place will do; a reservation and its commit made one call;
//! * [`arguments`]: sizes and offsets on page and granularity boundaries, plain flags, data
//!   and injected refusals.
//!
//! They are repeated until none helps. A case is a [`Scenario`], so one reducer serves
//! generated cases, files and crashes alike. Dropping a step that binds a name drops the steps
//! that use it ([`names`]): what is left is always a case.
//!
//! Deliberately not here: how a case is run. The caller says whether a smaller one still
//! fails in the same way.

pub mod arguments;
pub mod lives;
pub mod names;
pub mod places;
pub mod steps;
pub mod threads;

use hostmem_interface::scenario::Scenario;

use crate::run::needs::needs;

/// The most candidates that are tried where each is quick.
pub const MOST_TRIALS: usize = 4000;

/// Tells whether a candidate still fails in the same way.
pub type StillFails<'a> = &'a mut dyn FnMut(&Scenario) -> bool;

/// A reduction in progress.
pub struct Reduction<'a> {
    best: Scenario,
    still_fails: StillFails<'a>,
    trials: usize,
    most: usize,
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

/// Shrinks `scenario`, which fails at step `failed` (counted from 1), trying at most `most`
/// candidates.
pub fn reduce(
    scenario: Scenario,
    failed: usize,
    most: usize,
    still_fails: StillFails<'_>,
) -> Reduced {
    let steps_before = scenario.steps.len();
    let mut reduction = Reduction { best: scenario, still_fails, trials: 0, most };
    reduction.truncate(failed);
    loop {
        let before = reduction.best.clone();
        reduction.sequential();
        reduction.lives();
        reduction.drop_steps();
        reduction.plain_places();
        reduction.plain_arguments();
        if reduction.best == before || reduction.is_spent() {
            break;
        }
    }
    let scenario = tidied(&reduction.best);
    Reduced { scenario, steps_before, trials: reduction.trials }
}

/// The case with the names and the needs that its own steps have.
fn tidied(scenario: &Scenario) -> Scenario {
    let mut tidied = names::compact(scenario);
    // A need that no step has only keeps the file from running where it could.
    let steps = tidied.steps.iter().flat_map(|step| needs(step).iter().collect::<Vec<_>>());
    let felt = |one: &_| scenario.needs.has(*one);
    tidied.needs = steps.filter(felt).collect();
    tidied
}

impl Reduction<'_> {
    /// Whether no more candidate may be tried.
    const fn is_spent(&self) -> bool {
        self.trials >= self.most
    }

    /// Keeps a candidate if it fails in the same way.
    fn try_candidate(&mut self, candidate: Scenario) -> bool {
        if self.is_spent() || candidate.steps.is_empty() || candidate == self.best {
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
