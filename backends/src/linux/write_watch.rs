//! `GetWriteWatch` and `ResetWriteWatch`: the kernel's record of committed pages, joined with
//! the ledger's of pages that were written and then decommitted (WW-12).
//!
//! Deliberately not here: any guess. Without the kernel's record the capability is absent.

use std::ops::Range;

use hostmem_interface::{
    Address, Refusal, WatchAnswer, WatchFlags, WatchPointers, Win32Error, WriteWatch,
};

use super::manager::{LinuxManager, Space, refuse};
use super::watch::Watch;
use crate::arguments::{self, USER_SPACE};
use crate::ledger::{Allocation, PAGE, pages_of};

impl WriteWatch for LinuxManager {
    fn get_write_watch(
        &self,
        address: Address,
        size: u64,
        flags: WatchFlags,
        capacity: u64,
        null: WatchPointers,
    ) -> Result<WatchAnswer, Refusal> {
        arguments::check_watch(size, flags, capacity, null)?;
        let _quiet = self.without_writes(address.0);
        let mut space = self.space();
        let (allocation, watch, range) = watched(&mut space, address.0, size)?;
        let clear = flags.contains(WatchFlags::RESET);
        let runs = collect(allocation, watch, &range, clear, capacity);
        let pages = runs.into_iter().flat_map(|run| run.step_by(0x1000)).map(Address).collect();
        Ok(WatchAnswer { pages, granularity: 0x1000 })
    }

    fn reset_write_watch(&self, address: Address, size: u64) -> Result<(), Refusal> {
        let _quiet = self.without_writes(address.0);
        let mut space = self.space();
        let (allocation, watch, range) = watched(&mut space, address.0, size)?;
        clear_all(allocation, watch, &range);
        Ok(())
    }
}

/// WW-03, WW-04: the pages of a range inside one watched allocation.
fn watched(
    space: &mut Space,
    at: u64,
    size: u64,
) -> Result<(&mut Allocation, &Watch, Range<u64>), Refusal> {
    let malformed = refuse(Win32Error::ERROR_INVALID_PARAMETER);
    if size == 0 || at >= USER_SPACE.end || size > USER_SPACE.end - at {
        return Err(malformed);
    }
    let range = pages_of(at, size);
    let Space { ledger, watch } = space;
    let allocation = ledger.containing_mut(range.start);
    let allocation = allocation.filter(|one| one.watched && range.end <= one.range().end);
    Ok((allocation.ok_or(malformed)?, watch.as_ref().ok_or(malformed)?, range))
}

/// The runs of written pages, ascending, cut off after `capacity` pages; with `clear` exactly
/// those lose their marks.
fn collect(
    allocation: &mut Allocation,
    watch: &Watch,
    range: &Range<u64>,
    clear: bool,
    capacity: u64,
) -> Vec<Range<u64>> {
    let mut told = Told { runs: Vec::new(), left: capacity };
    let runs: Vec<_> = allocation.runs(range).collect();
    for (run, state) in runs {
        if told.left == 0 {
            break;
        }
        let kept = kept_marks(allocation, &run);
        if !state.is_committed() {
            kept.into_iter().for_each(|one| told.push(one));
        } else if kept.is_empty() {
            // The kernel alone knows: it tells and clears in one step.
            let left = told.left;
            scan(watch, &run, clear, left, |one| told.push(one));
        } else {
            let mut all = kept;
            scan(watch, &run, false, u64::MAX, |one| all.push(one));
            let before = told.runs.len();
            merge(all).into_iter().for_each(|one| told.push(one));
            if clear {
                told.runs[before..].iter().for_each(|one| rearm(watch, one));
            }
        }
    }
    if clear {
        told.runs.iter().for_each(|one| allocation.mark(one, false));
    }
    told.runs
}

/// What is reported so far.
struct Told {
    runs: Vec<Range<u64>>,
    left: u64,
}

impl Told {
    /// Adds as much of a run as there is room for.
    fn push(&mut self, run: Range<u64>) {
        let pages = ((run.end - run.start) / PAGE).min(self.left);
        if pages > 0 {
            self.runs.push(run.start..run.start + pages * PAGE);
            self.left -= pages;
        }
    }
}

fn clear_all(allocation: &mut Allocation, watch: &Watch, range: &Range<u64>) {
    for (run, state) in allocation.runs(range) {
        if state.is_committed() {
            scan(watch, &run, true, u64::MAX, drop);
        }
    }
    allocation.mark(range, false);
}

/// The ledger's marks inside a run, as addresses.
fn kept_marks(allocation: &Allocation, run: &Range<u64>) -> Vec<Range<u64>> {
    let Some(marks) = &allocation.marks else { return Vec::new() };
    let over = marks.over(allocation.numbers(run)).filter(|(_, written)| *written);
    over.map(|(numbers, _)| allocation.addresses(&numbers)).collect()
}

/// Joins runs that overlap or touch, ascending.
fn merge(mut runs: Vec<Range<u64>>) -> Vec<Range<u64>> {
    runs.sort_by_key(|run| run.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for run in runs {
        match merged.last_mut() {
            Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
            _ => merged.push(run),
        }
    }
    merged
}

fn scan(watch: &Watch, run: &Range<u64>, clear: bool, limit: u64, found: impl FnMut(Range<u64>)) {
    let done = watch.scan(run, clear, limit, found);
    done.expect("PAGEMAP_SCAN on a registered range only fails when the kernel is out of memory");
}

fn rearm(watch: &Watch, run: &Range<u64>) {
    let done = watch.arm(run);
    done.expect("write-protecting pages that exist takes no memory");
}

#[cfg(test)]
mod tests {
    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "a list of one run is meant")]
    fn touching_and_overlapping_runs_become_one() {
        assert_eq!(super::merge(vec![6..8, 0..2, 1..4, 4..5]), [0..5, 6..8]);
        assert_eq!(super::merge(vec![0..9, 3..4]), [0..9]);
    }
}
