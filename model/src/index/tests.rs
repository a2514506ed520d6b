//! The map against a slow twin, in random and in orderly patterns.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::GranuleMap;

/// The obvious implementation: every answer is a walk over all spans.
struct Twin {
    lowest: u32,
    end: u32,
    spans: BTreeMap<u32, (u32, u64)>,
}

impl Twin {
    fn all(&self) -> impl DoubleEndedIterator<Item = (u32, u32, u64)> {
        self.spans.iter().map(|(&start, &(granules, value))| (start, granules, value))
    }

    fn overlaps(&self, start: u32, granules: u32) -> bool {
        let end = u64::from(start) + u64::from(granules);
        let hit = |(other, size, _)| u64::from(other) < end && start < other + size;
        granules > 0 && self.all().any(hit)
    }

    /// The holes in ascending order, none of them empty.
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

    fn first_fit_in(&self, granules: u32, low: u32, high: u32) -> Option<u32> {
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
    twin: Twin,
    /// Values differ, so that no mix-up of slots goes unseen.
    next: u64,
}

impl Pair {
    fn new(lowest: u32, end: u32) -> Self {
        let twin = Twin { lowest, end, spans: BTreeMap::new() };
        Self { map: GranuleMap::new(lowest, end), twin, next: 0 }
    }

    fn insert(&mut self, start: u32, granules: u32) -> bool {
        let room = start >= self.twin.lowest
            && start.checked_add(granules).is_some_and(|end| end <= self.twin.end);
        if !room || granules == 0 || self.twin.overlaps(start, granules) {
            return false;
        }
        self.next += 1;
        let slot = self.map.insert(start, granules, self.next);
        assert_eq!(self.map.value(slot), Some(&self.next));
        self.twin.spans.insert(start, (granules, self.next));
        true
    }

    fn remove(&mut self, start: u32) {
        let twin = self.twin.spans.remove(&start).map(|(_, value)| value);
        assert_eq!(self.map.remove(start), twin);
    }

    /// Compares every kind of look-up at one granule.
    fn look(&mut self, granule: u32) {
        let span = |span: super::Span<'_, u64>| (span.start, span.granules, *span.value);
        let floor = self.twin.all().rfind(|(start, ..)| *start <= granule);
        let cover = floor.filter(|(start, granules, _)| granule - start < *granules);
        let exact = floor.filter(|(start, ..)| *start == granule).map(|(.., value)| value);
        assert_eq!(self.map.at_or_before(granule).map(span), floor);
        assert_eq!(self.map.at(granule).map(span), cover);
        let at_mut = self.map.at_mut(granule);
        assert_eq!(at_mut.map(|span| (span.start, span.granules, *span.value)), cover);
        assert_eq!(self.map.get(granule).copied(), exact);
        assert_eq!(self.map.get_mut(granule).copied(), exact);
        let next = self.twin.all().find(|(start, ..)| *start >= granule);
        assert_eq!(self.map.next(granule).map(span), next);
        let hole =
            self.twin.holes().into_iter().find(|(low, high)| (*low..*high).contains(&granule));
        assert_eq!(self.map.hole(granule), hole.map(|(low, high)| low..high));
    }

    /// Compares every kind of search for a number of granules.
    fn fit(&self, granules: u32, low: u32, high: u32) {
        assert_eq!(self.map.overlaps(low, granules), self.twin.overlaps(low, granules));
        assert!(!self.map.overlaps(low, 0));
        let granules = granules.max(1);
        let all = self.twin.first_fit_in(granules, 0, u32::MAX);
        assert_eq!(self.map.first_fit(granules), all);
        let twin = self.twin.first_fit_in(granules, low, high);
        assert_eq!(self.map.first_fit_in(granules, low, high), twin, "{granules} {low} {high}");
        assert_eq!(self.map.last_fit(granules), self.twin.last_fit(granules));
    }

    fn check(&self) {
        self.map.assert_invariants();
        let spans = self.map.iter().map(|span| (span.start, span.granules, *span.value));
        assert!(spans.eq(self.twin.all()));
        assert_eq!(self.map.len(), self.twin.spans.len());
        assert_eq!(self.map.is_empty(), self.twin.spans.is_empty());
    }

    /// One step from three random numbers. Phases of mostly insertions and of mostly
    /// removals take the tree through all its heights.
    fn step(&mut self, kind: u8, a: u32, b: u32, longest: u32, growing: bool) {
        let (lowest, end) = (self.twin.lowest, self.twin.end);
        let granule = lowest + a % (end - lowest);
        let granules = 1 + b % longest;
        match kind % 16 {
            0..=4 if growing => drop(self.insert(granule, granules)),
            5 => drop(self.map.first_fit(granules).map(|start| self.insert(start, granules))),
            6 if growing => drop(self.map.last_fit(granules).map(|at| self.insert(at, granules))),
            0..=7 => {
                let start = self.map.next(granule).map(|span| span.start);
                start.into_iter().for_each(|start| self.remove(start));
            }
            8 => self.remove(granule),
            9..=11 => {
                self.look(granule);
                self.look(a);
                self.look(granule.saturating_sub(granules));
            }
            _ => {
                self.fit(granules, granule, granule.saturating_add(b % 977));
                self.fit(granules, a, b);
                self.fit(b, granule, end);
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<(u8, u32, u32)>> {
    prop::collection::vec(any::<(u8, u32, u32)>(), 1..1500)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn agrees_with_the_twin(
        steps in steps(),
        (lowest, size, longest) in prop_oneof![
            Just((0, 40, 4)),
            Just((1, 600, 3)),
            Just((16, 4000, 2)),
            Just((16, 4000, 40)),
            Just((0, u32::MAX, 1 << 20)),
            Just((u32::MAX - 900, 900, 5)),
        ],
    ) {
        let mut pair = Pair::new(lowest, lowest + size);
        for (index, (kind, a, b)) in steps.into_iter().enumerate() {
            pair.step(kind, a, b, longest, index % 700 < 450);
            if index % 16 == 0 {
                pair.check();
            }
        }
        pair.check();
    }
}

#[test]
fn orderly_patterns() {
    const COUNT: u32 = 2048;
    let up: Vec<u32> = (0..COUNT).collect();
    let down: Vec<u32> = up.iter().rev().copied().collect();
    // An odd factor permutes the numbers below a power of two.
    let mixed: Vec<u32> = up.iter().map(|index| index.wrapping_mul(0x9E37_79B1) % COUNT).collect();
    for build in [&up, &down, &mixed] {
        for tear in [&up, &down, &mixed] {
            for (stride, granules) in [(2, 2), (3, 2), (1000, 7)] {
                let mut pair = Pair::new(5, 5 + COUNT * stride);
                for (count, index) in build.iter().enumerate() {
                    assert!(pair.insert(5 + index * stride, granules));
                    if count % 256 == 0 {
                        pair.check();
                    }
                }
                pair.check();
                pair.fit(stride - granules, 9, 5 + COUNT * stride);
                pair.fit(stride - granules + 1, 9, 5 + COUNT * stride);
                for (count, index) in tear.iter().enumerate() {
                    pair.remove(5 + index * stride);
                    if count % 256 == 0 {
                        pair.look(5 + index * stride);
                        pair.fit(granules + 1, 5 + index, 5 + COUNT * stride);
                        pair.check();
                    }
                }
                pair.check();
                assert!(pair.map.is_empty());
            }
        }
    }
}

/// Long enough for a tree of four levels, filled and emptied more than once.
#[test]
fn a_long_life() {
    let mut pair = Pair::new(16, 30_000);
    let mut state = 1_u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 32).expect("32 bits")
    };
    let mut most = 0;
    for index in 0..30_000 {
        let kind = u8::try_from(random() % 256).expect("below 256");
        // Every few steps any kind, otherwise only changes: these make the tree deep.
        let kind = if index % 8 == 0 { kind } else { kind % 8 };
        pair.step(kind, random(), random(), 4, index % 15_000 < 8_000);
        if index % 512 == 0 {
            pair.check();
        }
        most = most.max(pair.map.len());
    }
    assert!(most > 2000, "{most} spans at most");
    pair.check();
}

#[test]
fn nodes_and_slots_are_used_again() {
    let mut map = GranuleMap::new(0, 1 << 20);
    let mut most = 0;
    for round in 0..8 {
        for index in 0..4096_u32 {
            let index = index.wrapping_mul(0x9E37_79B1) % 4096;
            map.insert(index * 3 + round, 2, index);
        }
        if round == 0 {
            most = map.tree.capacity_in_nodes();
        }
        assert_eq!(map.tree.capacity_in_nodes(), most);
        assert!(map.values.len() <= 4096);
        let starts: Vec<u32> = map.iter().map(|span| span.start).collect();
        starts.into_iter().for_each(|start| assert!(map.remove(start).is_some()));
        map.assert_invariants();
    }
}

#[test]
fn the_ends_of_the_space() {
    let mut map = GranuleMap::default();
    map.insert(0, 1, 'a');
    map.insert(u32::MAX - 1, 1, 'b');
    assert_eq!(map.at(u32::MAX - 1).map(|span| span.end()), Some(u32::MAX));
    assert!(map.at(u32::MAX).is_none());
    assert!(map.next(u32::MAX).is_none());
    assert_eq!(map.hole(7), Some(1..u32::MAX - 1));
    assert_eq!(map.first_fit(u32::MAX - 2), Some(1));
    assert_eq!(map.last_fit(u32::MAX - 2), Some(1));
    assert_eq!(map.first_fit(u32::MAX - 1), None);
    assert_eq!(format!("{map:?}"), "{0..1: 'a', 4294967294..4294967295: 'b'}");
    assert_eq!(GranuleMap::<u8>::new(3, 3).first_fit(1), None);
}

#[test]
#[should_panic(expected = "are not free")]
fn an_overlap_is_refused() {
    let mut map = GranuleMap::new(0, 100);
    map.insert(10, 5, ());
    map.insert(6, 5, ());
}

#[test]
#[should_panic(expected = "are not in the space")]
fn a_span_outside_is_refused() {
    GranuleMap::new(4, 100).insert(3, 5, ());
}
