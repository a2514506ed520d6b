//! The canonical form of a state: equal for two states exactly if no call of the scope can
//! tell them apart.
//!
//! An allocation has no name here but its place in the hole, so histories that made the same
//! allocations in another order, or in a hole elsewhere, give the same state. What a page
//! holds is the one word that calls of the scope read and write; the rest of it is zero.
//!
//! Deliberately not here: heaps, memory load and announced mappings, which no call of a scope
//! changes.

use std::borrow::Borrow;

use hostmem_interface::Address;
use hostmem_model::State;
use hostmem_model::contents::Contents;
use hostmem_model::space::Allocation;

use super::alphabet::{WORD, word_of};
use super::scope::Layout;

/// A state in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

/// Whether something stands that is not what the scope's calls write.
const OTHER: u8 = 0xFF;

impl Key {
    /// The canonical form of `state`, whose hole begins at `base`.
    #[must_use]
    pub fn of(state: &State, layout: &Layout, base: Address) -> Self {
        let mut bytes = Vec::with_capacity(40);
        put_state(state, layout, base, &mut bytes);
        Self(bytes.into())
    }
}

/// A key is found by its bytes, which need not be made a key for that.
impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

/// The bytes of [`Key::of`], appended.
pub fn put_state(state: &State, layout: &Layout, base: Address, into: &mut Vec<u8>) {
    for allocation in state.space.iter() {
        put_allocation(allocation, layout, base, into);
    }
    for (number, offset) in layout.pages.iter().enumerate() {
        put_contents(&state.contents, number, base.wrapping_add(*offset), into);
    }
}

fn put_allocation(allocation: &Allocation, layout: &Layout, base: Address, into: &mut Vec<u8>) {
    let page = layout.machine.page;
    let terms = allocation.terms();
    let start = allocation.base().0.wrapping_sub(base.0) / page;
    into.extend(start.to_le_bytes());
    into.extend(terms.protect.0.to_le_bytes());
    into.push(u8::from(terms.watched) | u8::from(terms.physical) << 1);
    for (pages, state) in allocation.runs(allocation.all_pages()) {
        // No page state is OTHER, so the end of the runs can be told.
        into.push(state.0);
        into.extend((pages.end - pages.start).to_le_bytes());
    }
    into.push(OTHER);
    for page in allocation.marked(allocation.all_pages()) {
        into.extend(page.to_le_bytes());
    }
    into.push(OTHER);
}

fn put_contents(contents: &Contents, number: usize, at: Address, into: &mut Vec<u8>) {
    if !contents.is_written(at, WORD) {
        into.push(0);
        return;
    }
    put_word(number, &contents.likeliest(at, WORD), into);
    if contents.is_uncertain(at, WORD) {
        into.push(OTHER);
        put_word(number, &contents.discarded(at, WORD), into);
    }
}

fn put_word(number: usize, word: &[u8], into: &mut Vec<u8>) {
    if word.iter().all(|byte| *byte == 0) {
        into.push(0);
    } else if word == word_of(number) {
        into.push(1);
    } else {
        into.push(2);
        into.extend(word);
    }
}
