//! A case that a generator makes up as it goes, and the scenario that it was.
//!
//! The generator sees the law's state and the names bound so far, never the subject. What it
//! wrote is kept as a scenario, so that a failure replays from a file.

use std::ops::ControlFlow;
use std::sync::Arc;

use hostmem_interface::scenario::{Action, Level, MachineRequest, Name, Scenario, Step};
use hostmem_interface::{Backend, Call, Description, Grain, Machine, OpenError};
use hostmem_model::State;

use crate::run::callee::{Callee, Owned, with_threads};
use crate::run::case::{Case, Ending};
use crate::run::coverage::Coverage;
use crate::run::needs::needs;
use crate::run::scenario::{Outcome, not_opened};
use crate::view::View;

/// Writes the steps of one intent for the state that it sees and the rules that the case has
/// reached so far; none ends the case.
pub type Generator<'a> = &'a mut dyn FnMut(&View<'_>, &Coverage) -> Vec<Step>;

/// After this many intents in a row that the subject cannot do, a case ends.
const IDLE: usize = 1000;

/// A generated case.
#[derive(Clone, Debug)]
pub struct Generated {
    /// What came of it.
    pub outcome: Outcome,
    /// What it was.
    pub scenario: Scenario,
}

/// Runs a generated case of about `steps` steps on a fresh subject of `backend`.
pub fn run_generated(
    about: &str,
    machine: &Machine,
    backend: &dyn Backend,
    steps: usize,
    generator: Generator<'_>,
) -> Generated {
    let subject = match backend.open(machine) {
        Ok(subject) => subject,
        Err(error) => return unopened(about, error),
    };
    with_threads(&*subject, |callee| {
        let mut growing = Growing::new(about, machine, callee, subject.description());
        let flow = growing.grow(steps, generator);
        growing.end(flow)
    })
}

fn unopened(about: &str, error: OpenError) -> Generated {
    let outcome = Outcome::before(not_opened(error), Grain::Win32, about);
    Generated { outcome, scenario: Scenario { about: about.to_owned(), ..Scenario::default() } }
}

/// A case whose steps are made up as it goes, and the scenario that it has been so far.
#[derive(Debug)]
pub struct Growing<'a> {
    case: Case<'a>,
    scenario: Scenario,
    description: Description,
    /// How many intents in a row were beyond the subject.
    idle: usize,
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
        let subject = backend.open(machine).map_err(|error| Box::new(unopened(about, error)))?;
        let description = subject.description().clone();
        Ok(Self::new(about, machine, Owned(subject), &description))
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
        Self { case, scenario, description: description.clone(), idle: 0 }
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
        while self.case.steps < steps && self.idle < IDLE {
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
        for step in script {
            let needs = needs(&step);
            if self.case.is_beyond(&step, needs) {
                // The subject cannot do it; what was written to follow it means nothing.
                self.idle += 1;
                break;
            }
            self.idle = 0;
            self.scenario.needs = self.scenario.needs.iter().chain(needs.iter()).collect();
            let refused = self.step(step)?;
            if refused {
                // The rest of the script was written for what was not made.
                break;
            }
        }
        ControlFlow::Continue(())
    }

    /// Carries out one step; whether it was refused what it was to make.
    fn step(&mut self, step: Step) -> ControlFlow<Ending, bool> {
        let names = self.case.view().bound.len();
        self.scenario.steps.push(step);
        let step = self.scenario.steps.last_mut().expect("just pushed");
        let flow = self.case.step(step);
        let bound = self.case.view().bound.len() > names;
        let refused = step.bind.is_some() && !bound;
        if bound {
            self.scenario.names.push(name_of(step));
        } else {
            // Replayed from a file, a refusal here would end the case.
            step.bind = None;
        }
        flow.map_continue(|()| refused)
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
