//! Page protections: what each asks of the kernel.
//!
//! [`PageState`] is what the ledger keeps of a well-formed one. `PAGE_EXECUTE` is mapped
//! readable, as it is on x64 (AF-03).
//!
//! Deliberately not here: `PAGE_NOCACHE` and `PAGE_WRITECOMBINE` per page: Linux has no such
//! memory for a program.

use hostmem_interface::{AccessKind, Protection};

use super::mapping::Prot;
use crate::ledger::page_state::PageState;

impl PageState {
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
    fn an_armed_page_is_inaccessible_and_disarms_to_its_base() {
        let page = PageState::committed(Protection(0x104));
        assert_eq!(page.prot(), Prot::NONE);
        assert!(page.is_armed() && page.allows(AccessKind::Write));
        assert_eq!(page.disarmed().prot(), Prot::READ_WRITE);
        assert_eq!(page.shown(), Protection(0x104));
    }
}
