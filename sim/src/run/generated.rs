//! A case that a generator makes up as it goes, and the scenario that it was.
//!
//! The generator sees the law's state and the names bound so far, never the subject. What it
//! wrote is kept as a scenario, so that a failure replays from a file.

use std::ops::ControlFlow;
use std::sync::Arc;

use hostmem_interface::scenario::{Action, Level, MachineRequest, Name, Scenario, Step};
use hostmem_interface::{Backend, Call, Machine, Subject};
use hostmem_model::State;

use crate::run::callee::{Callee, with_threads};
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
    let mut scenario = Scenario { about: about.to_owned(), ..Scenario::default() };
    let subject = match backend.open(machine) {
        Ok(subject) => subject,
        Err(error) => {
            let grain = hostmem_interface::Grain::Win32;
            let outcome = Outcome::before(not_opened(error), grain, about);
            return Generated { outcome, scenario };
        }
    };
    let outcome = with_threads(&*subject, |callee| {
        run_on(&mut scenario, &*subject, machine, callee, steps, generator)
    });
    Generated { outcome, scenario }
}

fn run_on(
    scenario: &mut Scenario,
    subject: &dyn Subject,
    machine: &Machine,
    callee: &mut dyn Callee,
    steps: usize,
    generator: Generator<'_>,
) -> Outcome {
    let description = subject.description();
    let shown = Machine {
        physical: machine.physical.or(description.machine.physical),
        commit_limit: machine.commit_limit,
        ..description.machine
    };
    scenario.machine = MachineRequest {
        physical: machine.physical,
        commit_limit: machine.commit_limit,
        ..MachineRequest::default()
    };
    let id = scenario.about.clone();
    let state = State::new(shown);
    let mut case = Case::new(callee, state, description, Level::Must, id.as_bytes()).generated();
    let flow = all_steps(&mut case, scenario, steps, generator);
    Outcome::of(&case, flow, description)
}

fn all_steps(
    case: &mut Case<'_>,
    scenario: &mut Scenario,
    steps: usize,
    generator: Generator<'_>,
) -> ControlFlow<Ending> {
    let mut idle = 0;
    while case.steps < steps && idle < IDLE {
        let script = generator(&case.view(), &case.coverage);
        if script.is_empty() {
            break;
        }
        for step in script {
            let needs = needs(&step);
            if case.is_beyond(&step, needs) {
                // The subject cannot do it; what was written to follow it means nothing.
                idle += 1;
                break;
            }
            idle = 0;
            scenario.needs = scenario.needs.iter().chain(needs.iter()).collect();
            let names = case.view().bound.len();
            scenario.steps.push(step);
            let step = scenario.steps.last_mut().expect("just pushed");
            let flow = case.step(step);
            let bound = case.view().bound.len() > names;
            let refused = step.bind.is_some() && !bound;
            if bound {
                scenario.names.push(name_of(step));
            } else {
                // Replayed from a file, a refusal here would end the case.
                step.bind = None;
            }
            flow?;
            if refused {
                // The rest of the script was written for what was not made.
                break;
            }
        }
    }
    case.end()
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
