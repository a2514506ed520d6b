//! A scenario carried out by the model alone: each step with what the law permits there, and
//! what it does to the memory; then what a last look must find.
//!
//! A program that is written from it knows the answers in advance. Where a system takes
//! another lawful way than the model (an address, one of several readings), only what does not
//! depend on it can be said beforehand; addresses are therefore told by name.
//!
//! Deliberately not here: any programming language.

use std::collections::BTreeMap;

use hostmem_interface::scenario::{Action, Name, Place, Scenario, Step, SymbolicCall, show_step};
use hostmem_interface::{
    AccessKind, Address, Call, MallocId, MemoryBasicInformation, OutPointer, Outcome, Reply, Value,
};
use hostmem_model::State;
use hostmem_model::actor::Actor;
use hostmem_model::effect::{Effect, Pages};
use hostmem_model::page::PageState;
use hostmem_model::rules::decide;
use hostmem_model::verdict::{Answer, Verdict};

use crate::run::injection::Injections;

/// The most pages that the last look reads.
const MOST_READ: usize = 64;

/// One line of a rehearsal.
#[derive(Clone, Debug)]
pub struct Line {
    /// Which step it is, counted from 1; `None` for a part of the last look.
    pub number: Option<usize>,
    /// The step as a person reads it.
    pub text: String,
    /// What is done.
    pub act: Act,
    /// The name that it binds.
    pub bind: Option<String>,
}

/// What a line does.
#[derive(Clone, Debug)]
pub enum Act {
    /// A call.
    Call(Box<Rehearsed>),
    /// A place for an explicit address, of so many bytes.
    Hole(u64),
    /// A walk over the regions from one address to another.
    Walk(Where, Where),
    /// Something that hostmem does in front of the manager.
    InFront,
}

/// A call with what is known of it.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// The call as the model saw it.
    pub call: Call,
    /// Its address argument, as a program can say it.
    pub at: Where,
    /// What the law permits.
    pub verdict: Verdict,
    /// What the model answered.
    pub outcome: Outcome,
    /// What that does to the memory.
    pub changes: Vec<Change>,
    /// For a read: the bytes that the model holds, if they are certain.
    pub bytes: Option<Vec<u8>>,
}

/// An address as a program can say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// The same number everywhere.
    Number(u64),
    /// So far behind (modulo 2^64) what a name was bound to.
    Named(String, u64),
    /// What the call itself gave.
    Given,
}

/// What a call does to the memory, as an operating system without allocations sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// So many bytes of address space are taken here.
    Map(Where, u64),
    /// Pages may be used so from now on.
    Permit(Where, u64, PageState),
    /// Pages lose their contents and may not be used.
    Empty(Where, u64),
    /// Address space is given back.
    Unmap(Where, u64),
    /// The contents of pages may go.
    Discard(Where, u64),
}

/// A whole scenario.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Its lines.
    pub lines: Vec<Line>,
}

impl Rehearsal {
    /// Rehearses a scenario; `None` if the model itself cannot carry it out to the end.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Option<Self> {
        let mut stage = Stage::new(scenario);
        let mut lines = Vec::new();
        for (step, number) in scenario.steps.iter().zip(1..) {
            let act = stage.step(step)?;
            lines.push(Line {
                number: Some(number),
                text: show_step(scenario, step),
                act,
                bind: step.bind.map(|name| scenario.name(name).to_owned()),
            });
        }
        lines.extend(stage.last_look());
        Some(Self { lines })
    }
}

/// What was bound, to which range.
struct Bound {
    name: String,
    base: Address,
    size: u64,
}

struct Stage<'a> {
    scenario: &'a Scenario,
    actor: Actor,
    bound: Vec<Bound>,
    heaps: BTreeMap<Name, MallocId>,
    injections: Injections,
}

impl<'a> Stage<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let state = State::new(scenario.machine.machine());
        Self {
            scenario,
            actor: Actor::new(state),
            bound: Vec::new(),
            heaps: BTreeMap::new(),
            injections: Injections::default(),
        }
    }

    fn step(&mut self, step: &Step) -> Option<Act> {
        match &step.action {
            Action::Call(call) => self.call(step, call),
            Action::Hole { size } => self.hole(step, *size),
            Action::Walk { from, to } => {
                let machine = self.actor.state.machine();
                let (lowest, end) = (Place::NULL, Place::Absolute(Address(machine.end())));
                let ends = [from.unwrap_or(lowest), to.unwrap_or(end)];
                let [from, to] = ends.map(|place| self.named(place));
                Some(Act::Walk(from, to))
            }
            Action::FailNext { .. } => {
                self.injections.add(&step.action);
                Some(Act::InFront)
            }
        }
    }

    fn call(&mut self, step: &Step, symbolic: &SymbolicCall) -> Option<Act> {
        if self.injections.take(symbolic).is_some() {
            return Some(Act::InFront);
        }
        let at = symbolic.address().map_or(Where::Number(0), |place| self.named(*place));
        let place = |place: &Place| self.address(*place).ok_or(());
        let heap = |name: &Name| self.heaps.get(name).copied().ok_or(());
        let call = symbolic.resolve(place, heap).ok()?;
        let act = self.carry_out(call, at)?;
        if let Some(name) = step.bind {
            match act.outcome.value() {
                Some(Value::Address(base)) => self.bind(name, *base, size_of(&act.call)),
                Some(Value::Malloc(id)) => drop(self.heaps.insert(name, *id)),
                _ => return None,
            }
        }
        Some(Act::Call(Box::new(act)))
    }

    fn carry_out(&mut self, call: Call, at: Where) -> Option<Rehearsed> {
        let verdict = decide(&self.actor.state, &call);
        let bytes = self.certain_bytes(&verdict);
        let before = self.actor.state.clone();
        let Reply::Outcome { outcome, .. } = self.actor.act(&call) else { return None };
        if bytes.is_none() && matches!(outcome.value(), Some(Value::Bytes(_))) {
            // What the model saw of uncertain pages is its own choice: they stay uncertain.
            self.actor.state = before.clone();
        }
        let changes = if outcome.is_done() || matches!(outcome, Outcome::Faulted(_)) {
            self.changes(&before, &verdict.first.effect)
        } else {
            Vec::new()
        };
        Some(Rehearsed { call, at, verdict, outcome, changes, bytes })
    }

    fn hole(&mut self, step: &Step, size: u64) -> Option<Act> {
        let reserve = Call::reserve_hole(size);
        let Reply::Outcome { outcome, .. } = self.actor.act(&reserve) else { return None };
        let base = outcome.address()?;
        let _ = self.actor.act(&Call::release(base));
        self.bind(step.bind?, base, size);
        Some(Act::Hole(size))
    }

    fn bind(&mut self, name: Name, base: Address, size: u64) {
        let name = self.scenario.name(name).to_owned();
        self.bound.push(Bound { name, base, size: size.max(1) });
    }

    fn address(&self, place: Place) -> Option<Address> {
        match place {
            Place::Absolute(address) => Some(address),
            Place::Relative { name, offset } => {
                let name = self.scenario.name(name);
                let bound = self.bound.iter().find(|bound| bound.name == name)?;
                Some(bound.base.wrapping_add(offset))
            }
        }
    }

    fn named(&self, place: Place) -> Where {
        match place {
            Place::Absolute(address) => Where::Number(address.0),
            Place::Relative { name, offset } => {
                Where::Named(self.scenario.name(name).to_owned(), offset)
            }
        }
    }

    /// An address of the model's by the name of the range that it lies in.
    fn found(&self, at: Address) -> Where {
        let page = self.actor.state.machine().page;
        let holds = |bound: &&Bound| {
            let size = bound.size.next_multiple_of(page);
            at.0.wrapping_sub(bound.base.0) < size
        };
        match self.bound.iter().rev().find(holds) {
            Some(bound) => Where::Named(bound.name.clone(), at.0 - bound.base.0),
            None => Where::Number(at.0),
        }
    }

    /// The bytes that a lawful read gives, if there is no doubt.
    fn certain_bytes(&self, verdict: &Verdict) -> Option<Vec<u8>> {
        let Answer::Bytes(at, size) = verdict.first.answer else { return None };
        let state = &self.actor.state;
        let certain = !state.contents.is_uncertain(at, size);
        certain.then(|| state.likeliest_bytes(at, size))
    }

    fn changes(&self, before: &State, effect: &Effect) -> Vec<Change> {
        match effect {
            Effect::Reserve { size, state, base, .. } => {
                let at = base.map_or(Where::Given, |base| self.found(base));
                let mut changes = vec![Change::Map(at, *size)];
                if state.is_committed() {
                    changes.push(Change::Permit(Where::Given, *size, *state));
                }
                changes
            }
            Effect::Commit(pages, state) | Effect::Protect(pages, state) => {
                let (at, size) = self.span(pages);
                vec![Change::Permit(at, size, *state)]
            }
            Effect::Decommit(pages) => {
                let (at, size) = self.span(pages);
                vec![Change::Empty(at, size)]
            }
            Effect::Release(base) => {
                let size =
                    before.space.find(*base).map_or(0, hostmem_model::space::Allocation::size);
                vec![Change::Unmap(self.found(*base), size)]
            }
            Effect::Reset(pages) => {
                let (at, size) = self.span(pages);
                vec![Change::Discard(at, size)]
            }
            _ => Vec::new(),
        }
    }

    fn span(&self, pages: &Pages) -> (Where, u64) {
        let page = self.actor.state.machine().page;
        let start = pages.base.wrapping_add(pages.range.start * page);
        (self.found(start), (pages.range.end - pages.range.start) * page)
    }

    /// What hostmem looks at when a case ends: every region that it owns, and the pages that
    /// it wrote.
    fn last_look(&mut self) -> Vec<Line> {
        let state = &self.actor.state;
        let mut calls = Vec::new();
        for allocation in state.space.iter() {
            for (pages, _) in allocation.runs(allocation.all_pages()) {
                let address = allocation.address_of(pages.start);
                let (buffer, length) = (OutPointer::Valid, MemoryBasicInformation::SIZE);
                calls.push(Call::VirtualQuery { address, buffer, length });
            }
        }
        let quiet = |at: &Address| {
            let Some(allocation) = state.space.find(*at) else { return false };
            let page = allocation.state(allocation.page_of(*at));
            let readable = page.permits(AccessKind::Read) && !page.is_guarded();
            readable && !state.contents.is_uncertain(*at, 1)
        };
        let size = state.machine().page;
        let committed = state.space.iter().flat_map(|allocation| {
            let runs = allocation.runs(allocation.all_pages());
            let committed = runs.filter(|(_, state)| state.is_committed());
            committed.map(|(pages, _)| allocation.address_of(pages.end - 1))
        });
        let mut pages: Vec<Address> = state.contents.written_pages().chain(committed).collect();
        pages.sort_unstable();
        pages.dedup();
        let read = pages.into_iter().filter(quiet).take(MOST_READ);
        calls.extend(read.map(|address| Call::Read { address, size }));
        calls.into_iter().filter_map(|call| self.look(call)).collect()
    }

    fn look(&mut self, call: Call) -> Option<Line> {
        let at = self.found(*call.address()?);
        let Where::Named(name, offset) = &at else { return None };
        let text = format!("the end: {}({name}+{offset:#x})", call.name());
        let act = Act::Call(Box::new(self.carry_out(call, at.clone())?));
        Some(Line { number: None, text, act, bind: None })
    }
}

const fn size_of(call: &Call) -> u64 {
    match call {
        Call::VirtualAlloc { size, .. } | Call::Alloc { size, .. } => *size,
        Call::DebugAlloc { size, .. } => *size,
        _ => 0,
    }
}

impl Rehearsed {
    /// Where an address of the model's lies, relative to the call's own.
    #[must_use]
    pub fn near(&self, at: Address) -> Where {
        let own = self.call.address().copied().unwrap_or_default();
        let distance = at.0.wrapping_sub(own.0);
        match &self.at {
            Where::Given => Where::Given,
            Where::Number(number) => Where::Number(number.wrapping_add(distance)),
            Where::Named(name, offset) => Where::Named(name.clone(), offset.wrapping_add(distance)),
        }
    }

    /// Whether some lawful answer is a fault.
    #[must_use]
    pub fn may_fault(&self) -> bool {
        let fault = |answer: &Answer| matches!(answer, Answer::Fault(_) | Answer::FaultIn(..));
        self.verdict.readings().any(|reading| fault(&reading.answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system may have dropped a page that was reset before it was read or written again:
    /// nothing that is said of it later may rest on what the model saw.
    #[test]
    fn what_a_reset_page_holds_stays_in_doubt_whatever_the_model_saw() {
        let text = r#"{ "format": "hostmem/1", "about": "a reset", "rules": [],
            "source": "-", "needs": [], "steps": [
            { "call": "VirtualAlloc", "address": null, "size": "0x2000",
              "type": "MEM_RESERVE|MEM_COMMIT", "protect": "PAGE_READWRITE", "bind": "p" },
            { "call": "Write", "address": "p", "size": "0x2000", "fill": 90 },
            { "call": "VirtualAlloc", "address": "p", "size": "0x1000", "type": "MEM_RESET",
              "protect": "PAGE_READWRITE" },
            { "call": "Read", "address": "p", "size": 4 },
            { "call": "Write", "address": "p+8", "bytes": "11" },
            { "call": "Read", "address": "p", "size": 4 },
            { "call": "Read", "address": "p+0x1000", "size": 4 } ] }"#;
        let scenario = hostmem_interface::scenario::read(text.as_bytes()).expect("a scenario");
        let rehearsal = Rehearsal::of(&scenario).expect("the model carries it out");
        let reads = rehearsal.lines.iter().filter_map(|line| match &line.act {
            Act::Call(act) if matches!(act.call, Call::Read { .. }) => {
                Some((&act.at, act.bytes.as_deref().map(|bytes| bytes[0])))
            }
            _ => None,
        });
        let at = |offset| Where::Named("p".to_owned(), offset);
        let (first, second) = (at(0), at(0x1000));
        let certain = (&second, Some(90));
        assert_eq!(reads.collect::<Vec<_>>(), [(&first, None), (&first, None), certain, certain]);
    }
}
