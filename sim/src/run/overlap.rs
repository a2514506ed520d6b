//! Generated cases on several threads: one intent for each thread, their steps side by side,
//! each row of them a group whose calls overlap in time.
//!
//! Every thread works on the same process: the intents are written for the same state, none of
//! them knowing of the others, so that two may well commit, protect or release the same pages.
//! In some rounds all of them want the same. A step stands alone if it is no call, if its
//! outcome is no single point in time (an access of more than a word), or if nothing may change
//! between looking and doing (running code). While it is uncertain what an earlier group left,
//! every step stands alone.
//!
//! Deliberately not here: what is lawful ([`super::group`]), and any promise that two runs come
//! to the same.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use hostmem_interface::scenario::{Action, Place, Scenario, Step};
use hostmem_interface::{AllocationType, Call};

use crate::run::case::{Case, Ending};
use crate::run::generated::{Generator, Growing, Length, settle};
use crate::run::group::has_one_moment;
use crate::view::{Binding, View};

/// One round in so many is a contest.
const CONTEST_EVERY: u64 = 4;

/// What is left to do on each thread.
type Scripts = Vec<VecDeque<Step>>;

impl Growing<'_> {
    /// Lets a generator go on until about so many steps were carried out on all threads.
    pub(super) fn grow_abreast(
        &mut self,
        length: Length,
        generator: Generator<'_>,
    ) -> ControlFlow<Ending> {
        for round in 0u64.. {
            if !self.goes_on(length.steps) {
                break;
            }
            let mut scripts = self.scripts(length.threads, generator);
            if scripts.iter().all(VecDeque::is_empty) {
                break;
            }
            if round.is_multiple_of(CONTEST_EVERY) {
                self.contest(&mut scripts)?;
            }
            while scripts.iter().any(|script| !script.is_empty()) {
                self.row(&mut scripts)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Has every thread do what the first has in mind, all at the same moment: by chance two
    /// threads seldom want the same of the same memory, and that is where races are lost.
    fn contest(&mut self, scripts: &mut Scripts) -> ControlFlow<Ending> {
        let Some((first, others)) = scripts.split_first_mut() else {
            return ControlFlow::Continue(());
        };
        others.iter_mut().for_each(VecDeque::clear);
        while first.len() > 1 {
            let Some(step) = first.pop_front() else { break };
            if !self.carry_out_one(step)? {
                first.clear();
            }
        }
        for (other, thread) in others.iter_mut().zip(1..) {
            // One name is for one of them: the others go without.
            other.extend(first.front().map(|step| Step { thread, bind: None, ..step.clone() }));
        }
        ControlFlow::Continue(())
    }

    /// The next step of each thread.
    fn row(&mut self, scripts: &mut Scripts) -> ControlFlow<Ending> {
        let mut row = Vec::new();
        for (at, script) in scripts.iter_mut().enumerate() {
            let Some(step) = script.pop_front() else { continue };
            let goes_on = if self.stands_alone(&step, &row) {
                self.carry_out_one(step)?
            } else {
                let takes = self.takes(&step);
                row.extend(takes.then_some((at, step)));
                takes
            };
            if !goes_on {
                script.clear();
            }
        }
        self.together(row, scripts)
    }

    /// Whether nothing may overlap with a step, or nothing of what the row has already.
    ///
    /// A heap takes and gives back address space where it likes, also where a reservation is
    /// asked for at the same time: whether it was in the way then would not show afterwards.
    fn stands_alone(&self, step: &Step, row: &[(usize, Step)]) -> bool {
        let meets = |other: &Step| {
            takes_any_place(step) && names_a_place(other)
                || takes_any_place(other) && names_a_place(step)
        };
        !self.case.is_certain() || !may_overlap(step) || row.iter().any(|(_, other)| meets(other))
    }

    /// Writes an intent for each thread, with names that do not meet.
    fn scripts(&self, threads: u32, generator: Generator<'_>) -> Scripts {
        let View { state, bound } = self.case.view();
        let mut bound = bound.to_vec();
        let script = |thread| {
            let steps = generator(&View { state, bound: &bound }, &self.case.coverage);
            let names = steps.iter().filter(|step| step.bind.is_some()).count();
            bound.resize(bound.len() + names, Binding::Nothing);
            steps.into_iter().map(|step| Step { thread, ..step }).collect()
        };
        (0..threads).map(script).collect()
    }

    /// Carries out a row of steps, each of the thread with that number.
    fn together(
        &mut self,
        mut row: Vec<(usize, Step)>,
        scripts: &mut Scripts,
    ) -> ControlFlow<Ending> {
        if row.len() < 2 {
            if let Some((at, step)) = row.pop()
                && !self.carry_out_one(step)?
            {
                scripts[at].clear();
            }
            return ControlFlow::Continue(());
        }
        let Scenario { steps, names, .. } = &mut self.scenario;
        let first = steps.len();
        let with = Some(first as u64);
        let (threads, row): (Vec<usize>, Vec<Step>) = row.into_iter().unzip();
        steps.extend(row.into_iter().map(|step| Step { with, ..step }));
        let flow = self.case.step_group(&steps[first..]);
        for (at, step) in threads.into_iter().zip(&mut steps[first..]) {
            if !settle(&self.case, step, names) {
                scripts[at].clear();
            }
        }
        flow
    }
}

impl Case<'_> {
    /// Whether what a step names is there, and code that it runs is known to be a return, or
    /// known to fault. Steps of other threads may have come between a generator and its step.
    pub(super) fn can_be_asked(&self, step: &Step) -> bool {
        let call = match &step.action {
            Action::Call(call) => self.resolve(call),
            Action::Walk { from, to } => {
                let known =
                    |place: &Option<Place>| place.is_none_or(|it| self.address(it).is_some());
                return known(from) && known(to);
            }
            Action::Hole { .. } | Action::FailNext { .. } => return true,
        };
        match call {
            ControlFlow::Break(_) => false,
            ControlFlow::Continue(Call::Execute { address }) => self.runs_return(address),
            ControlFlow::Continue(_) => true,
        }
    }
}

/// Whether a step may take or give back address space of a heap.
const fn takes_any_place(step: &Step) -> bool {
    matches!(
        step.action,
        Action::Call(Call::Alloc { .. } | Call::DebugAlloc { .. } | Call::Free { .. })
    )
}

/// Whether a step may reserve at an address of its own choice.
fn names_a_place(step: &Step) -> bool {
    match &step.action {
        Action::Call(Call::VirtualAlloc { address, kind, .. }) => {
            *address != Place::NULL && kind.intersects(AllocationType::RESERVE)
        }
        _ => false,
    }
}

/// Whether a step has an outcome that is that of one moment, whatever else happens.
fn may_overlap(step: &Step) -> bool {
    let moves_all = matches!(
        step.action,
        Action::Call(
            Call::Execute { .. }
                | Call::SetMemoryLoad { .. }
                | Call::RegisterMemoryNotificationCallback
                | Call::CreateMalloc { .. }
        )
    );
    has_one_moment(step) && !moves_all
}
