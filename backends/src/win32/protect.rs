//! `VirtualProtect`: the system's, fenced in.

use hostmem_interface::{Address, OutPointer, Protection, Refusal};

use super::manager::{Win32Manager, span};
use super::{foreign, system};

impl Win32Manager {
    pub(super) fn protect(
        &self,
        address: Address,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal> {
        let ledger = self.ledger();
        if ledger.is_foreign(&span(address.0, size)) {
            return Err(foreign::protect(address.0, size, protect, old));
        }
        // SAFETY: no page of the range is anybody else's.
        let changed = unsafe { system::protect(address.0, size, protect, old) };
        changed.map_err(Refusal::from_win32)
    }
}
