//! Page states packed sixteen to a word: searching, counting and filling.
//!
//! A state has four bits. A word is handled as a whole: what is asked of each of its places
//! becomes one bit a place, of which the first is found or all are counted. Sixteen pages,
//! as many as a call of a runtime usually has, are so one step or two.
//!
//! Not here: how many places are in use. The places behind them are 0.

use std::ops::Range;

/// Places of a word.
pub(super) const PLACES: usize = 16;
/// Bits of a place.
const BITS: usize = 4;
/// The lowest bit of every place.
const LOWEST: u64 = 0x1111_1111_1111_1111;

/// How many words hold so many places.
pub(super) const fn words(places: usize) -> usize {
    places.div_ceil(PLACES)
}

/// A word whose every place has this state.
pub(super) const fn filled(state: u8) -> u64 {
    LOWEST * state as u64
}

/// The state in a place.
#[inline]
pub(super) fn get(words: &[u64], at: usize) -> u8 {
    let [low, ..] = (words[at / PLACES] >> (BITS * (at % PLACES))).to_le_bytes();
    low & 0xF
}

/// The first place at or behind `at` that has another state than this one.
#[inline]
pub(super) fn first_other(words: &[u64], at: usize, state: u8) -> Option<usize> {
    let state = filled(state);
    find(words, at, |word| occupied(word ^ state))
}

/// The first place of a range, which is not empty, whose state is 0.
#[inline]
pub(super) fn first_zero(words: &[u64], range: Range<usize>) -> Option<usize> {
    let words = &words[..=(range.end - 1) / PLACES];
    find(words, range.start, |word| occupied(word) ^ LOWEST).filter(|at| *at < range.end)
}

/// Whether all places of a range, which is not empty, have this state.
#[inline]
pub(super) fn all_are(words: &[u64], range: Range<usize>, state: u8) -> bool {
    let Cut { touched, head, tail } = Cut::of(&range);
    let state = filled(state);
    match &words[touched] {
        [one] => (one ^ state) & head & tail == 0,
        [one, between @ .., other] => {
            (one ^ state) & head == 0
                && (other ^ state) & tail == 0
                && between.iter().all(|word| *word == state)
        }
        [] => true,
    }
}

/// How many places of a range, which is not empty, have a state other than 0.
#[inline(always)]
pub(super) fn count(words: &[u64], range: Range<usize>) -> usize {
    let Cut { touched, head, tail } = Cut::of(&range);
    match &words[touched] {
        [one] => ones(occupied(one & head & tail)),
        [one, between @ .., other] => {
            let between: usize = between.iter().map(|word| ones(occupied(*word))).sum();
            ones(occupied(one & head)) + between + ones(occupied(other & tail))
        }
        [] => 0,
    }
}

/// Gives the places of a range, which is not empty, a state; returns how many of them had a
/// state other than 0.
#[inline(always)]
pub(super) fn fill(words: &mut [u64], range: Range<usize>, state: u8) -> usize {
    let Cut { touched, head, tail } = Cut::of(&range);
    let state = filled(state);
    match &mut words[touched] {
        [one] => replace(one, state, head & tail),
        [one, between @ .., other] => {
            let mut before = replace(one, state, head) + replace(other, state, tail);
            for word in between {
                before += replace(word, state, u64::MAX);
            }
            before
        }
        [] => 0,
    }
}

/// The words of a range that is not empty, and which bits of the first and the last belong
/// to it.
struct Cut {
    touched: Range<usize>,
    head: u64,
    tail: u64,
}

impl Cut {
    #[inline(always)]
    fn of(range: &Range<usize>) -> Self {
        let back = range.end - 1;
        Self {
            touched: range.start / PLACES..back / PLACES + 1,
            head: u64::MAX << (BITS * (range.start % PLACES)),
            tail: u64::MAX >> (BITS * (PLACES - 1 - back % PLACES)),
        }
    }
}

/// The places of `mask` take their state from `state`; how many were not 0.
#[inline]
fn replace(word: &mut u64, state: u64, mask: u64) -> usize {
    let before = ones(occupied(*word & mask));
    *word = (*word & !mask) | (state & mask);
    before
}

/// The first place at or behind `at` of which `bits` says so.
#[inline]
fn find(words: &[u64], at: usize, bits: impl Fn(u64) -> u64) -> Option<usize> {
    let first = at / PLACES;
    let mut mask = u64::MAX << (BITS * (at % PLACES));
    for (number, word) in words[first..].iter().enumerate() {
        let found = bits(*word) & mask;
        if found != 0 {
            let place = found.trailing_zeros() as usize / BITS;
            return Some((first + number) * PLACES + place);
        }
        mask = u64::MAX;
    }
    None
}

/// The lowest bit of each place that is not 0.
#[inline]
const fn occupied(word: u64) -> u64 {
    let pairs = word | word >> 1;
    (pairs | pairs >> 2) & LOWEST
}

/// How many places have their lowest bit set; no other bit is. A plain x86-64 has no
/// instruction for it.
#[inline]
fn ones(bits: u64) -> usize {
    let pairs = (bits + (bits >> BITS)) & 0x0F0F_0F0F_0F0F_0F0F;
    usize::from(pairs.wrapping_mul(0x0101_0101_0101_0101).to_be_bytes()[0])
}
