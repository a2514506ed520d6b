//! The free granules of an address range, found by place and by size.
//!
//! Gaps are filed under their start and under a size class: a class of their own for each
//! size up to 31 granules, then four for each doubling. The lowest fit is the lowest first
//! gap of the larger classes, or one of the request's own class that is large enough: no
//! search over all gaps, however many there are.
//!
//! Deliberately not here: bytes. A granule is 64 KiB, numbered from the start of the range.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Sizes below this have a class each.
const EXACT: u64 = 32;
const CLASSES: usize = 128;

/// The free part of a range of granules. No two gaps touch.
#[derive(Debug)]
pub(crate) struct Gaps {
    /// Start and length of each gap.
    by_start: BTreeMap<u64, u64>,
    /// The starts of the gaps of each class.
    classes: Vec<BTreeSet<u64>>,
    /// Which classes have gaps, a bit each.
    filled: u128,
}

impl Gaps {
    /// One gap.
    pub(crate) fn new(granules: Range<u64>) -> Self {
        let classes = (0..CLASSES).map(|_| BTreeSet::new()).collect();
        let mut gaps = Self { by_start: BTreeMap::new(), classes, filled: 0 };
        gaps.file(granules.start, granules.end - granules.start);
        gaps
    }

    /// The start of the lowest run of `length` free granules.
    pub(crate) fn lowest(&self, length: u64) -> Option<u64> {
        let own = class(length);
        let larger = self.filled & !low_bits(own + 1);
        let best = bits(larger).filter_map(|class| self.classes[class].first().copied()).min();
        let fits = |start: &&u64| self.by_start[*start] >= length;
        let before = |start: &&u64| best.is_none_or(|best| **start < best);
        self.classes[own].iter().take_while(before).find(fits).copied().or(best)
    }

    /// The start of the highest run of `length` free granules.
    pub(crate) fn highest(&self, length: u64) -> Option<u64> {
        let own = class(length);
        let larger = self.filled & !low_bits(own + 1);
        let best = bits(larger).filter_map(|class| self.classes[class].last().copied()).max();
        let fits = |start: &&u64| self.by_start[*start] >= length;
        let behind = |start: &&u64| best.is_none_or(|best| **start > best);
        let gap = self.classes[own].iter().rev().take_while(behind).find(fits).copied().or(best)?;
        Some(gap + self.by_start[&gap] - length)
    }

    /// Whether all granules of a range are free.
    pub(crate) fn holds(&self, range: &Range<u64>) -> bool {
        self.gap_around(range.start).is_some_and(|gap| range.end <= gap.end)
    }

    /// Takes a range out; all of it must be free.
    pub(crate) fn take(&mut self, range: &Range<u64>) {
        let gap = self.gap_around(range.start).expect("the range is free");
        assert!(range.end <= gap.end, "the range is free");
        self.strike(gap.start);
        self.file(gap.start, range.start - gap.start);
        self.file(range.end, gap.end - range.end);
    }

    /// Gives a range back.
    pub(crate) fn give(&mut self, range: &Range<u64>) {
        let mut whole = range.clone();
        if let Some((&start, &length)) = self.by_start.range(..range.start).next_back()
            && start + length == range.start
        {
            self.strike(start);
            whole.start = start;
        }
        if let Some(&length) = self.by_start.get(&range.end) {
            self.strike(range.end);
            whole.end += length;
        }
        self.file(whole.start, whole.end - whole.start);
    }

    fn gap_around(&self, granule: u64) -> Option<Range<u64>> {
        let (&start, &length) = self.by_start.range(..=granule).next_back()?;
        (granule < start + length).then(|| start..start + length)
    }

    fn file(&mut self, start: u64, length: u64) {
        if length > 0 {
            let class = class(length);
            self.by_start.insert(start, length);
            self.classes[class].insert(start);
            self.filled |= 1 << class;
        }
    }

    fn strike(&mut self, start: u64) {
        let length = self.by_start.remove(&start).expect("a gap starts here");
        let class = class(length);
        self.classes[class].remove(&start);
        if self.classes[class].is_empty() {
            self.filled &= !(1 << class);
        }
    }
}

/// The class of a length: all longer gaps are in the same class or a larger one.
fn class(length: u64) -> usize {
    if length < EXACT {
        return usize::try_from(length).expect("small");
    }
    let log = length.ilog2();
    let quarter = (length >> (log - 2)) & 3;
    let class = EXACT + u64::from(log - EXACT.ilog2()) * 4 + quarter;
    usize::try_from(class).expect("small").min(CLASSES - 1)
}

/// The lowest `count` bits set.
fn low_bits(count: usize) -> u128 {
    if count >= CLASSES { u128::MAX } else { (1 << count) - 1 }
}

/// The positions of the set bits.
fn bits(mut set: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros())?;
        set &= set - 1;
        usize::try_from(lowest).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_gap_is_never_in_a_smaller_class() {
        let lengths = (0..5000).chain((13..40).flat_map(|log| {
            let power = 1_u64 << log;
            [power - 1, power, power + power / 4, power + power / 2, power + power / 4 * 3]
        }));
        let classes: Vec<_> = lengths.map(class).collect();
        assert!(classes.is_sorted() && classes.iter().all(|&class| class < CLASSES));
    }

    #[test]
    fn fits_are_those_of_a_linear_search() {
        let size = 300;
        let mut gaps = Gaps::new(0..size);
        let mut taken = vec![false; 300];
        let free = |taken: &[bool], start: u64, length: u64| {
            (start..start + length).all(|at| !taken[usize::try_from(at).unwrap()])
        };
        let mut held: Vec<Range<u64>> = Vec::new();
        let mut state = 7_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = state >> 33;
            let length = 1 + random % 60;
            let starts = 0..=size - length;
            let lowest = starts.clone().find(|&start| free(&taken, start, length));
            let highest = starts.rev().find(|&start| free(&taken, start, length));
            assert_eq!((gaps.lowest(length), gaps.highest(length)), (lowest, highest));
            let place = if random.is_multiple_of(2) { lowest } else { highest };
            let change = match place {
                Some(start) if !random.is_multiple_of(3) => {
                    held.push(start..start + length);
                    assert!(gaps.holds(&(start..start + length)));
                    gaps.take(&(start..start + length));
                    Some((start..start + length, true))
                }
                _ if held.is_empty() => None,
                _ => {
                    let which = usize::try_from(random).unwrap() % held.len();
                    let range = held.swap_remove(which);
                    assert!(!gaps.holds(&range));
                    gaps.give(&range);
                    Some((range, false))
                }
            };
            if let Some((range, now)) = change {
                range.for_each(|at| taken[usize::try_from(at).unwrap()] = now);
            }
        }
    }

    #[test]
    fn all_given_back_is_one_gap_again() {
        let mut gaps = Gaps::new(10..20);
        for at in [12, 15, 13] {
            gaps.take(&(at..at + 1));
        }
        for at in [13, 12, 15] {
            gaps.give(&(at..at + 1));
        }
        assert_eq!(gaps.lowest(10), Some(10));
        assert_eq!(gaps.lowest(11), None);
    }
}
