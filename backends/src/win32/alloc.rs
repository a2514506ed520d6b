//! `VirtualAlloc`: the system's, fenced in.
//!
//! A call that makes an allocation is made alone, so that the record of what is the case's
//! is never behind; any other only needs the record to stay as it is.

use hostmem_interface::{Address, AllocationType, Protection, Refusal};

use super::ledger::Ledger;
use super::manager::{Win32Manager, span};
use super::{foreign, system};
use crate::arguments::AllocArguments;

impl Win32Manager {
    pub(super) fn alloc(
        &self,
        address: Address,
        size: u64,
        kind: AllocationType,
        protect: Protection,
    ) -> Result<Address, Refusal> {
        let arguments = AllocArguments { at: address.0, size, kind, protect };
        // Also what ought to be refused: MEM_RESET of a null address reserves on some systems.
        if address.is_null() || arguments.reserves() {
            let mut ledger = self.ledger_alone();
            let base = fenced(&ledger, &arguments)?;
            if !ledger.holds(&(base.0..base.0 + 1)) {
                ledger.insert(base.0);
            }
            return Ok(base);
        }
        fenced(&self.ledger(), &arguments)
    }
}

fn fenced(ledger: &Ledger, arguments: &AllocArguments) -> Result<Address, Refusal> {
    let AllocArguments { at, size, kind, protect } = *arguments;
    if at != 0 && ledger.is_foreign(&span(at, size)) {
        return Err(foreign::alloc(at, size, kind, protect));
    }
    // SAFETY: no page of the range is anybody else's, or the system chooses the place.
    unsafe { system::alloc(at, size, kind, protect) }.map_err(Refusal::from_win32)
}
