//! Steps that may overlap in time: issued together, and lawful if some order of them is.
//!
//! At most six steps form a group, so at most 720 orders are tried, each on a copy of the
//! judge. The first order in which every outcome is lawful is followed.

use std::ops::ControlFlow;

use hostmem_interface::scenario::{Action, Step};
use hostmem_interface::{Call, MemoryAvailable, Outcome};
use hostmem_model::{Judge, Judgement};

use crate::run::callee::Issued;
use crate::run::case::{Answered, Case, Ending, address_in};
use hostmem_interface::scenario::fits::outcome_fits;

/// One step of a group with what came of it.
struct Member<'a> {
    /// Which step of the group it is, counted from 1.
    number: usize,
    step: &'a Step,
    call: Call,
    outcome: Outcome,
    notified: Vec<MemoryAvailable>,
}

/// The steps from `steps[0]` on that form a group with it.
#[must_use]
pub fn group_length(steps: &[Step]) -> usize {
    let Some(first) = steps.first() else { return 0 };
    if first.with.is_none() {
        return 1;
    }
    steps.iter().take_while(|step| step.with == first.with).count()
}

impl Case<'_> {
    /// Carries out a group.
    pub fn step_group(&mut self, steps: &[Step]) -> ControlFlow<Ending> {
        let simple = steps.iter().all(|step| matches!(step.action, Action::Call(_)));
        if steps.len() == 1 || !simple {
            return steps.iter().try_for_each(|step| self.step(step));
        }
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
            match self.injected(&call) {
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
        let order = self.lawful_order(&members, before)?;
        for at in order {
            let Member { step, call, outcome, notified, .. } = &members[at];
            self.steps = before + members[at].number;
            let verdict = self.judge.decide(call);
            let answered = self.judged(call, &verdict, outcome.clone(), notified.clone())?;
            self.conclude(step, call, &answered)?;
        }
        self.steps = after;
        self.checkpoint_if_due()
    }

    fn issue<'s>(
        &mut self,
        calls: Vec<(usize, &'s Step, Call)>,
    ) -> ControlFlow<Ending, Vec<Member<'s>>> {
        let grain = self.subject.grain;
        let replies = {
            let expectations: Vec<_> = calls.iter().map(|(_, step, _)| &step.expect).collect();
            let bound = &self.bound;
            let fits = |at: usize, outcome: &Outcome| {
                expectations[at].as_ref().is_none_or(|it| {
                    let resolve = |place| address_in(bound, None, None, place);
                    outcome_fits(&it.outcome, outcome, grain, &resolve)
                })
            };
            let fits = &fits;
            let wanted: Vec<_> =
                (0..calls.len()).map(|at| move |outcome: &Outcome| fits(at, outcome)).collect();
            let issued: Vec<Issued<'_>> = calls
                .iter()
                .zip(&wanted)
                .map(|((_, step, call), wanted)| Issued { thread: step.thread, call, wanted })
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

    /// An order in which every outcome is lawful, or the divergence of the order of the file.
    fn lawful_order(
        &mut self,
        members: &[Member<'_>],
        before: usize,
    ) -> ControlFlow<Ending, Vec<usize>> {
        let left: Vec<usize> = (0..members.len()).collect();
        let mut order = Vec::new();
        if find(&self.judge, members, &left, &mut order) {
            return ControlFlow::Continue(order);
        }
        // No order: tell of the first step that the file's own order does not permit.
        for Member { number, call, outcome, notified, .. } in members {
            self.steps = before + number;
            let verdict = self.judge.decide(call);
            self.judged(call, &verdict, outcome.clone(), notified.clone())?;
        }
        unreachable!("the order of the file is one of the orders that were tried")
    }
}

/// Tries every order of `left`, depth first.
fn find(judge: &Judge, members: &[Member<'_>], left: &[usize], order: &mut Vec<usize>) -> bool {
    if left.is_empty() {
        return true;
    }
    for (at, &next) in left.iter().enumerate() {
        let Member { call, outcome, notified, .. } = &members[next];
        let mut trial = judge.clone();
        let verdict = trial.decide(call);
        let judgement = trial.judge(call, &verdict, outcome, notified);
        if !matches!(judgement, Judgement::Agrees { .. } | Judgement::OutOfMemory(_)) {
            continue;
        }
        let mut rest = left.to_vec();
        rest.remove(at);
        order.push(next);
        if find(&trial, members, &rest, order) {
            return true;
        }
        order.pop();
    }
    false
}
