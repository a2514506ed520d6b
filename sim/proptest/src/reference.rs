//! The law as a reference machine: [`Reference`] is a state of the model that carries intents
//! out by itself.
//!
//! Deliberately not here: the manager under test. It makes choices of its own, so its judge
//! follows it ([`crate::machine`]); the reference only says which transitions there are.

use std::sync::LazyLock;

use hostmem::intent::Intent;
use hostmem::view::{Binding, View};
use hostmem_interface::scenario::{Action, Name, Place, Step, SymbolicCall};
use hostmem_interface::{Call, Machine, MallocId, Reply, Value};
use hostmem_model::State;
use hostmem_model::actor::Actor;
use proptest::strategy::{BoxedStrategy, Just, Strategy as _};
use proptest_state_machine::ReferenceStateMachine;

use crate::strategy::{Intents, intents};

/// A state of the model, and the names that were bound on the way to it.
#[derive(Clone, Debug)]
pub struct Reference {
    actor: Actor,
    bound: Vec<Binding>,
    /// The heap that a name is, where it is one.
    heaps: Vec<Option<MallocId>>,
}

impl Default for Reference {
    /// An empty address space of 64-bit Windows.
    fn default() -> Self {
        Self::new(Machine::WINDOWS_X64)
    }
}

impl Reference {
    /// An empty address space.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        let actor = Actor::new(State::new(machine));
        Self { actor, bound: Vec::new(), heaps: Vec::new() }
    }

    /// What the law knows.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.actor.state
    }

    /// What a generator may know.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { state: &self.actor.state, bound: &self.bound }
    }

    /// Carries out an intent.
    pub fn carry_out(&mut self, intent: &Intent) {
        for step in intent.realise(&self.view()) {
            if !self.step(&step) {
                break;
            }
        }
    }

    /// The first call that carries out an intent in this state.
    #[must_use]
    pub fn first_call(&self, intent: &Intent) -> Call {
        let mut copy = self.clone();
        for step in intent.realise(&self.view()) {
            match &step.action {
                Action::Call(call) => return copy.resolve(call),
                _ => drop(copy.step(&step)),
            }
        }
        // A walk is queries and nothing else.
        Call::GetMemoryLoad
    }

    /// Carries out a step; whether it bound the name that it was to bind.
    fn step(&mut self, step: &Step) -> bool {
        match &step.action {
            Action::Call(call) => self.call(call, step.bind.is_some()),
            Action::Hole { size } => self.hole(*size),
            // Neither changes a state: one only looks, the other is the harness's own refusal.
            Action::Walk { .. } | Action::FailNext { .. } => true,
        }
    }

    fn call(&mut self, call: &SymbolicCall, binds: bool) -> bool {
        let heap = call.malloc().copied();
        let call = self.resolve(call);
        let value = self.act(&call);
        match (binds, value) {
            (false, _) => true,
            (true, Some(Value::Address(base))) => {
                self.bind(Binding::Range { base, size: asked(&call), malloc: heap }, None)
            }
            (true, Some(Value::Malloc(id))) => self.bind(Binding::Malloc, Some(id)),
            (true, _) => false,
        }
    }

    fn hole(&mut self, size: u64) -> bool {
        let reserve = Call::reserve_hole(size);
        let Some(Value::Address(base)) = self.act(&reserve) else { return false };
        self.act(&Call::release(base));
        self.bind(Binding::Range { base, size, malloc: None }, None)
    }

    fn act(&mut self, call: &Call) -> Option<Value> {
        match self.actor.act(call) {
            Reply::Outcome { outcome, .. } => outcome.value().cloned(),
            // Code that is no `ret`: an intent only runs what it wrote.
            _ => None,
        }
    }

    fn bind(&mut self, binding: Binding, heap: Option<MallocId>) -> bool {
        self.bound.push(binding);
        self.heaps.push(heap);
        true
    }

    fn resolve(&self, call: &SymbolicCall) -> Call {
        let place = |place: &Place| match *place {
            Place::Absolute(address) => Ok(address),
            Place::Relative { name, offset } => match self.bound.get(name.0 as usize) {
                Some(Binding::Range { base, .. }) => Ok(base.wrapping_add(offset)),
                _ => Err(name),
            },
        };
        let heap = |name: &Name| self.heaps.get(name.0 as usize).copied().flatten().ok_or(*name);
        let resolved: Result<Call, Name> = call.resolve(place, heap);
        resolved.unwrap_or_else(|name| unreachable!("{name:?} is bound: the view told of it"))
    }
}

/// The size that a call asks for.
const fn asked(call: &Call) -> u64 {
    match call {
        Call::VirtualAlloc { size, .. }
        | Call::Alloc { size, .. }
        | Call::DebugAlloc { size, .. } => *size,
        _ => 0,
    }
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Intent;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    /// The same everywhere: an intent means something in every state.
    fn transitions(_: &Self) -> BoxedStrategy<Intent> {
        static INTENTS: LazyLock<Intents> = LazyLock::new(intents);
        INTENTS.clone().boxed()
    }

    fn apply(mut state: Self, intent: &Intent) -> Self {
        state.carry_out(intent);
        state
    }
}
