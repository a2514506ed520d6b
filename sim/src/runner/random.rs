//! Random cases: generated from a seed, judged as they go, shrunk if they fail.
//!
//! All chance of a case comes from its seed: what the swarm draws, then every intent. So the
//! seed, the profile and the number of operations are the case.

use hostmem_interface::scenario::{Scenario, Step};
use hostmem_interface::{Backend, Machine};
use hostmem_model::RuleId;

use crate::engine::{Ran, RandomCase, Settings, Unreadable};
use crate::random::Draw;
use crate::reduce::{Reduced, reduce};
use crate::run::case::Answered;
use crate::run::{Coverage, Ending, Generated, Length, Outcome, run_generated, run_scenario};
use crate::runner::{result, trace_line};
use crate::steering::Steering;
use crate::view::View;
use crate::workload::{Profile, profile};

/// In a steered profile, one intent in so many goes toward a rule not yet reached.
const STEERED_ONE_IN: u64 = 16;

/// In a steered profile, one case in so many has a limit of commit.
const LIMITED_ONE_IN: u64 = 8;
/// That limit, bytes.
const COMMIT_LIMIT: u64 = 64 << 20;

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
    let reduced = shrink(scenario, outcome.steps, failure, backend);
    let shrunk = run_scenario(&reduced.scenario, "", backend, &mut |_, _| {});
    let told = if Failure::of(&shrunk) == Some(failure) { &shrunk } else { &outcome };
    let mut result = result(&name, &reduced.scenario, backend, told)?;
    // The digest is of the case as it was generated.
    result.record = outcome.record;
    result.drawn = Some(drawn);
    let failing = Some(described(case, &reduced));
    Ok(Ran { coverage, trace, failing, ..Ran::from(result) })
}

/// The machine of a case: now and then of a steered one, one whose memory comes to an end.
fn machine(profile: &Profile, draw: &mut Draw) -> Machine {
    let limited = profile.steered && draw.chance(1, LIMITED_ONE_IN);
    Machine { commit_limit: limited.then_some(COMMIT_LIMIT), ..Machine::WINDOWS_X64 }
}

/// A case that was made up.
struct Made {
    generated: Generated,
    /// What it drew.
    drawn: String,
    /// A line for each step, if that was asked for.
    trace: Vec<String>,
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
    let machine = machine(profile, &mut draw);
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
fn told(scenario: &Scenario, drawn: &str, answers: Vec<(Step, Answered)>) -> Vec<String> {
    if answers.is_empty() {
        return Vec::new();
    }
    let numbered = answers.into_iter().zip(1..);
    let lines = numbered.map(|((mut step, answered), number)| {
        if !answered.outcome.is_done() {
            step.bind = None;
        }
        trace_line(scenario, number, &step, &answered)
    });
    std::iter::once(format!("{:>6}  {drawn}", "drawn")).chain(lines).collect()
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
