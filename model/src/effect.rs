//! What an answer does to the state, as data, and the one place where it is done.
//!
//! Rules decide and produce effects; nothing else changes a [`State`]. A refusal's effect is
//! [`Effect::None`], so a refused call changes nothing by construction (SM-04).
//!
//! Deliberately not here: any decision.

use std::ops::Range;

use hostmem_interface::{Address, Data, MallocId, MallocType, MemoryLoad};

use crate::page::PageState;
use crate::space::{Allocation, Found, Slot, Terms};
use crate::state::State;

/// A change of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing changes.
    None,
    /// A new allocation; `base` is `None` until the choice is known.
    Reserve {
        /// Its base.
        base: Option<Address>,
        /// Bytes, whole pages.
        size: u64,
        /// What was asked for.
        terms: Terms,
        /// The state of its pages.
        state: PageState,
    },
    /// Pages of an allocation become committed with a state.
    Commit(Pages, PageState),
    /// Pages of an allocation become reserved.
    Decommit(Pages),
    /// An allocation goes away.
    Release(Address),
    /// Committed pages get a new state.
    Protect(Pages, PageState),
    /// Committed pages of the range become uncertain.
    Reset(Pages),
    /// The contents of the range are what they were before the reset.
    UndoReset(Pages),
    /// An access was made: its first `length` bytes, and then the guard at `disarmed` fired.
    Access {
        /// Where it began.
        at: Address,
        /// What it wrote, if it did.
        data: Option<Data>,
        /// How many bytes were done.
        length: u64,
        /// The page whose guard fired.
        disarmed: Option<Address>,
    },
    /// A read saw these bytes.
    Saw(Address, Vec<u8>),
    /// Somebody wrote these pages unseen, in a watched allocation.
    Mark(Pages),
    /// Marks of pages are cleared.
    Unmark(Address, Vec<u64>),
    /// Marks of a range of pages are cleared.
    UnmarkAll(Pages),
    /// A new heap.
    CreateMalloc(MallocType),
    /// A new block; `address` is `None` until it is known.
    Alloc {
        /// Its heap.
        malloc: MallocId,
        /// Bytes.
        size: u64,
        /// Its address.
        address: Option<Address>,
    },
    /// A block goes away.
    FreeBlock(Address),
    /// The machine's load is set.
    SetLoad(MemoryLoad),
    /// A callback is registered.
    Register,
    /// A mapping of the runtime's own.
    Acquire(Address, u64),
    /// It is gone.
    ReleaseForeign(Address),
}

impl Effect {
    /// The same with the place that was chosen, where one is to be.
    #[must_use]
    pub fn with_base(&self, chosen: Address) -> Self {
        let mut effect = self.clone();
        if let Self::Reserve { base, .. } | Self::Alloc { address: base, .. } = &mut effect {
            *base = Some(chosen);
        }
        effect
    }
}

/// Pages of one allocation.
#[derive(Clone, Debug, Eq)]
pub struct Pages {
    /// The allocation.
    pub base: Address,
    /// The pages, counted from its first.
    pub range: Range<u64>,
    /// Where the space may find the allocation without a search.
    pub(crate) slot: Slot,
}

impl Pages {
    /// Some pages of an allocation.
    #[must_use]
    pub const fn of(base: Address, range: Range<u64>) -> Self {
        Self { base, range, slot: Slot::UNKNOWN }
    }

    /// Some pages of an allocation that was just found.
    #[must_use]
    pub const fn found(found: &Found<'_>, range: Range<u64>) -> Self {
        Self { base: found.allocation.base(), range, slot: found.slot }
    }
}

/// The slot is no part of what is meant.
impl PartialEq for Pages {
    fn eq(&self, other: &Self) -> bool {
        self.base == other.base && self.range == other.range
    }
}

impl State {
    /// Applies an effect that is complete: every choice in it has been made.
    ///
    /// # Panics
    /// If a choice is missing, or the effect is of another state.
    #[inline(always)]
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::None => {}
            Effect::Commit(pages, state) | Effect::Protect(pages, state) => {
                self.set_pages(pages, *state);
            }
            other => self.apply_to_memory(other),
        }
    }

    #[inline(never)]
    fn apply_to_memory(&mut self, effect: &Effect) {
        match effect {
            Effect::Reserve { base, size, terms, state } => {
                let base = base.expect("the base was chosen");
                let page = self.space.machine().page;
                self.space.insert(Allocation::new(base, page, size / page, *terms, *state));
            }
            Effect::Decommit(pages) => {
                self.set_pages(pages, PageState::RESERVED);
                let (at, size) = self.bytes_of(pages);
                self.contents.clear(at, size);
            }
            Effect::Release(base) => {
                let gone = self.space.remove(*base);
                self.contents.clear(gone.base(), gone.size());
            }
            Effect::Reset(pages) => {
                let (at, size) = self.bytes_of(pages);
                self.contents.reset(at, size);
            }
            Effect::UndoReset(pages) => {
                let (at, size) = self.bytes_of(pages);
                self.contents.undo_reset(at, size);
            }
            Effect::Saw(at, bytes) => self.saw_bytes(*at, bytes),
            Effect::Mark(pages) => {
                self.space.allocation_mut(pages.base).mark(pages.range.clone());
            }
            Effect::Unmark(base, pages) => {
                self.space.allocation_mut(*base).unmark(pages.iter().copied());
            }
            Effect::UnmarkAll(pages) => {
                self.space.allocation_mut(pages.base).unmark_all(pages.range.clone());
            }
            other => self.apply_rest(other),
        }
    }

    fn apply_rest(&mut self, effect: &Effect) {
        match effect {
            Effect::Access { at, data, length, disarmed } => {
                if let Some(data) = data {
                    self.write_bytes(*at, data, *length);
                }
                if let Some(page) = disarmed {
                    self.disarm(*page);
                }
            }
            Effect::CreateMalloc(kind) => self.heaps.create(*kind),
            Effect::Alloc { malloc, size, address } => {
                self.heaps.insert(address.expect("the address is known"), *size, *malloc);
            }
            Effect::FreeBlock(address) => self.heaps.remove(*address),
            Effect::SetLoad(load) => self.pressure.set(*load),
            Effect::Register => self.pressure.registered = true,
            Effect::Acquire(base, size) => self.acquire(*base, *size),
            Effect::ReleaseForeign(base) => {
                self.foreign.remove(&base.0);
            }
            _ => unreachable!("applied above"),
        }
    }

    #[inline(always)]
    fn set_pages(&mut self, pages: &Pages, state: PageState) {
        self.space.set_pages(pages.base, pages.slot, pages.range.clone(), state);
    }

    fn bytes_of(&self, pages: &Pages) -> (Address, u64) {
        let page = self.space.machine().page;
        let at = pages.base.wrapping_add(pages.range.start * page);
        (at, (pages.range.end - pages.range.start) * page)
    }

    fn disarm(&mut self, at: Address) {
        let allocation = self.space.find(at).expect("a guarded page is committed");
        let (base, page) = (allocation.base(), allocation.page_of(at));
        let state = allocation.state(page);
        debug_assert!(state.is_guarded(), "only an armed guard fires");
        self.set_pages(&Pages::of(base, page..page + 1), state.disarmed());
    }

    /// Remembers what of the range lies in free memory as a whole, and nothing of a range
    /// that does not: the runtime ignores the answer, so there is none to give (AS-02).
    fn acquire(&mut self, base: Address, size: u64) {
        let page = self.space.machine().page;
        let start = base.align_down(page);
        let end = base.0.checked_add(size).and_then(|end| end.checked_next_multiple_of(page));
        let Some(end) = end.filter(|end| *end <= self.space.machine().end() && size > 0) else {
            return;
        };
        let owned = self.space.find(start).is_some()
            || self.space.next(start).is_some_and(|next| next.base().0 < end);
        let known = self.foreign_overlapping(start, Address(end)).is_some();
        // The lowest 64 KiB are free for ever (VQ-11).
        if start.0 >= self.space.machine().lowest && !owned && !known {
            self.foreign.insert(start.0, end);
        }
    }
}
