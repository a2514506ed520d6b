//! Calls in the order in which they returned, with what was in flight at the same time.
//!
//! Promise: a call takes effect before it returns, so the order of returns is an order in
//! which the calls could have run, with one exception that is recorded here: a release shows
//! its effect to others before its own return, so it may have to go before a reservation that
//! returned earlier.
//!
//! Deliberately not here: how calls and returns are written (`relay`, `strace`).

use std::collections::{BTreeMap, BTreeSet};

/// A call of the log.
#[derive(Clone, Debug)]
pub(super) struct Record<T> {
    /// What was asked.
    pub(super) what: T,
    /// The thread, as the log names it.
    pub(super) thread: u32,
    /// What was answered; `None`: the log ends before the return.
    pub(super) result: Option<u64>,
}

/// The calls of a log.
#[derive(Debug)]
pub(super) struct Journal<T> {
    records: Vec<Record<T>>,
    /// Indices into `records` in the order of their returns.
    returned: Vec<usize>,
    /// Releases that have begun and not returned.
    releasing: BTreeSet<usize>,
    /// Which releases were in flight when a call returned, where there were any.
    races: BTreeMap<usize, Vec<usize>>,
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            returned: Vec::new(),
            releasing: BTreeSet::new(),
            races: BTreeMap::new(),
        }
    }
}

impl<T> Journal<T> {
    /// How many calls there are.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// A call begins; `releases`: it may give addresses back.
    pub(super) fn begin(&mut self, thread: u32, what: T, releases: bool) -> usize {
        let index = self.records.len();
        self.records.push(Record { what, thread, result: None });
        if releases {
            self.releasing.insert(index);
        }
        index
    }

    /// A call returns.
    pub(super) fn end(&mut self, index: usize, result: u64) {
        self.records[index].result = Some(result);
        self.returned.push(index);
        self.releasing.remove(&index);
        if !self.releasing.is_empty() {
            self.races.insert(index, self.releasing.iter().copied().collect());
        }
    }

    /// A call will never return.
    pub(super) fn abandon(&mut self, index: usize) {
        self.releasing.remove(&index);
    }

    pub(super) fn record(&self, index: usize) -> &Record<T> {
        &self.records[index]
    }

    /// Indices of the calls that returned, in that order.
    pub(super) fn returned(&self) -> &[usize] {
        &self.returned
    }

    /// The releases that were in flight when a call returned.
    pub(super) fn races(&self, index: usize) -> &[usize] {
        self.races.get(&index).map_or(&[], Vec::as_slice)
    }

    /// The calls without a return.
    pub(super) fn unreturned(&self) -> impl Iterator<Item = &Record<T>> {
        self.records.iter().filter(|record| record.result.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_returns_and_releases_in_flight_are_known() {
        let mut journal = Journal::default();
        let release = journal.begin(1, "release", true);
        let reserve = journal.begin(2, "reserve", false);
        journal.begin(3, "lost", true);
        journal.end(reserve, 1);
        journal.end(release, 1);
        assert_eq!(journal.returned(), [reserve, release]);
        assert_eq!(journal.races(reserve), [release, 2]);
        assert_eq!(journal.races(release), [2]);
        assert_eq!(journal.unreturned().map(|record| record.what).collect::<Vec<_>>(), ["lost"]);
    }
}
