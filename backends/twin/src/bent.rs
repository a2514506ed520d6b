//! A verdict that is not the law's, and how it is carried out.
//!
//! A bent law is a function of state and call, as the law is: it gives `None` where it has
//! nothing to change, so everything but the one fault stays right. What it returns may differ
//! from the lawful verdict in the answer, in the effect, or in both; `also` adds effects that
//! no single lawful call has together, and `retold` changes the finished reply.
//!
//! Two things hold for every bent law, because the case goes on until the fault shows: its
//! effects are possible in its own state, and it never touches the state of other calls.
//!
//! Deliberately not here: the laws themselves, one file for each kind of call.

use std::ops::Range;

use hostmem_interface::{
    AccessKind, Address, Call, Data, Outcome, Protection, Reply, Value, Win32Error,
};
use hostmem_model::State;
use hostmem_model::actor::Actor;
use hostmem_model::effect::{Effect, Pages};
use hostmem_model::page::PageState;
use hostmem_model::rules::decide;
use hostmem_model::space::Allocation;
use hostmem_model::verdict::{Answer, No, Permitted, Verdict};

use crate::race::Race;

/// What is wrong with a manager.
#[derive(Clone, Copy)]
pub(crate) enum Lie {
    /// Nothing.
    None,
    /// It obeys another law.
    Law(Law),
    /// It forgets that other threads call too.
    Race(Race),
}

/// Another verdict for a call; `None` where the lawful one stands.
pub(crate) type Law = fn(&State, &Call) -> Option<Bent>;

/// What becomes of a reply before the caller hears it.
pub(crate) type Retold = Box<dyn FnOnce(Reply) -> Reply>;

/// A verdict that is not the law's.
pub(crate) struct Bent {
    verdict: Verdict,
    also: Vec<Effect>,
    retold: Option<Retold>,
}

impl Bent {
    /// A success with this answer and effect.
    pub(crate) fn succeed(truth: &Verdict, answer: Answer, effect: Effect) -> Self {
        Self::from(Verdict::succeed(truth.first.rule, answer, effect))
    }

    /// A refusal that changes nothing.
    pub(crate) fn refuse(truth: &Verdict, error: Win32Error) -> Self {
        Self::refuse_but(truth, error, Effect::None)
    }

    /// A refusal that leaves something behind.
    pub(crate) fn refuse_but(truth: &Verdict, error: Win32Error, effect: Effect) -> Self {
        let no = Permitted::refused(truth.first.rule, No::Win32(error));
        Self::from(Verdict::only(Permitted { effect, ..no }))
    }

    /// The same answer with another effect.
    pub(crate) fn with_effect(truth: Verdict, effect: Effect) -> Self {
        Self::from(Verdict::only(Permitted { effect, ..truth.first }))
    }

    /// The same effect with another answer.
    pub(crate) fn with_answer(truth: Verdict, answer: Answer) -> Self {
        Self::from(Verdict::only(Permitted { answer, ..truth.first }))
    }

    /// With one more effect, after the others.
    pub(crate) fn also(mut self, effect: Effect) -> Self {
        self.also.push(effect);
        self
    }

    /// With the reply changed before the caller hears it.
    pub(crate) fn retold(mut self, retell: impl FnOnce(Reply) -> Reply + 'static) -> Self {
        self.retold = Some(Box::new(retell));
        self
    }

    /// Carries the call out under this verdict.
    pub(crate) fn carry_out(self, actor: &mut Actor, call: &Call) -> Reply {
        let (reply, _) = actor.act_under(&self.verdict, call, &|_: &Outcome| true);
        for effect in &self.also {
            actor.state.apply(effect);
        }
        match self.retold {
            Some(retell) => retell(reply),
            None => reply,
        }
    }
}

impl From<Verdict> for Bent {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, also: Vec::new(), retold: None }
    }
}

/// The lawful verdict on another call than the one that was made.
pub(crate) fn misheard(state: &State, heard: &Call) -> Bent {
    Bent::from(decide(state, heard))
}

/// Changes the value of a success.
pub(crate) fn retell_value(reply: Reply, change: impl FnOnce(Value) -> Value) -> Reply {
    match reply {
        Reply::Outcome { outcome: Outcome::Done { code, value }, notified } => {
            Reply::Outcome { outcome: Outcome::Done { code, value: change(value) }, notified }
        }
        other => other,
    }
}

/// The allocation that the pages of an effect belong to.
pub(crate) fn allocation_of<'a>(state: &'a State, pages: &Pages) -> Option<&'a Allocation> {
    state.space.find(pages.base)
}

/// The pages of an allocation that lie wholly inside `[at, at + size)`, but at least the
/// first one: what a manager takes that rounds the end of a range down.
pub(crate) fn rounded_inward(allocation: &Allocation, at: Address, size: u64) -> Range<u64> {
    let first = allocation.page_of(at);
    let end = at.wrapping_add(size);
    let last =
        end.offset_from(allocation.base()).map_or(first, |bytes| bytes / page_of(allocation));
    first..last.max(first + 1)
}

/// The size of a page, as an allocation counts them.
fn page_of(allocation: &Allocation) -> u64 {
    allocation.address_of(1).0 - allocation.base().0
}

/// The state of pages committed with `protect`, if private memory may have it.
pub(crate) fn committed(protect: Protection) -> Option<PageState> {
    let copy = Protection::WRITECOPY | Protection::EXECUTE_WRITECOPY;
    (!protect.intersects(copy)).then(|| PageState::committed(protect))
}

/// A write of what is there already: it changes no byte, but it marks (WW-09). `None` where
/// the bytes are uncertain, because a write would settle them, or lie in a heap.
pub(crate) fn rewrite(state: &State, at: Address, size: u64) -> Option<Effect> {
    let allocation = state.space.find(at)?;
    let size = size.min(allocation.end().0 - at.0);
    if size == 0 || state.contents.is_uncertain(at, size) {
        return None;
    }
    let bytes = state.contents.likeliest(at, size);
    Some(Effect::Access { at, data: Some(Data::Bytes(bytes.into())), length: size, disarmed: None })
}

/// What an access asks for: kind, first byte, number of bytes.
pub(crate) fn access(call: &Call) -> Option<(AccessKind, Address, u64)> {
    match call {
        Call::Read { address, size } => Some((AccessKind::Read, *address, *size)),
        Call::Write { address, data } => Some((AccessKind::Write, *address, data.size())),
        Call::Execute { address } => Some((AccessKind::Execute, *address, 1)),
        _ => None,
    }
}
