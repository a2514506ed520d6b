//! A scenario run while somebody looks on: what a step did to the law's state, and what the
//! subject's memory looks like behind it.
//!
//! The subject is asked nothing ahead of the case, so that whoever looks on may ask it at any
//! step. Queries change nothing.
//!
//! Deliberately not here: what is made of it ([`crate::viewer`]).

use std::cell::RefCell;
use std::ops::ControlFlow;

use hostmem_interface::scenario::{Scenario, Step};
use hostmem_interface::{Backend, Description, Subject};

use crate::run::case::{Answered, Case, Ending};
use crate::run::group::group_length;
use crate::run::scenario::{Outcome, Run, run_ahead, run_lawfully};

/// What is there to see behind some steps.
pub struct Scene<'a, 'c> {
    /// The case: the law's state, and the names.
    pub case: &'a Case<'c>,
    /// The steps: one, or several that overlapped in time.
    pub steps: &'a [Step],
    /// What each came to; `None` of those that were not judged to the end.
    pub answers: Vec<Option<Answered>>,
    /// Who answered; nobody where the model was asked itself.
    pub subject: Option<&'a dyn Subject>,
    /// How the case ended, if it did at one of them.
    pub ending: Option<&'a Ending>,
}

impl std::fmt::Debug for Scene<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// Somebody who looks on while a case runs, and changes nothing of it.
pub trait Onlooker {
    /// A run begins, on a fresh subject. What was seen of an earlier one no longer counts.
    fn begin(&mut self, description: &Description, subject: Option<&dyn Subject>);

    /// Steps are about to be carried out: one, or several that overlap.
    fn before(&mut self, case: &Case<'_>, steps: &[Step]);

    /// They were carried out, as far as the case went.
    fn after(&mut self, scene: &Scene<'_, '_>);

    /// Every step was; this is the last look.
    fn end(&mut self, scene: &Scene<'_, '_>);
}

/// Runs a scenario on a fresh subject of `backend`; without one, on the model, which gives the
/// expected answer wherever that is lawful. A file that contradicts the law is run on the model
/// only.
pub fn watch_scenario(
    scenario: &Scenario,
    backend: Option<&dyn Backend>,
    onlooker: &mut dyn Onlooker,
) -> Outcome {
    let carry_out = &mut |run: Run<'_>| watched(run, scenario, onlooker);
    let Some(backend) = backend else {
        let outcome = run_lawfully(scenario, carry_out);
        return contradicting(outcome);
    };
    let outcome = run_ahead(scenario, "", backend, false, carry_out);
    // Nobody looked on while the file was held against the law.
    if outcome.self_check { contradicting(run_lawfully(scenario, carry_out)) } else { outcome }
}

fn contradicting(outcome: Outcome) -> Outcome {
    let self_check = matches!(outcome.ending, Ending::Diverges(_) | Ending::Unreadable(_));
    Outcome { self_check, ..outcome }
}

fn watched(run: Run<'_>, scenario: &Scenario, onlooker: &mut dyn Onlooker) -> Outcome {
    let (description, subject) = (run.description, run.subject);
    onlooker.begin(description, subject);
    let told = RefCell::new(Vec::new());
    let mut observe = |step: &Step, answered: &Answered| {
        told.borrow_mut().push((std::ptr::from_ref(step), answered.clone()));
    };
    let mut case = run.case(scenario, "").observed_by(&mut observe);
    let mut flow = ControlFlow::Continue(());
    let mut rest = scenario.steps.as_slice();
    while !rest.is_empty() && flow.is_continue() {
        let (group, behind) = rest.split_at(group_length(rest).max(1));
        onlooker.before(&case, group);
        flow = case.step_group(group);
        let told = told.take();
        let answer = |step: &Step| {
            let own = |(at, _): &&(*const Step, Answered)| std::ptr::eq(*at, step);
            told.iter().rev().find(own).map(|(_, answered)| answered.clone())
        };
        let answers = group.iter().map(answer).collect();
        let ending = ending(&flow);
        onlooker.after(&Scene { case: &case, steps: group, answers, subject, ending });
        rest = behind;
    }
    if flow.is_continue() {
        flow = case.end();
    }
    let ending = ending(&flow);
    onlooker.end(&Scene { case: &case, steps: &[], answers: Vec::new(), subject, ending });
    Outcome::of(&case, flow, description)
}

const fn ending(flow: &ControlFlow<Ending>) -> Option<&Ending> {
    match flow {
        ControlFlow::Break(ending) => Some(ending),
        ControlFlow::Continue(()) => None,
    }
}
