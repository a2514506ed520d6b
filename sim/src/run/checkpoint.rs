//! What is looked at beyond the answers: holes and walks of a scenario, the neighbourhood of
//! a refusal, and checkpoints.
//!
//! A checkpoint comes after 64 steps, then after twice as many again, up to every 4096, and
//! at the end: a function of the step number alone, so that a run is the same everywhere. It
//! walks `VirtualQuery` over all owned memory and reads the pages that the case has written
//! and one page of each committed run, at most 256, wherever the law permits a read and the
//! read would change nothing.

use std::ops::ControlFlow;

use hostmem_interface::scenario::{Expected, Name, Place, Step};
use hostmem_interface::{
    AccessKind, Address, Call, Capability, MemoryBasicInformation, OutPointer, Outcome,
    RegionState, Value,
};
use hostmem_model::Divergence;
use hostmem_model::rule::VQ_13;

use crate::run::callee::Issued;
use crate::run::case::{Answered, Case, Ending};
use crate::view::Binding;
use hostmem_interface::scenario::fits::describe;

/// The first checkpoint comes after this many steps.
const FIRST: usize = 64;
/// And they come at least this often.
const EVERY: usize = 4096;
/// The most pages that a checkpoint reads.
const PAGES_READ: usize = 256;
/// The most regions that are looked at after a refusal.
const REGIONS_AROUND: usize = 16;
/// The most regions of a walk: no address space has more.
const REGIONS_OF_WALK: usize = 10_000_000;

/// When the next checkpoint is due.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints {
    due: usize,
    interval: usize,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { due: FIRST, interval: FIRST }
    }
}

impl Case<'_> {
    pub(super) fn checkpoint_if_due(&mut self) -> ControlFlow<Ending> {
        if self.steps < self.checkpoints.due {
            return ControlFlow::Continue(());
        }
        let interval = (self.checkpoints.interval * 2).min(EVERY);
        self.checkpoints = Checkpoints { due: self.steps + interval, interval };
        self.checkpoint()
    }

    pub(super) fn checkpoint(&mut self) -> ControlFlow<Ending> {
        if self.subject.capabilities.has(Capability::Query) {
            let owned: Vec<(Address, Address)> =
                self.judge.state.space.iter().map(|it| (it.base(), it.end())).collect();
            for (base, end) in owned {
                self.regions(base, end, usize::MAX, &mut |_| ControlFlow::Continue(()))?;
            }
        }
        if self.subject.capabilities.has(Capability::Contents) {
            for at in self.pages_to_read() {
                let size = self.judge.state.machine().page;
                self.ask(&Call::Read { address: at, size })?;
            }
        }
        if let Err(what) = self.callee.checkpoint() {
            return ControlFlow::Break(Ending::Broken(hostmem_interface::Breakage::Lied(what)));
        }
        ControlFlow::Continue(())
    }

    /// Every written page, then one page of each committed run; only where a read is
    /// permitted, fires no guard and settles no doubt.
    fn pages_to_read(&self) -> Vec<Address> {
        let state = &self.judge.state;
        let quiet = |at: &Address| {
            let Some(allocation) = state.space.find(*at) else { return false };
            let page = allocation.state(allocation.page_of(*at));
            page.permits(AccessKind::Read)
                && !page.is_guarded()
                && !state.contents.is_uncertain(*at, 1)
        };
        let written = state.contents.written_pages().filter(quiet);
        let unwritten = state.space.iter().flat_map(|allocation| {
            allocation
                .runs(allocation.all_pages())
                .filter(|(_, state)| state.is_committed())
                .map(|(pages, _)| allocation.address_of(pages.end - 1))
        });
        let fresh = unwritten.filter(|at| quiet(at) && !state.contents.is_written(*at, 1));
        written.chain(fresh).take(PAGES_READ).collect()
    }

    /// A call of the harness's own, judged like any other.
    fn ask(&mut self, call: &Call) -> ControlFlow<Ending, Outcome> {
        self.ask_for(None, call)
    }

    /// The same, to bind what it returns to a name.
    fn ask_for(&mut self, bind: Option<Name>, call: &Call) -> ControlFlow<Ending, Outcome> {
        let verdict = self.judge.decide(call);
        let wanted = |_: &Outcome| true;
        let issued = Issued { thread: 0, call, wanted: &wanted, place: None, bind };
        let reply = self.callee.call(&issued);
        let (outcome, notified) = self.heard(reply)?;
        ControlFlow::Continue(self.judged(None, call, &verdict, outcome, notified)?.outcome)
    }

    /// The region at an address, as the subject shows it; `None` if it shows none.
    fn region(&mut self, at: Address) -> ControlFlow<Ending, Option<MemoryBasicInformation>> {
        let length = MemoryBasicInformation::SIZE;
        let query = Call::VirtualQuery { address: at, buffer: OutPointer::Valid, length };
        ControlFlow::Continue(match self.ask(&query)? {
            Outcome::Done { value: Value::Region(answer), .. } if answer.written > 0 => {
                Some(answer.information)
            }
            _ => None,
        })
    }

    /// Hands the regions of `[from, to)` to `look`, at most `most` of them, each as the
    /// subject shows it.
    fn regions(
        &mut self,
        from: Address,
        to: Address,
        most: usize,
        look: &mut dyn FnMut(&MemoryBasicInformation) -> ControlFlow<()>,
    ) -> ControlFlow<Ending> {
        let mut at = from;
        for _ in 0..most {
            if at >= to {
                break;
            }
            let Some(region) = self.region(at)? else { break };
            if look(&region).is_break() || region.end() <= at {
                break;
            }
            at = region.end();
        }
        ControlFlow::Continue(())
    }

    /// Whether the subject's queries show anything but free memory in a range.
    pub(super) fn shows_something(
        &mut self,
        start: Address,
        end: Address,
    ) -> ControlFlow<Ending, bool> {
        if !self.subject.capabilities.has(Capability::Query) {
            return ControlFlow::Continue(true);
        }
        let mut something = false;
        self.regions(start, end, REGIONS_OF_WALK, &mut |region| {
            something = region.state != RegionState::FREE;
            if something { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        ControlFlow::Continue(something)
    }

    /// After a refusal: the range that the call named and a page on either side is as before.
    pub(super) fn look_around(&mut self, call: &Call) -> ControlFlow<Ending> {
        let (Some(address), Some(size)) = (call.address(), named_size(call)) else {
            return ControlFlow::Continue(());
        };
        if !self.subject.capabilities.has(Capability::Query) {
            return ControlFlow::Continue(());
        }
        let machine = *self.judge.state.machine();
        let page = machine.page;
        let from = address.0.saturating_sub(page).min(machine.highest) & !(page - 1);
        let to = address.0.saturating_add(size).saturating_add(page).min(machine.end());
        let quiet = &mut |_: &MemoryBasicInformation| ControlFlow::Continue(());
        self.regions(Address(from), Address(to), REGIONS_AROUND, quiet)
    }

    /// Finds a place for an explicit address: reserves it and gives it back.
    pub(super) fn hole(&mut self, step: &Step, size: u64) -> ControlFlow<Ending> {
        let reserve = Call::reserve_hole(size);
        let rule = Some(self.judge.decide(&reserve).first.rule);
        let outcome = self.ask_for(step.bind, &reserve)?;
        let answered = Answered { rule, outcome, notified: Vec::new() };
        let Some(base) = answered.outcome.address() else {
            if self.is_generated() || step.expect.is_some() {
                return self.compare(step, &answered);
            }
            let why = format!("step {} refused", self.steps);
            return ControlFlow::Break(Ending::Skipped(why));
        };
        self.ask(&Call::release(base))?;
        self.tell(step, &Answered::by_harness(answered.outcome.clone()));
        if let Some(name) = step.bind {
            self.set(name, Some(Binding::Range { base, size, malloc: None }), None);
        }
        self.compare(step, &answered)
    }

    /// Walks the address space region by region (VQ-13).
    pub(super) fn walk(
        &mut self,
        step: &Step,
        from: Option<Place>,
        to: Option<Place>,
    ) -> ControlFlow<Ending> {
        let end = self.judge.state.machine().end();
        let unbound = || Ending::Skipped("a name of this walk was never bound".to_owned());
        let resolve = |case: &Self, place: Option<Place>, default: Address| match place {
            None => ControlFlow::Continue(default),
            Some(place) => match case.address(place) {
                Some(at) => ControlFlow::Continue(at),
                None => ControlFlow::Break(unbound()),
            },
        };
        let from = resolve(self, from, Address::NULL)?;
        // There is nothing to query behind user space.
        let to = resolve(self, to, Address(end))?.min(Address(end));
        let mut seen = Walk { next: from, ..Walk::default() };
        self.regions(from, to, REGIONS_OF_WALK, &mut |region| {
            seen.region(region);
            ControlFlow::Continue(())
        })?;
        let complete = seen.next >= to;
        self.conclude_walk(step, &seen, complete)
    }

    fn conclude_walk(&mut self, step: &Step, seen: &Walk, complete: bool) -> ControlFlow<Ending> {
        let outputs = match step.expect.as_ref().map(|it| &it.outcome) {
            Some(Expected::Done(outputs)) => Some(outputs),
            _ => None,
        };
        let contiguous = seen.gaps == 0 && complete;
        let apart = seen.adjacent_free == 0;
        let wanted = |expected: Option<bool>| expected.unwrap_or(true);
        let fits = contiguous == wanted(outputs.and_then(|it| it.contiguous))
            && apart == wanted(outputs.and_then(|it| it.no_adjacent_free));
        let outcome = Outcome::ok();
        // No call of the case, and one that tells of no address.
        let nothing = Call::GetMemoryLoad;
        self.record.step(Some(VQ_13), None, &nothing, &outcome);
        if fits {
            self.coverage.add(VQ_13, &outcome);
            let answered = Answered { rule: Some(VQ_13), outcome, notified: Vec::new() };
            debug_assert!(step.bind.is_none(), "a walk binds nothing");
            return self.conclude(step, &nothing, &answered);
        }
        let resolve = |place| self.address(place);
        let expected = match &step.expect {
            Some(expectation) => describe(expectation, &resolve),
            None => "regions without gaps, overlaps or two free ones in a row".to_owned(),
        };
        let observed = format!(
            "{} regions, {} gaps or overlaps, {} times two free ones in a row, {}",
            seen.regions,
            seen.gaps,
            seen.adjacent_free,
            if complete { "up to the end" } else { "broken off" }
        );
        self.diverge(Divergence { rule: VQ_13, expected, observed })
    }
}

/// What a walk has met.
#[derive(Default)]
struct Walk {
    next: Address,
    regions: u64,
    gaps: u64,
    adjacent_free: u64,
    last_free: bool,
}

impl Walk {
    fn region(&mut self, region: &MemoryBasicInformation) {
        // The first region may begin before the address that the walk begins at.
        let fits = region.base_address == self.next
            || self.regions == 0 && region.base_address < self.next;
        let free = region.state == RegionState::FREE;
        self.gaps += u64::from(!fits || region.region_size == 0);
        self.adjacent_free += u64::from(free && self.last_free);
        self.last_free = free;
        self.regions += 1;
        self.next = region.end();
    }
}

/// A call of the harness's own, as a person reads it.
pub(super) fn shown(call: &Call) -> String {
    match (call.address(), call) {
        (Some(address), Call::Read { size, .. }) => format!("Read({address}, {size:#x})"),
        (Some(address), _) => format!("{}({address})", call.name()),
        (None, _) => format!("{}()", call.name()),
    }
}

/// The size of the range that a call names.
const fn named_size(call: &Call) -> Option<u64> {
    match call {
        Call::VirtualAlloc { size, .. }
        | Call::VirtualFree { size, .. }
        | Call::VirtualProtect { size, .. }
        | Call::GetWriteWatch { size, .. }
        | Call::ResetWriteWatch { size, .. } => Some(*size),
        _ => None,
    }
}
