//! What a ledger keeps of one page: its protection and guard, or that it has no memory.
//!
//! Deliberately not here: `PAGE_NOCACHE` and `PAGE_WRITECOMBINE`. They belong to the
//! allocation (PR-05).

use hostmem_interface::Protection;

use crate::arguments::CACHE;

/// What the ledger knows of one page of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageState(u16);

impl PageState {
    /// No memory behind it.
    pub(crate) const RESERVED: Self = Self(0);
    const GUARD: u16 = 0x100;

    /// Memory with a well-formed protection.
    pub(crate) fn committed(protect: Protection) -> Self {
        let kept = protect.without(CACHE).0;
        Self(u16::try_from(kept).expect("a well-formed protection has no high bits"))
    }

    pub(crate) fn is_committed(self) -> bool {
        self != Self::RESERVED
    }

    /// The protection as a query shows it; 0 for a reserved page.
    pub(crate) fn shown(self) -> Protection {
        Protection(u32::from(self.0))
    }

    /// Whether the next permitted access raises the guard exception.
    pub(crate) fn is_armed(self) -> bool {
        self.0 & Self::GUARD != 0
    }

    /// The same page after its guard has fired.
    pub(crate) fn disarmed(self) -> Self {
        Self(self.0 & !Self::GUARD)
    }
}
