//! How many pages are committed in each region of a huge allocation.
//!
//! A region is a power of two of pages, 64 MiB or more, so that an allocation has at
//! most 4096 of them. Counting and searching a long range then looks at the pieces of
//! two regions only, however many pieces there are.
//!
//! Not here: the pieces. Whoever changes pages says what was there before.

use std::ops::Range;

/// Fewest pages of a region.
const LEAST: u64 = 1 << 14;
/// Most regions of an allocation.
const MOST: u64 = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// Pages to a region; the last one may have fewer.
    region: u64,
    committed: Box<[u64]>,
}

/// A range, cut at the borders of regions. The ends lie in one region each and may be
/// empty; between them are whole regions, by number.
pub(super) struct Cut {
    pub(super) head: Range<u64>,
    pub(super) whole: Range<usize>,
    pub(super) tail: Range<u64>,
}

impl Tally {
    /// For `len` pages, all committed or none.
    pub(super) fn new(len: u64, committed: bool) -> Self {
        let region = len.div_ceil(MOST).next_power_of_two().max(LEAST);
        let size = |at: u64| if committed { region.min(len - at * region) } else { 0 };
        Self { region, committed: (0..len.div_ceil(region)).map(size).collect() }
    }

    pub(super) fn cut(&self, range: Range<u64>) -> Cut {
        let whole = range.start.div_ceil(self.region)..range.end / self.region;
        if whole.start >= whole.end {
            // At most one border inside; it may still part the range in two.
            let border = (whole.start * self.region).min(range.end);
            return Cut { head: range.start..border, whole: 0..0, tail: border..range.end };
        }
        Cut {
            head: range.start..whole.start * self.region,
            whole: index(whole.start)..index(whole.end),
            tail: whole.end * self.region..range.end,
        }
    }

    /// The pages of a whole region.
    pub(super) fn pages(&self, region: usize) -> Range<u64> {
        let start = region as u64 * self.region;
        start..start + self.region
    }

    /// The committed pages of whole regions.
    pub(super) fn committed(&self, whole: Range<usize>) -> u64 {
        self.committed[whole].iter().sum()
    }

    /// The first of some whole regions in which not all is committed.
    pub(super) fn first_open(&self, mut whole: Range<usize>) -> Option<usize> {
        whole.find(|region| self.committed[*region] < self.region)
    }

    /// Whole regions become committed or reserved.
    pub(super) fn set(&mut self, whole: Range<usize>, committed: bool) {
        self.committed[whole].fill(if committed { self.region } else { 0 });
    }

    /// A part of one region, with `before` committed pages, has `after` from now on.
    pub(super) fn change(&mut self, part: &Range<u64>, before: u64, after: u64) {
        let count = &mut self.committed[index(part.start / self.region)];
        *count = *count - before + after;
    }

    /// Panics unless every count is what `count` finds in the pages of its region.
    #[cfg(test)]
    pub(super) fn assert_counts(&self, len: u64, count: impl Fn(Range<u64>) -> u64) {
        for (region, committed) in self.committed.iter().enumerate() {
            let pages = self.pages(region);
            assert_eq!(*committed, count(pages.start..pages.end.min(len)), "region {region}");
        }
    }
}

fn index(region: u64) -> usize {
    usize::try_from(region).expect("few regions")
}
