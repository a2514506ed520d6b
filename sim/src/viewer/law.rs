//! What a range of pages looks like by the law's own state.
//!
//! Deliberately not here: any decision ([`hostmem_model`]).

use std::ops::Range;

use hostmem_interface::{Address, Protection, RegionState, RegionType};
use hostmem_model::State;
use hostmem_model::space::Allocation;

use super::strip::{HEAP, Look, Run, WATCHED, WRITTEN};

/// The runs of `pages`, ascending, cut at its ends.
#[must_use]
pub fn runs(state: &State, pages: Range<u64>) -> Vec<Run> {
    let page = state.machine().page;
    let mut found = Vec::new();
    let mut at = state.space.find(Address(pages.start * page));
    if at.is_none() {
        at = state.space.next(Address(pages.start * page));
    }
    while let Some(allocation) = at.filter(|it| it.base().0 / page < pages.end) {
        of_allocation(allocation, &pages, page, &mut found);
        at = state.space.next(allocation.end());
    }
    of_foreign(state, &pages, &mut found);
    found.sort_by_key(|run| run.start);
    with_heaps(marked(found, WRITTEN, &written(state, &pages)), state, &pages)
}

/// The same runs with the pages in between in which live blocks of heaps lie. Where a heap
/// has its memory from is its own business.
#[must_use]
pub fn with_heaps(runs: Vec<Run>, state: &State, pages: &Range<u64>) -> Vec<Run> {
    let blocks = blocks(state, pages);
    if blocks.is_empty() {
        return runs;
    }
    let mut out: Vec<Run> = marked(runs, HEAP, &blocks);
    out.retain(|run| run.look.marks & HEAP == 0);
    let look = Look {
        state: RegionState::COMMIT.0,
        protect: Protection::READWRITE.0,
        allocation_protect: Protection::READWRITE.0,
        kind: RegionType::PRIVATE.0,
        marks: HEAP,
    };
    out.extend(blocks.into_iter().map(|it| Run { start: it.start, end: it.end, base: 0, look }));
    out.sort_by_key(|run| run.start);
    out
}

fn of_allocation(allocation: &Allocation, pages: &Range<u64>, page: u64, into: &mut Vec<Run>) {
    let base = allocation.base().0 / page;
    let all = allocation.all_pages();
    let own = pages.start.saturating_sub(base)..(pages.end - base).min(all.end);
    let terms = allocation.terms();
    for (range, state) in allocation.runs(own) {
        let committed = state.is_committed();
        let look = Look {
            state: if committed { RegionState::COMMIT.0 } else { RegionState::RESERVE.0 },
            protect: allocation.shown(state).0,
            allocation_protect: terms.protect.0,
            kind: RegionType::PRIVATE.0,
            marks: if terms.watched { WATCHED } else { 0 },
        };
        into.push(Run { start: base + range.start, end: base + range.end, base, look });
    }
}

/// Mappings that the runtime announced: what they consist of is its own business.
fn of_foreign(state: &State, pages: &Range<u64>, into: &mut Vec<Run>) {
    let page = state.machine().page;
    for (start, end) in state.foreign() {
        let (base, end) = (start.0 / page, end.0.div_ceil(page));
        let (start, end) = (base.max(pages.start), end.min(pages.end));
        let look = Look {
            state: RegionState::COMMIT.0,
            protect: Protection::READWRITE.0,
            allocation_protect: Protection::READWRITE.0,
            kind: RegionType::MAPPED.0,
            marks: 0,
        };
        if start < end {
            into.push(Run { start, end, base, look });
        }
    }
}

/// The written pages of a range, as ranges.
fn written(state: &State, pages: &Range<u64>) -> Vec<Range<u64>> {
    let page = state.machine().page;
    let size = (pages.end - pages.start) * page;
    let mut found: Vec<Range<u64>> = Vec::new();
    for at in state.contents.written_in(Address(pages.start * page), size) {
        add(&mut found, at.0 / page..at.0 / page + 1);
    }
    found
}

/// The pages of a range that live blocks of heaps lie in, as ranges.
fn blocks(state: &State, pages: &Range<u64>) -> Vec<Range<u64>> {
    let page = state.machine().page;
    let first = Address(pages.start * page);
    let across = state.heaps.holding(first);
    let inside = state.heaps.blocks_from(first);
    let inside = inside.take_while(|(at, _)| at.0 / page < pages.end);
    let mut found = Vec::new();
    for (at, block) in across.into_iter().chain(inside) {
        let end = at.0.saturating_add(block.size.max(1)).div_ceil(page);
        add(&mut found, (at.0 / page).max(pages.start)..end.min(pages.end));
    }
    found
}

/// Adds a range that begins at or behind the last one.
fn add(ranges: &mut Vec<Range<u64>>, next: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
        _ => ranges.push(next),
    }
}

/// The same runs with a mark on those pages that lie in `ranges`.
#[must_use]
pub fn marked(runs: Vec<Run>, mark: u32, ranges: &[Range<u64>]) -> Vec<Run> {
    if ranges.is_empty() {
        return runs;
    }
    let mut out = Vec::with_capacity(runs.len());
    for run in runs {
        let mut at = run.start;
        let first = ranges.partition_point(|range| range.end <= run.start);
        for range in ranges[first..].iter().take_while(|range| range.start < run.end) {
            let (start, end) = (range.start.max(at), range.end.min(run.end));
            if at < start {
                out.push(Run { start: at, end: start, ..run });
            }
            let look = Look { marks: run.look.marks | mark, ..run.look };
            out.push(Run { start, end, look, ..run });
            at = end;
        }
        if at < run.end {
            out.push(Run { start: at, ..run });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_cuts_runs_where_it_begins_and_ends() {
        let run = Run { start: 10, end: 20, base: 10, look: Look::default() };
        let cut = marked(vec![run], WRITTEN, &[0..2, 8..11, 13..15, 19..30]);
        let cut: Vec<_> = cut.iter().map(|it| (it.start, it.end, it.look.marks)).collect();
        let expected = [(10, 11, 1), (11, 13, 0), (13, 15, 1), (15, 19, 0), (19, 20, 1)];
        assert_eq!(cut, expected);
    }
}
