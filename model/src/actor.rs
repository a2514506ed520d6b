//! The model acting alone: it chooses one lawful answer, and does it.
//!
//! The same rules that judge a subject decide here; only the choices that they leave open
//! are made: where memory lies ([`crate::placement`]), what an uncertain page shows. A
//! caller may prefer one of several lawful answers, which is how an expectation is checked
//! against the law before any subject runs.
//!
//! Deliberately not here: any rule.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use hostmem_interface::dispatch::not_return;
use hostmem_interface::{
    Address, Call, Fault, MallocId, MemoryBasicInformation, MemoryLoad, Outcome, Protection,
    QueryAnswer, Refusal, RegionState, RegionType, Reply, Value, Win32Error,
};

use crate::effect::Effect;
use crate::judge::{effect_of, may_lack};
use crate::placement::{heap_place, place};
use crate::rules::decide;
use crate::state::State;
use crate::verdict::{Answer, Permitted, Unowned, Verdict};

/// What a `ret` is encoded as.
const RET: u8 = 0xC3;

/// A state that acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// What it knows.
    pub state: State,
    /// The bases of the ranges that its own heaps took, among the foreign ones.
    arenas: BTreeSet<Address>,
}

/// What a caller would like of several lawful answers.
pub trait Preference {
    /// Whether it likes this one.
    fn likes(&self, outcome: &Outcome) -> bool;

    /// Answers that it would like instead of one that the model could give, and that may be as
    /// lawful: with another place, say, where the place is anybody's choice.
    fn instead_of(&self, _outcome: &Outcome) -> Vec<Outcome> {
        Vec::new()
    }
}

impl<F: Fn(&Outcome) -> bool> Preference for F {
    fn likes(&self, outcome: &Outcome) -> bool {
        self(outcome)
    }
}

/// An answer that the actor could give.
struct Candidate<'v> {
    outcome: Outcome,
    effect: Cow<'v, Effect>,
}

/// The ways to lack memory: address space, and commit.
const LACKS: [Win32Error; 2] =
    [Win32Error::ERROR_NOT_ENOUGH_MEMORY, Win32Error::ERROR_COMMITMENT_LIMIT];

impl<'v> Candidate<'v> {
    const fn new(outcome: Outcome, effect: Cow<'v, Effect>) -> Self {
        Self { outcome, effect }
    }

    /// With an effect in which a choice was filled in.
    const fn chosen(outcome: Outcome, effect: Effect) -> Self {
        Self { outcome, effect: Cow::Owned(effect) }
    }

    fn lack(error: Win32Error) -> Self {
        Self::chosen(Refusal::from_win32(error).into(), Effect::None)
    }
}

impl Actor {
    /// An actor on a fresh state.
    #[must_use]
    pub const fn new(state: State) -> Self {
        Self { state, arenas: BTreeSet::new() }
    }

    /// Carries out a call in the model's own way.
    pub fn act(&mut self, call: &Call) -> Reply {
        let verdict = decide(&self.state, call);
        let Permitted { answer, effect, .. } = &verdict.first;
        // Nearly always nothing is open, and nothing has to be weighed.
        match self.settled(answer) {
            Some(outcome) => self.carry_out(call, outcome, effect),
            None => self.choose_and_carry_out(call, &verdict),
        }
    }

    /// What is open is weighed, if it is more than a place, of which nearly all calls are that
    /// leave anything open; kept out of line, so that the plain way stays short.
    #[inline(never)]
    fn choose_and_carry_out(&mut self, call: &Call, verdict: &Verdict) -> Reply {
        let Permitted { answer, effect, .. } = &verdict.first;
        if let Answer::AnyBase { size, top_down } = answer
            && let Some(base) = place(&self.state, *size, *top_down)
        {
            let chosen = placed(effect, base);
            return self.carry_out(call, chosen.outcome, &chosen.effect);
        }
        self.act_under(verdict, call, &|_: &Outcome| true).0
    }

    /// Carries out a read in the model's own way, into bytes that it need not make first.
    ///
    /// # Errors
    /// The fault.
    pub fn read_into(&mut self, address: Address, into: &mut [u8]) -> Result<(), Fault> {
        let call = Call::Read { address, size: into.len() as u64 };
        let verdict = decide(&self.state, &call);
        if let (Answer::Bytes(at, size), Effect::None) =
            (&verdict.first.answer, &verdict.first.effect)
            && !self.state.contents.is_uncertain(*at, *size)
        {
            self.state.contents.copy_likeliest(*at, into);
            return Ok(());
        }
        match self.act_under(&verdict, &call, &|_: &Outcome| true).0 {
            Reply::Outcome {
                outcome: Outcome::Done { value: Value::Bytes(bytes), .. }, ..
            } => {
                into.copy_from_slice(&bytes);
                Ok(())
            }
            Reply::Outcome { outcome: Outcome::Faulted(fault), .. } => Err(fault),
            other => unreachable!("a read gives bytes or faults: {other:?}"),
        }
    }

    /// Carries out a call, with the first lawful answer that `prefer` likes, or else the
    /// model's own. Says whether there was one that it liked.
    pub fn act_preferring(
        &mut self,
        call: &Call,
        prefer: &(impl Preference + ?Sized),
    ) -> (Reply, bool) {
        let verdict = decide(&self.state, call);
        self.act_under(&verdict, call, prefer)
    }

    /// Carries out a call under a verdict, lawful or not, as [`Self::act_preferring`] does
    /// under the law's own. A deliberately broken manager is made so: its effects must be
    /// possible in this state, its answers need not be right.
    pub fn act_under(
        &mut self,
        verdict: &Verdict,
        call: &Call,
        prefer: &(impl Preference + ?Sized),
    ) -> (Reply, bool) {
        let (chosen, liked) = self.choose(call, verdict, prefer);
        (self.carry_out(call, chosen.outcome, &chosen.effect), liked)
    }

    /// Does what was chosen, and tells of it.
    #[inline(always)]
    fn carry_out(&mut self, call: &Call, outcome: Outcome, effect: &Effect) -> Reply {
        if let (Call::Execute { address }, Outcome::Done { .. }) = (call, &outcome)
            && let Some(byte) = self.not_ret(*address)
        {
            return Reply::Unreadable(not_return(*address, byte));
        }
        let mut notified = Vec::new();
        match effect {
            // News of a mapping that is none: the heaps keep what they live in.
            Effect::ReleaseForeign(base) if self.arenas.contains(base) => {}
            Effect::SetLoad(load) => {
                notified.extend(self.state.pressure.notification(*load));
                self.state.apply(effect);
            }
            effect => self.state.apply(effect),
        }
        Reply::Outcome { outcome, notified }
    }

    #[inline(never)]
    fn not_ret(&self, address: Address) -> Option<u8> {
        let bytes = if self.state.heaps.holding(address).is_some() {
            self.state.heaps.likeliest(address, 1)
        } else {
            self.state.contents.likeliest(address, 1)
        };
        bytes.first().copied().filter(|byte| *byte != RET)
    }

    /// The first answer that the actor could give and `prefer` likes, or else its own; says
    /// whether it is liked.
    fn choose<'v>(
        &mut self,
        call: &Call,
        verdict: &'v Verdict,
        prefer: &(impl Preference + ?Sized),
    ) -> (Candidate<'v>, bool) {
        let mut disliked = Vec::new();
        let mut offer = |candidate: Candidate<'v>| {
            if prefer.likes(&candidate.outcome) {
                return ControlFlow::Break(candidate);
            }
            disliked.push(candidate);
            ControlFlow::Continue(())
        };
        for reading in verdict.readings() {
            if let ControlFlow::Break(liked) = self.realise(call, reading, &mut offer) {
                return (liked, true);
            }
        }
        // Any machine may lack memory; this one only where that is wanted, or where there is no
        // place for a choice that the rules leave open.
        let lacks = verdict.permits_success() && may_lack(&self.state, call);
        for lack in LACKS.map(Candidate::lack) {
            if !lacks && !disliked.is_empty() {
                break;
            }
            if prefer.likes(&lack.outcome) {
                return (lack, true);
            }
            disliked.push(lack);
        }
        if let Some(other) = self.instead_of(&disliked, call, verdict, prefer) {
            return (other, true);
        }
        (disliked.swap_remove(0), false)
    }

    /// A lawful answer that `prefer` likes, though the actor would not have thought of it.
    fn instead_of<'v>(
        &self,
        disliked: &[Candidate<'v>],
        call: &Call,
        verdict: &Verdict,
        prefer: &(impl Preference + ?Sized),
    ) -> Option<Candidate<'v>> {
        let others = disliked.iter().flat_map(|candidate| prefer.instead_of(&candidate.outcome));
        others.filter(|outcome| prefer.likes(outcome)).find_map(|outcome| {
            let effect = effect_of(&self.state, call, verdict, &outcome)?;
            Some(Candidate::chosen(outcome, effect))
        })
    }

    /// Offers the answers by which a reading could be given: none, one or two.
    fn realise<'v>(
        &mut self,
        call: &Call,
        reading: &'v Permitted,
        offer: &mut impl FnMut(Candidate<'v>) -> ControlFlow<Candidate<'v>>,
    ) -> ControlFlow<Candidate<'v>> {
        let effect = &reading.effect;
        if let Some(outcome) = self.settled(&reading.answer) {
            return offer(Candidate::new(outcome, Cow::Borrowed(effect)));
        }
        match &reading.answer {
            Answer::AnyBase { size, top_down } => match place(&self.state, *size, *top_down) {
                Some(base) => offer(placed(effect, base)),
                None => ControlFlow::Continue(()),
            },
            Answer::Block(size) => match self.place_block(call, *size) {
                Some(base) => offer(placed(effect, base)),
                None => ControlFlow::Continue(()),
            },
            Answer::Bytes(at, size) => self.realise_bytes(*at, *size, effect, offer),
            Answer::BlockBytes(at, size) => {
                let bytes = self.state.likeliest_bytes(*at, *size);
                let saw = Effect::Saw(*at, bytes.clone());
                offer(Candidate::chosen(Outcome::done(Value::Bytes(bytes)), saw))
            }
            answer => unreachable!("{answer} leaves nothing open"),
        }
    }

    /// The outcome by which an answer is given that leaves nothing open.
    #[inline(always)]
    fn settled(&self, answer: &Answer) -> Option<Outcome> {
        Some(match answer {
            Answer::Nothing => Outcome::ok(),
            Answer::Address(address) => Outcome::done(Value::Address(*address)),
            Answer::Old(protect) => Outcome::done(Value::Old(*protect)),
            Answer::Region(region) => region_outcome(*region),
            other => return self.settled_less_often(other),
        })
    }

    /// The same, of answers that few calls have.
    #[inline(never)]
    fn settled_less_often(&self, answer: &Answer) -> Option<Outcome> {
        Some(match answer {
            Answer::Refused(no) => Outcome::Refused(no.refusal()),
            Answer::AddressIn(address, _) => Outcome::done(Value::Address(*address)),
            Answer::Unowned(unowned) => region_outcome(self.unowned_region(unowned)),
            Answer::NoBytes => Outcome::done(Value::Region(QueryAnswer {
                written: 0,
                information: MemoryBasicInformation::default(),
            })),
            Answer::Fault(fault) => Outcome::Faulted(*fault),
            Answer::FaultIn(fault, size) => Outcome::Faulted(self.block_fault(*fault, *size)),
            Answer::Pages(pages, granularity) => {
                Outcome::done(Value::Pages { pages: pages.clone(), granularity: *granularity })
            }
            Answer::Malloc => Outcome::done(Value::Malloc(MallocId(self.state.heaps.count()))),
            Answer::Load(load) => Outcome::done(Value::Load(self.load(*load))),
            _ => return None,
        })
    }

    fn load(&self, exact: Option<MemoryLoad>) -> MemoryLoad {
        exact.unwrap_or(self.state.pressure.load())
    }

    /// The bytes as they most likely are, and as they are after a reset took effect.
    fn realise_bytes<'v>(
        &self,
        at: Address,
        size: u64,
        effect: &'v Effect,
        offer: &mut impl FnMut(Candidate<'v>) -> ControlFlow<Candidate<'v>>,
    ) -> ControlFlow<Candidate<'v>> {
        let bytes = self.state.contents.likeliest(at, size);
        if !self.state.contents.is_uncertain(at, size) {
            let outcome = Outcome::done(Value::Bytes(bytes));
            return offer(Candidate::new(outcome, Cow::Borrowed(effect)));
        }
        for seen in [bytes, self.state.contents.discarded(at, size)] {
            let saw = Effect::Saw(at, seen.clone());
            offer(Candidate::chosen(Outcome::done(Value::Bytes(seen)), saw))?;
        }
        ControlFlow::Continue(())
    }

    /// The first byte of the access that lies in no block.
    fn block_fault(&self, fault: Fault, size: u64) -> Fault {
        let outside = (0..size)
            .map(|offset| fault.at.wrapping_add(offset))
            .find(|at| self.state.heaps.holding(*at).is_none());
        Fault { at: outside.unwrap_or(fault.at), ..fault }
    }

    fn place_block(&mut self, call: &Call, size: u64) -> Option<Address> {
        let (base, fresh) = heap_place(&self.state, &self.arenas, size)?;
        debug_assert!(call.malloc().is_some(), "only heaps have blocks");
        if let Some((arena, bytes)) = fresh {
            self.arenas.insert(arena);
            self.state.apply(&Effect::Acquire(arena, bytes));
        }
        Some(base)
    }

    /// What a query of unowned memory shows: a foreign mapping, or a free run up to the next
    /// allocation or mapping.
    fn unowned_region(&self, unowned: &Unowned) -> MemoryBasicInformation {
        let page = unowned.at.align_down(self.state.machine().page);
        let behind = unowned.end;
        match self.state.foreign_overlapping(page, behind) {
            Some((base, end)) if base <= page => {
                let arena = self.arenas.contains(&base);
                MemoryBasicInformation {
                    base_address: page,
                    allocation_base: base,
                    allocation_protect: Protection::READWRITE,
                    region_size: end.0 - page.0,
                    state: RegionState::COMMIT,
                    protect: Protection::READWRITE,
                    kind: if arena { RegionType::PRIVATE } else { RegionType::MAPPED },
                }
            }
            Some((base, _)) => MemoryBasicInformation::free(page, base.0 - page.0),
            None => MemoryBasicInformation::free(page, behind.0 - page.0),
        }
    }
}

const fn region_outcome(region: MemoryBasicInformation) -> Outcome {
    Outcome::done(Value::Region(QueryAnswer::of(region)))
}

/// An answer with a place that was chosen.
fn placed<'v>(effect: &Effect, at: Address) -> Candidate<'v> {
    Candidate::chosen(Outcome::done(Value::Address(at)), effect.with_base(at))
}
