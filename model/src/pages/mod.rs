//! [`Pages`]: the state of each page of one allocation.
//!
//! A state is a small code; what it means is the caller's business, but for one thing:
//! 0 is a reserved page, everything else a committed one. The representation follows
//! the number of pages, which never changes:
//!
//! - up to 32 pages: a byte each inside the struct, so nothing is on the heap;
//! - up to 4096: a byte each on the heap (`scan` reads both with vector code);
//! - above: uniform pieces and mixed chunks (`pieces`), so that 256 GiB of one state
//!   take no more time than 32 MiB, and a patchwork of runs takes O(log n) to find one.
//!
//! Not here: addresses and protections; growing and shrinking; a history of changes.
//! Two values are equal if and only if all their pages are.

mod pieces;
mod scan;
mod tally;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use pieces::Pieces;

/// Most pages that are held inside the struct.
const INLINE: usize = 32;
/// Most pages that have a byte each.
const BYTES: usize = 4096;
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
        states: [u8; INLINE],
    },
    Bytes {
        committed: u16,
        states: Box<[u8]>,
    },
    Pieces {
        committed: u64,
        pieces: Box<Pieces>,
    },
}

impl Pages {
    /// The largest state.
    pub const MAX_STATE: u8 = 31;

    /// `len` pages, all of the same `state`.
    ///
    /// # Panics
    /// If `len` is not in `1..=2^35`, or `state` above [`Self::MAX_STATE`].
    pub fn new(len: u64, state: u8) -> Self {
        assert!((1..=MOST).contains(&len), "an allocation of {len} pages");
        assert!(state <= Self::MAX_STATE, "state {state}");
        let committed = if state == 0 { 0 } else { len };
        let states = match usize::try_from(len) {
            Ok(count) if count <= INLINE => {
                let mut states = [0; INLINE];
                states[..count].fill(state);
                let small = |count| u8::try_from(count).expect("at most 32");
                States::Inline { len: small(len), committed: small(committed), states }
            }
            Ok(count) if count <= BYTES => {
                States::Bytes { committed: few(committed), states: vec![state; count].into() }
            }
            _ => States::Pieces { committed, pieces: Box::new(Pieces::new(len, state)) },
        };
        Self { states }
    }

    /// The number of pages, `1..=2^35`.
    #[expect(clippy::len_without_is_empty, reason = "an allocation has at least one page")]
    pub fn len(&self) -> u64 {
        match self.view() {
            View::Bytes(states) => states.len() as u64,
            View::Pieces(pieces) => pieces.len(),
        }
    }

    /// The number of committed pages: those whose state is not 0.
    pub fn committed(&self) -> u64 {
        match &self.states {
            States::Inline { committed, .. } => u64::from(*committed),
            States::Bytes { committed, .. } => u64::from(*committed),
            States::Pieces { committed, .. } => *committed,
        }
    }

    /// The state of `page`.
    ///
    /// # Panics
    /// If there is no such page.
    pub fn get(&self, page: u64) -> u8 {
        self.check(page..page + 1);
        match self.view() {
            View::Bytes(states) => states[index(page)],
            View::Pieces(pieces) => pieces.get(page),
        }
    }

    /// Gives all pages of `range` the state `state`.
    ///
    /// # Panics
    /// If the range is not one of pages, or `state` above [`Self::MAX_STATE`].
    pub fn set(&mut self, range: Range<u64>, state: u8) {
        assert!(state <= Self::MAX_STATE, "state {state}");
        self.check(range.clone());
        if range.is_empty() {
            return;
        }
        let len = range.end - range.start;
        let after = if state == 0 { 0 } else { len };
        match &mut self.states {
            States::Inline { states, committed, .. } => {
                states[index(range.start)..index(range.end)].fill(state);
                *committed = scan::count_few(&states[..]);
            }
            States::Bytes { states, committed } => {
                let states = &mut states[index(range.start)..index(range.end)];
                let before = scan::count_nonzero(states) as u64;
                states.fill(state);
                *committed = few(u64::from(*committed) - before + after);
            }
            States::Pieces { pieces, committed } => {
                *committed = *committed - pieces.set(range, state) + after;
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
    pub fn run_at(&self, page: u64) -> (u8, u64) {
        self.check(page..page + 1);
        match self.view() {
            View::Bytes(states) => {
                let states = &states[index(page)..];
                (states[0], page + scan::prefix(states, states[0]) as u64)
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
        self.check(range.clone());
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
    pub fn committed_in(&self, range: Range<u64>) -> u64 {
        self.check(range.clone());
        match self.view() {
            _ if range.is_empty() => 0,
            View::Bytes(states) => {
                scan::count_nonzero(&states[index(range.start)..index(range.end)]) as u64
            }
            View::Pieces(pieces) => pieces.committed_in(range),
        }
    }

    /// The first page of `range` that is reserved: whose state is 0.
    ///
    /// # Panics
    /// If the range is not one of pages.
    pub fn first_reserved_in(&self, range: Range<u64>) -> Option<u64> {
        self.check(range.clone());
        match self.view() {
            _ if range.is_empty() => None,
            View::Bytes(states) => {
                let states = &states[index(range.start)..index(range.end)];
                scan::first_zero(states).map(|at| range.start + at as u64)
            }
            View::Pieces(pieces) => pieces.first_reserved_in(range),
        }
    }

    fn view(&self) -> View<'_> {
        match &self.states {
            States::Inline { len, states, .. } => View::Bytes(&states[..usize::from(*len)]),
            States::Bytes { states, .. } => View::Bytes(states),
            States::Pieces { pieces, .. } => View::Pieces(pieces),
        }
    }

    fn check(&self, range: Range<u64>) {
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
    Bytes(&'a [u8]),
    Pieces(&'a Pieces),
}

/// A page number as an index of a slice, where the caller has checked it against one.
fn index(page: u64) -> usize {
    usize::try_from(page).expect("a page of a slice in memory")
}

/// A count of pages that have a byte each.
fn few(count: u64) -> u16 {
    u16::try_from(count).expect("at most 4096")
}
