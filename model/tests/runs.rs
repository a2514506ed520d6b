//! The page states of one allocation against a plain vector, in every representation.

use std::ops::Range;

use hostmem_model::pages::Pages;

use crate::driver::dice::Dice;

fn runs_of(part: &[u8], from: u64) -> Vec<(Range<u64>, u8)> {
    let mut runs: Vec<(Range<u64>, u8)> = Vec::new();
    for (page, state) in (from..).zip(part) {
        match runs.last_mut() {
            Some((run, last)) if last == state => run.end = page + 1,
            _ => runs.push((page..page + 1, *state)),
        }
    }
    runs
}

fn compare(pages: &Pages, plain: &[u8], start: usize, end: usize) {
    let range = start as u64..end as u64;
    let part = &plain[start..end];
    let committed = part.iter().filter(|state| **state != 0).count() as u64;
    assert_eq!(pages.committed_in(range.clone()), committed);
    let reserved = part.iter().position(|state| *state == 0).map(|at| (start + at) as u64);
    assert_eq!(pages.first_reserved_in(range.clone()), reserved);
    let runs = runs_of(part, start as u64);
    for state in 0..4 {
        let all = runs.iter().all(|(_, other)| *other == state);
        assert_eq!(pages.all_are(range.clone(), state), all);
    }
    assert!(pages.runs(range).eq(runs));
    if let Some(state) = plain.get(start) {
        let same = plain[start..].iter().take_while(|other| *other == state).count();
        assert_eq!(pages.get(start as u64), *state);
        assert_eq!(pages.run_end(start as u64), (start + same) as u64);
    }
}

/// The whole, and a twin that got there by another way.
fn check(pages: &Pages, plain: &[u8]) {
    let committed = plain.iter().filter(|state| **state != 0).count() as u64;
    assert_eq!((pages.committed(), pages.len()), (committed, plain.len() as u64));
    compare(pages, plain, 0, plain.len());
    let mut other = Pages::new(pages.len(), 9);
    for (run, state) in runs_of(plain, 0).into_iter().rev() {
        other.set(run, state);
    }
    assert_eq!(*pages, other);
    let middle = pages.len() / 2;
    other.set(middle..middle + 1, pages.get(middle) ^ 1);
    assert_ne!(*pages, other);
}

fn size(dice: &mut Dice, start: usize, count: usize) -> usize {
    let small = usize::try_from(dice.below(17)).expect("small");
    match dice.below(8) {
        0 => count,
        1 => start.next_multiple_of(64) - start + 64 * (small % 3),
        2 => usize::try_from(dice.below(count as u64)).expect("small"),
        3 => start.next_multiple_of(16_384).max(start + 1) - start + 16_384 * (small % 3),
        _ => small,
    }
}

/// Random changes, of small and large ranges, in allocations of every size.
#[test]
fn agrees_with_a_vector() {
    let lengths = [
        1,
        2,
        15,
        16,
        17,
        63,
        64,
        65,
        80,
        100,
        4095,
        4096,
        4097,
        4160,
        4500,
        9000,
        4 * 16_384 + 70,
    ];
    for (seed, length) in (1..).zip(lengths) {
        for states in [2, 16] {
            let mut dice = Dice(seed * 100 + states);
            let first = u8::try_from(dice.below(states)).expect("a state");
            let mut pages = Pages::new(length as u64, first);
            let mut plain = vec![first; length];
            for step in 0..60 {
                // Every fourth in or near the last chunk, which may be a part of one.
                let from = if step % 4 == 3 { length.saturating_sub(80) } else { 0 };
                let start =
                    from + usize::try_from(dice.below((length - from) as u64)).expect("small");
                let end = (start + size(&mut dice, start, length)).min(length);
                let state = u8::try_from(dice.below(states)).expect("a state");
                let before = plain[start..end].iter().filter(|state| **state != 0).count();
                assert_eq!(pages.set(start as u64..end as u64, state), before as u64);
                plain[start..end].fill(state);
                compare(&pages, &plain, start, end);
                compare(&pages, &plain, end / 2, end);
                if step % 10 == 0 {
                    compare(&pages, &plain, start, length);
                    check(&pages, &plain);
                }
            }
            check(&pages, &plain);
        }
    }
}

/// A huge allocation is a few pieces, and changes at its far end cost nothing.
#[test]
fn a_huge_reservation() {
    let len = 1 << 35;
    let mut pages = Pages::new(len, 0);
    pages.set(len / 2 + 3..len, 5);
    pages.set(len - 1..len, 6);
    assert_eq!(pages.run_at(0), (0, len / 2 + 3));
    assert_eq!(pages.run_at(len / 2 + 3), (5, len - 1));
    assert_eq!(pages.committed(), len / 2 - 3);
    assert_eq!(pages.committed_in(len / 4..len - 5), len / 2 - 8);
    assert_eq!(pages.first_reserved_in(len / 2..len), Some(len / 2));
    assert_eq!(pages.first_reserved_in(len / 2 + 3..len), None);
    pages.set(len - 9..len - 8, 0);
    assert_eq!(pages.first_reserved_in(len / 2 + 3..len), Some(len - 9));
    assert_eq!(pages.runs(0..len).count(), 5);
    pages.set(0..len, 7);
    assert_eq!(pages, Pages::new(len, 7));
    assert_eq!(format!("{pages:?}"), "{0..34359738368: 7}");
}

/// What is no page and no state is refused.
#[test]
fn what_cannot_be_is_refused() {
    let panics =
        |act: fn(&mut Pages)| std::panic::catch_unwind(move || act(&mut Pages::new(5, 1))).is_err();
    assert!(
        panics(|pages| assert!(pages.set(3..6, 0) < 9))
            && panics(|pages| assert!(pages.set(3..4, 16) < 9))
    );
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let reversed = panics(|pages| assert!(pages.committed_in(4..3) < 9));
    assert!(reversed && panics(|pages| assert!(pages.get(5) < 99)));
    assert!(!panics(|pages| assert_eq!(pages.set(5..5, 15), 0)));
    assert!(!panics(|pages| assert_eq!(pages.set(0..5, 15), 5)));
    assert!(std::panic::catch_unwind(|| Pages::new(0, 1)).is_err());
    assert!(std::panic::catch_unwind(|| Pages::new((1 << 35) + 1, 1)).is_err());
    assert!(std::panic::catch_unwind(|| Pages::new(1, 16)).is_err());
}
