//! One run of a sweep: the scenario under a shortage, everything given back, the scenario
//! again, everything given back; all as one case, which is written down as a scenario.
//!
//! Deliberately not here: any judgement. The case is judged step by step like any other.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use hostmem_interface::scenario::{
    Action, Expectation, MachineRequest, Name, Outputs, Place, Scenario, Step,
};
use hostmem_interface::{
    Address, AllocationType, Backend, Breakage, Call, Capability, CriticalLevel, Description,
    Grain, Hresult, MemoryLoad, Protection, RegionState, Subject,
};
use hostmem_model::State;

use super::pass::{Pass, may_fail, set_level};
use super::plan::{CallAt, Shortage, limited};
use crate::run::callee::{Callee, with_threads_of};
use crate::run::case::Answered;
use crate::run::needs::needs;
use crate::run::scenario::{ATTEMPTS, closed, make_room, not_opened, shown_machine, unsuitable};
use crate::run::{Case, Ending, Outcome};
use crate::script::Script;
use crate::view::Binding;

/// Bytes that are read or written in the time of a step.
const BYTES_A_STEP: usize = 4096;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Trial {
    /// How the case ended.
    pub outcome: Outcome,
    /// What it was.
    pub scenario: Scenario,
    /// The steps of the scenario that may fail, and did not.
    pub calls: Vec<CallAt>,
    /// The heights of the commit charge that the scenario reached one after the other, bytes.
    pub heights: Vec<u64>,
    /// How much work the scenario is once through, in steps; so many bytes are one step.
    pub length: usize,
}

impl Trial {
    fn new(outcome: Outcome, scenario: Scenario) -> Self {
        Self { outcome, scenario, calls: Vec::new(), heights: Vec::new(), length: 0 }
    }
}

/// Runs a scenario under a shortage; `expects`: the second time with its own expectations.
pub fn run(
    scenario: &Scenario,
    backend: &dyn Backend,
    shortage: &Shortage,
    expects: bool,
) -> Trial {
    let machine = match shortage {
        Shortage::Limit(bytes) => limited(&scenario.machine, *bytes),
        Shortage::None | Shortage::Refused { .. } => scenario.machine,
    };
    let before = |ending, grain, missing| {
        let outcome = Outcome { missing, ..Outcome::before(ending, grain, "") };
        Trial::new(outcome, Scenario::default())
    };
    let mut attempt = 0;
    loop {
        let subject = match backend.open(&machine.machine()) {
            Ok(subject) => subject,
            Err(error) => return before(not_opened(error), Grain::Win32, None),
        };
        let description = subject.description();
        if let Some((why, missing)) = unsuitable(&machine, scenario.needs, description) {
            return before(Ending::Skipped(why), description.grain, missing);
        }
        make_room(&*subject, attempt);
        let mut trial = with_threads_of(&*subject, &scenario.steps, |callee| {
            on_subject(scenario, &machine, callee, description, shortage, expects)
        });
        if trial.outcome.ending == Ending::Agrees {
            trial.outcome = nothing_lost(&*subject, trial.outcome);
        }
        attempt += 1;
        match trial.outcome.ending {
            Ending::Taken(_) if attempt < ATTEMPTS => {}
            _ => return trial,
        }
    }
}

/// How many bytes a scenario reads and writes.
fn touched(scenario: &Scenario) -> usize {
    let size = |step: &Step| match &step.action {
        Action::Call(Call::Write { data, .. }) => data.size(),
        Action::Call(Call::Read { size, .. }) => *size,
        _ => 0,
    };
    usize::try_from(scenario.steps.iter().map(size).sum::<u64>()).unwrap_or(usize::MAX)
}

/// Everything was given back: whatever the subject still knows of is a lie of somebody's.
fn nothing_lost(subject: &dyn Subject, outcome: Outcome) -> Outcome {
    let left = subject.leaks();
    if !left.is_empty() {
        let what = format!("when all was given back there was left: {}", left.join("; "));
        return Outcome { ending: Ending::Broken(Breakage::Lied(what)), ..outcome };
    }
    closed(subject, outcome)
}

fn on_subject(
    scenario: &Scenario,
    machine: &MachineRequest,
    callee: &mut dyn Callee,
    description: &Description,
    shortage: &Shortage,
    expects: bool,
) -> Trial {
    let succeeded = Cell::new(false);
    let mut observe = |_: &Step, answered: &Answered| succeeded.set(answered.outcome.is_done());
    let state = State::new(shown_machine(machine, description));
    let mut case = Case::new(callee, state, description, scenario.level, b"")
        .observed_by(&mut observe)
        .generated();
    let written = Scenario {
        about: format!("{} ({shortage})", scenario.about),
        level: scenario.level,
        machine: *machine,
        ..Scenario::default()
    };
    let load = case.view().state.pressure.load();
    let trial = Trial::new(Outcome::before(Ending::Agrees, description.grain, ""), written);
    let mut running = Running { case: &mut case, succeeded: &succeeded, description, load, trial };
    let flow = running.through(scenario, shortage, expects);
    let mut trial = running.trial;
    trial.outcome = Outcome::of(&case, flow, description);
    trial
}

/// A run in progress.
struct Running<'c, 'a> {
    case: &'c mut Case<'a>,
    /// Whether the last step did.
    succeeded: &'c Cell<bool>,
    description: &'c Description,
    /// The memory load of a fresh machine.
    load: MemoryLoad,
    trial: Trial,
}

impl Running<'_, '_> {
    fn through(
        &mut self,
        scenario: &Scenario,
        shortage: &Shortage,
        expects: bool,
    ) -> ControlFlow<Ending> {
        self.under_shortage(scenario, shortage)?;
        self.trial.length = self.case.steps + touched(scenario) / BYTES_A_STEP;
        self.case.end()?;
        self.give_back()?;
        if let Shortage::Limit(bytes) = shortage {
            self.commit_everything(*bytes)?;
        }
        self.relax()?;
        let mut again = Pass::new(scenario);
        for step in &scenario.steps {
            let mut step = step.clone();
            if !expects || matches!(shortage, Shortage::Limit(_)) {
                step.expect = None;
            }
            self.pass_on(&mut again, &step, None)?;
        }
        self.case.end()?;
        self.give_back()?;
        self.relax()?;
        self.case.end()
    }

    /// The scenario without its expectations, as far as it can go on.
    fn under_shortage(&mut self, scenario: &Scenario, shortage: &Shortage) -> ControlFlow<Ending> {
        let mut pass = Pass::new(scenario);
        for (at, step) in scenario.steps.iter().enumerate() {
            if matches!(step.action, Action::FailNext { .. }) {
                continue;
            }
            let refused = shortage.refuses(at).filter(|_| may_fail(step));
            if matches!(shortage, Shortage::Refused { from, onwards: true, .. } if *from == at) {
                self.set_load(MemoryLoad { load: 99, available: 0 })?;
            }
            let mut plain = Step { expect: None, ..step.clone() };
            if let Shortage::Refused { level, .. } = shortage {
                set_level(&mut plain, *level);
            }
            let done = self.pass_on(&mut pass, &plain, refused)?;
            if done && may_fail(step) {
                self.trial.calls.push(at);
            }
            let committed = self.case.view().state.space.committed();
            if committed > self.trial.heights.last().copied().unwrap_or(0) {
                self.trial.heights.push(committed);
            }
        }
        ControlFlow::Continue(())
    }

    /// Carries out a step of a pass, refused if that is asked for. Whether it succeeded.
    fn pass_on(
        &mut self,
        pass: &mut Pass<'_>,
        step: &Step,
        refused: Option<CriticalLevel>,
    ) -> ControlFlow<Ending, bool> {
        let Some(rewritten) = pass.rewritten(step, self.next_name()) else {
            return ControlFlow::Continue(false);
        };
        if let Some(level) = refused {
            self.act(Step::new(Action::FailNext {
                method: Arc::from(rewritten.action.name()),
                count: 1,
                hresult: Hresult::E_OUTOFMEMORY,
                critical_at_most: Some(level),
            }))?;
        }
        let named = step.bind.map(|name| pass.scenario.name(name).to_owned());
        let made = self.step(rewritten, named.as_deref().unwrap_or("made"))?;
        if let Some(name) = made {
            pass.bound(step, name);
        }
        ControlFlow::Continue(self.succeeded.get())
    }

    fn next_name(&self) -> Name {
        let bound = self.case.view().bound.len();
        Name(u32::try_from(bound).expect("at most one name a step"))
    }

    /// A step that binds nothing.
    fn act(&mut self, step: Step) -> ControlFlow<Ending> {
        self.step(step, "").map_continue(drop)
    }

    /// Carries out a step, if the subject can do it at all, and writes it down. The name that
    /// it bound.
    fn step(&mut self, step: Step, name: &str) -> ControlFlow<Ending, Option<Name>> {
        self.succeeded.set(false);
        let wanted = needs(&step);
        if self.case.is_beyond(&step, wanted) {
            return ControlFlow::Continue(None);
        }
        let next = self.next_name();
        let written = &mut self.trial.scenario;
        written.needs = written.needs.union(wanted);
        written.steps.push(step.clone());
        let flow = self.case.step(&step);
        if let ControlFlow::Break(Ending::Unreadable(_)) = flow {
            // Code that was to be written was refused its page: there is nothing to run.
            self.trial.scenario.steps.pop();
            return ControlFlow::Continue(None);
        }
        let bound = self.next_name() != next;
        if bound {
            self.trial.scenario.names.push(format!("{name}_{}", next.0).into());
        } else if let Some(step) = self.trial.scenario.steps.last_mut() {
            step.bind = None;
        }
        flow.map_continue(|()| bound.then_some(next))
    }

    /// Gives back every block, allocation and announced mapping. None of it may fail.
    fn give_back(&mut self) -> ControlFlow<Ending> {
        let (steps, bases) = self.returns();
        for step in steps {
            self.act(step)?;
        }
        // Elsewhere somebody else may have taken the place meanwhile.
        if self.description.capabilities.has(Capability::PrivateArena) {
            for base in bases {
                let mut script = Script::new(&self.case.view());
                script.query(base);
                let free = Outputs { state: Some(RegionState::FREE), ..Outputs::default() };
                for step in script.steps() {
                    self.act(Step {
                        expect: Some(Box::new(Expectation::done(free.clone()))),
                        ..step
                    })?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// The steps that give everything back, and the bases of the allocations among it.
    fn returns(&self) -> (Vec<Step>, Vec<Place>) {
        let view = self.case.view();
        let mut script = Script::new(&view);
        for (base, _) in view.state.heaps.blocks() {
            let heap = view.bound.iter().rev().find_map(|it| match it {
                Binding::Range { base: known, malloc, .. } if *known == base => *malloc,
                _ => None,
            });
            if let Some(heap) = heap {
                let place = script.place(base);
                script.heap_free(heap, place);
            }
        }
        let bases: Vec<Address> = view.state.space.iter().map(|it| it.base()).collect();
        let places: Vec<Place> = bases.into_iter().map(|base| script.place(base)).collect();
        for place in &places {
            script.decommit(*place, 0);
            script.release(*place);
        }
        for (base, _) in view.state.foreign() {
            let address = script.place(base);
            script.call(Call::ReleasedVirtualAddressSpace { address });
        }
        (script.steps(), places)
    }

    /// Nothing of a limited machine's memory was lost if all of it can be had at once.
    fn commit_everything(&mut self, bytes: u64) -> ControlFlow<Ending> {
        let size = bytes & !(self.description.machine.page - 1);
        if size == 0 {
            return ControlFlow::Continue(());
        }
        let mut script = Script::new(&self.case.view());
        let kind = AllocationType::RESERVE | AllocationType::COMMIT;
        script.reserve(size, kind, Protection::READWRITE);
        for step in script.steps() {
            self.step(step, "everything")?;
        }
        self.give_back()
    }

    /// Ends the shortage of a simulated machine.
    fn relax(&mut self) -> ControlFlow<Ending> {
        if self.case.view().state.pressure.load() == self.load {
            return ControlFlow::Continue(());
        }
        self.set_load(self.load)
    }

    fn set_load(&mut self, to: MemoryLoad) -> ControlFlow<Ending> {
        let MemoryLoad { load, available } = to;
        // A step that the subject cannot do is left out.
        self.act(Step::new(Action::Call(Call::SetMemoryLoad { load, available })))
    }
}
