//! Random cases: generated from a seed, judged as they go, shrunk if they fail.
//!
//! All chance of a case comes from its seed: what the swarm draws, then every intent. So the
//! seed, the profile and the number of operations are the case.

use hostmem_interface::scenario::{self, Scenario, Step};
use hostmem_interface::{Backend, Machine};

use crate::campaign::failure::kind;
use crate::engine::{Ran, RandomCase, Settings, Unreadable};
use crate::random::Draw;
use crate::reduce::Reduced;
use crate::report;
use crate::run::case::Answered;
use crate::run::{Coverage, Generated, Length, run_generated};
use crate::runner::result;
use crate::runner::shrink::{Failure, Shrunk, shrink};
use crate::runner::trace::{TraceLine, line};
use crate::steering::Steering;
use crate::view::View;
use crate::workload::{Profile, profile};

/// In a steered profile, one intent in so many goes toward a rule not yet reached.
const STEERED_ONE_IN: u64 = 16;
/// In a steered profile, one case in so many has a commit limit.
const LIMITED_ONE_IN: u64 = 4;
/// The least and the most of that limit, in pages.
const LIMITS: (u64, u64) = (4, 4096);
/// Said of a failure that did not come again on a fresh subject.
const UNSTEADY: &str = "it did not happen again when the same steps were replayed";

/// Runs a random case on a fresh subject.
pub(super) fn run(
    case: &RandomCase,
    backend: &dyn Backend,
    settings: Settings,
) -> Result<Ran, Unreadable> {
    let Made { generated: Generated { outcome, scenario }, drawn, trace } =
        generate(case, backend, settings.trace)?;
    let coverage = if settings.coverage { outcome.coverage.clone() } else { Coverage::default() };
    let name = case.name();
    let Some(failure) = Failure::of(&outcome) else {
        let mut result = result(&name, &scenario, backend, &outcome)?;
        result.drawn = Some(drawn);
        return Ok(Ran { coverage, trace, ..Ran::from(result) });
    };
    let Shrunk { reduced, outcome: again } =
        shrink(scenario, outcome.steps, failure, backend, &mut |_| {});
    let told = again.as_ref().unwrap_or(&outcome);
    let mut result = result(&name, &reduced.scenario, backend, told)?;
    if again.is_none() {
        result.reason.get_or_insert_with(|| UNSTEADY.to_owned());
    }
    // The digest is of the case as it was generated.
    result.record = outcome.record;
    result.drawn = Some(drawn);
    let failing = described(case, &reduced, failure);
    result.shrunk = Some(report::Shrunk {
        from: reduced.steps_before,
        to: failing.steps.len(),
        length: scenario::write(&failing).len(),
        kind: kind(failure.name(), &failing),
    });
    Ok(Ran { coverage, trace, failing: Some(failing), ..Ran::from(result) })
}

/// A case that was made up.
struct Made {
    generated: Generated,
    /// What it drew.
    drawn: String,
    /// A line for each step, if that was asked for.
    trace: Vec<TraceLine>,
}

fn generate(case: &RandomCase, backend: &dyn Backend, traced: bool) -> Result<Made, Unreadable> {
    let Some(profile) = profile(&case.profile) else {
        return Err(Unreadable(format!("there is no profile `{}`", case.profile)));
    };
    let mut draw = Draw::from_seed(case.seed.0);
    let mut swarm = profile.swarm(&mut draw);
    swarm.pin(&case.swarm).map_err(Unreadable)?;
    let mut workload = profile.start_with(&swarm, &mut draw);
    let mut steering = profile.steered.then(|| Steering::new(STEERED_ONE_IN));
    let machine = machine(profile, backend, &mut draw);
    let length = Length { steps: case.ops, threads: case.threads };
    let drawn = swarm.to_string();
    let about = format!("random case {} of the profile {}: {drawn}", case.index, case.profile);
    let mut answers = Vec::new();
    let mut observe = |step: &Step, answered: &Answered| {
        if traced {
            answers.push((step.clone(), answered.clone()));
        }
    };
    let mut generator = |view: &View<'_>, coverage: &Coverage| {
        let reached = |rule| coverage.reached(rule);
        let steered = steering.as_mut().and_then(|it| it.next(&reached, &mut draw, view));
        steered.unwrap_or_else(|| workload.next(&mut draw, view))
    };
    let generated = run_generated(&about, &machine, backend, length, &mut generator, &mut observe);
    let trace = told(&generated.scenario, &drawn, answers);
    Ok(Made { generated, drawn, trace })
}

/// A trace: what was drawn, then every step. Names are known only when the case is over.
fn told(scenario: &Scenario, drawn: &str, answers: Vec<(Step, Answered)>) -> Vec<TraceLine> {
    if answers.is_empty() {
        return Vec::new();
    }
    let numbered = answers.into_iter().zip(1..);
    let lines = numbered.map(|((mut step, answered), number)| {
        if !answered.outcome.is_done() {
            step.bind = None;
        }
        line(scenario, number, &step, &answered)
    });
    let first = TraceLine { text: format!("{:>6}  {drawn}", "drawn"), ..TraceLine::default() };
    std::iter::once(first).chain(lines).collect()
}

/// The machine of a case. Where rules are what is looked for, some machines have little to
/// commit; a backend that cannot have a limit shows its own.
fn machine(profile: &Profile, backend: &dyn Backend, draw: &mut Draw) -> Machine {
    let plain = Machine::WINDOWS_X64;
    if !profile.steered || !draw.chance(1, LIMITED_ONE_IN) {
        return plain;
    }
    let limit = draw.log_uniform(LIMITS.0, LIMITS.1) << 12;
    let limited = Machine { commit_limit: Some(limit), ..plain };
    if backend.open(&limited).is_ok() { limited } else { plain }
}

/// The shrunk scenario with a heading that tells where it comes from.
fn described(case: &RandomCase, reduced: &Reduced, failure: Failure) -> Scenario {
    let about = format!(
        "{} of {} steps, shrunk to {}",
        case.name(),
        reduced.steps_before,
        reduced.scenario.steps.len(),
    );
    let rules = failure.rule().map(|rule| rule.rule().id.to_owned()).into_iter().collect();
    Scenario { about, rules, ..reduced.scenario.clone() }
}
