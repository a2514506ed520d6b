//! Calls that a case is going to make: what lets a subject far away answer many at a time.
//!
//! A subject that is slow to reach ([`crate::Subject::looks_ahead`]) is told which calls come
//! next. It may carry them out at once and keep the answers until they are asked for. What an
//! allocation among them will return is not known yet, so their addresses may be relative to it.
//!
//! Deliberately not here: foreseeing anything (`hostmem`), which needs the law.

use crate::{Address, Call};

/// An address of a call that lies ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spot {
    /// It is known.
    Known(Address),
    /// Relative to what a call ahead will return.
    Ahead {
        /// Which one: the k-th call among those foreseen that allocates
        /// ([`Call::allocates`]), counted from 0.
        allocation: usize,
        /// Added to it, modulo 2^64.
        offset: u64,
    },
}

/// A call that lies ahead.
pub type Foreseen = Call<Spot>;

impl<A, M> Call<A, M> {
    /// Whether a success of it returns an address.
    #[must_use]
    pub const fn allocates(&self) -> bool {
        matches!(self, Self::VirtualAlloc { .. } | Self::Alloc { .. } | Self::DebugAlloc { .. })
    }
}
