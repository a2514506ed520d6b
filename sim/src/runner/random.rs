//! Random cases: generated from a seed, judged as they go, shrunk if they fail.
//!
//! All chance of a case comes from its seed: what the swarm draws, then every intent. So the
//! seed, the profile and the number of operations are the case.

use hostmem_interface::scenario::Scenario;
use hostmem_interface::{Backend, Machine};
use hostmem_model::RuleId;

use crate::engine::{Ran, RandomCase, Settings, Unreadable};
use crate::random::Draw;
use crate::reduce::{Reduced, reduce};
use crate::run::{Coverage, Ending, Generated, Outcome, run_generated, run_scenario};
use crate::runner::result;
use crate::steering::Steering;
use crate::workload::profile;

/// In a steered profile, one intent in so many goes toward a rule not yet reached.
const STEERED_ONE_IN: u64 = 16;

/// Runs a random case on a fresh subject.
pub(super) fn run(
    case: &RandomCase,
    backend: &dyn Backend,
    settings: Settings,
) -> Result<Ran, Unreadable> {
    let Generated { outcome, scenario } = generate(case, backend)?;
    let coverage = if settings.coverage { outcome.coverage.clone() } else { Coverage::default() };
    let name = case.name();
    let Some(failure) = Failure::of(&outcome) else {
        let result = result(&name, &scenario, backend, &outcome)?;
        return Ok(Ran { coverage, ..Ran::from(result) });
    };
    let reduced = shrink(scenario, outcome.steps, failure, backend);
    let shrunk = run_scenario(&reduced.scenario, "", backend, &mut |_, _| {});
    let told = if Failure::of(&shrunk) == Some(failure) { &shrunk } else { &outcome };
    let mut result = result(&name, &reduced.scenario, backend, told)?;
    // The digest is of the case as it was generated.
    result.record = outcome.record;
    Ok(Ran { coverage, failing: Some(described(case, &reduced)), ..Ran::from(result) })
}

fn generate(case: &RandomCase, backend: &dyn Backend) -> Result<Generated, Unreadable> {
    let Some(profile) = profile(&case.profile) else {
        return Err(Unreadable(format!("there is no profile `{}`", case.profile)));
    };
    let mut draw = Draw::from_seed(case.seed.0);
    let swarm = profile.swarm(&mut draw);
    let mut workload = profile.start_with(&swarm, &mut draw);
    let mut steering = profile.steered.then(|| Steering::new(STEERED_ONE_IN));
    let machine = Machine::WINDOWS_X64;
    let about = format!("random case {} of the profile {}: {swarm}", case.index, case.profile);
    Ok(run_generated(&about, &machine, backend, case.ops, &mut |view, coverage| {
        let reached = |rule| coverage.reached(rule);
        let steered = steering.as_mut().and_then(|it| it.next(&reached, &mut draw, view));
        steered.unwrap_or_else(|| workload.next(&mut draw, view))
    }))
}

/// What a failure is, for the purpose of shrinking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// This rule is broken.
    Rule(RuleId),
    /// The subject breaks.
    Broken,
}

impl Failure {
    /// What an outcome fails by, if it does.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Option<Self> {
        match &outcome.ending {
            Ending::Diverges(finding) => Some(Self::Rule(finding.rule)),
            Ending::Broken(_) => Some(Self::Broken),
            _ => None,
        }
    }
}

/// The smallest scenario that fails in the same way on a fresh subject.
pub fn shrink(
    scenario: Scenario,
    failed: usize,
    failure: Failure,
    backend: &dyn Backend,
) -> Reduced {
    reduce(scenario, failed, &mut |candidate| {
        let outcome = run_scenario(candidate, "", backend, &mut |_, _| {});
        Failure::of(&outcome) == Some(failure) && !outcome.self_check
    })
}

/// The shrunk scenario with a heading that tells where it comes from.
fn described(case: &RandomCase, reduced: &Reduced) -> Scenario {
    let about = format!(
        "{} of {} steps, shrunk to {} in {} runs",
        case.name(),
        reduced.steps_before,
        reduced.scenario.steps.len(),
        reduced.trials
    );
    Scenario { about, ..reduced.scenario.clone() }
}
