//! Addresses as values: 64 bits on every host, never a pointer.
//!
//! There is no `+` and no `-`: a caller says which overflow is meant. Sizes are plain `u64`
//! byte counts; pages and granules are never counted with the same variable as bytes.
//!
//! Deliberately not here: what an address may be used for, and conversion to a pointer.

use std::fmt;

/// An address in the subject's address space, any of the 2^64 bit patterns (`LPVOID`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Address(pub u64);

impl Address {
    /// The null pointer: "the manager chooses" for `VirtualAlloc`.
    pub const NULL: Self = Self(0);

    /// Whether this is the null pointer.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address `bytes` further on, or `None` past 2^64.
    #[must_use]
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The address `bytes` further on, modulo 2^64.
    #[must_use]
    pub const fn wrapping_add(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// How many bytes this address lies beyond `base`, or `None` if it lies before it.
    #[must_use]
    pub const fn offset_from(self, base: Self) -> Option<u64> {
        self.0.checked_sub(base.0)
    }

    /// The address rounded down to a multiple of `unit` bytes, a power of two.
    #[must_use]
    pub const fn align_down(self, unit: u64) -> Self {
        Self(self.0 & !(unit - 1))
    }

    /// Whether the address is a multiple of `unit` bytes, a power of two.
    #[must_use]
    pub const fn is_aligned(self, unit: u64) -> bool {
        self.0 & (unit - 1) == 0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::LowerHex for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}
