//! A value for every page of an allocation, kept as runs of equal values.
//!
//! A sorted vector: a reservation rarely has more than a few dozen runs, and then nothing is
//! as fast to search or to splice.
//!
//! Deliberately not here: addresses. Pages count from the start of the allocation.

use std::ops::Range;

/// Runs over `[0, pages)`. Neighbouring runs differ.
#[derive(Clone, Debug)]
pub(crate) struct Runs<T> {
    /// The first page of each run and its value, ascending; the first starts at page 0.
    starts: Vec<(u64, T)>,
    pages: u64,
}

impl<T: Copy + PartialEq> Runs<T> {
    /// One run.
    pub(crate) fn new(pages: u64, value: T) -> Self {
        Self { starts: vec![(0, value)], pages }
    }

    /// How many pages there are.
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    /// The value of a page.
    pub(crate) fn value(&self, page: u64) -> T {
        self.starts[self.index(page)].1
    }

    /// The page behind the run that holds `page`.
    pub(crate) fn end(&self, page: u64) -> u64 {
        self.end_of(self.index(page))
    }

    /// The runs that overlap a range, cut to it, ascending.
    pub(crate) fn over(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, T)> {
        let first = if range.is_empty() { self.starts.len() } else { self.index(range.start) };
        (first..self.starts.len())
            .map(move |index| {
                let (start, value) = self.starts[index];
                (start.max(range.start)..self.end_of(index).min(range.end), value)
            })
            .take_while(|(run, _)| !run.is_empty())
    }

    /// Gives every page of a range a value.
    pub(crate) fn set(&mut self, range: Range<u64>, value: T) {
        if range.is_empty() {
            return;
        }
        let mut first = self.index(range.start);
        let last = self.index(range.end - 1);
        let behind = (self.end_of(last) > range.end).then(|| (range.end, self.starts[last].1));
        let mut from = range.start;
        if self.starts[first].0 < from {
            if self.starts[first].1 == value {
                from = self.starts[first].0;
            } else {
                first += 1; // its head stays
            }
        } else if first > 0 && self.starts[first - 1].1 == value {
            first -= 1;
            from = self.starts[first].0;
        }
        let behind = behind.filter(|(_, after)| *after != value);
        // Without a remainder the next whole run may continue ours.
        let next = last + 1;
        let ends_run = self.end_of(last) == range.end;
        let joins = ends_run && self.starts.get(next).is_some_and(|&(_, after)| after == value);
        let end = if joins { next + 1 } else { next };
        self.starts.splice(first..end, [(from, value)].into_iter().chain(behind));
    }

    fn index(&self, page: u64) -> usize {
        assert!(page < self.pages, "page {page} of {}", self.pages);
        self.starts.partition_point(|&(start, _)| start <= page) - 1
    }

    fn end_of(&self, index: usize) -> u64 {
        self.starts.get(index + 1).map_or(self.pages, |&(start, _)| start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed sequence of well-mixed numbers.
    fn numbers() -> impl FnMut(u64) -> u64 {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        }
    }

    #[test]
    fn runs_say_what_one_value_for_each_page_says() {
        let mut next = numbers();
        let mut runs = Runs::new(40, 0);
        let mut plain = [0; 40];
        for _ in 0..20_000 {
            let start = next(40);
            let end = start + 1 + next(40 - start);
            let value = next(3);
            runs.set(start..end, value);
            for page in start..end {
                plain[usize::try_from(page).unwrap()] = value;
            }
            let spread: Vec<_> =
                runs.over(0..40).flat_map(|(run, value)| run.map(move |_| value)).collect();
            assert_eq!(spread, plain);
            assert!(runs.starts.windows(2).all(|pair| pair[0].1 != pair[1].1), "{runs:?}");
            let page = next(40);
            let here = plain[usize::try_from(page).unwrap()];
            assert_eq!(runs.value(page), here);
            let behind =
                plain.iter().skip(usize::try_from(page).unwrap()).take_while(|v| **v == here);
            assert_eq!(runs.end(page), page + behind.count() as u64);
        }
    }

    #[test]
    fn a_cut_out_range_is_cut_at_both_ends() {
        let mut runs = Runs::new(10, 'a');
        runs.set(3..6, 'b');
        let cut: Vec<_> = runs.over(2..5).collect();
        assert_eq!(cut, [(2..3, 'a'), (3..5, 'b')]);
        assert_eq!(runs.over(4..4).count(), 0);
    }
}
