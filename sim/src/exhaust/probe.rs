//! One fresh subject with its judge: asked calls of the scope, and looked at.
//!
//! A *look* compares everything that can be observed of the hole without changing it: every
//! region, every word that may be read, every mark of write watch, and the subject's check of
//! itself. It follows each change of the state, and whatever was refused before it. Without
//! it a subject whose answer to a call is right and whose state is wrong would go unnoticed
//! wherever another sequence reaches the same state.
//!
//! A search comes to the same state again and again, each time on a fresh subject. What led
//! there is judged once and leaves a [`Trail`]: a subject that answers it word for word as the
//! first one did is where that one was, and so is the law.
//!
//! Deliberately not here: which calls are asked, and in which order.

use hostmem_interface::scenario::SymbolicCall;
use hostmem_interface::{
    AccessKind, Address, Backend, Breakage, Call, Capability, MemoryBasicInformation, OpenError,
    Outcome, Reply, Subject, Value,
};
use hostmem_model::verdict::{Answer, Verdict};
use hostmem_model::{Divergence, Judge, Judgement, State};

use super::alphabet::{self, WORD};
use super::canonical::{Key, put_state};
use super::scope::Layout;
use crate::run::{Ending, Finding};

/// The most regions that a hole is looked at: twice the most that it can have.
const REGIONS: usize = 128;

/// Why a subject cannot be asked any further.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What a look asked, if that is what showed it.
    pub shown_by: Option<SymbolicCall>,
    /// What it is.
    pub ending: Ending,
}

impl From<Ending> for Trouble {
    fn from(ending: Ending) -> Self {
        Self { shown_by: None, ending }
    }
}

/// What a call that was carried out may have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It may have changed the state.
    Something,
    /// By the law it changed nothing.
    Nothing,
    /// The subject cannot report the fault that it would be, so it was not made.
    Beyond,
}

/// A fresh subject and its judge.
pub struct Probe<'a> {
    subject: Box<dyn Subject>,
    judge: Judge,
    layout: &'a Layout,
    base: Address,
    /// What was asked so far, and answered, while that is noted.
    asked: Option<Vec<(Call, Reply)>>,
}

/// What led to a state, and what the law knows there.
#[derive(Debug)]
pub struct Trail {
    asked: Vec<(Call, Reply)>,
    judge: Judge,
    base: Address,
}

impl std::fmt::Debug for Probe<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("base", &self.base).finish_non_exhaustive()
    }
}

impl<'a> Probe<'a> {
    /// Opens a subject and finds a hole for the scope.
    pub fn open(backend: &dyn Backend, layout: &'a Layout) -> Result<Self, Trouble> {
        let subject = backend.open(&layout.machine).map_err(|error| not_opened(&error))?;
        // The subject's own units without its limits, which are its own business.
        let shown = subject.description().machine;
        let state = State::new(hostmem_interface::Machine { commit_limit: None, ..shown });
        let judge = Judge::new(state, subject.description());
        let asked = Some(Vec::new());
        let mut probe = Self { subject, judge, layout, base: Address::NULL, asked };
        probe.find_hole()?;
        Ok(probe)
    }

    /// Another subject led to the same state; `None` if it does not answer the same on the way,
    /// which may be lawful.
    pub fn follow(backend: &dyn Backend, layout: &'a Layout, trail: &Trail) -> Option<Self> {
        let subject = backend.open(&layout.machine).ok()?;
        if !trail.asked.iter().all(|(call, reply)| subject.call(call) == *reply) {
            return None;
        }
        let judge = trail.judge.clone();
        Some(Self { subject, judge, layout, base: trail.base, asked: None })
    }

    /// What led to where the probe is; from then on it notes no more.
    pub fn trail(&mut self) -> Trail {
        let asked = self.asked.take().unwrap_or_default();
        Trail { asked, judge: self.judge.clone(), base: self.base }
    }

    fn find_hole(&mut self) -> Result<(), Trouble> {
        let reserve = Call::reserve_hole(self.layout.size);
        let Some(base) = self.ask(&reserve)?.address() else {
            return Err(Ending::Skipped("there is no hole for the scope".to_owned()).into());
        };
        self.ask(&Call::release(base))?;
        self.base = base;
        Ok(())
    }

    /// The canonical form of the state that the subject must be in.
    pub fn key(&self) -> Key {
        Key::of(&self.judge.state, self.layout, self.base)
    }

    /// Puts the bytes of [`Self::key`] there instead of what is there.
    pub fn put_key(&self, into: &mut Vec<u8>) {
        into.clear();
        put_state(&self.judge.state, self.layout, self.base, into);
    }

    /// Has the subject carry out a call of the scope.
    pub fn carry_out(&mut self, call: &SymbolicCall) -> Result<Done, Trouble> {
        let call = resolved(call, self.base);
        let verdict = self.judge.decide(&call);
        if self.is_beyond(&call, &verdict) {
            return Ok(Done::Beyond);
        }
        let outcome = self.judged(&call, &verdict)?;
        let quiet =
            matches!(outcome, Outcome::Refused(_) | Outcome::Done { value: Value::Region(_), .. });
        Ok(if quiet { Done::Nothing } else { Done::Something })
    }

    fn is_beyond(&self, call: &Call, verdict: &Verdict) -> bool {
        let touches = matches!(call, Call::Read { .. } | Call::Write { .. });
        let fault = |answer: &Answer| matches!(answer, Answer::Fault(_) | Answer::FaultIn(..));
        touches
            && !self.subject.description().capabilities.has(Capability::Faults)
            && verdict.readings().any(|reading| fault(&reading.answer))
    }

    /// Looks at everything that shows without changing.
    pub fn look(&mut self) -> Result<(), Trouble> {
        let have = self.subject.description().capabilities;
        if have.has(Capability::Query) {
            self.look_at_regions()?;
        }
        if have.has(Capability::Contents) {
            self.look_at_words()?;
        }
        if have.has(Capability::WriteWatch) {
            self.look_at_marks()?;
        }
        self.subject.checkpoint().map_err(|what| Ending::Broken(Breakage::Lied(what)).into())
    }

    fn look_at_regions(&mut self) -> Result<(), Trouble> {
        let mut offset = 0;
        for _ in 0..REGIONS {
            let call = alphabet::query(alphabet::place(offset));
            let Some(end) = self.region_end(&call)? else { break };
            offset = end.0.wrapping_sub(self.base.0);
            if offset >= self.layout.size {
                break;
            }
        }
        Ok(())
    }

    /// The first address behind a region that a look asks for.
    fn region_end(&mut self, call: &SymbolicCall) -> Result<Option<Address>, Trouble> {
        Ok(match self.show(call)? {
            Outcome::Done { value: Value::Region(answer), .. } if answer.written > 0 => {
                Some(MemoryBasicInformation::end(&answer.information))
            }
            _ => None,
        })
    }

    /// Reads each word that the law lets be read without any effect.
    fn look_at_words(&mut self) -> Result<(), Trouble> {
        let layout = self.layout;
        for offset in &layout.pages {
            let at = self.base.wrapping_add(*offset);
            let state = &self.judge.state;
            let quiet = state.space.find(at).is_some_and(|allocation| {
                let page = allocation.state(allocation.page_of(at));
                page.permits(AccessKind::Read) && !page.is_guarded()
            });
            if quiet && !state.contents.is_uncertain(at, WORD) {
                self.show(&Call::Read { address: alphabet::place(*offset), size: WORD })?;
            }
        }
        Ok(())
    }

    fn look_at_marks(&mut self) -> Result<(), Trouble> {
        let watched: Vec<(Address, u64)> = self
            .judge
            .state
            .space
            .iter()
            .filter(|allocation| allocation.terms().watched)
            .map(|allocation| (allocation.base(), allocation.size()))
            .collect();
        for (at, size) in watched {
            let offset = at.0.wrapping_sub(self.base.0);
            let capacity = size / self.layout.machine.page;
            self.show(&alphabet::marks(alphabet::place(offset), size, capacity))?;
        }
        Ok(())
    }

    /// A call of a look.
    fn show(&mut self, call: &SymbolicCall) -> Result<Outcome, Trouble> {
        let shown = self.ask(&resolved(call, self.base));
        shown.map_err(|trouble| Trouble { shown_by: Some(call.clone()), ..trouble })
    }

    fn ask(&mut self, call: &Call) -> Result<Outcome, Trouble> {
        let verdict = self.judge.decide(call);
        self.judged(call, &verdict)
    }

    fn judged(&mut self, call: &Call, verdict: &Verdict) -> Result<Outcome, Trouble> {
        let reply = self.subject.call(call);
        if let Some(asked) = &mut self.asked {
            asked.push((call.clone(), reply.clone()));
        }
        let (outcome, notified) = match reply {
            Reply::Outcome { outcome, notified } => (outcome, notified),
            Reply::Unsupported(why) => return Err(Ending::Skipped(why).into()),
            Reply::Broken(how) => return Err(Ending::Broken(how).into()),
            Reply::Unreadable(why) => return Err(Ending::Unreadable(why).into()),
        };
        match self.judge.judge(call, verdict, &outcome, &notified) {
            Judgement::Agrees { .. } => Ok(outcome),
            Judgement::OutOfMemory(refusal) => {
                Err(Ending::Skipped(format!("out of memory: {refusal}")).into())
            }
            Judgement::Taken { start, end, .. } => {
                Err(Ending::Taken(format!("{start} to {end}")).into())
            }
            Judgement::Diverges(divergence) => Err(diverges(divergence).into()),
        }
    }
}

fn diverges(divergence: Divergence) -> Ending {
    Ending::Diverges(Finding {
        rule: divergence.rule,
        level: divergence.level(),
        expected: divergence.expected,
        observed: divergence.observed,
        narrowed: false,
        looked: None,
    })
}

fn not_opened(error: &OpenError) -> Trouble {
    match error {
        OpenError::Unavailable(_) | OpenError::Machine(_) => Ending::Skipped(error.to_string()),
        OpenError::Broken(how) => Ending::Broken(how.clone()),
    }
    .into()
}

/// A call of the scope with absolute addresses.
fn resolved(call: &SymbolicCall, base: Address) -> Call {
    use hostmem_interface::scenario::Place;
    let place = |place: &Place| match place {
        Place::Absolute(address) => Ok(*address),
        Place::Relative { offset, .. } => Ok(base.wrapping_add(*offset)),
    };
    let call: Result<Call, std::convert::Infallible> =
        call.resolve(place, |_| unreachable!("no call of a scope names a heap"));
    match call {
        Ok(call) => call,
        Err(never) => match never {},
    }
}
