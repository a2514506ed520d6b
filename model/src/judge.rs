//! Compares what a subject answered with what the law permits, and follows it.
//!
//! Theory. For each call the rules give a list of lawful answers ([`Verdict`]). A subject's
//! outcome *agrees* if it fits one of them; the effect of that one, with the subject's own
//! choices filled in (the base it chose, the bytes it showed), is applied to the judge's
//! state. So the judge always knows what the subject must know, and never demands a choice
//! that the interface leaves open. Three more things can be said of an outcome:
//!
//! * *taken*: an explicit reservation of memory that the case does not own was refused with
//!   487; whether that is lawful depends on what the subject's own query says next;
//! * *out of memory*: a refusal for lack of memory where success was permitted, which any
//!   machine may give; nothing changed, and the case ends;
//! * *diverges*: it fits nothing; the rule says why.
//!
//! Nothing here knows a backend by name: what may differ is in its [`Description`].

mod certain;
mod places;
mod refusals;
mod unseen;

use std::borrow::Cow;

use hostmem_interface::scenario::Level;
use hostmem_interface::{
    Address, AllocationType, Call, Capabilities, Capability, Description, Grain, Hresult,
    MemoryAvailable, MemoryBasicInformation, Outcome, Protection, Refusal, Value, Win32Error,
};

use crate::effect::Effect;
use crate::rule::{
    HR_01, HR_02, HR_03, HR_04, HR_05, ML_02, NT_02, PR_05, PR_06, RuleId, ZF_01, ZF_02,
};
use crate::rules::decide;
use crate::state::State;
use crate::verdict::{Answer, No, Permitted, Verdict};

/// The limit that is assumed of a subject that states none.
const UNSTATED_LIMIT: u64 = 128 << 20;

/// What is to be said of one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is lawful.
    Agrees {
        /// The rule that decided.
        rule: RuleId,
        /// Whether other answers had been lawful too, so that the reading taken is news.
        reading: bool,
        /// A second rule that the outcome was held against: of the HRESULT, or of the
        /// notifications.
        also: Option<RuleId>,
    },
    /// An explicit reservation of unowned memory was refused: lawful if a page of
    /// `[start, end)` is not free.
    Taken {
        /// First address.
        start: Address,
        /// First address behind.
        end: Address,
        /// What is to be said if every page is free.
        otherwise: Divergence,
    },
    /// A lawful refusal for lack of memory, which ends the case.
    OutOfMemory(Refusal),
    /// It is not lawful.
    Diverges(Divergence),
}

/// Why an outcome is not lawful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The rule it breaks.
    pub rule: RuleId,
    /// What was permitted.
    pub expected: String,
    /// What came.
    pub observed: String,
}

impl Divergence {
    /// How strong the evidence against the subject is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.rule.rule().level
    }
}

/// How an outcome compares with one lawful answer.
enum Fit<'v> {
    /// It fits, and this is the completed effect.
    Yes(Cow<'v, Effect>),
    /// It fits but for a rule of its own.
    But(RuleId, String),
    /// It does not fit.
    No,
}

/// Follows one subject through one case.
#[derive(Clone, Debug)]
pub struct Judge {
    /// What the subject must know.
    pub state: State,
    subject: Description,
    last_notified: Option<MemoryAvailable>,
    /// Set if somebody writes unseen.
    unseen: Option<unseen::Unseen>,
}

impl Judge {
    /// A judge of a fresh subject.
    #[must_use]
    pub fn new(state: State, subject: &Description) -> Self {
        Self { state, subject: subject.clone(), last_notified: None, unseen: None }
    }

    /// What the law permits now.
    #[must_use]
    pub fn decide(&self, call: &Call) -> Verdict {
        decide(&self.state, call)
    }

    /// Judges an outcome and, if it is lawful, follows it.
    pub fn judge(
        &mut self,
        call: &Call,
        verdict: &Verdict,
        outcome: &Outcome,
        notified: &[MemoryAvailable],
    ) -> Judgement {
        if notified.is_empty() && is_the_only_answer(call, verdict, outcome) {
            let Permitted { rule, effect, .. } = &verdict.first;
            self.remember(call, effect);
            self.state.apply(effect);
            return Judgement::Agrees { rule: *rule, reading: false, also: None };
        }
        let judgement = self.judge_outcome(call, verdict, outcome);
        if !matches!(judgement.0, Judgement::Agrees { .. }) {
            return judgement.0;
        }
        if let Some(divergence) = self.judge_notifications(call, notified) {
            return Judgement::Diverges(divergence);
        }
        self.remember(call, &judgement.1);
        self.state.apply(&judgement.1);
        judgement.0
    }

    fn judge_outcome<'v>(
        &self,
        call: &Call,
        verdict: &'v Verdict,
        outcome: &Outcome,
    ) -> (Judgement, Cow<'v, Effect>) {
        let nothing = Cow::Borrowed(&Effect::None);
        if let Some(divergence) = self.wrong_success(call, verdict, outcome) {
            return (Judgement::Diverges(divergence), nothing);
        }
        let mut but = None;
        for reading in verdict.readings() {
            match self.fit(reading, outcome) {
                Fit::Yes(effect) => {
                    let reading_taken = !verdict.others.is_empty();
                    let judgement = Judgement::Agrees {
                        rule: reading.rule,
                        reading: reading_taken,
                        also: self.also(call, reading, outcome),
                    };
                    return (judgement, effect);
                }
                Fit::But(rule, expected) => {
                    but.get_or_insert(Divergence { rule, expected, observed: outcome.to_string() });
                }
                Fit::No => {}
            }
        }
        if let Some(divergence) = but {
            return (Judgement::Diverges(divergence), nothing);
        }
        (self.unfit(call, verdict, outcome), nothing)
    }

    /// A success code other than `S_OK`.
    fn wrong_success(
        &self,
        call: &Call,
        verdict: &Verdict,
        outcome: &Outcome,
    ) -> Option<Divergence> {
        let code = match outcome {
            Outcome::Done { code, .. } => *code,
            Outcome::Refused(refusal) if refusal.hresult.is_success() => refusal.hresult,
            _ => return None,
        };
        let lenient = matches!(
            call,
            Call::VirtualQuery { .. }
                | Call::NeedsVirtualAddressSpace { .. }
                | Call::AcquiredVirtualAddressSpace { .. }
                | Call::ReleasedVirtualAddressSpace { .. }
        );
        let hresults = self.subject.grain == Grain::Hresult || outcome.is_done();
        if code == Hresult::S_OK || lenient || !hresults {
            return None;
        }
        Some(Divergence {
            rule: HR_04,
            expected: format!("{} with S_OK, or a failing HRESULT", expected(verdict)),
            observed: outcome.to_string(),
        })
    }

    /// What to say of an outcome that fits no reading.
    fn unfit(&self, call: &Call, verdict: &Verdict, outcome: &Outcome) -> Judgement {
        let divergence = Divergence {
            rule: self.broken_rule(call, verdict, outcome),
            expected: self.expected(verdict),
            observed: outcome.to_string(),
        };
        if let Outcome::Refused(refusal) = outcome {
            if refusal.is_out_of_memory()
                && verdict.permits_success()
                && may_lack(&self.state, call)
            {
                return self.lack_of_memory(call, *refusal);
            }
            let says_487 = matches!(
                self.fit_no(No::Win32(Win32Error::ERROR_INVALID_ADDRESS), refusal),
                Fit::Yes(_)
            );
            if says_487 && let Some((start, end)) = self.unowned_reservation(call, verdict) {
                return Judgement::Taken { start, end, otherwise: divergence };
            }
        }
        Judgement::Diverges(divergence)
    }

    /// What a verdict permits, in words.
    fn expected(&self, verdict: &Verdict) -> String {
        match verdict.others[..] {
            [] => self.told(&verdict.first.answer),
            _ => expected(verdict),
        }
    }

    /// An answer in words; bytes that are certainly zero are zeros.
    fn told(&self, answer: &Answer) -> String {
        match answer {
            Answer::Bytes(at, size) if self.state.contents.are_zero(*at, *size) => {
                format!("{size} zeros at {at}")
            }
            _ => answer.to_string(),
        }
    }

    fn judge_notifications(
        &mut self,
        call: &Call,
        notified: &[MemoryAvailable],
    ) -> Option<Divergence> {
        let simulated = self.subject.capabilities.has(Capability::MemoryLoadControl);
        let expected: Vec<MemoryAvailable> = match call {
            Call::SetMemoryLoad { load, available } if *load <= 100 => {
                let load = hostmem_interface::MemoryLoad { load: *load, available: *available };
                self.state.pressure.notification(load).into_iter().collect()
            }
            _ => Vec::new(),
        };
        // A real machine may notify at any time, but only of a change.
        let changes = notified.iter().all(|now| self.last_notified.replace(*now) != Some(*now));
        let right = if simulated {
            notified == expected
        } else {
            changes && (notified.is_empty() || self.state.pressure.registered)
        };
        (!right).then(|| Divergence {
            rule: NT_02,
            expected: format!("notifications {}", list(&expected)),
            observed: format!("notifications {}", list(notified)),
        })
    }

    /// The rule of the HRESULT or of the notifications that the outcome was held against too.
    fn also(&self, call: &Call, reading: &Permitted, outcome: &Outcome) -> Option<RuleId> {
        match (&reading.answer, outcome) {
            (Answer::Refused(No::Memory(_)), _) => Some(HR_01),
            (Answer::Refused(No::NotOurs), _) => Some(HR_02),
            (Answer::Refused(_), _) => Some(HR_03),
            (_, Outcome::Done { code, .. }) if *code != Hresult::S_OK => Some(HR_05),
            _ if matches!(call, Call::SetMemoryLoad { .. }) && self.state.pressure.registered => {
                Some(NT_02)
            }
            _ => None,
        }
    }

    fn fit<'v>(&self, reading: &'v Permitted, outcome: &Outcome) -> Fit<'v> {
        match (&reading.answer, outcome) {
            (Answer::Refused(no), Outcome::Refused(refusal)) => self.fit_no(*no, refusal),
            (Answer::Fault(fault), Outcome::Faulted(seen)) => {
                yes_if(fault == seen, &reading.effect)
            }
            (Answer::FaultIn(fault, size), Outcome::Faulted(seen)) => {
                let inside = seen.at.offset_from(fault.at).is_some_and(|offset| offset < *size);
                let alike = seen.status == fault.status && seen.access == fault.access;
                yes_if(inside && alike, &reading.effect)
            }
            (answer, Outcome::Done { value, .. }) => self.fit_value(answer, &reading.effect, value),
            // A lenient success code without its value.
            (Answer::Refused(_) | Answer::Fault(_) | Answer::FaultIn(..), _) => Fit::No,
            (_, Outcome::Refused(refusal)) if refusal.hresult.is_success() => {
                Fit::Yes(Cow::Borrowed(&Effect::None))
            }
            _ => Fit::No,
        }
    }

    /// The rule of bytes that are wrong though the read was right: where zero was due, that new
    /// memory is zero, elsewhere that contents survive. After a reset it is the reset's.
    fn contents_rule(&self, at: Address, seen: &[u8]) -> Option<RuleId> {
        let contents = &self.state.contents;
        let size = seen.len() as u64;
        let due = contents.likeliest(at, size);
        let (wrong, _) = due.iter().zip(seen).find(|(due, seen)| due != seen)?;
        let rule = if *wrong == 0 { ZF_01 } else { ZF_02 };
        (!contents.is_uncertain(at, size)).then_some(rule)
    }

    fn fit_value<'v>(&self, answer: &Answer, effect: &'v Effect, value: &Value) -> Fit<'v> {
        let effect_if = |fits: bool| yes_if(fits, effect);
        match (answer, value) {
            _ if is_word_for_word(answer, value) => effect_if(true),
            (Answer::Malloc, Value::Malloc(_)) => effect_if(true),
            (Answer::AddressIn(lowest, highest), Value::Address(seen)) => {
                let page = self.state.machine().page;
                effect_if(lowest <= seen && seen <= highest && seen.is_aligned(page))
            }
            (Answer::AnyBase { size, .. }, Value::Address(base)) => {
                chosen_if(self.is_free_base(*base, *size), || effect.with_base(*base))
            }
            (Answer::Region(right), Value::Region(seen)) => {
                match modifier_rule(right, &seen.information) {
                    Some(rule) => Fit::But(rule, answer.to_string()),
                    None => effect_if(
                        seen.written >= MemoryBasicInformation::SIZE && *right == seen.information,
                    ),
                }
            }
            (Answer::Unowned(unowned), Value::Region(seen)) => {
                self.fit_unowned(unowned, effect, seen)
            }
            (Answer::NoBytes, Value::Region(seen)) => effect_if(seen.written == 0),
            (Answer::Bytes(at, size), Value::Bytes(seen)) if seen.len() as u64 == *size => {
                if self.state.contents.permit(*at, seen) {
                    return Fit::Yes(self.saw(*at, seen, effect));
                }
                self.contents_rule(*at, seen)
                    .map_or(Fit::No, |rule| Fit::But(rule, self.told(answer)))
            }
            (Answer::BlockBytes(at, size), Value::Bytes(seen)) => {
                let right = seen.len() as u64 == *size && self.state.permits_bytes(*at, seen);
                chosen_if(right, || Effect::Saw(*at, seen.clone()))
            }
            (Answer::Pages(pages, unit), Value::Pages { pages: seen, granularity }) => {
                effect_if(pages == seen && unit == granularity)
            }
            (Answer::Block(size), Value::Address(base)) => {
                chosen_if(self.is_free_block(*base, *size), || effect.with_base(*base))
            }
            (Answer::Load(_), Value::Load(seen)) => self.fit_load(*seen, effect),
            _ => Fit::No,
        }
    }

    fn saw<'v>(&self, at: Address, seen: &[u8], effect: &'v Effect) -> Cow<'v, Effect> {
        if self.state.contents.is_uncertain(at, seen.len() as u64) {
            Cow::Owned(Effect::Saw(at, seen.to_vec()))
        } else {
            Cow::Borrowed(effect)
        }
    }

    fn fit_load<'v>(&self, seen: hostmem_interface::MemoryLoad, effect: &'v Effect) -> Fit<'v> {
        if self.subject.capabilities.has(Capability::MemoryLoadControl) {
            let set = self.state.pressure.load();
            if seen != set {
                return Fit::But(ML_02, Answer::Load(Some(set)).to_string());
            }
        }
        yes_if(seen.load <= 100, effect)
    }
}

/// The rule of a modifier that shows in one of two regions only, which are alike but for it: what
/// a query says of modifiers is less certain than what it says of regions.
fn modifier_rule(right: &MemoryBasicInformation, seen: &MemoryBasicInformation) -> Option<RuleId> {
    let differ = Protection(
        right.protect.0 ^ seen.protect.0 | right.allocation_protect.0 ^ seen.allocation_protect.0,
    );
    let (protect, allocation_protect) = (right.protect, right.allocation_protect);
    let alike = MemoryBasicInformation { protect, allocation_protect, ..*seen } == *right;
    match differ {
        Protection::WRITECOMBINE if alike => Some(PR_06),
        Protection::NOCACHE if alike => Some(PR_05),
        _ => None,
    }
}

/// Whether a verdict permits one answer only, which came word for word, with nothing about it
/// that a rule of its own would be asked about: so do most calls end.
fn is_the_only_answer(call: &Call, verdict: &Verdict, outcome: &Outcome) -> bool {
    let Outcome::Done { code: Hresult::S_OK, value } = outcome else { return false };
    is_word_for_word(&verdict.first.answer, value)
        && verdict.others.is_empty()
        && !matches!(call, Call::SetMemoryLoad { .. })
}

/// Whether a value is an answer that leaves nothing open.
fn is_word_for_word(answer: &Answer, value: &Value) -> bool {
    match (answer, value) {
        (Answer::Nothing, Value::Nothing) => true,
        (Answer::Address(right), Value::Address(seen)) => right == seen,
        (Answer::Old(right), Value::Old(seen)) => right == seen,
        _ => false,
    }
}

/// What an outcome does, if a subject that can tell everything may lawfully answer so.
pub(crate) fn effect_of(
    state: &State,
    call: &Call,
    verdict: &Verdict,
    outcome: &Outcome,
) -> Option<Effect> {
    let capabilities = Capabilities::ALL;
    let subject = Description { capabilities, ..Description::new("model") };
    let judge = Judge::new(state.clone(), &subject);
    match judge.judge_outcome(call, verdict, outcome) {
        (Judgement::Agrees { .. }, effect) => Some(effect.into_owned()),
        _ => None,
    }
}

/// Whether a call may be refused for lack of memory at all. A machine with a stated commit
/// limit refuses a commit exactly there; address space may be short on any.
#[must_use]
pub const fn may_lack(state: &State, call: &Call) -> bool {
    match call {
        Call::VirtualAlloc { kind, .. } => {
            state.machine().commit_limit.is_none() || !kind.contains(AllocationType::COMMIT)
        }
        Call::CreateMalloc { .. }
        | Call::Alloc { .. }
        | Call::DebugAlloc { .. }
        | Call::NeedsVirtualAddressSpace { .. } => true,
        _ => false,
    }
}

/// Everything that a verdict permits, in words.
#[must_use]
pub fn expected(verdict: &Verdict) -> String {
    let mut words: Vec<String> = Vec::new();
    for reading in verdict.readings() {
        let word = reading.answer.to_string();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", or ")
}

const fn yes_if(fits: bool, effect: &Effect) -> Fit<'_> {
    if fits { Fit::Yes(Cow::Borrowed(effect)) } else { Fit::No }
}

/// With an effect in which the subject's choice is filled in.
fn chosen_if<'v>(fits: bool, effect: impl FnOnce() -> Effect) -> Fit<'v> {
    if fits { Fit::Yes(Cow::Owned(effect())) } else { Fit::No }
}

fn list(notified: &[MemoryAvailable]) -> String {
    let words: Vec<String> = notified.iter().map(ToString::to_string).collect();
    format!("[{}]", words.join(", "))
}
