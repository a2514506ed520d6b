//! The state of one page in one byte, and what an access may do with it.
//!
//! Deliberately not here: `PAGE_NOCACHE` and `PAGE_WRITECOMBINE`, which belong to the
//! allocation (PR-05), and contents ([`crate::contents`]).

use hostmem_interface::{AccessKind, Protection};

/// Reserved, or committed with one of six protections, guarded or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageState(pub u8);

const GUARD_BIT: u8 = 0x08;

/// The base protections that private memory can have, by code; code 0 is "reserved".
const BASES: [Protection; 7] = [
    Protection(0),
    Protection::NOACCESS,
    Protection::READONLY,
    Protection::READWRITE,
    Protection::EXECUTE,
    Protection::EXECUTE_READ,
    Protection::EXECUTE_READWRITE,
];

/// The code of each bit of a protection; what is none of private memory has that of nothing.
const CODES: [u8; 8] = [1, 2, 3, 0, 4, 5, 6, 0];

/// The modifiers that belong to the allocation.
pub const ALLOCATION_MODIFIERS: Protection =
    Protection(Protection::NOCACHE.0 | Protection::WRITECOMBINE.0);

impl PageState {
    /// Reserved, not committed.
    pub const RESERVED: Self = Self(0);

    /// Committed with a lawful protection; the allocation's modifiers are ignored.
    ///
    /// # Panics
    /// If the protection has no base value of private memory: the rules check that first.
    #[must_use]
    pub fn committed(protect: Protection) -> Self {
        let base = protect.without(Protection::GUARD).without(ALLOCATION_MODIFIERS);
        let code = match base.0.trailing_zeros() {
            bit @ 0..8 if base.0.is_power_of_two() => CODES[bit as usize],
            _ => 0,
        };
        assert!(code != 0, "{base} is no protection of private memory");
        let guard = if protect.contains(Protection::GUARD) { GUARD_BIT } else { 0 };
        Self(code | guard)
    }

    /// Whether the page is committed.
    #[must_use]
    pub const fn is_committed(self) -> bool {
        self.0 != 0
    }

    /// Whether a guard is armed.
    #[must_use]
    pub const fn is_guarded(self) -> bool {
        self.0 & GUARD_BIT != 0
    }

    /// The same page with its guard gone.
    #[must_use]
    pub const fn disarmed(self) -> Self {
        Self(self.0 & !GUARD_BIT)
    }

    /// The protection without the allocation's modifiers; 0 if reserved.
    #[must_use]
    pub const fn protection(self) -> Protection {
        let base = BASES[(self.0 & !GUARD_BIT) as usize];
        if self.is_guarded() { base.or(Protection::GUARD) } else { base }
    }

    /// Whether the base protection permits an access, its guard aside (AF-02, AF-03).
    #[must_use]
    pub fn permits(self, access: AccessKind) -> bool {
        let base = BASES[(self.0 & !GUARD_BIT) as usize];
        match access {
            AccessKind::Read => base.0 > Protection::NOACCESS.0,
            AccessKind::Write => {
                matches!(base, Protection::READWRITE | Protection::EXECUTE_READWRITE)
            }
            AccessKind::Execute => base.0 >= Protection::EXECUTE.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_shows_the_protection_it_was_made_of() {
        for base in &BASES[1..] {
            for guard in [Protection(0), Protection::GUARD] {
                let state = PageState::committed(*base | guard | Protection::NOCACHE);
                assert_eq!(state.protection(), *base | guard);
                assert_eq!(state.disarmed().protection(), *base);
                assert!(state.is_committed());
            }
        }
        assert_eq!(PageState::RESERVED.protection(), Protection(0));
    }

    #[test]
    fn who_may_do_what() {
        let may = |protect, access| PageState::committed(protect).permits(access);
        for protect in &BASES[2..] {
            assert!(may(*protect, AccessKind::Read), "{protect}");
            let writable = protect.contains(Protection::READWRITE)
                || protect.contains(Protection::EXECUTE_READWRITE);
            assert_eq!(may(*protect, AccessKind::Write), writable, "{protect}");
            assert_eq!(may(*protect, AccessKind::Execute), protect.0 >= 0x10, "{protect}");
        }
        for access in [AccessKind::Read, AccessKind::Write, AccessKind::Execute] {
            assert!(!may(Protection::NOACCESS, access));
            assert!(!PageState::RESERVED.permits(access));
        }
    }
}
