//! The model acting alone: it chooses one lawful answer, and does it.
//!
//! The same rules that judge a subject decide here; only the choices that they leave open
//! are made: where memory lies ([`crate::placement`]), what an uncertain page shows. A
//! caller may prefer one of several lawful answers, which is how an expectation is checked
//! against the law before any subject runs.
//!
//! Deliberately not here: any rule.

use std::collections::BTreeSet;

use hostmem_interface::dispatch::not_return;
use hostmem_interface::{
    Address, Call, Fault, MallocId, MemoryAvailable, MemoryBasicInformation, MemoryLoad, Outcome,
    Protection, QueryAnswer, Refusal, RegionState, RegionType, Reply, Value, Win32Error,
};

use crate::effect::Effect;
use crate::judge::may_lack;
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

/// An answer that the actor could give.
struct Candidate {
    outcome: Outcome,
    effect: Effect,
}

/// The ways to lack memory: address space, and commit.
const LACKS: [Win32Error; 2] =
    [Win32Error::ERROR_NOT_ENOUGH_MEMORY, Win32Error::ERROR_COMMITMENT_LIMIT];

impl Candidate {
    fn lack(error: Win32Error) -> Self {
        Self { outcome: Refusal::from_win32(error).into(), effect: Effect::None }
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
        self.act_preferring(call, |_| true).0
    }

    /// Carries out a call, with the first lawful answer that `prefer` likes, or else the
    /// model's own. Says whether there was one that it liked.
    pub fn act_preferring(
        &mut self,
        call: &Call,
        prefer: impl Fn(&Outcome) -> bool,
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
        prefer: impl Fn(&Outcome) -> bool,
    ) -> (Reply, bool) {
        let mut candidates = self.candidates(call, verdict);
        let fits = |candidate: &Candidate| prefer(&candidate.outcome);
        let mut liked = candidates.iter().position(fits);
        if liked.is_none() && verdict.permits_success() && may_lack(&self.state, call) {
            // Any machine may lack memory; this one only where that is wanted.
            candidates.extend(LACKS.map(Candidate::lack));
            liked = candidates.iter().position(fits);
        }
        let chosen = candidates.swap_remove(liked.unwrap_or(0));
        if let (Call::Execute { address }, Outcome::Done { .. }) = (call, &chosen.outcome)
            && let Some(byte) = self.not_ret(*address)
        {
            return (Reply::Unreadable(not_return(*address, byte)), true);
        }
        let notified = self.notified(&chosen.effect);
        self.state.apply(&chosen.effect);
        let reply =
            Reply::Outcome { outcome: chosen.outcome, notified: notified.into_iter().collect() };
        (reply, liked.is_some())
    }

    fn not_ret(&self, address: Address) -> Option<u8> {
        let bytes = if self.state.heaps.holding(address).is_some() {
            self.state.heaps.likeliest(address, 1)
        } else {
            self.state.contents.likeliest(address, 1)
        };
        bytes.first().copied().filter(|byte| *byte != RET)
    }

    fn notified(&self, effect: &Effect) -> Option<MemoryAvailable> {
        match effect {
            Effect::SetLoad(load) => self.state.pressure.notification(*load),
            _ => None,
        }
    }

    /// Every answer that the actor could give, its own first; never empty.
    fn candidates(&mut self, call: &Call, verdict: &Verdict) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for reading in verdict.readings() {
            self.realise(call, reading, &mut candidates);
        }
        if candidates.is_empty() {
            // A choice that the rules leave open, and no place for it.
            candidates.push(Candidate::lack(Win32Error::ERROR_NOT_ENOUGH_MEMORY));
        }
        candidates
    }

    fn realise(&mut self, call: &Call, reading: &Permitted, into: &mut Vec<Candidate>) {
        let effect = match &reading.effect {
            // News of a mapping that is none: the heaps keep what they live in.
            Effect::ReleaseForeign(base) if self.arenas.contains(base) => Effect::None,
            effect => effect.clone(),
        };
        let outcome = match &reading.answer {
            Answer::Refused(no) => Outcome::Refused(no.refusal()),
            Answer::Nothing => Outcome::ok(),
            Answer::Address(address) | Answer::AddressIn(address, _) => {
                Outcome::done(Value::Address(*address))
            }
            Answer::AnyBase { size, top_down } => {
                let Some(base) = place(&self.state, *size, *top_down) else { return };
                into.push(chosen(effect, base));
                return;
            }
            Answer::Block(size) => {
                let Some(base) = self.place_block(call, *size) else { return };
                into.push(chosen(effect, base));
                return;
            }
            Answer::Old(protect) => Outcome::done(Value::Old(*protect)),
            Answer::Region(region) => region_outcome(*region),
            Answer::Unowned(unowned) => region_outcome(self.unowned_region(unowned)),
            Answer::NoBytes => Outcome::done(Value::Region(QueryAnswer {
                written: 0,
                information: MemoryBasicInformation::default(),
            })),
            Answer::Bytes(at, size) => {
                self.realise_bytes(*at, *size, effect, into);
                return;
            }
            Answer::BlockBytes(at, size) => {
                let bytes = self.state.likeliest_bytes(*at, *size);
                into.push(Candidate {
                    outcome: Outcome::done(Value::Bytes(bytes.clone())),
                    effect: Effect::Saw(*at, bytes),
                });
                return;
            }
            Answer::Fault(fault) => Outcome::Faulted(*fault),
            Answer::FaultIn(fault, size) => Outcome::Faulted(self.block_fault(*fault, *size)),
            Answer::Pages(pages, granularity) => {
                Outcome::done(Value::Pages { pages: pages.clone(), granularity: *granularity })
            }
            Answer::Malloc => Outcome::done(Value::Malloc(MallocId(self.state.heaps.count()))),
            Answer::Load(load) => Outcome::done(Value::Load(self.load(*load))),
        };
        into.push(Candidate { outcome, effect });
    }

    fn load(&self, exact: Option<MemoryLoad>) -> MemoryLoad {
        exact.unwrap_or(self.state.pressure.load())
    }

    /// The bytes as they most likely are, and as they are after a reset took effect.
    fn realise_bytes(&self, at: Address, size: u64, effect: Effect, into: &mut Vec<Candidate>) {
        let bytes = self.state.contents.likeliest(at, size);
        if !self.state.contents.is_uncertain(at, size) {
            into.push(Candidate { outcome: Outcome::done(Value::Bytes(bytes)), effect });
            return;
        }
        for seen in [bytes, self.state.contents.discarded(at, size)] {
            let effect = Effect::Saw(at, seen.clone());
            into.push(Candidate { outcome: Outcome::done(Value::Bytes(seen)), effect });
        }
    }

    /// The first byte of the access that lies in no block.
    fn block_fault(&self, fault: Fault, size: u64) -> Fault {
        let outside = (0..size)
            .map(|offset| fault.at.wrapping_add(offset))
            .find(|at| self.state.heaps.holding(*at).is_none());
        Fault { at: outside.unwrap_or(fault.at), ..fault }
    }

    fn place_block(&mut self, call: &Call, size: u64) -> Option<Address> {
        let arenas = self.arenas.clone();
        let (base, fresh) = heap_place(&self.state, &arenas, size)?;
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

fn chosen(mut effect: Effect, at: Address) -> Candidate {
    if let Effect::Reserve { base, .. } | Effect::Alloc { address: base, .. } = &mut effect {
        *base = Some(at);
    }
    Candidate { outcome: Outcome::done(Value::Address(at)), effect }
}
