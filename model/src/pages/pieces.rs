//! The states of the pages of a huge allocation: long uniform pieces and mixed chunks.
//!
//! The pages are taken in chunks of [`CHUNK`]. A map from the first chunk of each piece
//! holds what the piece is: any number of chunks whose pages all have one state, or one
//! chunk with four bits a page. So an untouched reservation of 256 GiB is one entry, and a
//! patchwork of states costs about half a byte a page and is scanned sixteen at a time.
//!
//! The form is canonical, which makes equality of content derivable: a mixed chunk has
//! two states at least, and uniform neighbours differ. It also bounds `run_at`: a run
//! crosses at most the end of a chunk, one uniform piece and the beginning of a chunk.
//!
//! Counting and searching a range looks at the pieces at its two ends; for what is
//! between them there is a count per region (`tally`).
//!
//! Not here: a bound on what one overwritten range costs. It is linear in the pieces
//! that go, each of which an earlier call paid for.

use std::collections::BTreeMap;
use std::ops::Range;

use super::nibbles;
use super::tally::{Cut, Tally};

/// Pages to a chunk.
const CHUNK: usize = 64;
const PAGES: u64 = CHUNK as u64;

/// The states of a mixed chunk.
type Chunk = [u64; nibbles::words(CHUNK)];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// All pages up to the next piece have this state.
    Uniform(u8),
    /// One chunk. Places behind the last page of the allocation repeat its state.
    Mixed(Box<Chunk>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pieces {
    len: u64,
    by_chunk: BTreeMap<u64, Piece>,
    tally: Tally,
}

impl Piece {
    /// The committed pages of a part of it; of a mixed piece, in its chunk.
    fn count(&self, part: &Range<u64>) -> u64 {
        match self {
            Self::Uniform(0) => 0,
            Self::Uniform(_) => part.end - part.start,
            Self::Mixed(states) => nibbles::count(&states[..], places(part)) as u64,
        }
    }
}

/// Place of a page in its chunk.
fn place(page: u64) -> usize {
    usize::try_from(page % PAGES).expect("a place in a chunk is small")
}

impl Pieces {
    pub(super) fn new(len: u64, state: u8) -> Self {
        let by_chunk = BTreeMap::from([(0, Piece::Uniform(state))]);
        Self { len, by_chunk, tally: Tally::new(len, state != 0) }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn get(&self, page: u64) -> u8 {
        match self.piece(page / PAGES).1 {
            Piece::Uniform(state) => *state,
            Piece::Mixed(states) => nibbles::get(&states[..], place(page)),
        }
    }

    /// The state of `page` and the end of its run.
    pub(super) fn run_at(&self, page: u64) -> (u8, u64) {
        let state = self.get(page);
        let (chunk, _) = self.piece(page / PAGES);
        for (&chunk, piece) in self.by_chunk.range(chunk..) {
            let start = page.max(chunk * PAGES);
            match piece {
                Piece::Uniform(other) if *other == state => {}
                Piece::Uniform(_) => return (state, start),
                Piece::Mixed(states) => {
                    // Never past the last page: the places behind it repeat it, so a
                    // difference lies before them.
                    if let Some(other) = nibbles::first_other(&states[..], place(start), state) {
                        return (state, chunk * PAGES + other as u64);
                    }
                }
            }
        }
        (state, self.len)
    }

    pub(super) fn committed_in(&self, range: Range<u64>) -> u64 {
        let Cut { head, whole, tail } = self.tally.cut(range);
        self.count(head) + self.tally.committed(whole) + self.count(tail)
    }

    pub(super) fn first_reserved_in(&self, range: Range<u64>) -> Option<u64> {
        let Cut { head, whole, tail } = self.tally.cut(range);
        let open = || self.tally.first_open(whole).map(|region| self.tally.pages(region));
        self.find_reserved(head)
            .or_else(|| self.find_reserved(open()?))
            .or_else(|| self.find_reserved(tail))
    }

    /// The committed pages of a range, piece by piece.
    fn count(&self, range: Range<u64>) -> u64 {
        if let Some(chunk) = only_chunk(&range) {
            return self.piece(chunk).1.count(&range);
        }
        self.parts(range).map(|(part, piece)| piece.count(&part)).sum()
    }

    /// The first reserved page of a range, piece by piece.
    fn find_reserved(&self, range: Range<u64>) -> Option<u64> {
        self.parts(range).find_map(|(part, piece)| match piece {
            Piece::Uniform(0) => Some(part.start),
            Piece::Uniform(_) => None,
            Piece::Mixed(states) => {
                let first = part.start - part.start % PAGES;
                nibbles::first_zero(&states[..], places(&part)).map(|at| first + at as u64)
            }
        })
    }

    /// Gives the pages of `range`, which is not empty, the state `state`. Returns how
    /// many of them were committed.
    pub(super) fn set(&mut self, range: Range<u64>, state: u8) -> u64 {
        // Most ranges are part of a chunk, and one look is enough then.
        let count = range.end - range.start;
        let part = only_chunk(&range).filter(|_| count < PAGES && range.end < self.len);
        if let Some(chunk) = part {
            let before = self.set_in_chunk(chunk, places(&range), state);
            let after = if state == 0 { 0 } else { count };
            self.tally.change(&range, before, after);
            return before;
        }
        let Cut { head, whole, tail } = self.tally.cut(range.clone());
        let mut before = self.tally.committed(whole.clone());
        self.tally.set(whole, state != 0);
        for part in [head, tail].into_iter().filter(|part| !part.is_empty()) {
            let count = self.count(part.clone());
            before += count;
            self.tally.change(&part, count, if state == 0 { 0 } else { part.end - part.start });
        }
        self.overwrite(range, state);
        before
    }

    fn overwrite(&mut self, mut range: Range<u64>, state: u8) {
        // The places behind the last page follow it.
        if range.end == self.len {
            range.end = self.len.next_multiple_of(PAGES);
        }
        let whole = range.start.div_ceil(PAGES)..range.end / PAGES;
        if whole.start > whole.end {
            self.set_in_chunk(range.start / PAGES, place(range.start)..place(range.end), state);
            return;
        }
        if place(range.start) != 0 {
            self.set_in_chunk(range.start / PAGES, place(range.start)..CHUNK, state);
        }
        if !whole.is_empty() {
            self.set_chunks(whole.clone(), state);
        }
        if place(range.end) != 0 {
            self.set_in_chunk(whole.end, 0..place(range.end), state);
        }
    }

    /// Sets some pages of one chunk; returns how many of them were committed.
    fn set_in_chunk(&mut self, chunk: u64, places: Range<usize>, state: u8) -> u64 {
        let (_, piece) = self.by_chunk.range_mut(..=chunk).next_back().expect("a first piece");
        match piece {
            &mut Piece::Uniform(old) => {
                let before = if old == 0 { 0 } else { places.len() as u64 };
                if old != state {
                    self.mix(chunk, old, places, state);
                }
                before
            }
            Piece::Mixed(states) => {
                let before = nibbles::fill(&mut states[..], places, state);
                if nibbles::first_other(&states[..], 0, state).is_none() {
                    *piece = Piece::Uniform(state);
                    self.join(chunk + 1);
                    self.join(chunk);
                }
                before as u64
            }
        }
    }

    /// Sets some pages of a chunk whose pages all have another state.
    fn mix(&mut self, chunk: u64, old: u8, places: Range<usize>, state: u8) {
        let mut states = Box::new([nibbles::filled(old); nibbles::words(CHUNK)]);
        nibbles::fill(&mut states[..], places, state);
        self.cut(chunk);
        self.cut(chunk + 1);
        self.by_chunk.insert(chunk, Piece::Mixed(states));
    }

    /// Makes whole chunks one uniform piece.
    fn set_chunks(&mut self, chunks: Range<u64>, state: u8) {
        self.cut(chunks.end);
        self.cut(chunks.start);
        // Each piece that goes was made by an earlier call, so this is paid for.
        while let Some((&next, _)) = self.by_chunk.range(chunks.start + 1..chunks.end).next() {
            self.by_chunk.remove(&next);
        }
        self.by_chunk.insert(chunks.start, Piece::Uniform(state));
        self.join(chunks.end);
        self.join(chunks.start);
    }

    /// Lets a piece begin at `chunk`, unless that is the end.
    fn cut(&mut self, chunk: u64) {
        if chunk >= self.len.div_ceil(PAGES) {
            return;
        }
        if let (start, &Piece::Uniform(state)) = self.piece(chunk)
            && start != chunk
        {
            self.by_chunk.insert(chunk, Piece::Uniform(state));
        }
    }

    /// Joins the piece that begins at `chunk` with the one before it, if both are
    /// uniform and of one state.
    fn join(&mut self, chunk: u64) {
        let mut last = self.by_chunk.range(..=chunk).rev();
        if let (Some((&at, Piece::Uniform(right))), Some((_, Piece::Uniform(left)))) =
            (last.next(), last.next())
            && at == chunk
            && left == right
        {
            self.by_chunk.remove(&chunk);
        }
    }

    /// The piece that contains `chunk`, with its first chunk.
    fn piece(&self, chunk: u64) -> (u64, &Piece) {
        let (&start, piece) = self.by_chunk.range(..=chunk).next_back().expect("a first piece");
        (start, piece)
    }

    /// The pieces of a range, each with the part of the range that it covers. The part
    /// of a mixed piece lies in one chunk.
    fn parts(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, &Piece)> {
        let (first, _) = self.piece(range.start / PAGES);
        let mut pieces = self.by_chunk.range(first..).peekable();
        std::iter::from_fn(move || {
            if range.is_empty() {
                return None;
            }
            let (&chunk, piece) = pieces.next()?;
            let start = range.start.max(chunk * PAGES);
            let end = pieces.peek().map_or(range.end, |(next, _)| range.end.min(**next * PAGES));
            (start < end).then_some((start..end, piece))
        })
    }

    /// Panics unless the form is canonical.
    #[cfg(test)]
    pub(super) fn assert_invariants(&self) {
        let end = self.len.div_ceil(PAGES);
        assert_eq!(self.by_chunk.keys().next(), Some(&0));
        let mut before: Option<(u64, &Piece)> = None;
        for (&chunk, piece) in &self.by_chunk {
            assert!(chunk < end, "a piece behind the last page");
            match (before, piece) {
                (Some((_, Piece::Uniform(left))), Piece::Uniform(right)) => assert_ne!(left, right),
                (Some((start, Piece::Mixed(_))), _) => assert_eq!(start + 1, chunk),
                _ => {}
            }
            if let Piece::Mixed(states) = piece {
                let first = nibbles::get(&states[..], 0);
                assert!(nibbles::first_other(&states[..], 0, first).is_some(), "uniform");
                if chunk + 1 == end {
                    let last = place(self.len - 1);
                    let state = nibbles::get(&states[..], last);
                    assert_eq!(nibbles::first_other(&states[..], last, state), None);
                }
            }
            before = Some((chunk, piece));
        }
        let ends_mixed = matches!(before, Some((_, Piece::Mixed(_))));
        assert!(!ends_mixed || before.is_some_and(|(chunk, _)| chunk + 1 == end));
        self.tally.assert_counts(self.len, |range| self.count(range));
    }
}

/// The chunk that holds all pages of a range, if there is one and only one.
fn only_chunk(range: &Range<u64>) -> Option<u64> {
    let chunk = range.start / PAGES;
    (!range.is_empty() && (range.end - 1) / PAGES == chunk).then_some(chunk)
}

/// The places of a part, which is not empty and lies in one chunk.
fn places(part: &Range<u64>) -> Range<usize> {
    let start = place(part.start);
    start..start + 1 + place(part.end - part.start - 1)
}
