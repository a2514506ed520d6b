//! Shrinks a failing case on the backend that fails it: what the failure is stays the same
//! throughout.
//!
//! Deliberately not here: which smaller cases there are ([`crate::reduce`]).

use hostmem_interface::scenario::Scenario;
use hostmem_interface::{Backend, Breakage};
use hostmem_model::RuleId;

use crate::reduce::{MOST_TRIALS, Reduced, reduce};
use crate::run::scenario::run_call_by_call;
use crate::run::{Ending, Outcome, run_scenario};

/// How often a case whose steps overlap is run before it is taken to agree: whether they meet
/// is the scheduler's choice.
const ROUNDS: usize = 24;
/// The most candidates that may hang: each lasts as long as the time limit.
const MOST_HANGS: usize = 6;
/// The most candidates that may break the subject in another way: each costs fresh processes.
const MOST_BREAKS: usize = 60;

/// What a failure is, for the purpose of shrinking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The subject breaks this rule.
    Rule(RuleId),
    /// The case itself expects what this rule does not permit.
    Contradiction(RuleId),
    /// The subject dies.
    Died,
    /// It says itself that it broke.
    Reported,
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
            Ending::Broken(Breakage::Reported(_)) => Self::Reported,
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
            Self::Died | Self::Reported | Self::Hung | Self::Lied => None,
        }
    }

    /// The id of the rule, or the kind of breakage: the beginning of file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rule(rule) | Self::Contradiction(rule) => rule.rule().id,
            Self::Died => "died",
            Self::Reported => "reported",
            Self::Hung => "hung",
            Self::Lied => "lied",
        }
    }

    /// How often it may come again while a case is made smaller.
    const fn most(self) -> usize {
        match self {
            Self::Rule(_) | Self::Contradiction(_) => MOST_TRIALS,
            Self::Died | Self::Reported | Self::Lied => MOST_BREAKS,
            Self::Hung => MOST_HANGS,
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
    match fails(&scenario, failure, backend) {
        Some(first) => shrink_failed(scenario, failed, first, failure, backend, tell),
        None => {
            let steps_before = scenario.steps.len();
            Shrunk { reduced: Reduced { scenario, steps_before, trials: 1 }, outcome: None }
        }
    }
}

/// The same for a scenario that has just failed so, with `first`.
///
/// Where the subject breaks, this ends after a number of breaks and not when nothing smaller is
/// left: what is found then depends on no clock either.
pub fn shrink_failed(
    scenario: Scenario,
    failed: usize,
    first: Outcome,
    failure: Failure,
    backend: &dyn Backend,
    tell: &mut dyn FnMut(Now),
) -> Shrunk {
    let mut last = first;
    let mut left = failure.most();
    let mut now = Now { trials: 1, steps: scenario.steps.len() };
    let reduced = reduce(scenario, failed, MOST_TRIALS, &mut |candidate| {
        if left == 0 {
            return false;
        }
        let outcome = fails(candidate, failure, backend);
        let same = outcome.is_some();
        now.trials += 1;
        if let Some(outcome) = outcome {
            left -= 1;
            now.steps = candidate.steps.len();
            last = outcome;
        }
        tell(now);
        same
    });
    Shrunk { reduced: Reduced { trials: now.trials, ..reduced }, outcome: Some(last) }
}

/// How a scenario fails in this way, if it does. A hang is only waited for once: call by call.
fn fails(scenario: &Scenario, failure: Failure, backend: &dyn Backend) -> Option<Outcome> {
    let run: Run = match failure {
        Failure::Hung => run_call_by_call,
        _ => run_ahead,
    };
    runs(scenario, backend, run).find(|outcome| Failure::of(outcome) == Some(failure))
}

type Run = fn(&Scenario, &dyn Backend) -> Outcome;

fn run_ahead(scenario: &Scenario, backend: &dyn Backend) -> Outcome {
    run_scenario(scenario, "", backend, &mut |_, _| {})
}

/// How a scenario fails, if it does.
#[must_use]
pub fn first_failure(scenario: &Scenario, backend: &dyn Backend) -> Option<(Outcome, Failure)> {
    runs(scenario, backend, run_ahead)
        .find_map(|outcome| Failure::of(&outcome).map(|it| (outcome, it)))
}

/// Runs of a scenario, one after the other: several if its steps overlap.
fn runs<'a>(
    scenario: &'a Scenario,
    backend: &'a dyn Backend,
    run: Run,
) -> impl Iterator<Item = Outcome> + 'a {
    let overlaps = scenario.steps.iter().any(|step| step.with.is_some());
    let rounds = if overlaps { ROUNDS } else { 1 };
    (0..rounds).map(move |_| run(scenario, backend))
}
