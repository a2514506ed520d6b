//! What only the inside shows: the canonical form, and the size of the struct. What it answers
//! is held against a plain vector in `tests/runs.rs`.

use super::{Pages, States};

/// However the states of a large allocation came about, they are held in the one canonical form.
#[test]
fn a_large_allocation_stays_canonical() {
    const PAGES: u64 = 65_606;
    let mut pages = Pages::new(PAGES, 0);
    let mut word = 1_u64;
    for _ in 0..4000 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let start = (word >> 20) % PAGES;
        let longest = [1, 64, 5000][usize::try_from(word >> 60).expect("four bits") % 3];
        let end = (start + 1 + (word >> 40) % longest).min(PAGES);
        let state = u8::try_from((word >> 56) % 4).expect("below 4");
        pages.set(start..end, state);
        let States::Pieces { pieces, .. } = &pages.states else { panic!("held in pieces") };
        pieces.assert_invariants();
    }
    pages.set(0..PAGES, 2);
    assert_eq!(pages, Pages::new(PAGES, 2));
}

#[test]
fn the_struct_fits_a_record() {
    assert!(size_of::<Pages>() <= 40);
    assert_eq!(size_of::<Option<Pages>>(), size_of::<Pages>());
}
