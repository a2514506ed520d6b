//! Fails each call of a scenario that may fail for want of memory, and holds the subject to
//! what must be so under a shortage and after it.
//!
//! A scenario with n such calls is run 2n times at each critical level: with the k-th of them
//! refused once, and with everything refused from the k-th on. All calls of a run are made at
//! its level. Where the subject's commit limit can be set, it is also run once for each new
//! height of its commit charge, on a machine with one page less, so that the subject itself
//! must refuse. In every run:
//!
//! 1. the scenario goes on as far as it can; the law knows of each refusal and is asked after
//!    each step (nothing half done);
//! 2. everything is given back while the shortage lasts: blocks are freed, allocations are
//!    decommitted and released, all with success, and queries show free memory;
//! 3. the shortage ends, and the scenario is run again on the same subject, with its own
//!    expectations, as if nothing had been;
//! 4. everything is given back again, the subject's own check holds, and it knows of no leak.
//!
//! Map: [`plan`] chooses the runs, [`pass`] rewrites the scenario's steps, [`trial`] is one run.
//!
//! Deliberately not here: random shortages (the profile `oom`).

pub mod pass;
pub mod plan;
pub mod trial;

use hostmem_interface::scenario::Scenario;
use hostmem_interface::{Backend, Capability};
use sha2::{Digest as _, Sha256};

use crate::engine::{Ran, Unreadable};
use crate::files::NamedScenario;
use crate::run::{Coverage, Ending, Finding};
use crate::runner::result;
use crate::runner::shrink::{Failure, shrink};
use plan::{Shortage, Sweep};
use trial::Trial;

/// Sweeps a scenario on fresh subjects of `backend`.
///
/// # Errors
/// If the scenario asks for what no backend may do.
pub fn run(case: &NamedScenario, backend: &dyn Backend) -> Result<Ran, Unreadable> {
    let (control, expects) = control(&case.scenario, backend);
    let mut sweeping = Sweeping::new(case, backend);
    sweeping.count(&control);
    if control.outcome.ending != Ending::Agrees {
        return sweeping.end(&control, &Shortage::None);
    }
    let heights = if may_be_limited(&case.scenario, backend) { &control.heights[..] } else { &[] };
    let plan = plan::shortages(&control.calls, heights, control.length);
    sweeping.sweep = plan.sweep;
    for shortage in &plan.shortages {
        let trial = trial::run(&case.scenario, backend, shortage, expects);
        sweeping.count(&trial);
        match trial.outcome.ending {
            Ending::Agrees => {}
            // With something refused, what was refused before may be had, up to where the
            // subject's machine ends.
            Ending::Skipped(_) | Ending::Taken(_) => sweeping.sweep.cut += 1,
            _ => return sweeping.end(&trial, shortage),
        }
    }
    sweeping.end(&control, &Shortage::None)
}

/// The run without any shortage, which the others are held to; and whether the scenario's own
/// expectations hold on a subject that is not fresh.
fn control(scenario: &Scenario, backend: &dyn Backend) -> (Trial, bool) {
    let trial = |expects| trial::run(scenario, backend, &Shortage::None, expects);
    let expecting = trial(true);
    match expecting.outcome.ending {
        Ending::Diverges(Finding { narrowed: true, .. }) => (trial(false), false),
        _ => (expecting, true),
    }
}

/// Whether the subject's machine can be given a commit limit that means the case's pages and
/// nothing else: heaps take theirs from the same.
fn may_be_limited(scenario: &Scenario, backend: &dyn Backend) -> bool {
    if scenario.machine.commit_limit.is_some() || scenario.needs.has(Capability::Malloc) {
        return false;
    }
    let machine = plan::limited(&scenario.machine, 1 << 30).machine();
    let subject = backend.open(&machine);
    subject.is_ok_and(|it| it.description().machine.commit_limit == machine.commit_limit)
}

/// A sweep in progress.
struct Sweeping<'a> {
    case: &'a NamedScenario,
    backend: &'a dyn Backend,
    sweep: Sweep,
    runs: u64,
    steps: usize,
    record: Sha256,
    coverage: Coverage,
}

impl<'a> Sweeping<'a> {
    fn new(case: &'a NamedScenario, backend: &'a dyn Backend) -> Self {
        Self {
            case,
            backend,
            sweep: Sweep::default(),
            runs: 0,
            steps: 0,
            record: Sha256::new(),
            coverage: Coverage::default(),
        }
    }

    fn count(&mut self, trial: &Trial) {
        self.runs += 1;
        self.steps += trial.outcome.steps;
        self.record.update(trial.outcome.record);
        self.coverage.merge(&trial.outcome.coverage);
    }

    /// The result of the whole sweep, which ended with this trial.
    fn end(self, last: &Trial, shortage: &Shortage) -> Result<Ran, Unreadable> {
        let failing = Failure::of(&last.outcome).and_then(|how| self.smallest(last, how));
        let mut result = result(&self.case.name, &last.scenario, self.backend, &last.outcome)?;
        if let (Some(said), true) = (shortage.said(), result.is_finding()) {
            result.reason = Some(match result.reason {
                Some(reason) => format!("{said}: {reason}"),
                None => said,
            });
        }
        result.steps = self.steps;
        result.record = self.record.finalize().into();
        // The first run has no shortage: it is what the others are compared with.
        result.sweep = Some(Sweep { runs: self.runs - 1, ..self.sweep });
        Ok(Ran { failing, coverage: self.coverage, ..Ran::from(result) })
    }

    /// The smallest scenario that fails so, if the trial does as a file.
    fn smallest(&self, last: &Trial, how: Failure) -> Option<Scenario> {
        let steps = last.outcome.steps;
        let shrunk = shrink(last.scenario.clone(), steps, how, self.backend, &mut |_| {});
        shrunk.outcome.map(|_| {
            let small = shrunk.reduced.scenario;
            let about = &last.scenario.about;
            let about = format!("{about}, shrunk to {} steps", small.steps.len());
            Scenario { about, ..small }
        })
    }
}
