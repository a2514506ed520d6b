//! Shrinks a failing case on the backend that fails it: what the failure is stays the same
//! throughout.
//!
//! Deliberately not here: which smaller cases there are ([`crate::reduce`]).

use hostmem_interface::scenario::Scenario;
use hostmem_interface::{Backend, Breakage};
use hostmem_model::RuleId;

use crate::reduce::{MOST_TRIALS, Reduced, reduce};
use crate::run::{Ending, Outcome, run_scenario};

/// How often a case whose steps overlap is run before it is taken to agree: whether they meet
/// is the scheduler's choice.
const ROUNDS: usize = 24;
/// The most candidates where each may wait for a time limit.
const SLOW_TRIALS: usize = 60;

/// What a failure is, for the purpose of shrinking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The subject breaks this rule.
    Rule(RuleId),
    /// The case itself expects what this rule does not permit.
    Contradiction(RuleId),
    /// The subject dies.
    Died,
    /// It does not answer.
    Hung,
    /// It answers what no answer can be.
    Lied,
}

impl Failure {
    /// What an outcome fails by, if it does.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Option<Self> {
        Some(match &outcome.ending {
            Ending::Diverges(finding) if outcome.self_check => Self::Contradiction(finding.rule),
            Ending::Diverges(finding) => Self::Rule(finding.rule),
            Ending::Broken(Breakage::Died(_)) => Self::Died,
            Ending::Broken(Breakage::Hung(_)) => Self::Hung,
            Ending::Broken(Breakage::Lied(_)) => Self::Lied,
            _ => return None,
        })
    }

    /// The rule, where there is one.
    #[must_use]
    pub const fn rule(self) -> Option<RuleId> {
        match self {
            Self::Rule(rule) | Self::Contradiction(rule) => Some(rule),
            Self::Died | Self::Hung | Self::Lied => None,
        }
    }

    /// The id of the rule, or the kind of breakage: the beginning of file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rule(rule) | Self::Contradiction(rule) => rule.rule().id,
            Self::Died => "died",
            Self::Hung => "hung",
            Self::Lied => "lied",
        }
    }
}

/// The smallest case that was found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The case, and how it was reached.
    pub reduced: Reduced,
    /// How it failed; `None` if the failure never came again.
    pub outcome: Option<Outcome>,
}

/// How far a reduction has come.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// How many candidates were run.
    pub trials: usize,
    /// How many steps the smallest has.
    pub steps: usize,
}

/// The smallest scenario that fails in the same way on a fresh subject; `tell` hears how far
/// it has come.
pub fn shrink(
    scenario: Scenario,
    failed: usize,
    failure: Failure,
    backend: &dyn Backend,
    tell: &mut dyn FnMut(Now),
) -> Shrunk {
    let most = if failure == Failure::Hung { SLOW_TRIALS } else { MOST_TRIALS };
    let mut last = fails(&scenario, failure, backend);
    let mut now = Now { trials: 1, steps: scenario.steps.len() };
    if last.is_none() {
        let reduced = Reduced { scenario, steps_before: now.steps, trials: now.trials };
        return Shrunk { reduced, outcome: None };
    }
    let reduced = reduce(scenario, failed, most, &mut |candidate| {
        let outcome = fails(candidate, failure, backend);
        let same = outcome.is_some();
        now.trials += 1;
        if same {
            now.steps = candidate.steps.len();
            last = outcome;
        }
        tell(now);
        same
    });
    Shrunk { reduced, outcome: last }
}

/// How a scenario fails in this way, if it does.
fn fails(scenario: &Scenario, failure: Failure, backend: &dyn Backend) -> Option<Outcome> {
    runs(scenario, backend).find(|outcome| Failure::of(outcome) == Some(failure))
}

/// How a scenario fails, if it does.
#[must_use]
pub fn first_failure(scenario: &Scenario, backend: &dyn Backend) -> Option<(Outcome, Failure)> {
    runs(scenario, backend).find_map(|outcome| Failure::of(&outcome).map(|it| (outcome, it)))
}

/// Runs of a scenario, one after the other: several if its steps overlap.
fn runs<'a>(
    scenario: &'a Scenario,
    backend: &'a dyn Backend,
) -> impl Iterator<Item = Outcome> + 'a {
    let overlaps = scenario.steps.iter().any(|step| step.with.is_some());
    let rounds = if overlaps { ROUNDS } else { 1 };
    (0..rounds).map(move |_| run_scenario(scenario, "", backend, &mut |_, _| {}))
}
