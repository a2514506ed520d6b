//! The pages against a plain vector, in every representation and at the borders.

use proptest::prelude::*;

use super::{Pages, States};

const LENGTHS: [u64; 14] =
    [1, 2, 31, 32, 33, 64, 100, 4095, 4096, 4097, 4160, 4500, 9000, 4 * 16_384 + 70];

/// Compares all answers about one range.
fn compare(pages: &Pages, twin: &[u8], start: usize, end: usize) {
    let range = start as u64..end as u64;
    let part = &twin[start..end];
    let committed = part.iter().filter(|state| **state != 0).count() as u64;
    assert_eq!(pages.committed_in(range.clone()), committed);
    let reserved = part.iter().position(|state| *state == 0);
    assert_eq!(pages.first_reserved_in(range.clone()), reserved.map(|at| (start + at) as u64));
    let mut runs: Vec<(std::ops::Range<u64>, u8)> = Vec::new();
    for (page, state) in range.clone().zip(part) {
        match runs.last_mut() {
            Some((run, last)) if last == state => run.end = page + 1,
            _ => runs.push((page..page + 1, *state)),
        }
    }
    assert!(pages.runs(range).eq(runs));
    if let Some(&state) = twin.get(start) {
        let same = twin[start..].iter().take_while(|other| **other == state).count();
        assert_eq!(pages.get(start as u64), state);
        assert_eq!(pages.run_end(start as u64), (start + same) as u64);
    }
}

fn check(pages: &Pages, twin: &[u8]) {
    let committed = twin.iter().filter(|state| **state != 0).count() as u64;
    assert_eq!(pages.committed(), committed);
    assert_eq!(pages.len(), twin.len() as u64);
    compare(pages, twin, 0, twin.len());
    if let States::Pieces(pieces) = &pages.states {
        pieces.assert_invariants();
    }
    // Whoever gets there by another way is equal.
    let mut other = Pages::new(pages.len(), 9);
    for (run, state) in pages.runs(0..pages.len()).collect::<Vec<_>>().into_iter().rev() {
        other.set(run, state);
    }
    assert_eq!(*pages, other);
    let state = pages.get(pages.len() / 2);
    other.set(pages.len() / 2..pages.len() / 2 + 1, state ^ 1);
    assert_ne!(*pages, other);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn agrees_with_the_twin(
        length in prop::sample::select(&LENGTHS[..]),
        states in 1_u8..=32,
        steps in prop::collection::vec(any::<(u32, u32, u8)>(), 1..200),
    ) {
        let first = steps[0].2 % states;
        let mut pages = Pages::new(length, first);
        let mut twin = vec![first; usize::try_from(length).expect("small")];
        let count = u32::try_from(length).expect("small");
        for (index, (at, size, state)) in steps.into_iter().enumerate() {
            let start = at % count;
            // Small, up to a border of chunks, or anything up to the end.
            let size = match size % 8 {
                0 => count,
                1 => start.next_multiple_of(64) - start + 64 * (size / 8 % 3),
                2 => size / 8 % count,
                _ => size / 8 % 17,
            };
            let end = (start + size).min(count);
            let (from, to) = (start as usize, end as usize);
            pages.set(u64::from(start)..u64::from(end), state % states);
            twin[from..to].fill(state % states);
            compare(&pages, &twin, from, to);
            compare(&pages, &twin, from, twin.len());
            compare(&pages, &twin, to / 2, to);
            if index % 8 == 0 {
                check(&pages, &twin);
            }
        }
        check(&pages, &twin);
    }
}

#[test]
fn a_huge_reservation_stays_small() {
    let len = 1 << 35;
    let mut pages = Pages::new(len, 0);
    pages.set(len / 2 + 3..len, 5);
    pages.set(len - 1..len, 6);
    assert_eq!(pages.run_end(0), len / 2 + 3);
    assert_eq!(pages.committed(), len / 2 - 3);
    assert_eq!(pages.first_reserved_in(len / 2..len), Some(len / 2));
    assert_eq!(pages.runs(0..len).count(), 3);
    pages.set(0..len, 7);
    assert_eq!(pages, Pages::new(len, 7));
    assert_eq!(format!("{pages:?}"), "{0..34359738368: 7}");
}

#[test]
fn the_struct_fits_a_record() {
    assert!(size_of::<Pages>() <= 48);
    assert_eq!(size_of::<Option<Pages>>(), size_of::<Pages>());
}

#[test]
#[should_panic(expected = "pages 3..6 of 5")]
fn a_range_past_the_end_is_refused() {
    Pages::new(5, 1).set(3..6, 0);
}

#[test]
#[should_panic(expected = "state 32")]
fn a_state_too_large_is_refused() {
    Pages::new(5, 1).set(3..4, 32);
}
