//! Judges a live subject: every answer that a runtime gets, as it gets it.
//!
//! Calls come from many threads and overlap. A call that began when no other was in flight, and
//! during which none began, is judged alone, at the moment it is back. Calls that overlapped are
//! judged as a set, when none is in flight any more: some order of them must be lawful, in which
//! no call stands before one that had ended before it began. At most [`MOST`] calls are in a set;
//! one more waits until the set is judged, so that sets end.
//!
//! After a divergence the program goes on, so the court has to as well: it takes the subject's
//! word for the memory that the call named, and judges from there. What a list of known
//! differences names is counted apart.
//!
//! Deliberately not here: who carries calls out, and what is done about a divergence.

mod findings;
mod resettle;
#[cfg(test)]
mod tests;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use hostmem_interface::scenario::MAX_GROUP;
use hostmem_interface::{
    Address, AllocationType, Call, Description, MemoryBasicInformation, Outcome, RegionState, Value,
};
use hostmem_model::space::Terms;
use hostmem_model::{Divergence, Judge, Judgement, State};

pub use findings::{Finding, Findings};

use crate::known::KnownList;
use crate::run::possible::{Heard, Possible, follows, furthest, orders_under};

/// The most calls of a set.
pub const MOST: usize = MAX_GROUP;
/// The most states that are followed at once.
const MOST_STATES: usize = 16;

/// A call that is back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// Who asked.
    pub thread: u32,
    /// What was asked.
    pub call: Call,
    /// What was answered.
    pub outcome: Outcome,
}

/// When a call began: to be given back with its testimony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(u64);

/// What the subject shows at an address.
pub type Look = Box<dyn Fn(Address) -> Option<MemoryBasicInformation> + Send + Sync>;
/// Takes each call in the order in which it took effect.
pub type Keep = Box<dyn FnMut(Testimony) + Send>;

/// Where calls are judged. Callable from any thread.
pub struct Court {
    floor: Mutex<Floor>,
    judged: Condvar,
}

struct Floor {
    judge: Judge,
    /// Other states that the subject may be in.
    others: Vec<Judge>,
    in_flight: usize,
    clock: u64,
    set: Vec<Member>,
    findings: Findings,
    known: Option<KnownList>,
    look: Look,
    keep: Keep,
}

struct Member {
    began: u64,
    ended: u64,
    said: Testimony,
}

impl std::fmt::Debug for Court {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Court").finish_non_exhaustive()
    }
}

impl Court {
    /// A court for a fresh subject in whose memory a program writes unseen.
    #[must_use]
    pub fn new(subject: &Description, known: Option<KnownList>, look: Look, keep: Keep) -> Self {
        let judge = Judge::new(State::new(subject.machine), subject).with_unseen_writes();
        let floor = Floor {
            judge,
            others: Vec::new(),
            in_flight: 0,
            clock: 0,
            set: Vec::new(),
            findings: Findings::default(),
            known,
            look,
            keep,
        };
        Self { floor: Mutex::new(floor), judged: Condvar::new() }
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins. Waits while a set is full. `None`: it concerns memory that the runtime has
    /// not from its host, such as its own image, and is not judged.
    pub fn enter(&self, call: &Call) -> Option<Entry> {
        let mut floor = self.floor();
        while floor.in_flight + floor.set.len() >= MOST {
            floor = self.judged.wait(floor).unwrap_or_else(PoisonError::into_inner);
        }
        if floor.is_foreign(call) {
            floor.findings.foreign += 1;
            return None;
        }
        floor.in_flight += 1;
        floor.clock += 1;
        Some(Entry(floor.clock))
    }

    /// A call is back.
    pub fn leave(&self, entry: Entry, said: Testimony) {
        let mut floor = self.floor();
        floor.clock += 1;
        let ended = floor.clock;
        floor.set.push(Member { began: entry.0, ended, said });
        floor.in_flight -= 1;
        if floor.in_flight == 0 {
            floor.judge_set();
            self.judged.notify_all();
        }
    }

    /// The terms and the size of the allocation at an address.
    pub fn terms(&self, at: Address) -> Option<(Terms, u64)> {
        let floor = self.floor();
        let found = floor.judge.state.space.find(at);
        found.map(|allocation| (allocation.terms(), allocation.size()))
    }

    /// What was found so far.
    pub fn findings(&self) -> Findings {
        self.floor().findings.clone()
    }
}

impl Floor {
    /// Whether memory was not allocated by the runtime: only a change of protection is ever
    /// asked for there, of an image or a stack.
    fn is_foreign(&self, call: &Call) -> bool {
        let Call::VirtualProtect { address, .. } = call else { return false };
        let fresh = |member: &Member| match (&member.said.call, member.said.outcome.value()) {
            (Call::VirtualAlloc { size, .. }, Some(Value::Address(base))) => {
                address.offset_from(*base).is_some_and(|offset| offset < *size)
            }
            _ => false,
        };
        let owned = self.judge.state.space.find(*address).is_some() || self.set.iter().any(fresh);
        let taken =
            || (self.look)(*address).is_some_and(|region| region.state != RegionState::FREE);
        !owned && taken()
    }

    fn judge_set(&mut self) {
        let set = std::mem::take(&mut self.set);
        self.findings.judged += set.len() as u64;
        if set.len() == 1 && self.others.is_empty() {
            for member in set {
                self.judge_one(member.said);
            }
            return;
        }
        if set.len() > 1 {
            self.findings.sets += 1;
        }
        self.judge_several(set);
    }

    fn judge_one(&mut self, said: Testimony) {
        let Testimony { call, outcome, .. } = &said;
        self.judge.believe(call, outcome);
        let verdict = self.judge.decide(call);
        match self.judge.judge(call, &verdict, outcome, &[]) {
            Judgement::Agrees { rule, .. } => self.findings.agrees(rule),
            Judgement::OutOfMemory(_) => self.findings.out_of_memory += 1,
            Judgement::Taken { start, end, otherwise } => {
                if self.is_taken(start, end) {
                    self.findings.agrees(otherwise.rule);
                } else {
                    self.diverges(&said, otherwise);
                }
            }
            Judgement::Diverges(divergence) => self.diverges(&said, divergence),
        }
        (self.keep)(said);
    }

    /// Whether the subject shows that a page of a range is not free.
    fn is_taken(&self, start: Address, end: Address) -> bool {
        let mut at = start;
        while at < end {
            let Some(region) = (self.look)(at) else { return true };
            if region.state != RegionState::FREE {
                return true;
            }
            let Some(next) = Some(region.end()).filter(|next| *next > at) else { return true };
            at = next;
        }
        false
    }

    /// Judges calls that overlapped, or any while it is uncertain what earlier ones left.
    fn judge_several(&mut self, set: Vec<Member>) {
        let nothing = [];
        let heard: Vec<Heard<'_>> = set
            .iter()
            .map(|member| Heard {
                call: &member.said.call,
                outcome: &member.said.outcome,
                notified: &nothing,
            })
            .collect();
        let before = |a: usize, b: usize| set[a].ended < set[b].began;
        let mut found: Vec<Possible> = Vec::new();
        let mut start = None;
        for judge in std::iter::once(&self.judge).chain(&self.others) {
            for possible in orders_under(judge, &heard, &before) {
                if found.len() < MOST_STATES && !found.iter().any(|it| possible.is_same_as(it)) {
                    start.get_or_insert_with(|| judge.clone());
                    found.push(possible);
                }
            }
        }
        let order = match found.first() {
            Some(first) => first.order.clone(),
            None => furthest(&self.judge, &heard, &before),
        };
        drop(heard);
        let mut said: Vec<Option<Testimony>> = set.into_iter().map(|it| Some(it.said)).collect();
        let mut take = |at: usize| said[at].take().expect("each call stands in an order once");
        let Some(start) = start else {
            self.others.clear();
            order.into_iter().for_each(|at| self.judge_one(take(at)));
            return;
        };
        // The rules are those of the state that the first order begins with.
        self.judge = start;
        order.into_iter().for_each(|at| self.follow(take(at)));
        let mut states = found.into_iter().map(|possible| possible.judge);
        if let Some(first) = states.next() {
            self.judge = first;
        }
        self.others = states.collect();
    }

    /// Notes a call that a lawful order holds.
    fn follow(&mut self, said: Testimony) {
        self.judge.believe(&said.call, &said.outcome);
        let rule = self.judge.decide(&said.call).first.rule;
        let heard = Heard { call: &said.call, outcome: &said.outcome, notified: &[] };
        follows(&mut self.judge, &heard);
        self.findings.agrees(rule);
        (self.keep)(said);
    }

    fn diverges(&mut self, said: &Testimony, divergence: Divergence) {
        let finding = Finding { number: self.findings.judged, said: said.clone(), divergence };
        self.findings.diverges(finding, self.known.as_ref());
        resettle::resettle(&mut self.judge, said, &*self.look);
        self.others.clear();
    }
}

/// Whether a call asks for a new allocation.
fn reserves(call: &Call) -> bool {
    match call {
        Call::VirtualAlloc { address, kind, .. } => {
            kind.contains(AllocationType::RESERVE) || address.is_null()
        }
        _ => false,
    }
}
