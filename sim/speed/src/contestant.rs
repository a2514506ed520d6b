//! Who replays the stream: the model, the kernel, and address spaces as others would keep them.
//!
//! Each answers an operation with a [`fold`] of what it said, so that equal answers of a whole
//! stream are one number, and nobody can be fast by not answering. The kernel alone has other
//! answers: it knows nothing of reservations.
//!
//! Deliberately not here: the time ([`crate::measure`]).

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::{Machine, Outcome, RegionState, Reply, Subject, Value};
use hostmem_model::State;
use hostmem_model::actor::Actor;
use rangemap::RangeMap;

use crate::stream::{ARENA, Kind, Op, PAGE, PROTECTIONS};

/// Somebody who carries operations out.
pub trait Contestant {
    /// Carries out one, and folds the answer.
    fn answer(&mut self, op: &Op) -> u64;

    /// Why it could not go on.
    fn gave_up(&self) -> Option<&str> {
        None
    }

    /// Carries out many; the fold of all answers.
    fn replay(&mut self, ops: &[Op]) -> u64 {
        ops.iter().fold(0, |sum, op| fold(sum, self.answer(op)))
    }
}

/// A sum that depends on order, as cheap as can be.
#[inline]
#[must_use]
pub const fn fold(sum: u64, more: u64) -> u64 {
    (sum.rotate_left(7) ^ more).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// What a page is: free, reserved, or committed with a protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Free,
    Reserved,
    Committed(u8),
}

impl Page {
    const fn number(self) -> u64 {
        match self {
            Self::Free => u64::MAX,
            Self::Reserved => 0,
            Self::Committed(protect) => PROTECTIONS[protect as usize].0 as u64,
        }
    }
}

fn region(start: u64, size: u64, page: u64) -> u64 {
    fold(fold(start, size), page)
}

/// Reads the stream and does nothing.
#[derive(Debug, Default)]
pub struct Nothing;

impl Contestant for Nothing {
    fn answer(&mut self, op: &Op) -> u64 {
        op.at ^ u64::from(op.pages) ^ op.kind as u64 ^ u64::from(op.protect)
    }
}

/// The model, acting: the law decides, an answer is made, its effect applied.
#[derive(Debug)]
pub struct Model(Actor);

impl Default for Model {
    fn default() -> Self {
        Self(Actor::new(State::new(Machine::WINDOWS_X64)))
    }
}

impl Contestant for Model {
    fn answer(&mut self, op: &Op) -> u64 {
        told(&self.0.act(&op.call()))
    }
}

/// A subject of a backend, whose calls go through the interface.
pub struct Asked(pub Box<dyn Subject>);

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Asked").field(&self.0.description().name).finish()
    }
}

impl Contestant for Asked {
    fn answer(&mut self, op: &Op) -> u64 {
        told(&self.0.call(&op.call()))
    }
}

/// What a reply says, as the others would say it.
fn told(reply: &Reply) -> u64 {
    let Reply::Outcome { outcome: Outcome::Done { value, .. }, .. } = reply else {
        unreachable!("the stream is lawful: {reply:?}")
    };
    match value {
        Value::Region(answer) => {
            let at = &answer.information;
            let page = match at.state {
                RegionState::FREE => Page::Free.number(),
                RegionState::RESERVE => 0,
                _ => u64::from(at.protect.0),
            };
            region(at.base_address.0, at.region_size, page)
        }
        Value::Old(protect) => u64::from(protect.0),
        _ => 0,
    }
}

/// Runs of equal pages by their first address: what one would write in an afternoon.
#[derive(Debug, Default)]
pub struct Runs {
    /// First address to: first address behind, base of the reservation, page.
    runs: BTreeMap<u64, (u64, u64, Page)>,
}

impl Runs {
    fn at(&self, at: u64) -> Option<(Range<u64>, u64, Page)> {
        let (start, (end, base, page)) = self.runs.range(..=at).next_back()?;
        (at < *end).then_some((*start..*end, *base, *page))
    }

    /// Makes `at` a border between two runs.
    fn cut(&mut self, at: u64) {
        if let Some((run, base, page)) = self.at(at)
            && run.start < at
        {
            self.runs.insert(run.start, (at, base, page));
            self.runs.insert(at, (run.end, base, page));
        }
    }

    /// Makes one run of two that meet at `at` and are alike.
    fn join(&mut self, at: u64) {
        let Some((behind, base, page)) = self.runs.get(&at).copied() else { return };
        if let Some((_, before)) = self.runs.range_mut(..at).next_back()
            && *before == (at, base, page)
        {
            before.0 = behind;
            self.runs.remove(&at);
        }
    }

    fn set(&mut self, range: Range<u64>, page: Page) {
        let base = self.at(range.start).map_or(0, |(_, base, _)| base);
        self.cut(range.start);
        self.cut(range.end);
        while let Some((inside, _)) = self.runs.range(range.clone()).next() {
            let inside = *inside;
            self.runs.remove(&inside);
        }
        self.runs.insert(range.start, (range.end, base, page));
        self.join(range.end);
        self.join(range.start);
    }
}

impl Contestant for Runs {
    fn answer(&mut self, op: &Op) -> u64 {
        let range = op.at..op.at + op.size();
        match op.kind {
            Kind::Reserve => drop(self.runs.insert(op.at, (range.end, op.at, Page::Reserved))),
            Kind::Release => {
                while let Some((start, _)) = self.runs.range(range.clone()).next() {
                    let start = *start;
                    self.runs.remove(&start);
                }
            }
            Kind::Commit => self.set(range, Page::Committed(op.protect)),
            Kind::Decommit => self.set(range, Page::Reserved),
            Kind::Protect => {
                let old = self.at(op.at).map_or(Page::Free, |(_, _, page)| page);
                self.set(range, Page::Committed(op.protect));
                return old.number();
            }
            Kind::Query => {
                let (end, page) = match self.at(op.at) {
                    Some((run, _, page)) => (run.end, page),
                    None => {
                        let next = self.runs.range(op.at..).next().map(|(start, _)| *start);
                        (next.unwrap_or(Machine::WINDOWS_X64.end()), Page::Free)
                    }
                };
                return region(op.at, end - op.at, page.number());
            }
        }
        0
    }
}

/// The crate `rangemap`, with the reservation and the page as the value.
#[derive(Debug, Default)]
pub struct Ranges {
    map: RangeMap<u64, (u64, Page)>,
}

impl Ranges {
    fn base(&self, at: u64) -> u64 {
        self.map.get(&at).map_or(0, |(base, _)| *base)
    }
}

impl Contestant for Ranges {
    fn answer(&mut self, op: &Op) -> u64 {
        let range = op.at..op.at + op.size();
        match op.kind {
            Kind::Reserve => self.map.insert(range, (op.at, Page::Reserved)),
            Kind::Release => self.map.remove(range),
            Kind::Commit => {
                let base = self.base(op.at);
                self.map.insert(range, (base, Page::Committed(op.protect)));
            }
            Kind::Decommit => {
                let base = self.base(op.at);
                self.map.insert(range, (base, Page::Reserved));
            }
            Kind::Protect => {
                let (base, old) = self.map.get(&op.at).copied().unwrap_or((0, Page::Free));
                self.map.insert(range, (base, Page::Committed(op.protect)));
                return old.number();
            }
            Kind::Query => {
                let end = Machine::WINDOWS_X64.end();
                let found = self.map.overlapping(op.at..ARENA.end + PAGE).next();
                return match found {
                    Some((run, (_, page))) if run.start <= op.at => {
                        region(op.at, run.end - op.at, page.number())
                    }
                    Some((run, _)) => region(op.at, run.start - op.at, Page::Free.number()),
                    None => region(op.at, end - op.at, Page::Free.number()),
                };
            }
        }
        0
    }
}

/// The kernel's calls; none any more once it has refused one for lack of mappings.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct Kernel {
    calls: hostmem_backends::linux::BareLinux,
    refused: Option<String>,
}

#[cfg(target_os = "linux")]
impl Kernel {
    /// A contestant over the calls.
    #[must_use]
    pub const fn new(calls: hostmem_backends::linux::BareLinux) -> Self {
        Self { calls, refused: None }
    }
}

#[cfg(target_os = "linux")]
impl Contestant for Kernel {
    fn answer(&mut self, op: &Op) -> u64 {
        if self.refused.is_some() {
            return 0;
        }
        let (at, size) = (hostmem_interface::Address(op.at), op.size());
        let protect = PROTECTIONS[usize::from(op.protect)];
        let done = match op.kind {
            Kind::Reserve => self.calls.reserve(at, size),
            Kind::Release => self.calls.release(at, size),
            Kind::Commit | Kind::Protect => self.calls.protect(at, size, protect),
            Kind::Decommit => self.calls.decommit(at, size),
            Kind::Query => {
                let found = self.calls.query(at).expect("the kernel answers");
                return found.map_or(0, |(start, size)| fold(start.0, size));
            }
        };
        if done.is_err() {
            self.refused = Some("vm.max_map_count is too small".to_owned());
        }
        0
    }

    fn gave_up(&self) -> Option<&str> {
        self.refused.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Plan, Wish};
    use hostmem::random::Draw;
    use hostmem_interface::Backend as _;
    use hostmem_model::{Judge, Judgement, ModelBackend};
    use hostmem_slow_twin::SlowTwinBackend;

    /// A benchmark of contestants that do not do the same work would be void.
    #[test]
    fn all_address_spaces_give_the_same_answers() {
        for live in [1, 10, 300] {
            let mut draw = Draw::from_number(7);
            let (mut plan, mut ops) = Plan::with(live, &mut draw);
            ops.extend(plan.ops(5000, &mut draw));
            let twin = SlowTwinBackend.open(&Machine::WINDOWS_X64).expect("a twin");
            let mut all: Vec<Box<dyn Contestant>> = vec![
                Box::new(Model::default()),
                Box::new(Runs::default()),
                Box::new(Ranges::default()),
                Box::new(Asked(twin)),
            ];
            for op in &ops {
                let answers: Vec<u64> = all.iter_mut().map(|one| one.answer(op)).collect();
                assert!(answers.iter().all(|it| *it == answers[0]), "{op:x?}: {answers:x?}");
            }
        }
    }

    /// In steady state a call costs no memory: neither the model's nor the judge's, which
    /// follows the model's answers here.
    #[test]
    fn a_call_in_steady_state_allocates_nothing() {
        let mut draw = Draw::from_number(5);
        let (mut plan, mut before) = Plan::with(500, &mut draw);
        before.extend(plan.ops(5000, &mut draw));
        let wishes = (0..5000).map(|_| Wish::draw(&mut draw));
        let steady = wishes.filter(|it| !matches!(it.kind, Kind::Reserve | Kind::Release));
        let calls: Vec<_> = steady.map(|wish| plan.realise(&wish).call()).collect();
        let mut actor = Actor::new(State::new(Machine::WINDOWS_X64));
        for op in &before {
            actor.act(&op.call());
        }
        let subject = ModelBackend.open(&Machine::WINDOWS_X64).expect("a model");
        let mut judge = Judge::new(actor.state.clone(), subject.description());
        let counted = allocation_counter::measure(|| {
            for call in &calls {
                let Reply::Outcome { outcome, notified } = actor.act(call) else {
                    unreachable!("the stream is lawful")
                };
                let judged = judge.judge(call, &judge.decide(call), &outcome, &notified);
                assert!(matches!(judged, Judgement::Agrees { .. }), "{call:?}");
            }
        });
        assert_eq!(counted.count_total, 0, "allocations in {} calls", calls.len());
    }

    /// The mix is the one that the table says.
    #[test]
    fn the_stream_has_the_mix_that_it_promises() {
        let mut draw = Draw::from_number(1);
        let (mut plan, _) = Plan::with(1000, &mut draw);
        let ops = plan.ops(100_000, &mut draw);
        for (kind, percent) in [
            (Kind::Reserve, 1),
            (Kind::Release, 1),
            (Kind::Commit, 55),
            (Kind::Decommit, 8),
            (Kind::Protect, 15),
            (Kind::Query, 20),
        ] {
            let count = ops.iter().filter(|op| op.kind == kind).count();
            assert!(count.abs_diff(percent * 1000) < 1000, "{kind:?}: {count}");
        }
        assert!(plan.live().abs_diff(1000) < 200);
    }
}
