//! Page protections: which words are well formed, and what each asks of the kernel.
//!
//! [`check`] answers for a word of a caller (rules PR-01 to PR-04), [`PageState`] is what the
//! ledger keeps of a lawful one. `PAGE_EXECUTE` is mapped readable, as it is on x64 (AF-03).
//!
//! Deliberately not here: `PAGE_NOCACHE` and `PAGE_WRITECOMBINE` per page. They belong to the
//! allocation (PR-05), and Linux has no such memory for a program anyway.

use hostmem_interface::{AccessKind, Protection};

use super::mapping::Prot;

/// The modifiers that belong to a whole allocation.
pub(super) const CACHE: Protection = Protection(Protection::NOCACHE.0 | Protection::WRITECOMBINE.0);
const BASES: u32 = 0xFF;
const COPY: Protection = Protection(Protection::WRITECOPY.0 | Protection::EXECUTE_WRITECOPY.0);

/// What is wrong with a protection word, the earliest check first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// Not exactly one base value (PR-01).
    Base,
    /// Modifiers that exclude each other or the base, or unknown bits (PR-02, PR-04).
    Modifiers,
}

/// Whether a word is well formed; copy-on-write counts as that (see [`copies_on_write`]).
pub(super) fn check(protect: Protection) -> Result<(), Malformed> {
    if (protect.0 & BASES).count_ones() != 1 {
        return Err(Malformed::Base);
    }
    let modifiers = protect.0 & !BASES;
    let known = Protection::GUARD.or(CACHE).0;
    let one = modifiers.count_ones() <= 1 && modifiers & !known == 0;
    if modifiers == 0 || (one && !protect.contains(Protection::NOACCESS)) {
        Ok(())
    } else {
        Err(Malformed::Modifiers)
    }
}

/// Whether a well-formed word is one that private memory never has (PR-03).
pub(super) fn copies_on_write(protect: Protection) -> bool {
    protect.intersects(COPY)
}

/// What the ledger knows of one page of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageState(u16);

impl PageState {
    /// No memory behind it.
    pub(super) const RESERVED: Self = Self(0);
    const GUARD: u16 = 0x100;

    /// Memory with a well-formed protection.
    pub(super) fn committed(protect: Protection) -> Self {
        let kept = protect.without(CACHE).0;
        Self(u16::try_from(kept).expect("a well-formed protection has no high bits"))
    }

    pub(super) fn is_committed(self) -> bool {
        self != Self::RESERVED
    }

    /// The protection as a query shows it; 0 for a reserved page.
    pub(super) fn shown(self) -> Protection {
        Protection(u32::from(self.0))
    }

    /// Whether the next permitted access raises the guard exception.
    pub(super) fn is_armed(self) -> bool {
        self.0 & Self::GUARD != 0
    }

    /// The same page after its guard has fired.
    pub(super) fn disarmed(self) -> Self {
        Self(self.0 & !Self::GUARD)
    }

    /// Whether the base protection allows an access, guard or not (AF-02, AF-03).
    pub(super) fn allows(self, kind: AccessKind) -> bool {
        let prot = self.disarmed().prot();
        match kind {
            AccessKind::Read => prot.readable(),
            AccessKind::Write => prot.writable(),
            AccessKind::Execute => prot.executable(),
        }
    }

    /// What the kernel is to let a program do with the page: nothing while a guard is armed,
    /// so that the first access faults.
    pub(super) fn prot(self) -> Prot {
        match self.shown() {
            Protection::READONLY => Prot::READ,
            Protection::READWRITE => Prot::READ_WRITE,
            Protection::EXECUTE | Protection::EXECUTE_READ => Prot::READ_EXECUTE,
            Protection::EXECUTE_READWRITE => Prot::ALL,
            _ => Prot::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_base_and_at_most_one_modifier_is_well_formed() {
        let lawful = (0..0x800).filter(|&word| check(Protection(word)).is_ok()).count();
        // Eight bases alone, and seven of them with each of three modifiers.
        assert_eq!(lawful, 8 + 7 * 3);
        assert_eq!(check(Protection(0)), Err(Malformed::Base));
        assert_eq!(check(Protection(0x300)), Err(Malformed::Base));
        assert_eq!(check(Protection(0x304)), Err(Malformed::Modifiers));
        assert_eq!(check(Protection(0x101)), Err(Malformed::Modifiers));
        assert_eq!(check(Protection(0x4000_0004)), Err(Malformed::Modifiers));
    }

    #[test]
    fn an_armed_page_is_inaccessible_and_disarms_to_its_base() {
        let page = PageState::committed(Protection(0x104));
        assert_eq!(page.prot(), Prot::NONE);
        assert!(page.is_armed() && page.allows(AccessKind::Write));
        assert_eq!(page.disarmed().prot(), Prot::READ_WRITE);
        assert_eq!(page.shown(), Protection(0x104));
    }
}
