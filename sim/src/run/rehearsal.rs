//! A quick look whether the law permits all that a file expects: the model acts alone, giving
//! the expected answer wherever that is lawful, and nobody judges it.
//!
//! Most files contradict nothing, and are over with here. Of the others it only says that they
//! are to be looked at properly: those with steps that overlap, walks and injected refusals,
//! too, whose meaning is the business of a whole case.
//!
//! Deliberately not here: what to say of a file that is wrong ([`super::scenario`]).

use hostmem_interface::scenario::fits::notified_fits;
use hostmem_interface::scenario::{Action, Name, Place, Scenario, Step, SymbolicCall};
use hostmem_interface::{Call, Grain, MallocId, Outcome, Reply, Value};
use hostmem_model::State;
use hostmem_model::actor::Actor;

use crate::run::case::address_in;
use crate::run::wish::Wish;
use crate::view::Binding;

/// Whether every expectation of a scenario is certainly lawful.
pub(super) fn is_lawful(scenario: &Scenario) -> bool {
    let mut rehearsal = Rehearsal {
        actor: Actor::new(State::new(scenario.machine.machine())),
        bound: vec![None; scenario.names.len()],
        heaps: vec![None; scenario.names.len()],
    };
    scenario.steps.iter().all(|step| rehearsal.goes_well(step))
}

struct Rehearsal {
    actor: Actor,
    bound: Vec<Option<Binding>>,
    heaps: Vec<Option<MallocId>>,
}

impl Rehearsal {
    /// Carries out a step; false if it leaves a doubt.
    fn goes_well(&mut self, step: &Step) -> bool {
        let answered = match &step.action {
            _ if step.with.is_some() => return false,
            Action::Call(call) => self.call(step, call),
            Action::Hole { size } if step.expect.is_none() => self.hole(*size),
            Action::Hole { .. } => return false,
            Action::Walk { .. } | Action::FailNext { .. } => return false,
        };
        let Some(outcome) = answered else { return false };
        if let Some(Name(name)) = step.bind {
            self.bind(name as usize, &outcome);
            // Without what it was to bind the case would end here.
            return outcome.is_done() || step.expect.is_some();
        }
        true
    }

    fn call(&mut self, step: &Step, call: &SymbolicCall) -> Option<Outcome> {
        let Self { actor, bound, heaps } = self;
        let place = |place: &Place| address_in(bound, None, None, *place).ok_or(());
        let heap = |name: &Name| heaps.get(name.0 as usize).copied().flatten().ok_or(());
        let call = call.resolve(place, heap).ok()?;
        let wanted = Wish::of(step, Grain::Win32, bound);
        let (reply, liked) = actor.act_preferring(&call, &wanted);
        let Reply::Outcome { outcome, notified } = reply else { return None };
        let expect = step.expect.as_ref();
        let fits = liked && expect.is_none_or(|it| notified_fits(it, &notified));
        fits.then_some(outcome)
    }

    fn hole(&mut self, size: u64) -> Option<Outcome> {
        let Reply::Outcome { outcome, .. } = self.actor.act(&Call::reserve_hole(size)) else {
            return None;
        };
        self.actor.act(&Call::release(outcome.address()?));
        Some(outcome)
    }

    fn bind(&mut self, at: usize, outcome: &Outcome) {
        if self.bound.len() <= at {
            self.bound.resize(at + 1, None);
            self.heaps.resize(at + 1, None);
        }
        // How large it is, or whose block, makes no difference here.
        let range = outcome.address().map(|base| Binding::Range { base, size: 0, malloc: None });
        self.bound[at] = range;
        self.heaps[at] = match outcome.value() {
            Some(Value::Malloc(heap)) => Some(*heap),
            _ => None,
        };
    }
}
