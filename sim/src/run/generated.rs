//! A case that a generator makes up as it goes, and the scenario that it was.
//!
//! The generator sees the law's state and the names bound so far, never the subject. What it
//! wrote is kept as a scenario, so that a failure replays from a file.

use std::ops::ControlFlow;
use std::sync::Arc;

use hostmem_interface::scenario::{Action, Level, MachineRequest, Name, Scenario, Step};
use hostmem_interface::{AheadOfCase, Backend, Call, Description, Machine, OpenError, Subject};
use hostmem_model::State;

use crate::run::callee::{Callee, Owned, with_threads};
use crate::run::case::{Case, Ending, Observer};
use crate::run::coverage::Coverage;
use crate::run::needs::needs;
use crate::run::scenario::{Outcome, closed, not_again, run_call_by_call};
use crate::view::{Binding, View};

/// Writes the steps of one intent for the state that it sees and the rules that the case has
/// reached so far; none ends the case.
pub type Generator<'a> = &'a mut dyn FnMut(&View<'_>, &Coverage) -> Vec<Step>;

/// After this many intents in a row that the subject cannot do, a case ends.
const IDLE: usize = 1000;

/// How much a case does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// About how many steps.
    pub steps: usize,
    /// On how many threads.
    pub threads: u32,
}

/// A generated case.
#[derive(Clone, Debug)]
pub struct Generated {
    /// What came of it.
    pub outcome: Outcome,
    /// What it was.
    pub scenario: Scenario,
}

/// Runs a generated case of about that length on a fresh subject of `backend`; every answer is
/// told to the observer.
pub fn run_generated(
    about: &str,
    machine: &Machine,
    backend: &dyn Backend,
    length: Length,
    generator: Generator<'_>,
    observe: Observer<'_>,
) -> Generated {
    let (subject, machine) = match open(backend, machine) {
        Ok(opened) => opened,
        Err(error) => return unopened(about, error, backend),
    };
    let (generated, rest) = with_threads(&*subject, |callee| {
        let mut growing = Growing::new(about, &machine, callee, subject.description());
        growing.case = growing.case.observed_by(observe);
        let flow = match length.threads {
            0 | 1 => growing.grow(length.steps, generator),
            _ => growing.grow_abreast(length, generator),
        };
        let rest = std::mem::take(&mut growing.rest);
        (growing.end(flow), rest)
    });
    match subject.went_wrong_ahead() {
        None => {
            let outcome = closed(&*subject, generated.outcome);
            Generated { outcome, ..generated }
        }
        Some(wrong) => {
            drop(subject);
            call_by_call(generated, rest, wrong, backend)
        }
    }
}

/// Runs a case again whose last steps were carried out ahead and went wrong.
fn call_by_call(
    generated: Generated,
    rest: Vec<Step>,
    wrong: AheadOfCase,
    backend: &dyn Backend,
) -> Generated {
    let Generated { outcome: before, mut scenario } = generated;
    for step in rest {
        give_name(&step, &mut scenario.names);
        scenario.needs = scenario.needs.union(needs(&step));
        scenario.steps.push(step);
    }
    let again = run_call_by_call(&scenario, backend);
    let outcome = match (&again.ending, wrong) {
        (Ending::Broken(_), _) | (_, AheadOfCase::Unforeseen(_)) => again,
        (_, AheadOfCase::Broken(how)) => Outcome { ending: not_again(how), ..before },
    };
    scenario.steps.truncate(outcome.steps.max(1));
    Generated { outcome, scenario }
}

/// Opens a subject on a machine; one that cannot keep a limit of commit goes without.
fn open(
    backend: &dyn Backend,
    machine: &Machine,
) -> Result<(Box<dyn Subject>, Machine), OpenError> {
    let opened = backend.open(machine);
    if machine.commit_limit.is_none() {
        return opened.map(|subject| (subject, *machine));
    }
    match opened {
        Ok(subject) if subject.description().machine.commit_limit == machine.commit_limit => {
            Ok((subject, *machine))
        }
        Ok(_) | Err(OpenError::Machine(_)) => {
            let unlimited = Machine { commit_limit: None, ..*machine };
            backend.open(&unlimited).map(|subject| (subject, unlimited))
        }
        Err(other) => Err(other),
    }
}

fn unopened(about: &str, error: OpenError, backend: &dyn Backend) -> Generated {
    let outcome = Outcome::unopened(error, backend, about);
    Generated { outcome, scenario: Scenario { about: about.to_owned(), ..Scenario::default() } }
}

/// A case whose steps are made up as it goes, and the scenario that it has been so far.
#[derive(Debug)]
pub struct Growing<'a> {
    pub(super) case: Case<'a>,
    pub(super) scenario: Scenario,
    description: Description,
    /// How many intents in a row were beyond the subject.
    idle: usize,
    /// The steps of the last script that were not carried out.
    rest: Vec<Step>,
}

impl Growing<'static> {
    /// A case on a fresh subject of `backend` that it keeps for itself.
    ///
    /// # Errors
    /// What came of the case if there is no subject.
    pub fn open(
        about: &str,
        machine: &Machine,
        backend: &dyn Backend,
    ) -> Result<Self, Box<Generated>> {
        let opened = open(backend, machine);
        let (subject, machine) =
            opened.map_err(|error| Box::new(unopened(about, error, backend)))?;
        let description = subject.description().clone();
        Ok(Self::new(about, &machine, Owned(subject), &description))
    }
}

impl<'a> Growing<'a> {
    /// A case that has not begun.
    pub fn new(
        about: &str,
        machine: &Machine,
        callee: impl Callee + 'a,
        description: &Description,
    ) -> Self {
        let (physical, commit_limit) = (machine.physical, machine.commit_limit);
        let request = MachineRequest { physical, commit_limit, ..MachineRequest::default() };
        let scenario =
            Scenario { about: about.to_owned(), machine: request, ..Scenario::default() };
        let shown = Machine {
            physical: physical.or(description.machine.physical),
            commit_limit,
            ..description.machine
        };
        let id = about.as_bytes();
        let case = Case::new(callee, State::new(shown), description, Level::Must, id).generated();
        Self { case, scenario, description: description.clone(), idle: 0, rest: Vec::new() }
    }

    /// What a generator may see.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.case.view()
    }

    /// Lets a generator go on until about `steps` steps were carried out.
    ///
    /// # Errors
    /// How the case ended, if it did.
    pub fn grow(&mut self, steps: usize, generator: Generator<'_>) -> ControlFlow<Ending> {
        while self.goes_on(steps) {
            let script = generator(&self.case.view(), &self.case.coverage);
            if script.is_empty() {
                break;
            }
            self.carry_out(script)?;
        }
        ControlFlow::Continue(())
    }

    /// Carries out the steps of one intent, as far as the subject can do them and none is
    /// refused that a later one needs.
    ///
    /// # Errors
    /// How the case ended, if it did.
    pub fn carry_out(&mut self, script: Vec<Step>) -> ControlFlow<Ending> {
        if script.len() > 1 {
            self.case.foresee(&script, false);
        }
        let mut script = script.into_iter();
        while let Some(step) = script.next() {
            let flow = self.carry_out_one(step);
            if flow.is_break() {
                self.rest = script.by_ref().collect();
            }
            if !flow? {
                // The rest of the script was written for what was not made.
                break;
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether a case of that length has not come to its end yet.
    pub(super) const fn goes_on(&self, steps: usize) -> bool {
        self.case.steps < steps && self.idle < IDLE
    }

    /// Carries out one step; says whether what a later one may need of it is there.
    pub(super) fn carry_out_one(&mut self, step: Step) -> ControlFlow<Ending, bool> {
        if !self.takes(&step) {
            return ControlFlow::Continue(false);
        }
        let Scenario { steps, names, .. } = &mut self.scenario;
        steps.push(step);
        let step = steps.last_mut().expect("just pushed");
        let bind = step.bind;
        let flow = self.case.step(step);
        let made = settle(&self.case, step, names);
        if let ControlFlow::Break(Ending::Broken(_) | Ending::Skipped(_)) = flow {
            // Of what was carried out ahead and went wrong, later steps may use the name.
            step.bind = bind;
            give_name(step, names);
        }
        if self.case.passed_over {
            // Where the case runs again the place may be free: that would be another case.
            steps.pop();
        }
        flow.map_continue(|()| made)
    }

    /// Whether the subject can do a step, which then counts among what the case needs.
    pub(super) fn takes(&mut self, step: &Step) -> bool {
        let needs = needs(step);
        if self.case.is_beyond(step, needs) {
            // What was written to follow it means nothing.
            self.idle += 1;
            return false;
        }
        self.idle = 0;
        self.scenario.needs = self.scenario.needs.union(needs);
        true
    }

    /// Looks at all that the case owns, at once: a checkpoint out of its turn.
    ///
    /// # Errors
    /// How the case ended, if it did.
    pub fn look(&mut self) -> ControlFlow<Ending> {
        self.case.end()
    }

    /// The end: a last checkpoint, unless the case has ended already.
    #[must_use]
    pub fn end(mut self, flow: ControlFlow<Ending>) -> Generated {
        let flow = match flow {
            ControlFlow::Continue(()) => self.case.end(),
            ended @ ControlFlow::Break(_) => ended,
        };
        let outcome = Outcome::of(&self.case, flow, &self.description);
        Generated { outcome, scenario: self.scenario }
    }
}

/// Names what a step made. Where it was refused its name is taken away: replayed from a file,
/// a refusal there would end the case. Says whether what it was to make is there.
pub(super) fn settle(case: &Case<'_>, step: &mut Step, names: &mut Vec<Arc<str>>) -> bool {
    let Some(Name(number)) = step.bind else { return true };
    let at = number as usize;
    if matches!(case.view().bound.get(at), None | Some(Binding::Nothing)) {
        step.bind = None;
        return false;
    }
    give_name(step, names);
    true
}

fn give_name(step: &Step, names: &mut Vec<Arc<str>>) {
    let Some(Name(number)) = step.bind else { return };
    let at = number as usize;
    while names.len() <= at {
        // A number before it may belong to another thread's step that was refused.
        names.push(format!("none{}", names.len()).into());
    }
    names[at] = name_of(step);
}

fn name_of(step: &Step) -> Arc<str> {
    let number = step.bind.map_or(0, |Name(number)| number);
    let letter = match &step.action {
        Action::Hole { .. } => "hole",
        Action::Call(Call::CreateMalloc { .. }) => "heap",
        Action::Call(Call::Alloc { .. } | Call::DebugAlloc { .. }) => "block",
        _ => "a",
    };
    format!("{letter}{number}").into()
}
