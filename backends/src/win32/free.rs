//! `VirtualFree`: the system's, fenced in.

use hostmem_interface::{Address, FreeType, Refusal};

use super::manager::{Win32Manager, span};
use super::{foreign, system};

impl Win32Manager {
    pub(super) fn free(&self, address: Address, size: u64, kind: FreeType) -> Result<(), Refusal> {
        let at = address.0;
        // Whatever asks for a release may end an allocation: it is made alone.
        let mut ledger = self.ledger_alone();
        let own = ledger.containing(at);
        if ledger.is_foreign(&span(at, size)) {
            return Err(foreign::free(at, size, kind, own.is_some()));
        }
        // SAFETY: no page of the range is anybody else's; without a size the call concerns the
        // allocation at its start, which is the case's or does not exist.
        unsafe { system::free(at, size, kind) }.map_err(Refusal::from_win32)?;
        if kind.contains(FreeType::RELEASE) {
            ledger.remove(at);
        }
        Ok(())
    }
}
