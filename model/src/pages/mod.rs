//! [`Pages`]: the state of each page of one allocation.
//!
//! A state is a small code; what it means is the caller's business, but for one thing:
//! 0 is a reserved page, everything else a committed one. The representation follows
//! the number of pages, which never changes:
//!
//! - up to 64 pages: four bits each inside the struct, so nothing is on the heap;
//! - up to 4096: four bits each on the heap (`nibbles` reads both, sixteen at a time);
//! - above: uniform pieces and mixed chunks (`pieces`), so that 256 GiB of one state
//!   take no more time than 32 MiB, and a patchwork of runs takes O(log n) to find one.
//!
//! Not here: addresses and protections; growing and shrinking; a history of changes.
//! Two values are equal if and only if all their pages are.

mod nibbles;
mod pieces;
mod tally;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use pieces::Pieces;

/// Words of states inside the struct.
const INLINE: usize = 4;
/// Most pages whose states are packed, but for those in the struct.
const PACKED: usize = 4096;
/// Most pages of an allocation: 128 TiB of 4 KiB pages.
const MOST: u64 = 1 << 35;

/// The states of the pages of one allocation, numbered from 0.
#[derive(Clone, PartialEq, Eq)]
pub struct Pages {
    states: States,
}

/// Each with the number of pages that are committed, in no more bits than it needs.
#[derive(Clone, PartialEq, Eq)]
enum States {
    /// Places from `len` on are 0, which keeps equality and counting simple.
    Inline {
        len: u8,
        committed: u8,
        words: [u64; INLINE],
    },
    /// The same.
    Packed {
        len: u16,
        committed: u16,
        words: Box<[u64]>,
    },
    Pieces {
        committed: u64,
        pieces: Box<Pieces>,
    },
}

impl Pages {
    /// The largest state.
    pub const MAX_STATE: u8 = 15;

    /// `len` pages, all of the same `state`.
    ///
    /// # Panics
    /// If `len` is not in `1..=2^35`, or `state` above [`Self::MAX_STATE`].
    pub fn new(len: u64, state: u8) -> Self {
        assert!((1..=MOST).contains(&len), "an allocation of {len} pages");
        assert!(state <= Self::MAX_STATE, "state {state}");
        let committed = if state == 0 { 0 } else { len };
        let states = match usize::try_from(len) {
            Ok(count) if count <= INLINE * nibbles::PLACES => {
                let mut words = [0; INLINE];
                nibbles::fill(&mut words, 0..count, state);
                let small = |count| u8::try_from(count).expect("at most 64");
                States::Inline { len: small(len), committed: small(committed), words }
            }
            Ok(count) if count <= PACKED => {
                let mut words = vec![0; nibbles::words(count)].into_boxed_slice();
                nibbles::fill(&mut words, 0..count, state);
                States::Packed { len: few(len), committed: few(committed), words }
            }
            _ => States::Pieces { committed, pieces: Box::new(Pieces::new(len, state)) },
        };
        Self { states }
    }

    /// The number of pages, `1..=2^35`.
    #[expect(clippy::len_without_is_empty, reason = "an allocation has at least one page")]
    #[inline]
    pub fn len(&self) -> u64 {
        match &self.states {
            States::Inline { len, .. } => u64::from(*len),
            States::Packed { len, .. } => u64::from(*len),
            States::Pieces { pieces, .. } => pieces.len(),
        }
    }

    /// The number of committed pages: those whose state is not 0.
    #[inline]
    pub fn committed(&self) -> u64 {
        match &self.states {
            States::Inline { committed, .. } => u64::from(*committed),
            States::Packed { committed, .. } => u64::from(*committed),
            States::Pieces { committed, .. } => *committed,
        }
    }

    /// The state of `page`.
    ///
    /// # Panics
    /// If there is no such page.
    #[inline]
    pub fn get(&self, page: u64) -> u8 {
        self.check(&(page..page + 1));
        match self.view() {
            View::Words(words) => nibbles::get(words, index(page)),
            View::Pieces(pieces) => pieces.get(page),
        }
    }

    /// Gives all pages of `range` the state `state`; returns how many of them were
    /// committed.
    ///
    /// # Panics
    /// If the range is not one of pages, or `state` above [`Self::MAX_STATE`].
    #[inline(always)]
    pub fn set(&mut self, range: Range<u64>, state: u8) -> u64 {
        assert!(state <= Self::MAX_STATE, "state {state}");
        self.check(&range);
        if range.is_empty() {
            return 0;
        }
        let after = if state == 0 { 0 } else { range.end - range.start };
        match &mut self.states {
            States::Inline { words, committed, .. } => {
                let before = nibbles::fill(words, indices(&range), state) as u64;
                let count = u64::from(*committed) - before + after;
                *committed = u8::try_from(count).expect("at most 64");
                before
            }
            States::Packed { words, committed, .. } => {
                let before = nibbles::fill(words, indices(&range), state) as u64;
                *committed = few(u64::from(*committed) - before + after);
                before
            }
            States::Pieces { pieces, committed } => {
                let before = pieces.set(range, state);
                *committed = *committed - before + after;
                before
            }
        }
    }

    /// The end, exclusive, of the longest run of one state that begins at `page`.
    ///
    /// # Panics
    /// If there is no such page.
    pub fn run_end(&self, page: u64) -> u64 {
        self.run_at(page).1
    }

    /// The state of `page` and, as [`Self::run_end`], the end of its run.
    ///
    /// # Panics
    /// If there is no such page.
    #[inline]
    pub fn run_at(&self, page: u64) -> (u8, u64) {
        self.check(&(page..page + 1));
        match self.view() {
            View::Words(words) => {
                let page = index(page);
                let state = nibbles::get(words, page);
                let end = nibbles::first_other(words, page, state).map(|end| end as u64);
                // The places behind the last page look reserved.
                (state, end.map_or(self.len(), |end| end.min(self.len())))
            }
            View::Pieces(pieces) => pieces.run_at(page),
        }
    }

    /// The runs of one state in `range`, in ascending order and cut to it; neighbours
    /// have different states.
    ///
    /// # Panics
    /// If the range is not one of pages.
    pub fn runs(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, u8)> {
        self.check(&range);
        let mut page = range.start;
        std::iter::from_fn(move || {
            if page >= range.end {
                return None;
            }
            let (state, end) = self.run_at(page);
            let run = page..end.min(range.end);
            page = run.end;
            Some((run, state))
        })
    }

    /// The number of committed pages in `range`.
    ///
    /// # Panics
    /// If the range is not one of pages.
    #[inline]
    pub fn committed_in(&self, range: Range<u64>) -> u64 {
        self.check(&range);
        match self.view() {
            _ if range.is_empty() => 0,
            View::Words(words) => nibbles::count(words, indices(&range)) as u64,
            View::Pieces(pieces) => pieces.committed_in(range),
        }
    }

    /// Whether all pages of `range` have the state `state`.
    ///
    /// # Panics
    /// If the range is not one of pages.
    #[inline]
    pub fn all_are(&self, range: Range<u64>, state: u8) -> bool {
        self.check(&range);
        match self.view() {
            _ if range.is_empty() => true,
            View::Words(words) => nibbles::all_are(words, indices(&range), state),
            View::Pieces(pieces) => {
                let (first, end) = pieces.run_at(range.start);
                first == state && end >= range.end
            }
        }
    }

    /// The first page of `range` that is reserved: whose state is 0.
    ///
    /// # Panics
    /// If the range is not one of pages.
    #[inline]
    pub fn first_reserved_in(&self, range: Range<u64>) -> Option<u64> {
        self.check(&range);
        match self.view() {
            _ if range.is_empty() => None,
            View::Words(words) => nibbles::first_zero(words, indices(&range)).map(|at| at as u64),
            View::Pieces(pieces) => pieces.first_reserved_in(range),
        }
    }

    #[inline]
    fn view(&self) -> View<'_> {
        match &self.states {
            States::Inline { words, .. } => View::Words(words),
            States::Packed { words, .. } => View::Words(words),
            States::Pieces { pieces, .. } => View::Pieces(pieces),
        }
    }

    #[inline]
    fn check(&self, range: &Range<u64>) {
        let len = self.len();
        let inside = range.start <= range.end && range.end <= len;
        assert!(inside, "pages {range:?} of {len}");
    }
}

/// The runs as a list of `start..end: state`, whatever holds them.
impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.runs(0..self.len())).finish()
    }
}

/// What a reading method needs to tell apart.
enum View<'a> {
    Words(&'a [u64]),
    Pieces(&'a Pieces),
}

/// A page number as a place, where the caller has checked it against the number of pages.
#[inline]
fn index(page: u64) -> usize {
    usize::try_from(page).expect("a page of a slice in memory")
}

#[inline]
fn indices(range: &Range<u64>) -> Range<usize> {
    index(range.start)..index(range.end)
}

/// A count of pages whose states are packed.
#[inline]
fn few(count: u64) -> u16 {
    u16::try_from(count).expect("at most 4096")
}
