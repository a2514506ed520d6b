//! What the pages hold, as far as anyone has written: sparse, and honest about doubt.
//!
//! A page that is absent is all zero. After `MEM_RESET` a page is *uncertain* (VA-42e): it
//! has several candidates, and while nothing has written to it the system may still turn it
//! to zero at any moment. A read narrows the candidates to those that it fits; a write goes
//! to all of them and ends the system's freedom.
//!
//! Deliberately not here: who may read or write ([`crate::rules`]).

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::{Address, Data};

/// The bytes of one page, as one byte repeated or in full.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bytes {
    Fill(u8),
    Full(Box<[u8]>),
}

impl Bytes {
    const ZERO: Self = Self::Fill(0);

    fn is_zero(&self) -> bool {
        match self {
            Self::Fill(byte) => *byte == 0,
            Self::Full(bytes) => all_are(bytes, 0),
        }
    }

    fn matches(&self, offset: usize, seen: &[u8]) -> bool {
        match self {
            Self::Fill(byte) => all_are(seen, *byte),
            Self::Full(bytes) => bytes[offset..offset + seen.len()] == *seen,
        }
    }

    fn copy_to(&self, offset: usize, into: &mut [u8]) {
        match self {
            Self::Fill(byte) => into.fill(*byte),
            Self::Full(bytes) => into.copy_from_slice(&bytes[offset..offset + into.len()]),
        }
    }

    fn write(&mut self, page: usize, offset: usize, data: &Data, from: u64, length: usize) {
        if let Data::Fill { byte, .. } = data
            && (length == page || *self == Self::Fill(*byte))
        {
            *self = Self::Fill(*byte);
            return;
        }
        if let Self::Fill(byte) = *self {
            *self = Self::Full(vec![byte; page].into_boxed_slice());
        }
        if let Self::Full(bytes) = self {
            data.copy_to(from, &mut bytes[offset..offset + length]);
        }
    }
}

/// What is known of one page.
#[derive(Clone, Debug)]
struct Page {
    /// What it may hold; never empty, the likeliest first.
    candidates: Vec<Bytes>,
    /// Whether the system may still turn it to zero; of a page of zeros it means nothing.
    discardable: bool,
}

impl Page {
    fn narrowed(&self, offset: usize, seen: &[u8]) -> Self {
        let fits = |bytes: &&Bytes| bytes.matches(offset, seen);
        let mut candidates: Vec<Bytes> = self.candidates.iter().filter(fits).cloned().collect();
        if self.discardable && !candidates.iter().any(Bytes::is_zero) {
            candidates.push(Bytes::ZERO);
        }
        Self { candidates, discardable: self.discardable }
    }
}

/// The contents of an address space.
#[derive(Clone, Debug)]
pub struct Contents {
    page: u64,
    pages: BTreeMap<u64, Page>,
}

impl Contents {
    /// All zero, in pages of `page` bytes.
    #[must_use]
    pub const fn new(page: u64) -> Self {
        Self { page, pages: BTreeMap::new() }
    }

    /// Whether a read that gave `seen` at `at` is possible.
    #[must_use]
    pub fn permit(&self, at: Address, seen: &[u8]) -> bool {
        self.pieces(at, seen.len() as u64).all(|(number, offset, range)| {
            let piece = &seen[range];
            match self.pages.get(&number) {
                Some(page) => page.candidates.iter().any(|bytes| bytes.matches(offset, piece)),
                None => all_are(piece, 0),
            }
        })
    }

    /// What a read of `size` bytes at `at` most likely gives.
    #[must_use]
    pub fn likeliest(&self, at: Address, size: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(size).expect("reads are limited to 64 MiB")];
        if self.is_written(at, size) {
            self.copy_likeliest(at, &mut bytes);
        }
        bytes
    }

    /// The same, into these bytes.
    pub(crate) fn copy_likeliest(&self, at: Address, into: &mut [u8]) {
        for (number, offset, range) in self.pieces(at, into.len() as u64) {
            match self.pages.get(&number) {
                Some(page) => page.candidates[0].copy_to(offset, &mut into[range]),
                None => into[range].fill(0),
            }
        }
    }

    /// What a read gives if the system turned every page to zero that it may.
    #[must_use]
    pub fn discarded(&self, at: Address, size: u64) -> Vec<u8> {
        let mut bytes = self.likeliest(at, size);
        for (number, offset, range) in self.pieces(at, size) {
            if let Some(Page { candidates, .. }) = self.pages.get(&number)
                && let Some(last) = candidates.last()
            {
                last.copy_to(offset, &mut bytes[range]);
            }
        }
        bytes
    }

    /// Whether any page of the range is uncertain.
    #[must_use]
    pub fn is_uncertain(&self, at: Address, size: u64) -> bool {
        self.first_uncertain(at, size).is_some()
    }

    /// The first address of the first uncertain page of the range.
    #[must_use]
    pub fn first_uncertain(&self, at: Address, size: u64) -> Option<Address> {
        let (number, _) = self.numbers(at, size).find(|(_, page)| page.candidates.len() > 1)?;
        Some(Address(number * self.page))
    }

    /// Whether any page of the range may hold something other than zero.
    #[must_use]
    pub fn is_written(&self, at: Address, size: u64) -> bool {
        self.numbers(at, size).next().is_some()
    }

    /// Whether every byte of the range is zero, and certainly so.
    pub(crate) fn are_zero(&self, at: Address, size: u64) -> bool {
        !self.is_uncertain(at, size) && all_are(&self.likeliest(at, size), 0)
    }

    /// The first addresses of the pages that may hold something other than zero.
    pub fn written_pages(&self) -> impl Iterator<Item = Address> {
        self.pages.keys().map(|number| Address(number * self.page))
    }

    /// Those of them that the range `[at, at + size)` touches.
    pub fn written_in(&self, at: Address, size: u64) -> impl Iterator<Item = Address> {
        self.numbers(at, size).map(|(number, _)| Address(number * self.page))
    }

    /// A read gave `seen` at `at`: settles what it settles.
    pub(crate) fn saw(&mut self, at: Address, seen: &[u8]) {
        let pieces: Vec<_> = self.pieces(at, seen.len() as u64).collect();
        for (number, offset, range) in pieces {
            if let Some(page) = self.pages.get_mut(&number)
                && page.candidates.len() > 1
            {
                *page = page.narrowed(offset, &seen[range]);
            }
        }
    }

    /// `length` bytes of `data`, from its byte `from` on, were written at `at`.
    pub(crate) fn write(&mut self, at: Address, data: &Data, from: u64, length: u64) {
        let page_size = usize::try_from(self.page).expect("pages fit memory");
        let pieces: Vec<_> = self.pieces(at, length).collect();
        for (number, offset, range) in pieces {
            let fresh = || Page { candidates: vec![Bytes::ZERO], discardable: false };
            let page = self.pages.entry(number).or_insert_with(fresh);
            page.discardable = false;
            for bytes in &mut page.candidates {
                bytes.write(page_size, offset, data, from + range.start as u64, range.len());
            }
            page.candidates.dedup();
        }
    }

    /// The pages of the range are gone, or new: they read as zero.
    pub(crate) fn clear(&mut self, at: Address, size: u64) {
        let range = self.page_range(at, size);
        // Not by splitting the map, which takes longer the more stays.
        while let Some((&number, _)) = self.pages.range(range.clone()).next() {
            self.pages.remove(&number);
        }
    }

    /// The pages of the range were reset: each holds what it held, or zero.
    pub(crate) fn reset(&mut self, at: Address, size: u64) {
        let range = self.page_range(at, size);
        for page in self.pages.range_mut(range).map(|(_, page)| page) {
            if !page.candidates.iter().any(Bytes::is_zero) {
                page.candidates.push(Bytes::ZERO);
            }
            page.discardable = true;
        }
    }

    /// A reset of the range was undone: the pages hold what they held.
    pub(crate) fn undo_reset(&mut self, at: Address, size: u64) {
        let range = self.page_range(at, size);
        for page in self.pages.range_mut(range).map(|(_, page)| page) {
            if page.discardable {
                if page.candidates.iter().any(|bytes| !bytes.is_zero()) {
                    page.candidates.retain(|bytes| !bytes.is_zero());
                }
                page.discardable = false;
            }
        }
    }

    fn page_range(&self, at: Address, size: u64) -> Range<u64> {
        at.0 / self.page..at.0.saturating_add(size).div_ceil(self.page)
    }

    fn numbers(&self, at: Address, size: u64) -> impl Iterator<Item = (u64, &Page)> {
        self.pages.range(self.page_range(at, size)).map(|(number, page)| (*number, page))
    }

    /// The parts of a range by page: page number, offset in the page, offsets in the range.
    fn pieces(&self, at: Address, size: u64) -> impl Iterator<Item = (u64, usize, Range<usize>)> {
        let page = self.page;
        let mut done = 0;
        std::iter::from_fn(move || {
            if done == size {
                return None;
            }
            let here = at.0 + done;
            let length = (page - here % page).min(size - done);
            let start = usize::try_from(done).expect("an offset into memory");
            let offset = usize::try_from(here % page).expect("pages fit memory");
            done += length;
            Some((here / page, offset, start..start + usize::try_from(length).expect("a page")))
        })
    }
}

/// Whether all bytes are this one: the first is, and each of the others equals the one before
/// it, which one comparison of memory finds out.
fn all_are(bytes: &[u8], one: u8) -> bool {
    match bytes {
        [] => true,
        [first, rest @ ..] => *first == one && *rest == bytes[..rest.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Address = Address(0x10_0000);

    fn filled(byte: u8) -> Contents {
        let mut contents = Contents::new(0x1000);
        contents.write(AT, &Data::Fill { size: 0x1000, byte }, 0, 0x1000);
        contents
    }

    #[test]
    fn unwritten_memory_is_zero_and_nothing_else() {
        let contents = Contents::new(0x1000);
        assert!(contents.permit(AT, &[0; 8]));
        assert!(!contents.permit(AT, &[0, 0, 1]));
        assert_eq!(contents.likeliest(AT, 3), [0, 0, 0]);
    }

    #[test]
    fn a_write_across_pages_reads_back() {
        let mut contents = Contents::new(0x1000);
        let data = Data::Bytes([1, 2, 3, 4].into());
        contents.write(Address(0x10_0FFE), &data, 0, 4);
        assert_eq!(contents.likeliest(Address(0x10_0FFD), 6), [0, 1, 2, 3, 4, 0]);
        contents.clear(Address(0x10_1000), 0x1000);
        assert_eq!(contents.likeliest(Address(0x10_0FFE), 4), [1, 2, 0, 0]);
    }

    #[test]
    fn after_a_reset_old_and_zero_are_permitted_and_no_mixture() {
        let mut contents = filled(7);
        contents.reset(AT, 0x1000);
        assert!(contents.permit(AT, &[7; 4]) && contents.permit(AT, &[0; 4]));
        assert!(!contents.permit(AT, &[7, 0]));
        contents.saw(AT, &[7]);
        assert!(contents.permit(AT, &[0]), "seeing the old contents settles nothing");
        contents.saw(AT, &[0]);
        assert!(!contents.permit(AT, &[7]), "zero is for good");
    }

    #[test]
    fn a_write_after_a_reset_keeps_the_doubt_about_the_rest_until_it_is_read() {
        let mut contents = filled(7);
        contents.reset(AT, 0x1000);
        contents.write(AT, &Data::Bytes([9].into()), 0, 1);
        assert!(contents.permit(AT, &[9, 7]) && contents.permit(AT, &[9, 0]));
        contents.saw(AT, &[9, 7]);
        assert!(!contents.permit(AT, &[9, 0]));
    }

    #[test]
    fn undo_settles_to_the_old_contents() {
        let mut contents = filled(7);
        contents.reset(AT, 0x1000);
        contents.undo_reset(AT, 0x1000);
        assert!(contents.permit(AT, &[7]) && !contents.permit(AT, &[0]));
    }

    /// A page may be reset twice with nothing but zeros in both candidates.
    #[test]
    fn undo_leaves_a_page_of_zeros_what_it_is() {
        let mut contents = filled(7);
        contents.reset(AT, 0x1000);
        contents.write(AT, &Data::Bytes(vec![0; 0x800].into()), 0, 0x800);
        contents.write(Address(AT.0 + 0x800), &Data::Bytes(vec![0; 0x800].into()), 0, 0x800);
        contents.reset(AT, 0x1000);
        contents.undo_reset(AT, 0x1000);
        assert!(contents.permit(AT, &[0; 0x1000]));
    }

    #[test]
    fn a_page_of_zeros_is_never_uncertain() {
        let mut contents = filled(0);
        contents.reset(AT, 0x1000);
        assert!(!contents.is_uncertain(AT, 0x1000));
    }
}
