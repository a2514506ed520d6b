//! A running case: the judge, the names, and what one step does.
//!
//! Data flows one way: the step is resolved to a call, the law decides what is permitted,
//! the callee answers, the judge compares and follows, the expectation narrows, the record
//! grows. The first divergence ends the case: the rest would be noise.

use std::ops::ControlFlow;

use hostmem_interface::scenario::{Action, Level, Name, Place, Step, SymbolicCall};
use hostmem_interface::{
    Address, Breakage, Call, Capabilities, Capability, Description, MallocId, MemoryAvailable,
    Outcome, Reply, Value,
};
use hostmem_model::rule::{HR_01, VQ_06B};
use hostmem_model::verdict::{Answer, Verdict};
use hostmem_model::{Divergence, Judge, Judgement, RuleId, State};

use crate::run::callee::{Callee, Issued};
use crate::run::checkpoint::{Checkpoints, shown};
use crate::run::coverage::Coverage;
use crate::run::digest::Record;
use crate::run::injection::Injections;
use crate::run::possible::Heard;
use crate::run::wish::Wish;
use crate::view::{Binding, View};
use hostmem_interface::scenario::fits::{describe, notified_fits, outcome_fits};

/// What was found when a case ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that was broken, or that decided the step.
    pub rule: RuleId,
    /// How strong the evidence against the subject is.
    pub level: Level,
    /// What was permitted or expected.
    pub expected: String,
    /// What came.
    pub observed: String,
    /// Whether a file's expectation is narrower than the law here: the law itself would have
    /// permitted what came.
    pub narrowed: bool,
    /// The call of the harness's own, after the step, that showed it: a look at what the step
    /// left behind.
    pub looked: Option<Box<str>>,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every step was lawful and as expected.
    Agrees,
    /// A step was not.
    Diverges(Finding),
    /// The case could not go on, and that is lawful.
    Skipped(String),
    /// An explicit place was taken by something else in the subject's address space.
    Taken(String),
    /// The subject or the way to it broke.
    Broken(Breakage),
    /// The case asks for what no backend may do.
    Unreadable(String),
}

/// A step's answer, as the rest of the case sees it.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The rule that decided; `None` where the harness itself answered.
    pub rule: Option<RuleId>,
    /// What came.
    pub outcome: Outcome,
    /// The notifications delivered during the call.
    pub notified: Vec<MemoryAvailable>,
}

impl Answered {
    /// An answer of the harness's own.
    pub(super) const fn by_harness(outcome: Outcome) -> Self {
        Self { rule: None, outcome, notified: Vec::new() }
    }
}

/// One line of a trace: step, rule, outcome.
pub type Observer<'a> = &'a mut dyn FnMut(&Step, &Answered);

/// A running case.
pub struct Case<'a> {
    pub(super) callee: Box<dyn Callee + 'a>,
    pub(super) judge: Judge,
    /// Other states that the subject may be in, since steps overlapped in time.
    pub(super) others: Vec<Judge>,
    pub(super) subject: Description,
    pub(super) bound: Vec<Option<Binding>>,
    pub(super) shown: Vec<Binding>,
    pub(super) generated: bool,
    pub(super) heaps: Vec<Option<MallocId>>,
    pub(super) injections: Injections,
    pub(super) checkpoints: Checkpoints,
    pub(super) record: Record,
    /// Which rule decided how often.
    pub coverage: Coverage,
    /// The rules whose reading was taken among several.
    pub readings: Vec<RuleId>,
    /// How many steps were carried out.
    pub steps: usize,
    /// Whether the last step came to nothing for reasons outside the case.
    pub(super) passed_over: bool,
    pub(super) level: Level,
    pub(super) observer: Option<Observer<'a>>,
    /// Whether the callee may be told what comes next.
    pub(super) ahead: bool,
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("steps", &self.steps).finish_non_exhaustive()
    }
}

impl<'a> Case<'a> {
    /// A case on a fresh subject. `level` is the case's own: a divergence is no stronger.
    pub fn new(
        callee: impl Callee + 'a,
        state: State,
        subject: &Description,
        level: Level,
        id: &[u8],
    ) -> Self {
        Self {
            callee: Box::new(callee),
            judge: Judge::new(state, subject),
            others: Vec::new(),
            subject: subject.clone(),
            bound: Vec::new(),
            shown: Vec::new(),
            generated: false,
            heaps: Vec::new(),
            injections: Injections::default(),
            checkpoints: Checkpoints::default(),
            record: Record::new(id),
            coverage: Coverage::default(),
            readings: Vec::new(),
            steps: 0,
            passed_over: false,
            level,
            observer: None,
            ahead: true,
        }
    }

    /// Has every answer told to `observer`.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer<'a>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The steps are made up as they go: a refusal of one that binds a name does not end the
    /// case, because no later step was written to use it.
    #[must_use]
    pub const fn generated(mut self) -> Self {
        self.generated = true;
        self
    }

    /// Whether the subject cannot do a step: it lacks what the step needs, or the step would
    /// fault and its faults are not reported.
    pub(crate) fn is_beyond(&self, step: &Step, needs: Capabilities) -> bool {
        let have = self.subject.capabilities;
        if needs.missing_from(have).is_some() || !self.can_be_asked(step) {
            return true;
        }
        if have.has(Capability::Faults) || !needs.has(Capability::Contents) {
            return false;
        }
        let Action::Call(call) = &step.action else { return false };
        let ControlFlow::Continue(call) = self.resolve(call) else { return true };
        let verdict = self.judge.decide(&call);
        verdict
            .readings()
            .any(|reading| matches!(reading.answer, Answer::Fault(_) | Answer::FaultIn(..)))
    }

    /// Tells the observer of a step.
    pub(super) fn tell(&mut self, step: &Step, answered: &Answered) {
        if let Some(observer) = &mut self.observer {
            observer(step, answered);
        }
    }

    pub(super) const fn is_generated(&self) -> bool {
        self.generated
    }

    /// The record of a case that ended with `word`.
    #[must_use]
    pub fn finish(&self, word: &str) -> [u8; 32] {
        self.record.clone().finish(word)
    }

    /// What a generator may see.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { state: &self.judge.state, bound: &self.shown }
    }

    /// Carries out one step that overlaps no other.
    pub fn step(&mut self, step: &Step) -> ControlFlow<Ending> {
        self.steps += 1;
        self.passed_over = false;
        match &step.action {
            Action::Call(call) => {
                let call = self.resolve(call)?;
                let answered = self.carry_out(step, &call)?;
                self.conclude(step, &call, &answered)?;
            }
            Action::Hole { size } => self.hole(step, *size)?,
            Action::Walk { from, to } => self.walk(step, *from, *to)?,
            Action::FailNext { .. } => {
                self.tell(step, &Answered::by_harness(Outcome::ok()));
                self.injections.add(&step.action);
            }
        }
        self.checkpoint_if_due()
    }

    /// The end of the case: the last checkpoint.
    pub fn end(&mut self) -> ControlFlow<Ending> {
        self.checkpoint()
    }

    /// The absolute address of a place; `None` for an unbound name.
    #[must_use]
    pub fn address(&self, place: Place) -> Option<Address> {
        match place {
            Place::Absolute(address) => Some(address),
            Place::Relative { name, offset } => match self.bound.get(name.0 as usize)? {
                Some(Binding::Range { base, .. }) => Some(base.wrapping_add(offset)),
                _ => None,
            },
        }
    }

    pub(crate) fn resolve(&self, call: &SymbolicCall) -> ControlFlow<Ending, Call> {
        let unbound = || Ending::Skipped("a name of this step was never bound".to_owned());
        let place = |place: &Place| self.address(*place).ok_or_else(unbound);
        let heap =
            |name: &Name| self.heaps.get(name.0 as usize).copied().flatten().ok_or_else(unbound);
        match call.resolve(place, heap) {
            Ok(call) => ControlFlow::Continue(call),
            Err(ending) => ControlFlow::Break(ending),
        }
    }

    /// Has a call carried out and judged.
    fn carry_out(&mut self, step: &Step, call: &Call) -> ControlFlow<Ending, Answered> {
        if let Some(refusal) = self.injections.take(call) {
            return ControlFlow::Continue(Answered::by_harness(Outcome::Refused(refusal)));
        }
        let verdict = self.judge.decide(call);
        let reply = {
            let wanted = Wish::of(step, self.subject.grain, &self.bound);
            self.callee.call(&Issued::of(step, call, &wanted))
        };
        self.refuses_code(&reply, call, &verdict)?;
        let (outcome, notified) = self.heard(reply)?;
        let answered = self.judged(Some(step), call, &verdict, outcome, notified)?;
        if let Outcome::Refused(_) = answered.outcome {
            self.look_around(call)?;
        }
        ControlFlow::Continue(answered)
    }

    /// What a reply says, if it is an outcome at all.
    pub(super) fn heard(
        &self,
        reply: Reply,
    ) -> ControlFlow<Ending, (Outcome, Vec<MemoryAvailable>)> {
        match reply {
            Reply::Outcome { outcome, notified } => ControlFlow::Continue((outcome, notified)),
            Reply::Unsupported(why) => {
                ControlFlow::Break(Ending::Skipped(format!("step {}: {why}", self.steps)))
            }
            Reply::Broken(how) => ControlFlow::Break(Ending::Broken(how)),
            Reply::Unreadable(why) => ControlFlow::Break(Ending::Unreadable(why)),
        }
    }

    /// Judges an outcome and follows it. That of a step is recorded; what the harness asks on
    /// its own account is not.
    pub(super) fn judged(
        &mut self,
        step: Option<&Step>,
        call: &Call,
        verdict: &Verdict,
        outcome: Outcome,
        notified: Vec<MemoryAvailable>,
    ) -> ControlFlow<Ending, Answered> {
        let retaken;
        let heard = Heard { call, outcome: &outcome, notified: &notified };
        let verdict = if self.keep_lawful_states(&heard) {
            retaken = self.judge.decide(call);
            &retaken
        } else {
            verdict
        };
        match self.judge.judge(call, verdict, &outcome, &notified) {
            Judgement::Agrees { rule, reading, also } => {
                // Of how many regions memory of others consists is the machine's affair: what
                // the harness sees of it must not decide what is generated next.
                let unowned = matches!(verdict.first.answer, Answer::Unowned(_));
                let by_chance = self.generated && step.is_none() && unowned;
                for rule in [Some(rule), also].into_iter().flatten().filter(|_| !by_chance) {
                    self.coverage.add(rule, &outcome);
                }
                if reading && !self.readings.contains(&rule) {
                    self.readings.push(rule);
                }
                if step.is_some() {
                    self.record.step(Some(rule), Some(verdict), call, &outcome);
                }
                ControlFlow::Continue(Answered { rule: Some(rule), outcome, notified })
            }
            Judgement::OutOfMemory(_) if self.is_expected(step, &outcome) => {
                self.coverage.add(HR_01, &outcome);
                self.record.step(Some(HR_01), Some(verdict), call, &outcome);
                ControlFlow::Continue(Answered { rule: Some(HR_01), outcome, notified })
            }
            Judgement::OutOfMemory(_) => {
                ControlFlow::Break(Ending::Skipped(format!("out of memory at step {}", self.steps)))
            }
            Judgement::Taken { start, end, otherwise } => {
                let rule = otherwise.rule;
                self.taken(start, end, otherwise)?;
                self.passed_over = true;
                self.record.step(None, None, call, &outcome);
                ControlFlow::Continue(Answered { rule: Some(rule), outcome, notified })
            }
            // The harness looks around for what the case owns: what free memory shows beside
            // that it is free is judged where a step asks, and does not end every other case.
            Judgement::Diverges(Divergence { rule: VQ_06B, .. }) if step.is_none() => {
                ControlFlow::Continue(Answered { rule: Some(VQ_06B), outcome, notified })
            }
            Judgement::Diverges(divergence) if step.is_some() => self.diverge(divergence),
            Judgement::Diverges(divergence) => {
                let looked = Some(shown(call).into());
                ControlFlow::Break(Ending::Diverges(Finding { looked, ..self.found(divergence) }))
            }
        }
    }

    /// Whether a step says that it expects this outcome.
    fn is_expected(&self, step: Option<&Step>, outcome: &Outcome) -> bool {
        let resolve = |place| self.address(place);
        step.and_then(|step| step.expect.as_ref())
            .is_some_and(|it| outcome_fits(&it.outcome, outcome, self.subject.grain, &resolve))
    }

    pub(super) fn diverge<T>(&self, divergence: Divergence) -> ControlFlow<Ending, T> {
        ControlFlow::Break(Ending::Diverges(self.found(divergence)))
    }

    fn found(&self, divergence: Divergence) -> Finding {
        Finding {
            rule: divergence.rule,
            level: divergence.level().min(self.level),
            expected: divergence.expected,
            observed: divergence.observed,
            narrowed: false,
            looked: None,
        }
    }

    /// An explicit reservation of memory that the case does not own was refused. The
    /// subject's own queries must show something there. A case that is made up as it goes
    /// goes on without the reservation; one from a file is run again elsewhere.
    fn taken(
        &mut self,
        start: Address,
        end: Address,
        otherwise: Divergence,
    ) -> ControlFlow<Ending> {
        if self.shows_something(start, end)? {
            if self.generated {
                return ControlFlow::Continue(());
            }
            let what = format!("address taken: {start} to {end}");
            return ControlFlow::Break(Ending::Taken(what));
        }
        self.diverge(otherwise)
    }

    /// Compares the answer with the expectation, and binds the step's name.
    pub(super) fn conclude(
        &mut self,
        step: &Step,
        call: &Call,
        answered: &Answered,
    ) -> ControlFlow<Ending> {
        self.tell(step, answered);
        self.bind(step, call, &answered.outcome);
        if answered.rule.is_none() {
            self.record.step(None, None, call, &answered.outcome);
        }
        match &step.expect {
            Some(_) => self.compare(step, answered),
            None if step.bind.is_some() && !answered.outcome.is_done() && !self.generated => {
                let why = format!("step {} refused", self.steps);
                ControlFlow::Break(Ending::Skipped(why))
            }
            None => ControlFlow::Continue(()),
        }
    }

    pub(super) fn compare(&self, step: &Step, answered: &Answered) -> ControlFlow<Ending> {
        let Some(expectation) = &step.expect else { return ControlFlow::Continue(()) };
        let resolve = |place| self.address(place);
        let fits =
            outcome_fits(&expectation.outcome, &answered.outcome, self.subject.grain, &resolve)
                && notified_fits(expectation, &answered.notified);
        if fits {
            return ControlFlow::Continue(());
        }
        let rule = answered.rule.unwrap_or(hostmem_model::rule::HR_03);
        let mut observed = answered.outcome.to_string();
        if !answered.notified.is_empty() {
            let names: Vec<String> = answered.notified.iter().map(ToString::to_string).collect();
            observed.push_str(&format!(", notified [{}]", names.join(", ")));
        }
        ControlFlow::Break(Ending::Diverges(Finding {
            rule,
            level: rule.rule().level.min(self.level),
            expected: describe(expectation, &resolve),
            observed,
            narrowed: true,
            looked: None,
        }))
    }

    fn bind(&mut self, step: &Step, call: &Call, outcome: &Outcome) {
        let Some(name) = step.bind else { return };
        let size = match call {
            Call::VirtualAlloc { size, .. }
            | Call::Alloc { size, .. }
            | Call::DebugAlloc { size, .. } => *size,
            _ => 0,
        };
        let malloc = match &step.action {
            Action::Call(call) => call.malloc().copied(),
            _ => None,
        };
        match outcome.value() {
            Some(Value::Address(base)) => {
                self.set(name, Some(Binding::Range { base: *base, size, malloc }), None);
            }
            Some(Value::Malloc(id)) => self.set(name, Some(Binding::Malloc), Some(*id)),
            _ if self.generated => {}
            _ => self.set(name, None, None),
        }
    }

    pub(super) fn set(&mut self, name: Name, binding: Option<Binding>, heap: Option<MallocId>) {
        let at = name.0 as usize;
        if self.bound.len() <= at {
            self.bound.resize(at + 1, None);
            self.heaps.resize(at + 1, None);
            self.shown.resize(at + 1, Binding::Nothing);
        }
        self.bound[at] = binding;
        self.heaps[at] = heap;
        self.shown[at] = binding.unwrap_or(Binding::Nothing);
    }
}

/// The address of a place while a step runs whose own name may stand in its expectation.
pub(super) fn address_in(
    bound: &[Option<Binding>],
    own_name: Option<Name>,
    own: Option<Address>,
    place: Place,
) -> Option<Address> {
    match place {
        Place::Absolute(address) => Some(address),
        Place::Relative { name, offset } => {
            let base = match bound.get(name.0 as usize).copied().flatten() {
                Some(Binding::Range { base, .. }) => base,
                _ if own_name == Some(name) => own?,
                _ => return None,
            };
            Some(base.wrapping_add(offset))
        }
    }
}
