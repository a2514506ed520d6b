//! Steps that may overlap in time: issued together, and lawful if some order of them is.
//!
//! At most six steps form a group. The first order in which every outcome is lawful is
//! followed, beginning with that of the file; where others leave another state, the subject
//! may be in any of them until an answer tells them apart ([`super::possible`]).

use std::ops::ControlFlow;

use hostmem_interface::scenario::{Action, Place, Step, SymbolicCall};
use hostmem_interface::{Call, MemoryAvailable, Outcome};
use hostmem_model::Judge;

use crate::run::callee::Issued;
use crate::run::case::{Answered, Case, Ending};
use crate::run::possible::{Heard, Possible, furthest, orders_under};
use crate::run::wish::Wish;

/// One step of a group with what came of it.
struct Member<'a> {
    /// Which step of the group it is, counted from 1.
    number: usize,
    step: &'a Step,
    call: Call,
    outcome: Outcome,
    notified: Vec<MemoryAvailable>,
}

/// The widest access that is made in one piece, and to what it must be aligned, bytes.
const WORD: u64 = 8;

/// Whether a step is a call that takes effect at one moment, before or behind any other: an
/// access of more than a word is many, between which others may come.
pub(super) fn has_one_moment(step: &Step) -> bool {
    match &step.action {
        Action::Call(call @ SymbolicCall::Read { size, .. }) => is_word(call, *size),
        Action::Call(call @ SymbolicCall::Write { data, .. }) => is_word(call, data.size()),
        Action::Call(_) => true,
        Action::Hole { .. } | Action::Walk { .. } | Action::FailNext { .. } => false,
    }
}

/// Whether an access lies in one aligned word. What a name is bound to is aligned.
fn is_word(call: &SymbolicCall, size: u64) -> bool {
    let offset = match call.address() {
        Some(Place::Absolute(address)) => address.0,
        Some(Place::Relative { offset, .. }) => *offset,
        None => return false,
    };
    offset % WORD + size <= WORD
}

/// The steps from `steps[0]` on that form a group with it: steps of one thread alone do not
/// overlap.
#[must_use]
pub fn group_length(steps: &[Step]) -> usize {
    let Some(first) = steps.first() else { return 0 };
    if first.with.is_none() {
        return 1;
    }
    let group = || steps.iter().take_while(|step| step.with == first.with);
    if group().all(|step| step.thread == first.thread) { 1 } else { group().count() }
}

impl Case<'_> {
    /// Carries out a group.
    pub fn step_group(&mut self, steps: &[Step]) -> ControlFlow<Ending> {
        if steps.len() == 1 || !steps.iter().all(has_one_moment) {
            return steps.iter().try_for_each(|step| self.step(step));
        }
        self.record.overlap();
        let mut calls = Vec::new();
        for step in steps {
            let Action::Call(call) = &step.action else { continue };
            calls.push((step, self.resolve(call)?));
        }
        let before = self.steps;
        self.steps += calls.len();
        // Injected refusals never reach the subject, nor the judge.
        let mut rest = Vec::new();
        for (number, (step, call)) in (1..).zip(calls) {
            match self.injections.take(&call) {
                Some(refusal) => {
                    let outcome = Outcome::Refused(refusal);
                    let answered = Answered { rule: None, outcome, notified: Vec::new() };
                    self.conclude(step, &call, &answered)?;
                }
                None => rest.push((number, step, call)),
            }
        }
        let after = self.steps;
        let members = self.issue(rest)?;
        let mut possible = self.lawful_orders(&members, before)?.into_iter();
        let order = possible.next().map_or_else(Vec::new, |first| first.order);
        for at in order {
            let Member { step, call, outcome, notified, .. } = &members[at];
            self.steps = before + members[at].number;
            let verdict = self.judge.decide(call);
            let answered =
                self.judged(Some(step), call, &verdict, outcome.clone(), notified.clone())?;
            self.conclude(step, call, &answered)?;
        }
        self.steps = after;
        self.others = possible.map(|it| it.judge).collect();
        self.look_at_differences(&members)?;
        self.checkpoint_if_due()
    }

    /// Looks where members of a group may have changed something, if that is uncertain, so
    /// that the subject tells in which state it is.
    fn look_at_differences(&mut self, members: &[Member<'_>]) -> ControlFlow<Ending> {
        if self.others.is_empty() {
            return ControlFlow::Continue(());
        }
        for Member { call, .. } in members {
            self.look_around(call)?;
        }
        self.forget_equal_states();
        ControlFlow::Continue(())
    }

    fn issue<'s>(
        &mut self,
        calls: Vec<(usize, &'s Step, Call)>,
    ) -> ControlFlow<Ending, Vec<Member<'s>>> {
        let grain = self.subject.grain;
        let replies = {
            let bound = &self.bound;
            let wish = |step| Wish { bind: None, ..Wish::of(step, grain, bound) };
            let wanted: Vec<Wish<'_>> = calls.iter().map(|(_, step, _)| wish(step)).collect();
            let issued: Vec<Issued<'_>> = calls
                .iter()
                .zip(&wanted)
                .map(|((_, step, call), wanted)| Issued::of(step, call, wanted))
                .collect();
            self.callee.call_together(&issued)
        };
        let mut members = Vec::new();
        for ((number, step, call), reply) in calls.into_iter().zip(replies) {
            let (outcome, notified) = self.heard(reply)?;
            members.push(Member { number, step, call, outcome, notified });
        }
        ControlFlow::Continue(members)
    }

    /// The orders in which every outcome is lawful, one for each state that they leave, or
    /// the divergence of the first step that does not fit behind as many others as do.
    fn lawful_orders(
        &mut self,
        members: &[Member<'_>],
        done: usize,
    ) -> ControlFlow<Ending, Vec<Possible>> {
        let heard: Vec<Heard<'_>> = members.iter().map(Member::heard).collect();
        // What one thread does comes in the order of the file.
        let before = |a: usize, b: usize| a < b && members[a].step.thread == members[b].step.thread;
        let orders = |judge: &Judge| orders_under(judge, &heard, &before);
        self.take_state(|judge| !orders(judge).is_empty());
        let mut found = orders(&self.judge);
        if !found.is_empty() {
            let others = std::mem::take(&mut self.others);
            for possible in others.iter().flat_map(orders) {
                if !found.iter().any(|it| possible.is_same_as(it)) {
                    found.push(possible);
                }
            }
            return ControlFlow::Continue(found);
        }
        for at in furthest(&self.judge, &heard, &before) {
            let Member { number, step, call, outcome, notified } = &members[at];
            self.steps = done + number;
            let verdict = self.judge.decide(call);
            self.judged(Some(step), call, &verdict, outcome.clone(), notified.clone())?;
        }
        unreachable!("this order is one of those that were tried")
    }
}

impl Member<'_> {
    fn heard(&self) -> Heard<'_> {
        Heard { call: &self.call, outcome: &self.outcome, notified: &self.notified }
    }
}
