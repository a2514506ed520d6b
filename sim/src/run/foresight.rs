//! Foresees the calls that a case is going to make, for subjects that are slow to reach.
//!
//! The case is carried on in a shadow: the model answers in the subject's place, and whatever
//! the case asks of it is written down, the queries and reads of the harness included. So a
//! whole scenario can be sent in one line and judged afterwards. It is written down as far as
//! the calls do not depend on answers that only the subject can give, which is up to
//!
//! * a query of the harness's own in memory that the case does not own: the next one begins
//!   where the subject says that the region ends;
//! * a call of which the law permits both success and refusal;
//! * a long access that will fault: what follows the fault must not be done;
//! * an allocation anywhere while the subject's heaps hold blocks: the model in its place would
//!   have put them elsewhere;
//! * steps that overlap in time: they are to overlap.
//!
//! If the case asks something else after all, nothing is lost but time: it is run again call
//! by call.
//!
//! Deliberately not here: sending anything.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hostmem_interface::scenario::{Name, Place, Step};
use hostmem_interface::{Address, Call, Foreseen, Outcome, Reply, Spot};
use hostmem_model::State;
use hostmem_model::actor::Actor;
use hostmem_model::rules::decide;
use hostmem_model::verdict::{Answer, Verdict};

use crate::run::callee::{Callee, Issued};
use crate::run::case::{Case, Ending};
use crate::run::coverage::Coverage;
use crate::run::digest::Record;
use crate::run::group::group_length;
use crate::run::needs::needs;

/// More are not foreseen at a time.
const MOST: usize = 4096;

impl Case<'_> {
    /// Each call is made only when it is its turn.
    #[must_use]
    pub(super) const fn call_by_call(mut self) -> Self {
        self.ahead = false;
        self
    }

    /// Tells the callee which calls come next, if it wants to know; `to_the_end` if nothing
    /// follows the steps but the last checkpoint.
    pub(super) fn foresee(&mut self, steps: &[Step], to_the_end: bool) {
        // Where the subject may be in one of several states, nothing is foreseen.
        let certain = self.others.is_empty();
        if !self.ahead || !certain || !self.callee.looks_ahead() {
            return;
        }
        let mut foreseer = Foreseer::new(self.judge.state.clone());
        {
            let mut shadow = self.shadow(&mut foreseer);
            if shadow.carry_on(steps).is_continue() && to_the_end {
                // Whatever ends the shadow has been asked for by then.
                let _ = shadow.end();
            }
        }
        if foreseer.calls.len() > 1 {
            self.callee.foresee(&foreseer.calls);
        }
    }

    /// The same case with somebody else to call, from here on; nobody is told.
    fn shadow<'b>(&self, callee: &'b mut dyn Callee) -> Case<'b> {
        Case {
            callee: Box::new(callee),
            judge: self.judge.clone(),
            others: Vec::new(),
            subject: self.subject.clone(),
            bound: self.bound.clone(),
            shown: self.shown.clone(),
            generated: self.generated,
            heaps: self.heaps.clone(),
            injections: self.injections.clone(),
            checkpoints: self.checkpoints,
            record: Record::new(&[]),
            coverage: Coverage::default(),
            readings: Vec::new(),
            steps: self.steps,
            passed_over: false,
            level: self.level,
            observer: None,
            ahead: false,
        }
    }

    fn carry_on(&mut self, steps: &[Step]) -> ControlFlow<Ending> {
        let beyond = || ControlFlow::Break(Ending::Skipped("not foreseen".to_owned()));
        let mut rest = steps;
        while !rest.is_empty() {
            let (group, behind) = rest.split_at(group_length(rest).max(1));
            rest = behind;
            let first = &group[0];
            if self.is_generated() && self.is_beyond(first, needs(first)) {
                return beyond();
            }
            self.step_group(group)?;
            let unbound = |name: Name| self.address(Place::Relative { name, offset: 0 }).is_none();
            if self.is_generated() && first.bind.is_some_and(unbound) {
                return beyond();
            }
        }
        ControlFlow::Continue(())
    }
}

/// The model in the place of the subject, which writes down what it is asked.
struct Foreseer {
    actor: Actor,
    calls: Vec<Foreseen>,
    /// The range of each allocating call so far, as the model would have it.
    allocations: Vec<(Address, u64)>,
    /// Which of them a name stands for.
    names: BTreeMap<Name, usize>,
    /// Blocks are in the way of which the model does not know where the heap would go on.
    among_blocks: bool,
    ended: bool,
}

impl Foreseer {
    fn new(state: State) -> Self {
        let among_blocks = state.heaps.blocks().next().is_some();
        Self {
            among_blocks,
            actor: Actor::new(state),
            calls: Vec::new(),
            allocations: Vec::new(),
            names: BTreeMap::new(),
            ended: false,
        }
    }

    fn end(&mut self) -> Reply {
        self.ended = true;
        Reply::Unsupported("not foreseen".to_owned())
    }

    /// Where the call's address lies for the subject; `None` if only the subject knows.
    fn spot(&self, issued: &Issued<'_>) -> Option<Spot> {
        let Some(&address) = issued.call.address() else { return Some(Spot::Known(Address::NULL)) };
        match issued.place {
            Some(Place::Relative { name, offset }) => Some(match self.names.get(&name) {
                Some(&allocation) => Spot::Ahead { allocation, offset },
                None => Spot::Known(address),
            }),
            Some(Place::Absolute(_)) => Some(Spot::Known(address)),
            None if address == Address::NULL => Some(Spot::Known(address)),
            None => {
                self.actor.state.space.find(address)?;
                let inside = |&(base, size): &(Address, u64)| {
                    address.offset_from(base).is_some_and(|offset| offset < size)
                };
                Some(match self.allocations.iter().rposition(inside) {
                    Some(allocation) => {
                        let offset = address.0 - self.allocations[allocation].0.0;
                        Spot::Ahead { allocation, offset }
                    }
                    None => Spot::Known(address),
                })
            }
        }
    }

    fn note(&mut self, issued: &Issued<'_>, spot: Spot, outcome: &Outcome) {
        let Ok(call) =
            issued.call.resolve(|_| Ok::<_, std::convert::Infallible>(spot), |heap| Ok(*heap));
        if call.allocates() {
            let base = outcome.address().unwrap_or(Address::NULL);
            if let (Some(name), true) = (issued.bind, outcome.is_done()) {
                self.names.insert(name, self.allocations.len());
            }
            let size = match issued.call {
                // What is written to a block is nobody's guess: only whole pages are read.
                Call::VirtualAlloc { size, .. } if outcome.is_done() => *size,
                _ => 0,
            };
            self.allocations.push((base, size));
        }
        // Heaps are counted as they are made, and who carries calls out ahead counts along.
        let refused = matches!(call, Call::CreateMalloc { .. }) && !outcome.is_done();
        self.calls.push(call);
        self.ended |= refused || self.calls.len() >= MOST;
    }
}

impl Callee for Foreseer {
    fn call(&mut self, issued: &Issued<'_>) -> Reply {
        if self.ended {
            return self.end();
        }
        let anywhere = issued.call.address().is_none_or(|address| *address == Address::NULL);
        if self.among_blocks && issued.call.allocates() && anywhere {
            return self.end();
        }
        let Some(spot) = self.spot(issued) else { return self.end() };
        let open = is_open(&decide(&self.actor.state, issued.call));
        let (reply, _) = self.actor.act_preferring(issued.call, issued.wanted);
        let Reply::Outcome { outcome, .. } = &reply else { return self.end() };
        if matches!(outcome, Outcome::Faulted(_)) && is_long(issued.call) {
            return self.end();
        }
        self.note(issued, spot, outcome);
        self.ended |= open;
        reply
    }

    fn call_together(&mut self, group: &[Issued<'_>]) -> Vec<Reply> {
        group.iter().map(|_| self.end()).collect()
    }

    fn checkpoint(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Whether the law leaves open if the call succeeds.
fn is_open(verdict: &Verdict) -> bool {
    let kind = |answer: &Answer| match answer {
        Answer::Refused(_) => 0,
        Answer::Fault(_) | Answer::FaultIn(..) => 1,
        _ => 2,
    };
    let mut kinds = verdict.readings().map(|reading| kind(&reading.answer));
    let first = kinds.next();
    kinds.any(|kind| Some(kind) != first)
}

/// Whether an access is more than one: done page by page.
fn is_long(call: &Call) -> bool {
    let size = match call {
        Call::Read { size, .. } => *size,
        Call::Write { data, .. } => data.size(),
        _ => 1,
    };
    !matches!(size, 1 | 2 | 4 | 8)
}
