//! The engine of the product: cases are run by [`crate::run`], and what came of them is put
//! into the words of a report.
//!
//! Map: this file replays scenarios; [`random`] makes cases up; [`shrink`](mod@shrink) makes
//! the smallest case of one that fails; [`trace`] tells of each step; [`hunt`] counts the calls
//! until one does.
//!
//! Deliberately not here: how a case is run and judged.

pub mod hunt;
pub mod random;
pub mod shrink;
pub mod trace;

use hostmem_interface::Backend;
use hostmem_interface::scenario::{Scenario, Step, show_step};

use crate::engine::{Engine, Ran, RandomCase, Settings, Unreadable};
use crate::fail_each;
use crate::files::NamedScenario;
use crate::report::{CaseResult, VerdictWord};
use crate::run::watched::watch_scenario;
use crate::run::{Coverage, Ending, Finding, Outcome, run_scenario};
use trace::Tracer;

/// Runs cases against the model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runner;

impl Engine for Runner {
    fn replay(
        &self,
        case: &NamedScenario,
        backend: &dyn Backend,
        settings: Settings,
    ) -> Result<Ran, Unreadable> {
        let scenario = &case.scenario;
        let mut tracer = Tracer::new(scenario);
        let outcome = if settings.trace {
            watch_scenario(scenario, Some(backend), &mut tracer)
        } else {
            // A scenario has no seed: its record is its behaviour alone, whatever its name.
            run_scenario(scenario, "", backend, &mut |_, _| {})
        };
        let result = result(&case.name, scenario, backend, &outcome)?;
        let coverage = if settings.coverage { outcome.coverage } else { Coverage::default() };
        Ok(Ran { coverage, trace: tracer.lines, ..Ran::from(result) })
    }

    fn fail_each(&self, case: &NamedScenario, backend: &dyn Backend) -> Result<Ran, Unreadable> {
        fail_each::run(case, backend)
    }

    fn random(
        &self,
        case: &RandomCase,
        backend: &dyn Backend,
        settings: Settings,
    ) -> Result<Ran, Unreadable> {
        random::run(case, backend, settings)
    }
}

/// What came of a scenario, in the words of a report.
///
/// # Errors
/// If the scenario asks for what no backend may do.
pub fn result(
    name: &str,
    scenario: &Scenario,
    backend: &dyn Backend,
    outcome: &Outcome,
) -> Result<CaseResult, Unreadable> {
    let step = scenario.steps.get(outcome.steps.wrapping_sub(1));
    let plain = |word| CaseResult {
        grain: outcome.grain,
        subject: outcome.subject.clone(),
        steps: outcome.steps,
        readings: outcome.readings.iter().map(|rule| rule.rule().id.to_owned()).collect(),
        missing: outcome.missing.clone(),
        leaks: outcome.leaks.clone(),
        self_check: outcome.self_check,
        record: outcome.record,
        ..CaseResult::new(name, backend.name(), word)
    };
    let at_step = |word| CaseResult {
        step: (outcome.steps > 0).then_some(outcome.steps),
        call: step.map(|step| show_step(scenario, step)),
        ..plain(word)
    };
    Ok(match &outcome.ending {
        Ending::Agrees => plain(VerdictWord::Agrees),
        Ending::Diverges(finding) => with_finding(at_step(VerdictWord::Diverges), finding),
        Ending::Skipped(why) => with_reason(at_step(VerdictWord::Skipped), why.clone()),
        Ending::Taken(why) => with_reason(at_step(VerdictWord::Skipped), why.clone()),
        // No step is to blame.
        Ending::Broken(how) if outcome.at_close => {
            with_reason(plain(VerdictWord::Broken), how.to_string())
        }
        Ending::Broken(how) => with_reason(at_step(VerdictWord::Broken), how.to_string()),
        Ending::Unreadable(why) => return Err(unreadable(name, step, why)),
    })
}

fn with_finding(result: CaseResult, finding: &Finding) -> CaseResult {
    let narrowed = "the law alone would permit this; the file expects more";
    CaseResult {
        level: finding.level,
        rule: Some(finding.rule.rule().id.to_owned()),
        expected: Some(finding.expected.clone()),
        observed: Some(finding.observed.clone()),
        call: match (result.call, &finding.looked) {
            (Some(call), Some(looked)) => Some(format!("{call}, then {looked}")),
            (call, _) => call,
        },
        reason: finding.narrowed.then(|| narrowed.to_owned()),
        ..result
    }
}

fn with_reason(result: CaseResult, reason: String) -> CaseResult {
    CaseResult { reason: Some(reason), ..result }
}

fn unreadable(name: &str, step: Option<&Step>, why: &str) -> Unreadable {
    match step.map(|step| step.position) {
        Some(at) if at.line > 0 => Unreadable(format!("{name}:{}:{}: {why}", at.line, at.column)),
        _ => Unreadable(format!("{name}: {why}")),
    }
}
