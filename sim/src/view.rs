//! What a generator may know of a case: the law's state, and the names bound so far.
//!
//! Deliberately not here: anything about the subject. A generator that looked at it could
//! hide its faults.

use hostmem_interface::Address;
use hostmem_interface::scenario::{Name, Place};
use hostmem_model::State;

/// What a name was bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A range of addresses: of an allocation, of a hole, or of a heap block; live or not.
    Range {
        /// Its first address.
        base: Address,
        /// Bytes, as asked for.
        size: u64,
        /// The heap of a block.
        malloc: Option<Name>,
    },
    /// A heap.
    Malloc,
    /// Nothing (yet): the number belongs to a step that was refused or is still to come.
    Nothing,
}

/// The state of a case in the middle of it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What the law knows.
    pub state: &'a State,
    /// The bindings, by number of the name.
    pub bound: &'a [Binding],
}

impl View<'_> {
    /// An address as a scenario writes it: relative to the newest range that holds it, or
    /// that lies next before it; absolute if there is none.
    #[must_use]
    pub fn place(&self, at: Address) -> Place {
        let mut best: Option<(u32, Address)> = None;
        for (number, binding) in (0u32..).zip(self.bound) {
            if let Binding::Range { base, .. } = binding
                && *base <= at
                && best.is_none_or(|(_, known)| *base >= known)
            {
                best = Some((number, *base));
            }
        }
        match best {
            Some((number, base)) => {
                Place::Relative { name: Name(number), offset: at.0.wrapping_sub(base.0) }
            }
            None => Place::Absolute(at),
        }
    }
}
