//! The states that a subject may be in after steps that overlapped in time.
//!
//! Any lawful order of the steps may be the one that happened, and orders may leave different
//! states that no answer has told apart yet. All of them are followed until one is left: each
//! later answer must be lawful in at least one, and those in which it is not are dropped.
//!
//! Orders that differ only by steps that do not touch each other leave equal states, and one of
//! them is enough: of two neighbours that touch nothing in common, the earlier in the file
//! comes first. At most six steps overlap, so there are at most 720 orders.
//!
//! Deliberately not here: who carries the steps out ([`super::group`]).

use hostmem_interface::{
    Address, Call, MemoryAvailable, MemoryBasicInformation, Outcome, Value, WatchFlags,
};
use hostmem_model::{Judge, Judgement, State};

use crate::run::case::Case;

/// A step that overlapped others, with what came of it.
#[derive(Debug)]
pub struct Heard<'a> {
    /// The call.
    pub call: &'a Call,
    /// Its outcome.
    pub outcome: &'a Outcome,
    /// The notifications delivered during the call.
    pub notified: &'a [MemoryAvailable],
}

/// A lawful order and the state that it leaves.
#[derive(Debug)]
pub struct Possible {
    /// Indices of the steps.
    pub order: Vec<usize>,
    /// A judge that has followed them in this order.
    pub judge: Judge,
}

impl Possible {
    /// Whether both leave the same state.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        same(&self.judge.state, &other.judge.state)
    }
}

/// Every state that a lawful order of the steps leaves, each once, with one such order. The
/// first is that of the order of the file, if it is lawful.
#[must_use]
pub fn orders(judge: &Judge, steps: &[Heard<'_>]) -> Vec<Possible> {
    orders_under(judge, steps, &|_, _| false)
}

/// The same for steps of which some are known to have ended before others began:
/// `before(a, b)`, which implies `a < b`.
#[must_use]
pub fn orders_under(
    judge: &Judge,
    steps: &[Heard<'_>],
    before: &dyn Fn(usize, usize) -> bool,
) -> Vec<Possible> {
    let search = |follows| Search::run(judge, steps, follows, before).found;
    // That something unknown was in the way explains any refusal of a place: not while another
    // step explains it.
    let explained: Vec<Possible> = search(agrees);
    if explained.is_empty() { search(follows) } else { explained }
}

/// All steps, if no order of them is lawful as a whole: first the longest beginning of an order
/// that is; of several, the one nearest to the order of the file. So which of two was served
/// first does not decide what a subject is blamed for. `before` is as above.
#[must_use]
pub fn furthest(
    judge: &Judge,
    steps: &[Heard<'_>],
    before: &dyn Fn(usize, usize) -> bool,
) -> Vec<usize> {
    let mut order = Search::run(judge, steps, follows, before).furthest;
    let rest: Vec<usize> = (0..steps.len()).filter(|at| !order.contains(at)).collect();
    order.extend(rest);
    order
}

type Follows = fn(&mut Judge, &Heard<'_>) -> bool;

struct Search<'a> {
    steps: &'a [Heard<'a>],
    footprints: Vec<Footprint>,
    follows: Follows,
    before: &'a dyn Fn(usize, usize) -> bool,
    found: Vec<Possible>,
    furthest: Vec<usize>,
}

impl<'a> Search<'a> {
    fn run(
        judge: &Judge,
        steps: &'a [Heard<'a>],
        follows: Follows,
        before: &'a dyn Fn(usize, usize) -> bool,
    ) -> Self {
        let footprints = steps.iter().map(|step| Footprint::of(step, judge)).collect();
        let (found, furthest) = (Vec::new(), Vec::new());
        let mut search = Self { steps, footprints, follows, before, found, furthest };
        search.go_on(judge, &mut Vec::new());
        search
    }

    /// Tries every step that can come next, depth first.
    fn go_on(&mut self, judge: &Judge, order: &mut Vec<usize>) {
        if order.len() > self.furthest.len() {
            self.furthest.clone_from(order);
        }
        if order.len() == self.steps.len() {
            let new = self.found.iter().all(|it| !same(&it.judge.state, &judge.state));
            if new {
                self.found.push(Possible { order: order.clone(), judge: judge.clone() });
            }
            return;
        }
        for next in 0..self.steps.len() {
            let done = order.contains(&next);
            // Then the two the other way round were tried, or will be.
            let swapped = |last: &usize| {
                *last > next && !self.footprints[*last].touches(&self.footprints[next])
            };
            let early = |other: usize| !order.contains(&other) && (self.before)(other, next);
            if done || order.last().is_some_and(swapped) || (0..next).any(early) {
                continue;
            }
            let mut trial = judge.clone();
            if (self.follows)(&mut trial, &self.steps[next]) {
                order.push(next);
                self.go_on(&trial, order);
                order.pop();
            }
        }
    }
}

/// Whether an answer is lawful for a judge, who then follows it.
pub fn follows(judge: &mut Judge, heard: &Heard<'_>) -> bool {
    let judgement = judged(judge, heard);
    is_agreement(&judgement) || matches!(judgement, Judgement::Taken { .. })
}

/// Whether it is lawful by what the case itself has done.
fn agrees(judge: &mut Judge, heard: &Heard<'_>) -> bool {
    is_agreement(&judged(judge, heard))
}

const fn is_agreement(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Agrees { .. } | Judgement::OutOfMemory(_))
}

fn judged(judge: &mut Judge, heard: &Heard<'_>) -> Judgement {
    let Heard { call, outcome, notified } = heard;
    judge.believe(call, outcome);
    let verdict = judge.decide(call);
    judge.judge(call, &verdict, outcome, notified)
}

impl Case<'_> {
    /// Whether only one state is possible.
    pub(crate) const fn is_certain(&self) -> bool {
        self.others.is_empty()
    }

    /// Drops the states in which an answer would not be lawful. Says whether the state that is
    /// followed first is another one now; it has not followed the answer yet.
    pub(super) fn keep_lawful_states(&mut self, heard: &Heard<'_>) -> bool {
        if self.others.is_empty() {
            return false;
        }
        let retaken = self.take_state(|judge| follows(&mut judge.clone(), heard));
        self.others.retain_mut(|judge| follows(judge, heard));
        retaken
    }

    /// Follows the first state of which that is true, if there is one; says whether it is
    /// another one than before.
    pub(super) fn take_state(&mut self, fits: impl Fn(&Judge) -> bool) -> bool {
        if self.others.is_empty() || fits(&self.judge) {
            return false;
        }
        let Some(at) = self.others.iter().position(fits) else { return false };
        self.judge = self.others.remove(at);
        true
    }

    /// Keeps one of each of the states that nothing tells apart.
    pub(super) fn forget_equal_states(&mut self) {
        let mut kept: Vec<Judge> = Vec::new();
        for judge in std::mem::take(&mut self.others) {
            let known = std::iter::once(&self.judge).chain(&kept);
            if !known.into_iter().any(|it| same(&it.state, &judge.state)) {
                kept.push(judge);
            }
        }
        self.others = kept;
    }
}

/// What a step may depend on or change.
#[derive(Clone, Copy, Debug)]
enum Footprint {
    Nothing,
    Range { start: u64, end: u64, changes: bool },
    Everything,
}

impl Footprint {
    fn of(step: &Heard<'_>, judge: &Judge) -> Self {
        let space = &judge.state.space;
        let machine = *space.machine();
        let range = |start: u64, size: u64, changes: bool| {
            // The whole granules around it: what stands beside it there decides too.
            let mask = machine.granularity - 1;
            let end = start.saturating_add(size.max(1)).saturating_add(mask) & !mask;
            Self::Range { start: start & !mask, end, changes }
        };
        let done = step.outcome.is_done();
        match (step.call, step.outcome.value()) {
            (Call::GetMemoryLoad, _) => Self::Nothing,
            // What one takes from a limit of commit, or gives back, decides about the others.
            (Call::VirtualAlloc { .. } | Call::VirtualFree { .. }, _)
                if machine.commit_limit.is_some() =>
            {
                Self::Everything
            }
            (Call::VirtualAlloc { size, .. }, Some(Value::Address(base))) => {
                range(base.0, *size, true)
            }
            (Call::VirtualAlloc { address, size, .. }, _) if *address != Address::NULL => {
                range(address.0, *size, false)
            }
            (Call::VirtualFree { address, size, .. }, _) => {
                let owner = space.find(*address).map_or(0, |it| it.end().0 - address.0);
                range(address.0, owner.max(*size), done)
            }
            (Call::VirtualProtect { address, size, .. }, _) => range(address.0, *size, done),
            (Call::VirtualQuery { .. }, Some(Value::Region(answer))) => {
                let MemoryBasicInformation { base_address, region_size, .. } = answer.information;
                range(base_address.0.saturating_sub(1), region_size.saturating_add(2), false)
            }
            (Call::VirtualQuery { .. }, _) => Self::Nothing,
            (Call::Read { address, size }, _) => range(address.0, *size, !done),
            (Call::Write { address, data }, _) => range(address.0, data.size(), true),
            (Call::GetWriteWatch { address, size, flags, .. }, _) => {
                range(address.0, *size, *flags != WatchFlags(0))
            }
            (Call::ResetWriteWatch { address, size }, _) => range(address.0, *size, true),
            _ => Self::Everything,
        }
    }

    const fn touches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => false,
            (Self::Everything, _) | (_, Self::Everything) => true,
            (
                Self::Range { start, end, changes },
                Self::Range { start: from, end: to, changes: other },
            ) => (*changes || *other) && *start < *to && *from < *end,
        }
    }
}

/// Whether nothing that the law knows tells two states apart.
#[must_use]
pub fn same(a: &State, b: &State) -> bool {
    same_space(a, b)
        && same_contents(a, b)
        && a.heaps.count() == b.heaps.count()
        && a.heaps.blocks().eq(b.heaps.blocks())
        && a.foreign().eq(b.foreign())
        && a.pressure.load() == b.pressure.load()
}

fn same_space(a: &State, b: &State) -> bool {
    let (mut left, mut right) = (a.space.iter(), b.space.iter());
    loop {
        let (one, other) = match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) => (one, other),
            _ => return false,
        };
        let shape = one.base() == other.base()
            && one.size() == other.size()
            && one.terms() == other.terms();
        let pages = one.all_pages();
        if !shape
            || !one.runs(pages.clone()).eq(other.runs(pages.clone()))
            || !one.marked(pages.clone()).eq(other.marked(pages))
        {
            return false;
        }
    }
}

fn same_contents(a: &State, b: &State) -> bool {
    let page = a.machine().page;
    let (one, other) = (&a.contents, &b.contents);
    one.written_pages().eq(other.written_pages())
        && one.written_pages().all(|at| {
            one.likeliest(at, page) == other.likeliest(at, page)
                && one.discarded(at, page) == other.discarded(at, page)
                && one.is_uncertain(at, page) == other.is_uncertain(at, page)
        })
}

#[cfg(test)]
mod tests {
    use hostmem_interface::{
        AllocationType, Backend as _, CriticalLevel, FreeType, Machine, Protection,
    };
    use hostmem_model::ModelBackend;

    use super::*;

    fn commit(address: Address, size: u64) -> Call {
        Call::VirtualAlloc {
            address,
            size,
            kind: AllocationType::RESERVE | AllocationType::COMMIT,
            protect: Protection::READWRITE,
            critical: CriticalLevel::TASK,
        }
    }

    /// A release that overlaps may have made room under a limit of commit, wherever it is.
    #[test]
    fn a_release_makes_room_for_a_commit_elsewhere() {
        let machine = Machine { commit_limit: Some(0x3000), ..Machine::WINDOWS_X64 };
        let subject = ModelBackend.open(&machine).expect("a machine in order");
        let mut judge = Judge::new(State::new(machine), subject.description());
        let (old, new) = (Address(0x10_0000), Address(0x40_0000));
        let (call, outcome) = (commit(old, 0x2000), Outcome::done(Value::Address(old)));
        assert!(follows(&mut judge, &Heard { call: &call, outcome: &outcome, notified: &[] }));
        let release = Call::VirtualFree { address: old, size: 0, kind: FreeType::RELEASE };
        let (commit, made) = (commit(new, 0x2000), Outcome::done(Value::Address(new)));
        let steps = [
            Heard { call: &commit, outcome: &made, notified: &[] },
            Heard { call: &release, outcome: &Outcome::ok(), notified: &[] },
        ];
        let found: Vec<_> = orders(&judge, &steps).into_iter().map(|it| it.order).collect();
        assert_eq!(found, [[1, 0]]);
    }
}
