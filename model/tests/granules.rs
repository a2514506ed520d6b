//! The index of spans against a plain list, through its public interface.

use std::collections::BTreeMap;

use hostmem_model::index::{GranuleMap, Span};

use crate::driver::dice::Dice;

/// Every answer is a walk over all spans.
struct Plain {
    lowest: u32,
    end: u32,
    spans: BTreeMap<u32, (u32, u64)>,
}

impl Plain {
    fn all(&self) -> impl DoubleEndedIterator<Item = (u32, u32, u64)> {
        self.spans.iter().map(|(start, (granules, value))| (*start, *granules, *value))
    }

    fn overlaps(&self, start: u32, granules: u32) -> bool {
        let end = u64::from(start) + u64::from(granules);
        granules > 0 && self.all().any(|(at, size, _)| u64::from(at) < end && start < at + size)
    }

    fn holes(&self) -> Vec<(u32, u32)> {
        let mut low = self.lowest;
        let mut holes = Vec::new();
        for (start, granules, _) in self.all() {
            holes.push((low, start));
            low = start + granules;
        }
        holes.push((low, self.end));
        holes.retain(|(low, high)| low < high);
        holes
    }

    fn first_fit(&self, granules: u32, low: u32, high: u32) -> Option<u32> {
        let cut = self.holes().into_iter().map(|(start, end)| (start.max(low), end.min(high)));
        let mut fit = cut.filter(|(start, end)| end.saturating_sub(*start) >= granules);
        fit.next().map(|(start, _)| start)
    }

    fn last_fit(&self, granules: u32) -> Option<u32> {
        let fits = |(low, high): &(u32, u32)| high - low >= granules;
        self.holes().into_iter().rev().find(fits).map(|(_, high)| high - granules)
    }
}

struct Pair {
    map: GranuleMap<u64>,
    plain: Plain,
    next: u64,
}

fn flat(span: Span<'_, u64>) -> (u32, u32, u64) {
    assert_eq!(span.end(), span.start + span.granules);
    (span.start, span.granules, *span.value)
}

impl Pair {
    fn new(lowest: u32, end: u32) -> Self {
        let plain = Plain { lowest, end, spans: BTreeMap::new() };
        Self { map: GranuleMap::new(lowest, end), plain, next: 0 }
    }

    fn insert(&mut self, start: u32, granules: u32) {
        let end = start.checked_add(granules);
        let room = start >= self.plain.lowest && end.is_some_and(|end| end <= self.plain.end);
        if room && granules > 0 && !self.plain.overlaps(start, granules) {
            self.next += 1;
            let slot = self.map.insert(start, granules, self.next);
            assert_eq!(self.map.value(slot).copied(), Some(self.next));
            assert_eq!(self.map.value_mut(slot).copied(), Some(self.next));
            self.plain.spans.insert(start, (granules, self.next));
        }
    }

    fn remove(&mut self, start: u32) {
        let value = self.plain.spans.remove(&start).map(|(_, value)| value);
        assert_eq!(self.map.remove(start), value);
    }

    fn look(&mut self, granule: u32) {
        let floor = self.plain.all().rfind(|(start, ..)| *start <= granule);
        let cover = floor.filter(|(start, size, _)| granule - start < *size);
        let exact = floor.filter(|(start, ..)| *start == granule).map(|(.., value)| value);
        assert_eq!(self.map.at_or_before(granule).map(flat), floor);
        assert_eq!(self.map.at(granule).map(flat), cover);
        let at_mut = self.map.at_mut(granule).map(|it| (it.start, it.granules, *it.value));
        assert_eq!(at_mut, cover);
        assert_eq!(self.map.get(granule).copied(), exact);
        assert_eq!(self.map.get_mut(granule).copied(), exact);
        let next = self.plain.all().find(|(start, ..)| *start >= granule);
        assert_eq!(self.map.next(granule).map(flat), next);
        let hole =
            self.plain.holes().into_iter().find(|(low, high)| (*low..*high).contains(&granule));
        assert_eq!(self.map.hole(granule), hole.map(|(low, high)| low..high));
    }

    fn fit(&self, granules: u32, low: u32, high: u32) {
        assert_eq!(self.map.overlaps(low, granules), self.plain.overlaps(low, granules));
        assert!(!self.map.overlaps(low, 0));
        let granules = granules.max(1);
        let lowest = self.plain.first_fit(granules, 0, u32::MAX);
        assert_eq!(self.map.first_fit(granules), lowest);
        assert_eq!(self.map.fits(granules), lowest.is_some());
        let here = self.plain.first_fit(granules, low, high);
        assert_eq!(self.map.first_fit_in(granules, low, high), here);
        assert_eq!(self.map.last_fit(granules), self.plain.last_fit(granules));
    }

    fn check(&self) {
        assert!(self.map.iter().map(flat).eq(self.plain.all()));
        assert!((&self.map).into_iter().map(flat).eq(self.plain.all()));
        assert_eq!(self.map.len(), self.plain.spans.len());
        assert_eq!(self.map.is_empty(), self.plain.spans.is_empty());
    }

    fn step(&mut self, dice: &mut Dice, longest: u32, growing: bool) {
        let (lowest, end) = (self.plain.lowest, self.plain.end);
        let granule = lowest + dice.below_32(end - lowest);
        let granules = 1 + dice.below_32(longest);
        match dice.below(12) {
            0..=4 if growing => self.insert(granule, granules),
            5 => drop(self.map.first_fit(granules).map(|at| self.insert(at, granules))),
            6 if growing => drop(self.map.last_fit(granules).map(|at| self.insert(at, granules))),
            0..=7 => {
                let start = self.map.next(granule).map(|span| span.start);
                start.into_iter().for_each(|start| self.remove(start));
            }
            8 => self.remove(granule),
            _ if !dice.once_in(3) => {}
            9 => {
                self.look(granule);
                self.look(granule.saturating_sub(granules));
                self.look(dice.below_32(u32::MAX));
            }
            _ => {
                self.fit(granules, granule, granule.saturating_add(dice.below_32(977)));
                self.fit(dice.below_32(end), granule, end);
                self.fit(granules, dice.below_32(u32::MAX), dice.below_32(u32::MAX));
            }
        }
    }
}

/// Random spans in spaces of several shapes, full and nearly empty by turns.
#[test]
fn agrees_with_a_list() {
    for (seed, lowest, size, longest, steps) in [
        (1, 0, 40, 4, 1500),
        (2, 1, 600, 3, 2000),
        (3, 16, 4000, 2, 6000),
        (4, 16, 4000, 40, 2000),
        (5, 0, u32::MAX, 1 << 20, 1500),
        (6, u32::MAX - 900, 900, 5, 1500),
    ] {
        let mut dice = Dice(seed);
        let mut pair = Pair::new(lowest, lowest + size);
        for step in 0..steps {
            pair.step(&mut dice, longest, step % 1400 < 900);
            if step % 128 == 0 {
                pair.check();
            }
        }
        pair.check();
    }
}

/// Spans that come and go in order, or by a stride, leave a tree that still answers.
#[test]
fn orderly_patterns() {
    const COUNT: u32 = 512;
    let up: Vec<u32> = (0..COUNT).collect();
    let down: Vec<u32> = up.iter().rev().copied().collect();
    let mixed: Vec<u32> = up.iter().map(|at| at.wrapping_mul(0x9E37_79B1) % COUNT).collect();
    for build in [&up, &down, &mixed] {
        for tear in [&up, &down, &mixed] {
            let mut pair = Pair::new(5, 5 + COUNT * 3);
            build.iter().for_each(|at| pair.insert(5 + at * 3, 2));
            pair.check();
            pair.fit(1, 9, 5 + COUNT * 3);
            pair.fit(2, 9, 5 + COUNT * 3);
            for (count, at) in tear.iter().enumerate() {
                pair.remove(5 + at * 3);
                if count % 64 == 0 {
                    pair.look(5 + at * 3);
                    pair.fit(3, 5 + at, 5 + COUNT * 3);
                    pair.check();
                }
            }
            pair.check();
        }
    }
}

/// Slots and nodes are used again: a map that was emptied grows as the first time.
#[test]
fn slots_are_used_again() {
    let mut map = GranuleMap::new(0, 1 << 16);
    for round in 0..3 {
        let slots: Vec<u32> = (0..600).map(|at| map.insert(at * 3 + round, 2, at)).collect();
        assert!(slots.iter().all(|slot| *slot < 600));
        assert_eq!(map.value(slots[7]).copied(), Some(7));
        (0..600).for_each(|at| assert_eq!(map.remove(at * 3 + round), Some(at)));
        assert_eq!(map.value(slots[7]), None);
    }
    assert_eq!(map.value(9999), None);
}

/// The first and the last granule can be had, and the ends of the space are respected.
#[test]
fn the_ends_of_the_space() {
    let mut map = GranuleMap::default();
    map.insert(0, 1, 'a');
    map.insert(u32::MAX - 1, 1, 'b');
    assert_eq!(map.at(u32::MAX - 1).map(|span| span.end()), Some(u32::MAX));
    assert!(map.at(u32::MAX).is_none() && map.next(u32::MAX).is_none());
    assert_eq!(map.hole(7), Some(1..u32::MAX - 1));
    assert_eq!((map.first_fit(u32::MAX - 2), map.last_fit(u32::MAX - 2)), (Some(1), Some(1)));
    assert_eq!(map.first_fit(u32::MAX - 1), None);
    assert_eq!(format!("{map:?}"), "{0..1: 'a', 4294967294..4294967295: 'b'}");
    assert_eq!(GranuleMap::<u8>::new(3, 3).first_fit(1), None);
    let small: GranuleMap<()> = GranuleMap::new(4, 9);
    assert_eq!((small.hole(3), small.hole(9), small.hole(8)), (None, None, Some(4..9)));
}

/// What cannot be inserted is not: a span outside, an empty one, an overlap.
#[test]
fn what_cannot_be_is_refused() {
    let panics = |start, granules| {
        let insert = move || {
            let mut map = GranuleMap::new(4, 100);
            map.insert(50, 5, ());
            map.insert(start, granules, ());
        };
        std::panic::catch_unwind(insert).is_err()
    };
    for (start, granules) in
        [(3, 2), (99, 2), (u32::MAX, 9), (9, 0), (50, 1), (46, 5), (54, 1), (50, 5)]
    {
        assert!(panics(start, granules), "{granules} at {start}");
    }
    assert!(!panics(46, 4) && !panics(55, 45) && !panics(4, 1));
    assert!(std::panic::catch_unwind(|| GranuleMap::<()>::new(9, 8)).is_err());
    let fits = std::panic::catch_unwind(|| GranuleMap::<()>::new(0, 8).first_fit(0)).is_err();
    assert!(fits && std::panic::catch_unwind(|| GranuleMap::<()>::new(0, 8).last_fit(0)).is_err());
}
